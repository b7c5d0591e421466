"""What the system before this one got wrong, one test by name for each: it must not come back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from conftest import StartSystem, System

Json = dict[str, Any]
INSTANCES = "/api/v1/instances"
MULTI = "/api/v1/multi-provider"
TOLD_S = 0.1


async def removed(system: System, *made: Json) -> None:
    """Give back what the shared system has little of: ports, if nobody has called them."""
    for each in made:
        await system.call("DELETE", f"{INSTANCES}/{each['instance_id']}")


async def test_create_blocks(system: System) -> None:
    """Creating waited until the messenger was connected, or for ever."""
    await system.control("telegram", "unreachable", bot=611_000_001)
    body = {"user_id": "test", "provider": "telegram", "type_instance": ["api"]}
    began = time.monotonic()
    status, made = await system.call("POST", INSTANCES, body | {"token": f"611000001:{'A' * 35}"})
    assert status == 201, made
    assert time.monotonic() - began < 2.5
    assert made["port"] in system.instance_ports
    assert made["api_key"]
    assert made["status"] in ("pending", "starting")
    await system.control("telegram", "unreachable", bot=611_000_001, on=False)
    await removed(system, made)


async def test_telegram_ready_is_told_late(system: System) -> None:
    """Subscribers heard of a bot that was ready many seconds later, or by polling only."""
    late = []
    for _ in range(5):
        async with asyncio.timeout(20), system.events("?types=client_ready") as events:
            made = await system.create("telegram")
            name = ""
            event: Json = {}
            while event.get("subject") != made["instance_id"]:
                _, name, event = await anext(events)
            late.append((datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds())
            assert name == "client_ready"
            shown = await system.get(made["instance_id"])
            assert (shown["status"], shown["is_ready_for_messages"]) == ("client_ready", True)
        await removed(system, made)
    assert min(late) >= -0.01  # one clock
    assert median(late) < TOLD_S, late


async def test_multi_provider_routes_404_and_without_whatsappweb(system: System) -> None:
    whatsapp, telegram = await system.ready_whatsapp("15551113001"), await system.ready_telegram()
    for made in (whatsapp, telegram):
        instance_id, provider = made["instance_id"], made["instance"]["provider"]
        one = f"{MULTI}/instances/{provider}/{instance_id}"
        status, state = await system.call("GET", f"{one}/status")
        assert (status, state["provider"], state["status"]) == (200, provider, "client_ready")
        status, sent = await system.call("POST", f"{one}/send-message", {"to": "15552223001", "message": "hi"})
        assert (status, sent["provider"]) == (200, provider), sent
        _, active = await system.call("GET", f"{MULTI}/active-providers")
        assert provider in active["providers"]
        assert instance_id in active["activeProviders"]
        _, listed = await system.call("GET", f"{MULTI}/instances?provider={provider}")
        assert instance_id in [item["id"] for item in listed["instances"]]
        assert {item["provider"] for item in listed["instances"]} == {provider}
        _, stats = await system.call("GET", f"{MULTI}/stats")
        assert instance_id in stats["stats"][provider]["instances"]
    await removed(system, whatsapp, telegram)


async def test_instance_port_not_reachable(system: System) -> None:
    """As soon as the instance is created, by its own port and through the gateway."""
    for provider, account in (("telegram", "/api/v1/telegram/me"), ("whatsappweb", "/api/v1/account-info")):
        made = await system.create(provider)
        await system.until(made["instance_id"], "client_ready", "qr_ready")
        for base in (f"http://127.0.0.1:{made['port']}", f"/{made['port']}"):
            status, health = await system.call("GET", f"{base}/api/v1/health")
            assert (status, health["status"], health["provider"]) == (200, "healthy", provider)
            key = {"Authorization": f"Bearer {made['api_key']}"}
            status, now = await system.call("GET", f"{base}/api/v1/status", headers=key)
            assert (status, now["instance_id"]) == (200, made["instance_id"])
            status, _ = await system.call("GET", base + account, headers=key)
            assert status == (200 if provider == "telegram" else 409)  # nobody has scanned the QR code


async def test_api_key_equals_instance_id(system: System) -> None:
    made = [await system.create("telegram") for _ in range(2)]
    keys = {each["api_key"] for each in made}
    assert len(keys) == 2
    for each in made:
        assert len(each["api_key"]) >= 43  # 256 bits
        assert each["instance_id"] not in each["api_key"]
        await system.until(each["instance_id"], "client_ready")
        for base in (f"http://127.0.0.1:{each['port']}", f"/{each['port']}"):
            as_key = {"Authorization": f"Bearer {each['instance_id']}"}
            status, _ = await system.call("GET", f"{base}/api/v1/status", headers=as_key)
            assert status == 401


async def test_token_visible_in_get_and_logs(system: System) -> None:
    token = f"612000001:{'SECRETPART' * 3}12345"
    made = await system.create("telegram", token=token)
    one = f"{INSTANCES}/{made['instance_id']}"
    await system.until(made["instance_id"], "client_ready")
    await system.control("telegram", "revoke", bot=612_000_001)
    await system.until(made["instance_id"], "error")
    seen = json.dumps(made) + system.output
    for path in (one, INSTANCES, f"{one}/logs?tail=1000", f"{one}/errors", f"{one}/memory", f"{one}/login"):
        seen += (await system.raw("GET", path))[2].decode()
    assert token not in seen
    assert "SECRETPART" not in seen
    assert made["instance"]["token_hint"] == token[-4:]
    await removed(system, made)


async def test_memory_with_empty_user_and_unknown_provider(system: System) -> None:
    for provider in ("telegram", "whatsappweb"):
        made = await system.create(provider, user_id="owner of it")
        ready = "client_ready" if provider == "telegram" else "qr_ready"
        await system.until(made["instance_id"], ready)
        for act in (None, "stop"):
            if act:
                await system.call("POST", f"{INSTANCES}/{made['instance_id']}/{act}")
            _, memory = await system.call("GET", f"{INSTANCES}/{made['instance_id']}/memory")
            data = memory["data"]
            assert (data["user_id"], data["provider"], data["type_instance"]) == ("owner of it", provider, ["api"])
            assert data["status"] == ("stopped" if act else ready)
            assert data["created_at"] == made["instance"]["created_at"]
        await removed(system, made)


async def test_histories_that_are_stubs(system: System) -> None:
    made = await system.ready_whatsapp("15551113002")
    one, began = f"{INSTANCES}/{made['instance_id']}", datetime.now(UTC)
    device = next(
        item for item in (await system.control("whatsapp", "links"))["devices"] if item["phone"] == "15551113002"
    )
    await system.control("whatsapp", "drop", phone="15551113002", device=device["device"])
    await system.until(made["instance_id"], "client_ready")
    await system.call("POST", f"{one}/stop")
    found = {
        name: (await system.call("GET", f"{one}/{name}"))[1]["data"]
        for name in ("status-history", "qr-history", "api-key-history", "errors")
    }
    statuses = [item["status"] for item in found["status-history"]][::-1]
    assert statuses[:5] == ["pending", "starting", "qr_ready", "authenticated", "client_ready"]
    assert statuses[-1] == "stopped"
    assert len(found["qr-history"]) >= 1
    assert len(found["api-key-history"]) == 1
    for name, stamp in (("status-history", "timestamp"), ("qr-history", "generated_at"), ("errors", "timestamp")):
        times = [datetime.fromisoformat(item[stamp]) for item in found[name]]
        assert times == sorted(times, reverse=True)
        assert all(abs((time - began).total_seconds()) < 60 for time in times)
    await removed(system, made)


async def test_qr_raw_text_starts_with_undefined(system: System) -> None:
    made = await system.create("whatsappweb")
    await system.until(made["instance_id"], "qr_ready")
    one = f"{INSTANCES}/{made['instance_id']}"
    _, shown = await system.call("GET", f"{one}/qr")
    _, _, raw = await system.raw("GET", f"{one}/qr?format=raw")
    _, current = await system.call("GET", f"{one}/current-qr")
    _, step = await system.call("GET", f"{one}/login")
    code = re.compile(r"(https://wa\.me/settings/linked_devices#)?2@[A-Za-z0-9+/=_-]{20,}(,[A-Za-z0-9+/=_-]+){3,}")
    for text in (shown["code"], raw.decode(), current["data"]["code"], step["login_step"]["code"]):
        assert code.fullmatch(text), text
    assert shown["qr_code"].startswith("data:image/png;base64,")
    await removed(system, made)


async def test_performance_all_zero(system: System) -> None:
    _, before = await system.call("GET", "/api/v1/resources/performance")
    made = await asyncio.gather(*(system.create("whatsappweb", start=False) for _ in range(4)))
    await asyncio.gather(*(system.call("GET", INSTANCES) for _ in range(10)))
    assigned: Json = {}
    async with asyncio.timeout(5):  # the allocator is asked once a second
        while assigned.get("successfulRequests", 0) < before["portAssignment"]["successfulRequests"] + 4:
            _, now = await system.call("GET", "/api/v1/resources/performance")
            assigned = now["portAssignment"]
    assert assigned["totalRequests"] == assigned["successfulRequests"] + assigned["failedRequests"]
    assert 0 < assigned["minTime"] <= assigned["averageTime"] <= assigned["maxTime"] < 5000
    assert assigned["concurrentPeak"] >= 1
    assert assigned["currentConcurrent"] == 0
    figures = now["performance"]
    assert len(figures["portAssignmentTime"]) == min(50, assigned["successfulRequests"])
    assert all(0 < each <= assigned["maxTime"] + 0.001 for each in figures["portAssignmentTime"])
    assert 0 < figures["averageResponseTime"] < 2000
    assert figures["peakConcurrency"] >= 4
    assert figures["concurrentRequests"] >= 1  # this one
    assert 0 <= figures["failureRate"] < 1
    assert datetime.fromisoformat(figures["lastResetTime"]) < datetime.now(UTC)
    ports = now["systemHealth"]["portStatistics"]
    assert ports["usedPorts"] >= 4
    assert ports["usedPorts"] + ports["availablePorts"] == ports["totalPorts"] == len(system.instance_ports)
    assert ports["assignmentMetrics"] == assigned
    await removed(system, *made)


async def test_two_allocators_hand_out_one_port(own_system: StartSystem) -> None:
    system = await own_system()
    access = json.loads((system.folder / "nats" / "access.json").read_text())
    ports = f"{system.instance_ports[0]}-{system.instance_ports[-1]}"
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mim.cli", "run", "allocator"),
        env=os.environ
        | access
        | {"MIM_DATA_DIR": str(system.folder), "MIM_INSTANCE_PORTS": ports, "MIM_LOG_FORMAT": "json"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert second.stderr is not None
        async with asyncio.timeout(30):
            while b"service_ready" not in await second.stderr.readline():
                pass
        made = await asyncio.gather(*(system.create("whatsappweb", start=False) for _ in range(20)))
        assert len({each["port"] for each in made}) == 20
        assert len({each["api_key"] for each in made}) == 20
        _, used = await system.call("GET", "/api/v1/resources/ports")
        assert used["used_ports"] == sorted(each["port"] for each in made)
    finally:
        second.terminate()
        _, rest = await second.communicate()
    by_second = rest.count(b'"event": "allocated"')
    assert 0 < by_second < 20  # both gave some


async def test_field_names(system: System) -> None:
    made = await system.ready_telegram(user_id="names")
    instance_id, port = made["instance_id"], made["port"]
    instance = await system.get(instance_id)
    assert instance["id"] == instance["instance_id"] == made["instance"]["id"] == instance_id
    assert instance["company_id"] == instance["user_id"] == "names"
    assert instance["port"] == instance["port_api"] == instance["ports"]["api"] == port
    assert made["process_result"]["details"]["ports"] == instance["ports"]
    assert made["process_result"]["details"]["api_key"] == made["api_key"]
    _, listed = await system.call("GET", f"{INSTANCES}?company_id=names")
    assert [item["id"] for item in listed["instances"]] == [instance_id]
    _, memory = await system.call("GET", f"{INSTANCES}/memory/stats")
    assert memory["stats"]["total_instances"] >= 1
    _, performance = await system.call("GET", "/api/v1/resources/performance")
    assert performance["systemHealth"]["status"] in ("healthy", "warning", "critical")
    _, health = await system.call("GET", "/api/v1/resources/health")
    assert health["systemHealth"]["status"] in ("healthy", "warning", "critical")
    _, active = await system.call("GET", f"{MULTI}/active-providers")
    assert (active["total"], type(active["providers"])) == (len(active["activeProviders"]), list)
    path = f"{MULTI}/instances/telegram/{instance_id}/send-message"
    _, sent = await system.call("POST", path, {"to": "15552223009", "message": "hi"})
    assert sent["messageId"] == sent["message_id"]
    _, own = await system.port_call(
        port, "POST", "/api/v1/telegram/send", {"chatId": "15552223009", "message": "hi"}, made["api_key"]
    )
    assert own["messageId"]
    body = {"company_id": "names", "provider": "telegram", "type_instance": ["api"], "start": False}
    status, older = await system.call("POST", INSTANCES, body | {"config": {"bot_token": f"613000001:{'A' * 35}"}})
    assert (status, older["instance"]["user_id"]) == (201, "names")
    missing = await system.call("GET", f"{INSTANCES}/{uuid4()}")
    assert set(missing[1]) >= {"success", "error", "code", "request_id"}

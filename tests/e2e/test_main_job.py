"""The main job, as a person does it: create an instance, log it in, send a message, receive one."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import zxingcpp
from PIL import Image

if TYPE_CHECKING:
    from conftest import System


async def test_a_whatsapp_instance_is_created_scanned_and_sends(system: System) -> None:
    made = await system.create("whatsappweb")
    assert made["success"] is True
    assert made["port"] in system.instance_ports
    assert made["process_result"] == {
        "success": True,
        "details": {"ports": {"api": made["port"], "mcp": None}, "api_key": made["api_key"]},
    }
    assert made["api_key"] != made["instance_id"]
    one = f"/api/v1/instances/{made['instance_id']}"

    status, qr = await system.call("GET", f"{one}/qr")  # asked at once: it waits for the first code
    assert (status, qr["auth_status"]) == (200, "qr_ready"), qr
    assert "2@" in qr["code"]
    assert 0 < qr["expires_in"] <= 60
    _, _, png = await system.raw("GET", f"{one}/qr?format=png")
    assert zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))[0].text == qr["code"]
    _, headers, svg = await system.raw("GET", f"{one}/qr?format=svg")
    assert headers["Content-Type"].startswith("image/svg+xml")
    assert svg.startswith(b"<svg")
    _, _, ascii_art = await system.raw("GET", f"{one}/qr?format=ascii")
    assert "█" in ascii_art.decode()
    _, current = await system.call("GET", f"{one}/current-qr")
    assert current["data"]["code"] == qr["code"]

    await system.control("whatsapp", "scan", qr=qr["code"], phone="15551110001")
    ready = await system.until(made["instance_id"], "client_ready")
    assert ready["phone_number"] == "15551110001"
    assert ready["whatsapp_state"] == "CONNECTED"
    assert ready["reason"]["user_action"] == "none"

    body = {"number": "15552220001", "message": "Привет 👋", "mediaType": "text"}
    status, sent = await system.port_call(made["port"], "POST", "/api/v1/send", body, made["api_key"])
    assert status == 200, sent
    assert sent["messageType"] == "text"
    inbox = (await system.control("whatsapp", "inbox", phone="15552220001"))["messages"]
    assert [(item["id"], item["text"]) for item in inbox] == [(sent["messageId"], "Привет 👋")]

    status, gone = await system.call("GET", f"{one}/qr")
    assert (status, gone["code"], gone["status"]) == (404, "QR_NOT_AVAILABLE", "client_ready")
    status, auth = await system.call("GET", f"{one}/auth-status")
    assert auth["authenticated"] is True
    assert auth["auth_status"] == "authenticated"


async def test_a_telegram_bot_is_created_and_sends_from_its_own_port_and_through_the_gateway(system: System) -> None:
    made = await system.ready_telegram()
    port, key, instance_id = made["port"], made["api_key"], made["instance_id"]
    status, health = await system.port_call(port, "GET", "/api/v1/telegram/health")
    assert (status, health["status"], health["provider"]) == (200, "healthy", "telegram")
    status, me = await system.port_call(port, "GET", "/api/v1/telegram/me", key=key)
    assert status == 200
    assert made["instance"]["token_hint"] is not None
    status, now = await system.port_call(port, "GET", "/api/v1/telegram/status", key=key)
    assert (status, now["status"], now["account"]["id"]) == (200, "client_ready", me["id"])

    body = {"chatId": "134527512", "message": "Тест!"}
    status, sent = await system.port_call(port, "POST", "/api/v1/telegram/send", body, key)
    assert (status, sent["provider"]) == (200, "telegram")
    assert sent["messageId"].isdigit()

    _, active = await system.call("GET", "/api/v1/multi-provider/active-providers")
    assert "telegram" in active["providers"]
    assert instance_id in active["activeProviders"]
    path = f"/api/v1/multi-provider/instances/telegram/{instance_id}"
    status, state = await system.call("GET", f"{path}/status")
    assert (status, state["status"], state["provider"]) == (200, "client_ready", "telegram")
    headers = {"Authorization": f"Bearer {key}"}
    body = {"to": "134527512", "message": "Привет"}
    status, sent = await system.call("POST", f"{path}/send-message", body, headers=headers)
    assert status == 200, sent
    assert sent["messageId"] == sent["message_id"]
    received = (await system.control("telegram", "inbox", chat="134527512"))["messages"]
    assert [item["text"] for item in received][-2:] == ["Тест!", "Привет"]

    status, wrong = await system.call("GET", f"/api/v1/multi-provider/instances/whatsappweb/{instance_id}/status")
    assert (status, wrong["code"]) == (404, "NOT_FOUND")
    status, counted = await system.call("GET", "/api/v1/multi-provider/stats")
    assert status == 200, counted
    assert set(counted["stats"]) == {"telegram", "whatsappweb"}
    assert instance_id in counted["stats"]["telegram"]["instances"]
    assert counted["stats"]["telegram"]["ready"] >= 1
    _, listed = await system.call("GET", "/api/v1/multi-provider/instances?provider=telegram")
    assert instance_id in [item["id"] for item in listed["instances"]]


async def test_what_a_contact_says_arrives_as_an_event(system: System) -> None:
    whatsapp = await system.ready_whatsapp("15551110002")
    telegram = await system.ready_telegram()
    bot = int(
        (await system.port_call(telegram["port"], "GET", "/api/v1/telegram/me", key=telegram["api_key"]))[1]["id"]
    )
    async with asyncio.timeout(20), system.events("?types=message.received") as events:
        await system.control(
            "whatsapp", "incoming", **{"from": "15552220002", "to": "15551110002", "text": "hi", "name": "Ann"}
        )
        _, _, event = await anext(events)
        assert event["subject"] == whatsapp["instance_id"]
        message = event["data"]["message"]
        assert (message["body"], message["contact"]["phone_number"]) == ("hi", "15552220002")
        await system.control("telegram", "say", bot=bot, **{"from": 4711}, text="привет")
        _, _, event = await anext(events)
        assert event["subject"] == telegram["instance_id"]
        assert (event["data"]["message"]["body"], event["data"]["message"]["chat_id"]) == ("привет", "4711")


async def test_an_instance_is_stopped_started_restarted_logged_out_and_deleted(system: System) -> None:
    made = await system.ready_whatsapp("15551110003")
    one = f"/api/v1/instances/{made['instance_id']}"
    for _ in range(2):  # twice is no error
        status, stopped = await system.call("POST", f"{one}/stop")
        assert (status, stopped["instance"]["status"]) == (200, "stopped")
    assert stopped["instance"]["port"] == made["port"]
    assert stopped["instance"]["auth_status"] == "authenticated"
    status, refused = await system.port_call(
        made["port"], "POST", "/api/v1/send", {"number": "15552220001", "message": "x"}, made["api_key"]
    )
    assert (status, refused["code"], refused["status"]) == (409, "NOT_READY", "stopped")

    status, _ = await system.call("POST", f"{one}/start")
    assert status == 200
    again = await system.until(made["instance_id"], "client_ready")  # no QR was asked for
    assert again["epoch"] > 1
    status, same = await system.call("POST", f"{one}/start")
    assert (status, same["instance"]["epoch"]) == (200, again["epoch"])

    status, _ = await system.call("POST", f"{one}/restart")
    assert status == 200
    anew = await system.until(made["instance_id"], "client_ready")
    assert anew["epoch"] > again["epoch"]

    status, out = await system.call("POST", f"{one}/logout")
    assert (status, out["instance"]["status"], out["instance"]["auth_status"]) == (200, "logged_out", "disconnected")
    await system.call("POST", f"{one}/start")
    await system.until(made["instance_id"], "qr_ready")

    status, deleted = await system.call("DELETE", one)
    assert (status, deleted["message"]) == (200, "the instance is deleted")
    status, missing = await system.call("DELETE", one)
    assert (status, missing["code"]) == (404, "NOT_FOUND")


async def test_the_events_resume_where_a_subscriber_left_off(system: System) -> None:
    made = await system.create("telegram")
    instance_id = made["instance_id"]
    await system.until(instance_id, "client_ready")
    path = f"?instance_id={instance_id}&last_event_id=0"
    async with asyncio.timeout(20), system.events(path) as events:
        first = [await anext(events) for _ in range(5)]
    names = [name for _, name, _ in first]
    assert names == ["created", "allocated", "starting", "authenticated", "client_ready"]
    assert [seq for seq, _, _ in first] == sorted({seq for seq, _, _ in first})
    async with asyncio.timeout(20), system.events(f"?instance_id={instance_id}&last_event_id={first[2][0]}") as events:
        rest = [await anext(events) for _ in range(2)]
    assert rest == first[3:]


async def test_health_names_every_service(system: System) -> None:
    status, health = await system.call("GET", "/health")
    assert (status, health["status"], health["sandbox"]) == (200, "healthy", True)
    expected = {"gateway", "nats", "allocator", "lifecycle", "message-store", "webhooks"}
    expected |= {"telegram-adapter", "whatsapp-adapter"}
    assert health["services"] == dict.fromkeys(expected, "up")
    assert health["uptime"] > 0


async def test_a_fresh_user_gets_by_with_the_command_line(system: System) -> None:
    made = await system.cli("instances", "create", "whatsappweb", "--user", "anna", "--name", "Анна 📱")
    instance_id = made.split('"instance_id": "')[1][:36]
    await system.until(instance_id, "qr_ready")
    showing = await system.cli_process("qr", instance_id[:8])
    assert showing.stdout is not None
    await asyncio.wait_for(showing.stdout.readuntil("█".encode()), 20)
    assert "scanned by" in await system.cli("sandbox", "scan", instance_id, "--phone", "15551110004")
    rest, _ = await asyncio.wait_for(showing.communicate(), 20)
    assert "logged in" in rest.decode()
    await system.until(instance_id, "client_ready")
    listed = await system.cli("instances", "ls", "--user", "anna")
    assert instance_id in listed
    assert "client_ready" in listed
    assert "sent, message id" in await system.cli("send", instance_id, "+1 555 222 0004", "hello")
    assert "hello" in await system.cli("sandbox", "inbox", "15552220004")
    assert "said it" in await system.cli("sandbox", "say", instance_id, "--from", "15552220004", "hi back")
    assert '"name": "Анна 📱"' in await system.cli("instances", "show", instance_id)
    assert "stopped" in await system.cli("instances", "stop", instance_id)
    assert "started" in await system.cli("instances", "start", instance_id)
    assert "deleted" in await system.cli("instances", "rm", instance_id)
    assert "there is no instance" in await system.cli("instances", "show", instance_id, code=1)


async def test_one_id_ties_together_what_a_request_causes(system: System) -> None:
    made = await system.create("telegram", start=False)
    path = f"/api/v1/instances/{made['instance_id']}/start"
    _, headers, _ = await system.raw("POST", path, headers={"X-Request-Id": "order-4711"})
    assert headers["X-Request-Id"] == "order-4711"
    await system.says("command_done", made["instance_id"], '"correlation_id": "order-4711"')
    _, headers, raw = await system.raw("POST", path.replace("start", "dance"))
    assert json.loads(raw)["request_id"] == headers["X-Request-Id"] != ""


async def test_the_command_line_follows_events_live(system: System) -> None:
    made = await system.create("whatsappweb", start=False)
    following = await system.cli_process("events", "--types", "qr_ready")
    assert following.stdout is not None
    # The header of the sandbox comes with the answer that opens the stream: from then on nothing is missed.
    await asyncio.wait_for(following.stdout.readuntil(b"SANDBOX"), 20)
    await system.call("POST", f"/api/v1/instances/{made['instance_id']}/start")
    # Instances of other tests show new codes meanwhile.
    await asyncio.wait_for(following.stdout.readuntil(f"{made['instance_id'][:8]} qr_ready".encode()), 20)
    following.terminate()
    await following.wait()

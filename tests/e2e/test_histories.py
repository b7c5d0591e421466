"""Histories, figures and log lines: exactly what happened, with cause and actor, whatever is killed or restarted."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil

if TYPE_CHECKING:
    from conftest import StartSystem, System

Json = dict[str, Any]
INSTANCES = "/api/v1/instances"
HISTORIES = ("status-history", "qr-history", "api-key-history", "errors")
RED = "\x1b[31mred\x1b[0m \x9b1mbold \x1b]0;title\x07end"


async def histories(system: System, made: Json) -> dict[str, list[Json]]:
    """All four, newest first."""
    found = {}
    for name in HISTORIES:
        status, answer = await system.call("GET", f"{INSTANCES}/{made['instance_id']}/{name}?limit=1000")
        assert status == 200, answer
        assert answer["count"] == len(answer["data"])
        found[name] = answer["data"]
    return found


async def memory(system: System, made: Json) -> Json:
    status, answer = await system.call("GET", f"{INSTANCES}/{made['instance_id']}/memory")
    assert status == 200, answer
    return dict(answer["data"])


async def figures(system: System, made: Json, **wanted: int) -> Json:
    """The figures, as soon as some of them are as they are wanted: counts are folded within a second or two."""
    found: Json = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            while any(found.get(name) != value for name, value in wanted.items()):
                data = await memory(system, made)
                found = {**data, **data["message_stats"], **data["system_info"], **data["error_info"]}
    assert {name: found[name] for name in wanted} == wanted
    return found


async def answering(system: System) -> None:
    """Return when all services are up again."""
    async with asyncio.timeout(30):
        while True:
            with suppress(aiohttp.ClientError, OSError):
                if (await system.call("GET", "/health"))[0] == 200:
                    return


async def desk(system: System) -> tuple[str, str]:
    """A token and the name under which its holder stands in histories."""
    _, made = await system.call("POST", "/api/v1/tokens", {"name": "desk", "role": "admin"})
    return made["token"], f"token desk ({made['data']['id']})"


# --------------------------------------------------------------------------------------------- histories


async def test_histories_have_cause_and_actor_and_survive_kills_and_restarts(own_system: StartSystem) -> None:
    system = await own_system()
    bearer, name = await desk(system)
    auth = {"Authorization": f"Bearer {bearer}"}
    whatsapp, telegram = await system.ready_whatsapp("15551114001"), await system.ready_telegram()
    for made, act in ((whatsapp, "stop"), (whatsapp, "start"), (whatsapp, "api-key/rotate")):
        status, _ = await system.call("POST", f"{INSTANCES}/{made['instance_id']}/{act}", headers=auth)
        assert status == 200
    await system.until(whatsapp["instance_id"], "client_ready")
    bot = int((await system.get(telegram["instance_id"]))["account"].split("_")[1])
    fault = {
        "method": "sendMessage",
        "status": 403,
        "description": "Forbidden: bot was blocked by the user",
        "times": 1,
    }
    await system.control("telegram", "fault", bot=bot, **fault)
    body = {"chatId": "9", "message": "x"}
    status, _ = await system.port_call(telegram["port"], "POST", "/api/v1/telegram/send", body, telegram["api_key"])
    assert status == 502
    await system.control("telegram", "revoke", bot=bot)
    await system.until(telegram["instance_id"], "error")

    await figures(system, telegram, api_key_usage_count=1)
    before = [await histories(system, made) for made in (whatsapp, telegram)]
    _judge(before[0], before[1], name)
    counted = [await memory(system, made) for made in (whatsapp, telegram)]
    for service in ("gateway", "lifecycle"):
        system.kill(service)
        await answering(system)
        assert [await histories(system, made) for made in (whatsapp, telegram)] == before
        again = [await memory(system, made) for made in (whatsapp, telegram)]
        for one, other in zip(counted, again, strict=True):
            assert other["system_info"] == one["system_info"]
            assert other["error_info"] == one["error_info"]
            assert other["message_stats"] == one["message_stats"]

    await system.stop()
    await system.start()
    await system.until(whatsapp["instance_id"], "client_ready")
    for old, made in zip(before, (whatsapp, telegram), strict=True):
        now = await histories(system, made)
        for kind in HISTORIES:
            assert now[kind][len(now[kind]) - len(old[kind]) :] == old[kind], kind
        fresh = now["errors"][: len(now["errors"]) - len(old["errors"])]
        assert {error["code"] for error in fresh} <= {"NO_WORKER"}  # the worker may end before who watches it


def _judge(whatsapp: dict[str, list[Json]], telegram: dict[str, list[Json]], desk: str) -> None:
    changes = [(item["status"], item["actor"], item["code"]) for item in whatsapp["status-history"]][::-1]
    statuses = [status for status, _, _ in changes]
    assert statuses[:6] == ["pending", "starting", "qr_ready", "authenticated", "client_ready", "stopped"]
    assert statuses[-1] == "client_ready"
    assert changes[0][1] == "local"
    assert changes[1][1] == "lifecycle"
    assert changes[5] == ("stopped", desk, "REQUESTED")
    assert ("starting", desk, "CONNECTING") in changes
    for item in [*whatsapp["status-history"], *telegram["status-history"]]:
        assert item["message"]
        assert item["source"]
    assert {item["epoch"] for item in whatsapp["status-history"]} >= {0, 1, 2}
    (shown,) = whatsapp["qr-history"]
    life = datetime.fromisoformat(shown["expires_at"]) - datetime.fromisoformat(shown["generated_at"])
    assert timedelta(seconds=10) < life <= timedelta(seconds=60)
    assert "code" not in shown
    new, old = whatsapp["api-key-history"]
    assert new["created_at"] > old["created_at"]
    assert [error["code"] for error in telegram["errors"]] == ["TOKEN_REJECTED", "RECIPIENT_BLOCKED"]
    last = telegram["status-history"][0]
    assert (last["status"], last["code"]) == ("error", "TOKEN_REJECTED")
    assert last["actor"].startswith("telegram-")


async def test_cleared_errors_stay_cleared_and_new_ones_count_from_there(own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_telegram()
    one = f"{INSTANCES}/{made['instance_id']}"
    body = {"chatId": "9", "message": "x"}

    async def refuse() -> None:
        fault = {"method": "sendMessage", "status": 400, "description": "Bad Request: chat not found", "times": 1}
        await system.control("telegram", "fault", **fault)
        status, _ = await system.port_call(made["port"], "POST", "/api/v1/telegram/send", body, made["api_key"])
        assert status == 502

    for _ in range(2):
        await refuse()
    assert len((await histories(system, made))["errors"]) == 2
    await figures(system, made, error_count=2)
    _, activity = await system.call("GET", f"{one}/activity-stats")
    assert activity["data"]["health_score"] == 96
    status, _ = await system.call("POST", f"{one}/clear-errors")
    assert status == 200
    assert (await histories(system, made))["errors"] == []
    found = await figures(system, made, error_count=0)
    assert found["error_history"] == []
    system.kill("lifecycle")
    await answering(system)
    assert (await histories(system, made))["errors"] == []
    await refuse()
    (error,) = (await histories(system, made))["errors"]
    assert error["code"] == "RECIPIENT_UNKNOWN"
    found = await figures(system, made, error_count=1)
    assert [item["error_type"] for item in found["error_history"]] == ["RECIPIENT_UNKNOWN"]


async def test_the_limit_gives_the_newest(system: System) -> None:
    made = await system.ready_telegram()
    path = f"{INSTANCES}/{made['instance_id']}/status-history"
    _, everything = await system.call("GET", path)
    _, two = await system.call("GET", f"{path}?limit=2")
    assert (two["data"], two["count"], two["limit"]) == (everything["data"][:2], 2, 2)
    assert two["data"][0]["status"] == "client_ready"
    for wrong in ("0", "1001", "x"):
        status, answer = await system.call("GET", f"{path}?limit={wrong}")
        assert (status, answer["details"][0]["field"]) == (422, "limit")


# ----------------------------------------------------------------------------------------------- figures


async def test_figures_count_exactly_what_happened(own_system: StartSystem) -> None:
    system = await own_system(MIM_REPORT_S="2")
    began = datetime.now(UTC)
    made = await system.ready_telegram()
    port, key, instance_id = made["port"], made["api_key"], made["instance_id"]
    one, multi = f"{INSTANCES}/{instance_id}", f"/api/v1/multi-provider/instances/telegram/{instance_id}"
    auth = {"Authorization": f"Bearer {key}"}
    bot = int((await system.get(instance_id))["account"].split("_")[1])
    assert (await memory(system, made))["api_key_usage_count"] == 0
    for path, body in (
        (f"http://127.0.0.1:{port}/api/v1/telegram/send", {"chatId": "5", "message": "by the own port"}),
        (f"/{port}/api/v1/telegram/send", {"chatId": "6", "message": "through the gateway"}),
        (f"{multi}/send-message", {"to": "7", "message": "by the gateway"}),
    ):
        status, answer = await system.call("POST", path, body, headers=auth)
        assert status == 200, answer
    for number in range(2):
        await system.control("telegram", "say", bot=bot, **{"from": 5}, text=f"answer {number}")
    for _ in range(11):
        await system.port_call(port, "GET", "/api/v1/status", key=key)
    await system.port_call(port, "GET", "/api/v1/status", key="wrong")
    await system.port_call(port, "GET", "/api/v1/health")
    await system.call("GET", f"{multi}/status", headers=auth)
    calls = 3 + 11 + 1
    found = await figures(system, made, sent_count=3, received_count=2, api_key_usage_count=calls)
    assert (found["daily_sent"], found["daily_received"], found["restart_count"]) == (3, 2, 0)
    assert began.isoformat() < found["api_key_first_use"] <= found["api_key_last_use"]
    (period,) = (await histories(system, made))["api-key-history"]
    assert (period["usage_count"], period["last_used_at"]) == (calls, found["api_key_last_use"])
    _, current = await system.call("GET", f"{one}/current-api-key")
    assert current["data"]["usage_count"] == calls
    _, activity = await system.call("GET", f"{one}/activity-stats")
    data = activity["data"]
    assert (data["messages_sent_today"], data["messages_received_today"], data["health_score"]) == (3, 2, 100)
    assert 0 <= data["uptime_hours"] <= round((datetime.now(UTC) - began).total_seconds() / 3600, 4)
    _, stats = await system.call("GET", f"{INSTANCES}/memory/stats")
    assert stats["stats"]["total_messages_today"] == 5

    await system.call("POST", f"{one}/restart")
    await system.until(instance_id, "client_ready")
    await figures(system, made, restart_count=1, sent_count=3, received_count=2, api_key_usage_count=calls)
    system.kill("telegram-adapter")  # what it had told is not told again
    await answering(system)
    async with asyncio.timeout(30), system.events(f"?instance_id={instance_id}&last_event_id=0") as events:
        epoch, name = 0, ""
        while (epoch, name) != (3, "client_ready"):
            _, name, event = await anext(events)
            epoch = event["data"]["epoch"]
    found = await figures(system, made, restart_count=2, sent_count=3, received_count=2, api_key_usage_count=calls)
    seen = found["health_check_count"]
    async with asyncio.timeout(20):  # every poll is a proof
        while (now := await memory(system, made))["system_info"]["health_check_count"] <= seen:
            await system.control("telegram", "say", bot=bot, **{"from": 5}, text="?")
    assert now["whatsapp_user"]["last_seen_online"] > found["created_at"]


async def test_the_memory_of_an_instance_is_its_share_of_what_its_worker_takes(own_system: StartSystem) -> None:
    system = await own_system()
    made = [await system.ready_telegram() for _ in range(2)] + [await system.ready_whatsapp("15551114002")]
    stopped = await system.create("telegram", start=False)
    for instances, service in ((made[:2], "mim telegram-ad"), (made[2:], "mim whatsapp-ad")):
        shares: list[float | None] = [None]
        with suppress(TimeoutError):
            async with asyncio.timeout(25):  # it is measured every ten seconds
                # Two answers may lie on both sides of a measurement.
                while len(set(shares)) > 1 or not _is_about(shares, _taken_mb(system.processes()[service])):
                    shares = [(await memory(system, each))["memory"]["estimated_mb"] for each in instances]
        assert len(set(shares)) == 1
        assert _is_about(shares, taken_mb := _taken_mb(system.processes()[service])), (service, shares, taken_mb)
    assert (await memory(system, stopped))["memory"]["estimated_mb"] is None
    _, stats = await system.call("GET", f"{INSTANCES}/memory/stats")
    workers_mb = sum(_taken_mb(system.processes()[service]) for service in ("mim telegram-ad", "mim whatsapp-ad"))
    assert _is_about([stats["stats"]["memory_usage_mb"]], workers_mb)


def _is_about(shares: list[float | None], taken_mb: float) -> bool:
    return None not in shares and 0.7 * taken_mb < sum(share or 0 for share in shares) < 1.4 * taken_mb


def _taken_mb(pid: int) -> float:
    """What a process and its children take; pages that several share count once among them."""
    worker = psutil.Process(pid)
    return float(sum(each.memory_full_info().pss for each in (worker, *worker.children(recursive=True))) / 1e6)


# ------------------------------------------------------------------------------------------------- lines


async def test_log_lines_are_filtered_followed_and_clean(system: System) -> None:
    made = await system.ready_telegram()
    one = f"{INSTANCES}/{made['instance_id']}/logs"

    async def send(text: str) -> tuple[int, Json]:
        body = {"chatId": "9", "message": text}
        return await system.port_call(made["port"], "POST", "/api/v1/telegram/send", body, made["api_key"])

    async def refuse(text: str) -> None:
        fault = {"method": "sendMessage", "status": 400, "description": f"Bad Request: {text}", "times": 1}
        await system.control("telegram", "fault", **fault)
        assert (await send("x"))[0] == 502

    await refuse(f"{RED} with 123456789:AAEsecretsecretsecretsecretsecret1234")
    await _logged(system, one, "message_not_sent")
    status, sent = await send("private words out")
    assert status == 200
    logged = await _logged(system, one, "message_sent")
    (line,) = [line for line in logged["logs"] if "message_sent" in line["message"]]
    assert sent["messageId"] in line["message"]
    assert "private words" not in json.dumps(logged)
    levels = {line["level"] for line in logged["logs"]}
    assert levels >= {"info", "warning"}
    assert logged["total_lines"] == len(logged["logs"])
    times = [line["timestamp"] for line in logged["logs"]]
    assert times == sorted(times)
    (line,) = [line for line in logged["logs"] if "message_not_sent" in line["message"]]
    assert "red bold end with" in line["message"]
    assert "[redacted]" in line["message"]
    assert line["source"] == "telegram-adapter"
    for text in (json.dumps(logged), system.output):
        for bad in ("\x1b", "\\u001b", "\x9b", "\\u009b", "AAEsecret"):
            assert bad not in text

    _, warnings = await system.call("GET", f"{one}?level=warning")
    assert warnings["logs"] == [line for line in logged["logs"] if line["level"] in ("warning", "error", "critical")]
    assert warnings["total_lines"] == len(warnings["logs"])
    _, tail = await system.call("GET", f"{one}?tail=2")
    assert (tail["logs"], tail["tail"], tail["total_lines"]) == (logged["logs"][-2:], 2, logged["total_lines"])
    for wrong in ("tail=0", "tail=1001", "level=loud"):
        status, answer = await system.call("GET", f"{one}?{wrong}")
        assert (status, answer["details"][0]["field"]) == (422, wrong.partition("=")[0])


async def _logged(system: System, path: str, text: str) -> Json:
    """The lines, as soon as one has a text: they take a moment to the stream."""
    async with asyncio.timeout(10):
        while True:
            _, logged = await system.call("GET", f"{path}?tail=1000")
            if any(text in line["message"] for line in logged["logs"]):
                return dict(logged)


async def test_log_lines_are_followed_live_from_a_level_on(system: System) -> None:
    made, other = await system.ready_telegram(), await system.ready_telegram()
    one = f"{INSTANCES}/{made['instance_id']}"
    await _logged(system, f"{one}/logs", "client_ready")
    async with aiohttp.ClientSession(system.url) as session:
        async with session.get(f"{one}/logs?follow=true&tail=1") as everything:
            async with session.get(f"{one}/logs?follow=true&tail=1&level=warning") as serious:
                first = await _line(everything)
                await system.call("POST", f"{INSTANCES}/{other['instance_id']}/restart")
                bot = int((await system.get(made["instance_id"]))["account"].split("_")[1])
                await system.control("telegram", "revoke", bot=bot)
                seen = [first]
                while "telegram_ended" not in seen[-1]["message"]:
                    seen.append(await _line(everything))
                warning = await _line(serious)
                while "telegram_ended" not in warning["message"]:
                    assert warning["level"] in ("warning", "error", "critical")
                    warning = await _line(serious)
                assert warning == seen[-1]
    _, logged = await system.call("GET", f"{one}/logs?tail=1000")
    begin = logged["logs"].index(first)
    assert logged["logs"][begin : begin + len(seen)] == seen  # none is left out, and none is another's


async def _line(stream: aiohttp.ClientResponse) -> Json:
    async with asyncio.timeout(15):
        while not (line := await stream.content.readline()).startswith(b"data: "):
            assert line, "the stream ended"
        return dict(json.loads(line[6:]))

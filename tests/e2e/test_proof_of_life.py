"""A session that looks connected and is dead is found by a round trip; an idle one that is well is left alone.

Bounds are shortened by settings here; that the usual ones come to less than a minute is in test_settings.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import StartSystem, System

IMPATIENT = {
    "MIM_WHATSAPP_PING_S": "1",
    "MIM_WHATSAPP_PING_WITHIN_S": "3",
    "MIM_TELEGRAM_PING_S": "1",
    "MIM_TELEGRAM_PING_WITHIN_S": "3",
    "MIM_TELEGRAM_POLL_S": "1",
    "MIM_REPORT_S": "1",
}
WITHIN_S = 60.0
BOT = "15550001"
PHONE, IDLE_PHONE = "15558880001", "15558880002"
PERSON, IDLE_PERSON = "+15559980001", "+15559980002"
FRIENDS = {"whatsapp": "+15558880003", "bot": "777", "person": IDLE_PERSON}
ALL_CALLS = 10_000


async def person(system: System, phone: str) -> str:
    """The id of an account that a person has logged in with a QR code."""
    await system.control("mtproto", "person", phone=phone)
    account = {"user_id": "test", "provider": "telegram", "login": "user", "type_instance": ["api"]}
    status, made = await system.call("POST", "/api/v1/instances", account)
    assert status == 201, made
    await system.until(made["instance_id"], "qr_ready")
    _, qr = await system.call("GET", f"/api/v1/instances/{made['instance_id']}/qr")
    await system.control("mtproto", "scan", qr=qr["code"], phone=phone)
    await system.until(made["instance_id"], "client_ready")
    return str(made["instance_id"])


@asynccontextmanager
async def silence(system: System) -> AsyncIterator[None]:
    """Each messenger answers one account nothing any more; every connection stays open."""
    await system.control("whatsapp", "fault", phone=PHONE, silent=True)
    await system.control("telegram", "fault", bot=int(BOT), times=ALL_CALLS, delay_s=3600)
    await system.control("mtproto", "fault", phone=PERSON, times=ALL_CALLS, drop=True)
    yield
    await system.control("whatsapp", "fault", phone=PHONE)
    for device in (await system.control("whatsapp", "links"))["devices"]:
        if device["connected"] and device["phone"] == PHONE:  # a client that was not let in would wait for a minute
            await system.control("whatsapp", "drop", phone=PHONE, device=device["device"])
    await system.control("telegram", "mend")
    await system.control("mtproto", "mend")


async def heard(system: System, instance_id: str, name: str, after: int) -> dict[str, Any]:
    """The first event of this name that a subscriber hears after a sequence."""
    async with asyncio.timeout(WITHIN_S), system.events(f"?instance_id={instance_id}&last_event_id={after}") as events:
        while True:
            _, told, event = await anext(events)
            if told == name:
                return dict(event["data"])


async def newest(system: System) -> int:
    """The sequence of something that happens now."""
    async with system.events() as events:
        await system.create("telegram", start=False)
        return (await anext(events))[0]


async def test_a_dead_session_is_found_and_an_idle_one_is_left_alone(own_system: StartSystem) -> None:
    system = await own_system(**IMPATIENT)
    dead = {
        "whatsapp": (await system.ready_whatsapp(PHONE))["instance_id"],
        "bot": (await system.ready_telegram(token=f"{BOT}:{'A' * 35}"))["instance_id"],
        "person": await person(system, PERSON),
    }
    idle = [
        (await system.ready_whatsapp(IDLE_PHONE))["instance_id"],
        (await system.ready_telegram())["instance_id"],
        await person(system, IDLE_PERSON),
    ]
    began = await newest(system)
    await system.control("whatsapp", "contact", phone=FRIENDS["whatsapp"])
    before = [await system.get(instance_id) for instance_id in idle]

    async with silence(system):
        for told in await asyncio.gather(*(heard(system, each, "reconnecting", began) for each in dead.values())):
            assert told["reason"]["code"] == "MESSENGER_UNREACHABLE", told
            assert told["reason"]["user_action"] == "wait"
            assert told["reason"]["message"]
    for kind, instance_id in dead.items():
        await system.until(instance_id, "client_ready", timeout_s=WITHIN_S)
        body = {"to": FRIENDS[kind], "text": "well again"}
        status, sent = await system.call("POST", f"/api/v1/instances/{instance_id}/messages", body)
        assert status == 200, (kind, sent)

    for instance_id, known in zip(idle, before, strict=True):
        now = await system.get(instance_id)
        assert (now["status"], now["epoch"]) == ("client_ready", known["epoch"])
        assert now["observed_at"] > known["observed_at"], "it was asked, and answered"
        _, history = await system.call("GET", f"/api/v1/instances/{instance_id}/status-history")
        assert "reconnecting" not in [entry["status"] for entry in history["data"]]

"""A webhook as its owner and its receiver see it: set, signed, changed without a new session, failed, redelivered."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from aiohttp import web
from standardwebhooks import Webhook as Verifier

if TYPE_CHECKING:
    from conftest import StartSystem, System

Json = dict[str, Any]
WITHIN_S = 20.0


class Receiver:
    """Takes what comes, or refuses it."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 204
        self.came: asyncio.Queue[tuple[str, dict[str, str], bytes]] = asyncio.Queue()

    async def answer(self, request: web.Request) -> web.Response:
        self.came.put_nowait((request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status)

    async def next(self) -> tuple[str, dict[str, str], bytes]:
        """What comes next."""
        async with asyncio.timeout(WITHIN_S):
            return await self.came.get()


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/{any:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def _say(system: System, made: Json, text: str) -> None:
    _, status = await system.call("GET", f"/api/v1/multi-provider/instances/telegram/{made['instance_id']}/status")
    await system.control("telegram", "say", bot=int(status["info"]["account"]["id"]), text=text, **{"from": 77})


async def _until(system: System, path: str, **counts: int) -> list[Json]:
    async with asyncio.timeout(WITHIN_S):
        while True:
            status, found = await system.call("GET", path)
            if status == 200 and found["counts"] == counts:
                return list(found["deliveries"])


async def test_a_webhook_from_end_to_end(own_system: StartSystem, receiver: Receiver) -> None:
    system = await own_system(MIM_WEBHOOK_PRIVATE="true")
    hook = {"url": f"{receiver.url}/one", "headers": {"X-Shop": "7"}}
    made = await system.ready_telegram(api_webhook_schema=hook)
    one = f"/api/v1/instances/{made['instance_id']}"
    _, answer = await system.call("GET", f"{one}/webhook/secret")
    await _say(system, made, "hello")
    path, headers, body = await receiver.next()
    told = Verifier(answer["secret"]).verify(body, headers)
    assert (path, headers["X-Shop"]) == ("/one", "7")
    assert (told["instance_id"], told["provider"], told["message"]["body"]) == (
        made["instance_id"],
        "telegram",
        "hello",
    )
    (first,) = await _until(system, f"{one}/webhook/deliveries", delivered=1)
    assert headers["webhook-id"] == first["id"]

    _, before = await system.call("GET", one)
    receiver.status = 422
    status, _ = await system.call("PATCH", one, {"api_webhook_schema": {"url": f"{receiver.url}/two"}})
    assert status == 200
    await _say(system, made, "refused")
    assert (await receiver.next())[0] == "/two"
    failed, _ = await _until(system, f"{one}/webhook/deliveries", delivered=1, failed=1)
    _, after = await system.call("GET", one)
    assert after["instance"]["epoch"] == before["instance"]["epoch"], "the session goes on"
    _, shown = await system.call("GET", f"{one}/webhook/deliveries/{failed['id']}")
    assert shown["body"]["message"]["body"] == "refused"
    assert shown["delivery"]["status_code"] == 422

    system.kill("webhooks", signal.SIGKILL)
    receiver.status = 204
    await _say(system, made, "while it was away")
    assert json.loads((await receiver.next())[2])["message"]["body"] == "while it was away"
    said = await system.cli("webhooks", "redeliver", made["instance_id"], failed["id"][:8])
    assert "to be delivered once more: 1" in said
    assert json.loads((await receiver.next())[2])["message"]["body"] == "refused"
    await _until(system, f"{one}/webhook/deliveries", delivered=3)
    assert (await system.call("DELETE", one))[0] == 200
    assert (await system.call("GET", f"{one}/webhook/deliveries"))[0] == 404

"""Everything is restarted under load, one process after the other, and no caller sees more of it than a 503 to repeat.

What runs twice: the gateway, lifecycle, the allocator, and a worker for each provider. The message store and the
webhooks have files that only one process may use: while they restart, what needs them is a 503.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from tests.chaos.aftermath import bot, phone
from tests.chaos.load import Account
from tests.e2e.beside import Beside
from tests.e2e.conftest import Json, StartSystem, System

BOTS, PHONES = 4, 2
TWICE = ("telegram-adapter", "whatsapp-adapter", "lifecycle", "allocator", "gateway")
ONCE = ("message-store", "webhooks")
PATIENCE_S = 40.0
PACE_S = 0.1
LEAST = 21
"""So many texts of each sender are accepted meanwhile, at least."""
SETTLE_S = 10.0
NEW_BOT = "9{:08d}:AAEabcdefghijklmnopqrstuvwxyz0123456"


class Callers:
    """Call two gateways, as callers behind a load balancer do: what cannot connect to one goes to the other."""

    def __init__(self, system: System, urls: tuple[str, str], accounts: list[Account]) -> None:
        self.failed: list[str] = []
        self.answers: Counter[int] = Counter()
        self.slowest_s = 0.0
        self.sent: dict[tuple[str, str], list[str]] = {}
        """By instance and chat: the texts that were accepted."""
        self._system = system
        self._urls = urls
        self._accounts = accounts
        self._stop = asyncio.Event()
        self._bots = itertools.count(1)

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """They call during the block."""
        # A connection for each request: one that is kept may be closed by the server just as it is used.
        connector = aiohttp.TCPConnector(force_close=True)
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE_S))
        works = [self._send(account) for account in self._accounts]
        works += [self._send_through_port(account) for account in self._accounts]
        works += [self._read(account) for account in self._accounts]
        works += [self._create()]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
            self._stop.set()
            await asyncio.wait_for(asyncio.gather(*tasks), 2 * PATIENCE_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._http.close()

    async def _turn(self) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), PACE_S)
        return not self._stop.is_set()

    async def _send(self, account: Account) -> None:
        texts = self.sent[account.instance_id, chat := chat_of(account, 1)] = []
        for number in itertools.count():
            if not await self._turn():
                return
            body = {"to": chat, "text": f"n{number}"}
            if await self._ask("POST", f"/api/v1/instances/{account.instance_id}/messages", body):
                texts.append(f"n{number}")

    async def _send_through_port(self, account: Account) -> None:
        texts = self.sent[account.instance_id, chat := chat_of(account, 2)] = []
        path, key = ("telegram/send", "chatId") if account.provider == "telegram" else ("send", "number")
        for number in itertools.count():
            if not await self._turn():
                return
            body = {key: chat, "message": f"n{number}"}
            if await self._ask("POST", f"/{account.port}/api/v1/{path}", body, key=account.api_key):
                texts.append(f"n{number}")

    async def _read(self, account: Account) -> None:
        one = f"/api/v1/instances/{account.instance_id}"
        paths = ("/api/v1/instances", one, f"{one}/chats", f"{one}/webhook/deliveries", f"{one}/status-history")
        for path in itertools.cycle(paths):
            if not await self._turn():
                return
            await self._ask("GET", path, key=account.api_key if path.endswith("chats") else None)

    async def _create(self) -> None:
        while await self._turn():
            body = {"user_id": "u", "provider": "telegram", "type_instance": ["api"]}
            made = await self._ask("POST", "/api/v1/instances", body | {"token": NEW_BOT.format(next(self._bots))})
            if made is not None:
                one = f"/api/v1/instances/{made['instance_id']}"
                if "api_key" not in made:  # a 202: it will be there
                    await self._ask("GET", one, announced=True)
                await self._ask("POST", f"{one}/restart")
                await self._ask("DELETE", one)

    async def _ask(
        self, method: str, path: str, body: Json | None = None, key: str | None = None, announced: bool = False
    ) -> Json | None:
        """The answer, once it is one of success; a 503 is asked again, as it says, under the same key, and a 404 where
        what is asked for was announced only."""
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        called, began = f"{method} {path}", time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                for url in itertools.cycle(self._urls):
                    try:
                        request = self._http.request(method, url + path, json=body, headers=headers)
                        async with request as response:
                            answer: Json = await response.json()
                    except aiohttp.ClientConnectorError:  # this one restarts just now
                        self.answers[0] += 1
                        continue
                    self.answers[response.status] += 1
                    if response.status < 300:
                        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                        return answer
                    comes = response.status == 404 and announced
                    if not comes and (response.status != 503 or "Retry-After" not in response.headers):
                        self.failed.append(f"{called}: {response.status} {answer}")
                        return None
                    await asyncio.sleep(0.2)
        except TimeoutError:
            self.failed.append(f"{called}: no success within {PATIENCE_S:g} s")
        except (aiohttp.ClientError, ValueError) as error:
            self.failed.append(f"{called}: {error!r}")
        return None


def chat_of(account: Account, lane: int) -> str:
    """A chat that nobody else writes to."""
    if account.provider == "telegram":
        return str(int(account.number) * 10 + lane)
    return f"1555{int(account.number) % 10**6:06d}{lane}"


async def restart(system: System, name: str) -> None:
    """Have one service of the system end in order; returns when it serves again."""

    def times() -> int:
        lines = system.output.splitlines()
        return sum(f'"service": "{name}"' in line and '"service_ready"' in line for line in lines)

    before = times()
    system.kill(name, signal.SIGTERM)
    async with asyncio.timeout(90):
        while times() == before:  # noqa: ASYNC110 - its lines come as they come
            await asyncio.sleep(0.05)


@pytest.mark.timeout(400)
async def test_everything_is_restarted_and_callers_see_no_more_than_a_503(
    own_system: StartSystem, tmp_path: Path
) -> None:
    system = await own_system(ports=200)
    beside = Beside(system, "second", tmp_path / "second")
    accounts = [await bot(system) for _ in range(BOTS)] + [await phone(system, each) for each in range(PHONES)]
    await beside.start(*TWICE)
    for worker in ("telegram-second", "whatsapp-second"):
        await beside.until_worker(worker)
    callers = Callers(system, (system.url, beside.url), accounts)
    try:
        async with callers.calling():
            while min(map(len, callers.sent.values()), default=0) < LEAST:  # all are soon up again
                for name in (*TWICE, *ONCE):
                    await restart(system, name)
                    if name in TWICE:
                        await beside.restart(name)
        wrong = callers.failed + await _not_sent_once(system, callers)
    finally:
        await beside.stop()
    print(f"answers {dict(callers.answers)}, the slowest after {callers.slowest_s:.1f} s")
    assert not wrong, "\n".join(wrong[:40])


async def _not_sent_once(system: System, callers: Callers) -> list[str]:
    """What was accepted and did not come to its chat once, in its order, and nothing else with it."""
    wrong = []
    for (instance_id, chat), texts in callers.sent.items():
        is_whatsapp = chat.startswith("1555")
        place = {"phone": chat} if is_whatsapp else {"chat": int(chat)}
        arrived: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):  # what was queued is sent after its answer
                while arrived != texts:
                    inbox = await system.control("whatsapp" if is_whatsapp else "telegram", "inbox", **place)
                    arrived = [message["text"] for message in inbox["messages"]]
        if arrived != texts:
            doubled = [text for text, count in Counter(arrived).items() if count > 1]
            missing, more = set(texts) - set(arrived), set(arrived) - set(texts)
            wrong.append(f"{instance_id} to {chat}: missing {missing}, doubled {doubled}, not accepted {more}")
    return wrong

"""What people and programs do meanwhile, each of it written down: creates, sends, messages that come in, starts, stops,
deletes. What is not acknowledged is repeated under the same id, as callers should."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from tests.e2e.conftest import Json, System

PEOPLE = 3
LIFE = timedelta(hours=1)
PACE_S = 0.15
FLOOD, LONG = 100, 1000 * "x"  # a pipe holds 64 KB


@dataclass
class Account:
    """An instance that lives through everything."""

    instance_id: str
    provider: str
    api_key: str
    port: int
    number: str
    """The bot's id, or the phone number."""


@dataclass
class Written:
    """What was accepted by the system, and what messengers were given for it."""

    messages: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """By message id: instance, chat, its place among those of the chat."""
    incoming: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By instance: the texts that people wrote, in their order, and the ids that WhatsApp gave them."""
    created: dict[str, str] = field(default_factory=dict)
    """By Idempotency-Key: the instance."""
    commands: int = 0
    deleted: set[str] = field(default_factory=set)


class Load:
    """Runs until it is told to stop."""

    def __init__(self, system: System, bus: Client, accounts: list[Account], seed: int) -> None:
        self.written = Written()
        self._system = system
        self.bus = bus
        self.accounts = accounts
        self._seed = seed
        self._floods: Counter[str] = Counter()
        self._stop = asyncio.Event()
        self._http = aiohttp.ClientSession(system.url, timeout=aiohttp.ClientTimeout(total=15))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Written]:
        """The load goes on during the block, and has ended after it, with everything accepted that was begun."""
        works = [self._send(account) for account in self.accounts]
        works += [self._hear(account) for account in self.accounts]
        works += [self._come_and_go(number) for number in range(2)]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield self.written
            self._stop.set()
            async with asyncio.timeout(120):
                await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._http.close()

    def flood(self, number: int) -> None:
        """Let one WhatsApp account get more than a pipe holds, at once."""
        phones = [account for account in self.accounts if account.provider != "telegram"]
        self._floods[phones[number % len(phones)].instance_id] += FLOOD

    async def _turn(self) -> bool:
        """Whether to go on, after a moment."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), PACE_S)
        return not self._stop.is_set()

    async def _send(self, account: Account) -> None:
        number = 0
        while await self._turn():
            chat = chat_of(account, number % PEOPLE)
            message_id = f"c{self._seed}-{account.instance_id[:8]}-{number}"
            body = {
                "id": message_id,
                "instance_id": account.instance_id,
                "provider": account.provider,
                "to": chat,
                "text": f"n{number}",
                "expires_at": (datetime.now(UTC) + LIFE).isoformat(),
            }
            await self._publish(f"mim.cmd.message.{account.provider}.{account.instance_id}", body, message_id)
            self.written.messages[message_id] = (account.instance_id, chat, number)
            number += 1

    async def _hear(self, account: Account) -> None:
        number = 0
        texts = self.written.incoming.setdefault(account.instance_id, [])
        while self._floods[account.instance_id] or await self._turn():
            flooded = self._floods[account.instance_id] > 0
            self._floods[account.instance_id] -= flooded
            text = f"in{number}" + flooded * LONG
            if account.provider == "telegram":
                await self._system.control("telegram", "say", bot=int(account.number), **{"from": 77}, text=text)
                texts.append((text, ""))
            else:
                said = await self._system.control(
                    "whatsapp", "incoming", **{"from": "15557770000"}, to=account.number, text=text
                )
                texts.append((text, said["id"]))
            number += 1

    async def _come_and_go(self, lane: int) -> None:
        """Instances that are created, stopped, started and deleted, by callers of the gateway and of the bus."""
        number = 0
        while await self._turn():
            key = f"chaos-{self._seed}-{lane}-{number}"
            token = f"8{lane}{number:07d}:AAEabcdefghijklmnopqrstuvwxyz0123456"
            body = {"user_id": "u", "provider": "telegram", "type_instance": ["api"], "token": token}
            made = await self._rest("POST", "/api/v1/instances", body, key)
            instance_id = self.written.created[key] = made["instance_id"]
            for verb in ("stop", "start", "restart")[: number % 4]:
                command_id = str(UUID(int=self._seed * 10**9 + lane * 10**6 + number * 10 + len(verb)))
                await self._publish(f"mim.cmd.instance.{instance_id}.{verb}", {}, command_id)
                self.written.commands += 1
                await self._turn()
            if number % 2:
                await self._rest("DELETE", f"/api/v1/instances/{instance_id}", None, f"{key}-delete")
                self.written.deleted.add(instance_id)
            number += 1

    # --------------------------------------------------------------------------------------- until it is accepted

    async def _publish(self, subject: str, body: Json, msg_id: str) -> None:
        stream, payload = self.bus.jetstream(timeout=1), json.dumps(body).encode()
        await again(lambda: stream.publish(subject, payload, headers={"Nats-Msg-Id": msg_id}))

    async def _rest(self, method: str, path: str, body: Json | None, key: str) -> Json:
        while True:
            answer: Json = await again(lambda: self._call(method, path, body, key))
            if answer.get("success") or answer.get("code") == "NOT_FOUND":
                return answer
            assert answer.get("code") in RETRIABLE, f"{method} {path}: {answer}"
            await asyncio.sleep(0.2)  # as callers are told to

    async def _call(self, method: str, path: str, body: Json | None, key: str) -> Json:
        headers = {"Idempotency-Key": key}
        async with self._http.request(method, path, json=body, headers=headers) as response:
            answer: Json = await response.json()
            return answer


RETRIABLE = (
    "BUS_UNAVAILABLE",
    "TIMEOUT",
    "NO_WORKER",
    "SHUTTING_DOWN",
    "IDEMPOTENCY_CONFLICT",
    "STORAGE_FULL",
    "INTERNAL",
)
_AWAY = (OSError, aiohttp.ClientError, nats.errors.Error, nats.js.errors.Error, TimeoutError)


async def again(work: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat what is harmless to repeat until nobody who was killed is missing for it."""
    while True:
        try:
            return await work()
        except _AWAY:
            await asyncio.sleep(0.1)  # who was killed is away for a moment


def chat_of(account: Account, person: int) -> str:
    """A chat that nobody else writes to."""
    if account.provider == "telegram":
        return str(int(account.number) * 10 + person)
    return f"1555{int(account.number) % 10**6:06d}{person}"

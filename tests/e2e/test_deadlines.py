"""Whatever falls silent, every route answers in time, says what is outstanding, and what was accepted is not lost.

A process that is stopped (SIGSTOP) is the worst kind of silence: its connections stay open and nothing comes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
import pytest
from tests.e2e.calls import body_of, path_of

from mim.contracts import routes
from mim.contracts.routes import Route
from mim.contracts.states import Provider

if TYPE_CHECKING:
    from conftest import StartSystem, System

Json = dict[str, Any]

HARD_S = 25.0
LIMIT_S = 6.0
THROUGH_S = 8.0
CHANGE_S = 13.0
SEND_S = 20.0
SEND_THROUGH_GATEWAY_S = 23.0
LOGIN_S = 24.0
HEAL_S = 30.0
SENDS = {
    *("send", "port_send", "send_message", "send_media", "telegram_send", "telegram_send_message"),
    *("telegram_send_media", "whatsapp_send"),
}
FILES = {route.operation for route in routes.PORTS if route.path.endswith("/media")}
ASKS = {"port_create_group", "port_participants", "port_renew_invite"}
CHANGES = {"start", "stop", "restart", "logout", "delete", "update", "rotate_api_key", "clear_errors"}
LOGINS = {"qr", "current_qr", "login_step", "login", "pairing_code"}
FROM_MEMORY = {"get", "list", "auth_status", "memory", "activity_stats", "memory_stats", "active_providers", "ports"}
NOT_THERE = re.compile(
    "the instance has no (delivery|bulk message)|there is no message .* with a file|account cannot do this"
    "|no group with this id|only admins of the group|no such worker lives"
)  # told as always
NOWHERE = "MEDIA_UNREACHABLE"  # the file of `calls.NOWHERE`, told as always where the worker gets so far

# What an answer names while a dependency is silent. On a busy machine the bus may be late beside it.
BUS = re.compile(
    r"the message bus does not answer|the message bus is away|no answer on \S*metrics"
    r"|the service of webhooks does not answer|the message store does not answer"
)
NAMED = {
    "bus": r"the worker \S+ did not answer|no answer on \S*metrics",
    "allocator": r"port and key are still being assigned|no answer on \S*metrics.allocator",
    "lifecycle": r"will be done, but not within|port and key are still being assigned",
    "workers": r"queued|the worker of the instance|not (stopped|logged out) yet|the worker \S+ did not answer",
    "messengers": r"queued|(WhatsApp|Telegram) (did|does) not answer|no answer from the messenger"
    r"|open whether the group was changed",
    "webhooks": r"the service of webhooks does not answer|no answer on \S*metrics.webhooks",
}


@dataclass(frozen=True)
class Target:
    """An instance that calls are about."""

    id: str
    provider: str
    port: int
    key: str


@dataclass(frozen=True)
class Job:
    """One call of a route; `way` is `gateway`, `through` (the gateway to a port) or `own` (the port itself)."""

    route: Route
    way: str
    path: str
    target: Target

    @property
    def limit_s(self) -> float:
        """Until when the answer must have come."""
        if self.route.operation in SENDS | ASKS:
            return SEND_S if self.way == "gateway" else SEND_THROUGH_GATEWAY_S
        if self.way == "through":
            short = self.route.method == "GET" and self.route.operation not in FILES
            return THROUGH_S if short else SEND_THROUGH_GATEWAY_S
        if self.route.operation in ("pairing_code", "login"):
            return LOGIN_S
        return CHANGE_S if self.route.operation in CHANGES else LIMIT_S


@dataclass
class Seen:
    """What a call was answered."""

    job: Job
    status: int
    took_s: float
    answer: Json = field(default_factory=dict)

    @property
    def told(self) -> str:
        """Everything that the answer says in words."""
        return " ".join(str(self.answer.get(name, "")) for name in ("error", "message", "status", "instance_status"))

    def __str__(self) -> str:
        where = f"{self.job.way} {self.job.route.method} {self.job.route.path} ({self.job.target.provider})"
        return f"{where}: {self.status} after {self.took_s:.1f} s {json.dumps(self.answer)[:300]}"


class World:
    """A system with instances for all calls: each call that changes something has an instance of its own."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.bot: Target
        self.phone: Target
        self.login: Target
        self.spare: dict[str, Target] = {}
        self.token_id = ""

    async def fill(self, phone: str) -> None:
        """Make the instances."""
        webhook = {"url": "https://hooks.invalid/x"}
        self.bot = _target(await self.system.ready_telegram(api_webhook_schema=webhook))
        self.phone = _target(await self.system.ready_whatsapp(phone))
        self.login = _target(await self.system.create("whatsappweb"))
        await self.system.until(self.login.id, "qr_ready")
        for operation in sorted(CHANGES):
            self.spare[operation] = _target(await self.system.ready_telegram())
        token = {"name": "to be revoked", "role": "viewer"}
        self.token_id = (await self.system.call("POST", "/api/v1/tokens", token))[1]["data"]["id"]

    def jobs(self, *, own_ports: bool) -> Iterable[Job]:
        """A call of every route, by every way that leads to it."""
        for route in routes.GATEWAY:
            for target in self._targets(route):
                path = path_of(route, id=target.id, provider=target.provider, token_id=self.token_id)
                yield Job(route, "gateway", path, target)
        for provider, target in ((Provider.TELEGRAM, self.bot), (Provider.WHATSAPPWEB, self.phone)):
            for route in routes.PORT_ROUTES[provider]:
                yield Job(route, "through", f"/{target.port}{path_of(route)}", target)
                if own_ports:
                    yield Job(route, "own", f"http://127.0.0.1:{target.port}{path_of(route)}", target)

    def _targets(self, route: Route) -> list[Target]:
        if route.operation in LOGINS:
            return [self.login]
        if "{provider}" in route.path:
            return [self.bot, self.phone]
        return [self.spare.get(route.operation, self.bot)]


def _target(made: Json) -> Target:
    return Target(made["instance_id"], made["instance"]["provider"], made["port"], made["api_key"])


@asynccontextmanager
async def silent(system: System, dependency: str) -> AsyncIterator[None]:
    """Stop processes, and let them go on at the end."""
    pids = _pids(system, dependency)
    assert pids, dependency
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _pids(system: System, dependency: str) -> list[int]:
    if dependency == "messengers":
        return [_listener(system, kind) for kind in ("telegram", "whatsapp")]
    names = {"bus": ("nats-server",), "workers": ("mim telegram-ad", "mim whatsapp-ad")}
    found = system.processes()
    return [found[name] for name in names.get(dependency, (f"mim {dependency}",))]


def _listener(system: System, emulator: str) -> int:
    ports = json.loads((system.folder / "sandbox" / emulator / "ports.json").read_text())
    for child in psutil.Process(system.pid).children(recursive=True):
        if any(each.status == "LISTEN" and each.laddr.port == ports["control"] for each in child.net_connections()):
            return int(child.pid)
    raise AssertionError(f"nobody listens for {emulator}")


async def call(session: aiohttp.ClientSession, job: Job) -> Seen:
    """Call a route; of a stream only the beginning."""
    began = time.monotonic()
    if job.route.operation == "websocket":
        async with session.ws_connect(job.path):
            return Seen(job, 101, time.monotonic() - began)
    headers = {"Authorization": f"Bearer {job.target.key}"} if job.way != "gateway" else {}
    body = {"data": b"a file"} if job.route.operation.endswith("upload") else {"json": body_of(job.route)}
    request = session.request(job.route.method, job.path, headers=headers, **body)
    async with asyncio.timeout(HARD_S + 2), request as response:
        seen = Seen(job, response.status, time.monotonic() - began)
        if response.content_type == "application/json":
            seen.answer = await response.json()
        return seen


def judge(seen: Seen, dependency: str, busy_s: float) -> str | None:
    """What is wrong with an answer; None if it is in time, documented, and names what is outstanding.

    `busy_s` is how long this machine takes for answers that wait for nobody.
    """
    route = seen.job.route
    code = None if seen.answer.get("success", True) else seen.answer.get("code")
    if seen.took_s > min(HARD_S, seen.job.limit_s + busy_s):
        return "too late"
    if code is None:
        if seen.status not in route.answers:
            return "no documented status"
        ordinary = seen.status != 202
    else:
        # Through the gateway the gateway itself may have to say that nobody answers.
        if code not in {*route.codes, *(("TIMEOUT", "NO_WORKER") if seen.job.way == "through" else ())}:
            return "no documented code"
        ordinary = code == NOWHERE or NOT_THERE.search(seen.told) is not None
    if ordinary or seen.job.route.operation == "health":
        return None
    if BUS.search(seen.told) or re.search(NAMED[dependency], seen.told):
        return None
    return "does not name what is outstanding"


async def unheard(system: System, dependency: str, world: World) -> list[Seen]:
    """All routes at once while a dependency is silent."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(system.url, connector=connector) as session, silent(system, dependency):
        jobs = world.jobs(own_ports=dependency != "workers")  # nobody but the worker itself could answer there
        found = await asyncio.gather(*(call(session, job) for job in jobs))
    busy_s = median(seen.took_s for seen in found if seen.job.route.operation in FROM_MEMORY)
    wrong = [f"{problem}: {seen}" for seen in found if (problem := judge(seen, dependency, busy_s))]
    assert not wrong, f"while {dependency} was silent:\n" + "\n".join(wrong)
    assert {seen.job.route.operation for seen in found} >= {route.operation for route in routes.GATEWAY}
    assert any(seen.status >= 202 and seen.status != 404 for seen in found), "nobody missed it"
    return found


async def healed(world: World, found: list[Seen]) -> None:
    """Everything goes on, and nothing that was accepted is lost."""
    system = world.system
    async with asyncio.timeout(HEAL_S):
        for target, status in ((world.bot, "client_ready"), (world.phone, "client_ready"), (world.login, "qr_ready")):
            await system.until(target.id, status)
        for made in [seen for seen in found if seen.job.route.operation == "create" and seen.status in (201, 202)]:
            await exists(system, made.answer["instance_id"])
            await system.until(made.answer["instance_id"], "stopped")
        for queued in [seen for seen in found if seen.answer.get("status") == "queued"]:
            await told(system, queued.job.target.id, queued.answer["id"])
        for seen in found:
            if "accepted" in seen.told and seen.job.route.operation in CHANGES:
                await done(system, seen.job)
        await sends(system, world.bot, "/api/v1/telegram/send", {"chatId": "1", "message": "after"})
        await sends(system, world.phone, "/api/v1/send", {"number": "15552229999", "message": "after"})


async def sends(system: System, target: Target, path: str, body: Json) -> None:
    """Return when a message was sent; a session that was given up meanwhile may just be starting anew."""
    async with system.events(f"?instance_id={target.id}&types=client_ready") as events:
        while True:
            status, sent = await system.port_call(target.port, "POST", path, body, target.key)
            if status in (200, 202):
                return
            assert sent["code"] in ("NOT_READY", "BUS_UNAVAILABLE"), sent
            if sent["code"] == "NOT_READY":
                await anext(events)


async def exists(system: System, instance_id: str) -> None:
    """Return when an instance shows."""
    async with system.events(f"?instance_id={instance_id}&last_event_id=0") as events:
        _, name, _ = await anext(events)
        assert name == "created"


async def told(system: System, instance_id: str, message_id: str) -> None:
    """Return when an event tells what became of a message."""
    query = f"?instance_id={instance_id}&types=message.sent,message.failed&last_event_id=0"
    async with system.events(query) as events:
        while True:
            _, _, event = await anext(events)
            if event["data"]["id"] == message_id:
                return


async def done(system: System, job: Job) -> None:
    """Return when a change shows."""
    wanted: dict[str, tuple[str, ...]] = {"stop": ("stopped",), "logout": ("logged_out",)}
    if job.route.operation == "delete":
        async with system.events(f"?instance_id={job.target.id}&types=deleted&last_event_id=0") as events:
            await anext(events)
    elif job.route.operation == "update":
        async with system.events(f"?instance_id={job.target.id}&types=updated&last_event_id=0") as events:
            await anext(events)
        assert (await system.get(job.target.id))["name"] == body_of(job.route)["name"]  # type: ignore[index]
    else:
        await system.until(job.target.id, *wanted.get(job.route.operation, ("client_ready",)))


@pytest.mark.timeout(300)
async def test_whatever_falls_silent_every_route_answers_in_time_and_nothing_accepted_is_lost(
    own_system: StartSystem,
) -> None:
    async def play(number: int, *dependencies: str) -> None:
        world = World(await own_system(ports=100))
        for turn, dependency in enumerate(dependencies):
            await world.fill(f"1555111{number}{turn}77")
            await healed(world, await unheard(world.system, dependency, world))

    await asyncio.gather(
        play(1, "bus", "allocator"), play(2, "messengers", "lifecycle"), play(3, "workers", "webhooks")
    )

"""Workers without messengers: the real `Worker` with sessions that log in at once and then do nothing until told to.

`python -m benchmarks.fleet` is a helper (see `processes`), with the settings of an adapter in its environment. Jobs:

    {"start": {"provider", "workers", "capacity"}}     several workers in this process, on one connection
    {"storm": {"rate", "seconds"}}                      so many status events a second, each of another session

Everything but the messenger is the product's own: heartbeats, orders, secrets, runners, events, log lines. So a session
costs what it costs a worker, less its messenger's library.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import deque
from contextlib import AsyncExitStack
from typing import Any, cast

from benchmarks.processes import Json, serve_lines
from mim.contracts.answers import TelegramSent
from mim.contracts.api import TelegramSendBody
from mim.contracts.errors import ErrorCode
from mim.contracts.messages import MessageSent
from mim.contracts.permissions import Client
from mim.contracts.states import Provider
from mim.contracts.values import Account
from mim.runtime import bus as buses
from mim.runtime import logs, streams
from mim.runtime.instance_port import SendRoute
from mim.runtime.service import Tasks
from mim.runtime.session import Session, SessionContext
from mim.runtime.settings import Settings
from mim.runtime.worker import worker

NAMES = {Provider.TELEGRAM: Client.TELEGRAM_ADAPTER, Provider.WHATSAPPWEB: Client.WHATSAPP_ADAPTER}
TICK_S = 0.01
SEND_PATHS = ("send", "telegram/send", "telegram/send-telegram-message", "telegram/send-media")
MOST_UNDER_WAY = 2000


def _no_fields(_body: object) -> dict[str, Any]:
    return {}


def _no_answer(sent: MessageSent) -> TelegramSent:
    return TelegramSent(id=sent.id, messageId=sent.messenger_id)


SEND = SendRoute(body=TelegramSendBody, message=_no_fields, answer=_no_answer)
"""The ports are there, but nobody sends."""


class Simulated:
    """A session whose messenger says yes to everything."""

    def __init__(self, context: SessionContext, fleet: Fleet) -> None:
        self._context = context
        self._fleet = fleet
        self._account = Account(id=context.instance_id[:12], username="simulated")
        self._is_ready = False

    async def run(self) -> None:
        """Log in, and stay."""
        await self._context.authenticated(self._account)
        await self._context.client_ready(self._account)
        self._is_ready = True
        self._fleet.sessions.append(self)
        await asyncio.Event().wait()

    async def flip(self) -> None:
        """The link drops, or is back."""
        self._is_ready = not self._is_ready
        if self._is_ready:
            await self._context.client_ready(self._account)
        else:
            await self._context.reconnecting(ErrorCode.MESSENGER_UNREACHABLE, "the messenger is out of reach")


class Fleet:
    """All workers of this process."""

    def __init__(self) -> None:
        self.sessions: deque[Simulated] = deque()
        self._stack = AsyncExitStack()  # open until the process is ended

    async def start(self, provider: Provider, workers: int, capacity: int) -> Json:
        """Run so many workers of one provider."""
        name = NAMES[provider]
        settings = Settings()
        logs.configure(settings, name)
        # A worker of its own would collect through its own few thousand sessions; here one collection would go through
        # those of all workers, and last longer than a heartbeat may be late.
        gc.disable()
        bus = await self._stack.enter_async_context(buses.connect(settings, name))
        while not await streams.provisioned(bus.js):  # noqa: ASYNC110 - lifecycle is about to make them
            await asyncio.sleep(0.05)
        tasks = await self._stack.enter_async_context(Tasks(bus))
        tasks.start(bus.process.run(), "process figures")
        tasks.start(logs.ship(bus), "log lines")
        for number in range(workers):
            own = settings.model_copy(update={"worker": f"{provider}-{number}", "worker_capacity": capacity})
            await self._stack.enter_async_context(
                worker(
                    bus,
                    own,
                    provider=provider,
                    factory=self._session,
                    send_routes=dict.fromkeys((f"/api/v1/{path}" for path in SEND_PATHS), SEND),
                )
            )
        return {}

    def _session(self, context: SessionContext) -> Session:
        return cast("Session", Simulated(context, self))

    async def storm(self, rate: float, seconds: float) -> Json:
        """Open loop: events go out when they are due, however long the bus takes to acknowledge them."""
        sessions = list(self.sessions)
        random.shuffle(sessions)
        turn, under_way, took = deque(sessions), set[asyncio.Task[None]](), list[float]()

        async def one(session: Simulated) -> None:
            began = time.perf_counter()
            await session.flip()
            took.append(time.perf_counter() - began)
            turn.append(session)

        began = time.perf_counter()
        due = 0
        while (elapsed := time.perf_counter() - began) < seconds:
            while due < elapsed * rate and turn and len(under_way) < MOST_UNDER_WAY:
                due += 1
                task = asyncio.create_task(one(turn.popleft()))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(TICK_S)
        rest = len(under_way)
        if under_way:
            await asyncio.wait(under_way)
        return {"told": len(took), "took": took, "seconds": seconds, "rest": rest}


FLEET = Fleet()


async def act(**job: Any) -> Json:
    """Do one job."""
    ((name, arguments),) = job.items()
    return cast("Json", await getattr(FLEET, name)(**arguments))


if __name__ == "__main__":
    serve_lines(act)

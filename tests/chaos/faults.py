"""What goes wrong, drawn from a seed: the same seed draws the same.

kill, freeze    a service, or a server of the bus: of a cluster also the one that leads
cut             a server of a cluster from the others
child           a WhatsApp session's own process is killed
flood           the WhatsApp adapter is frozen while so much comes in that the pipes of its sessions run full
pipe            nobody reads what the system prints, and the pipe is full
disk            the system's disk is full
consumer        somebody deletes a durable consumer
clock           the clock of all services jumps, and back
telegram        the messenger drops connections, answers late, refuses, or cannot be reached
whatsapp        the messenger drops a connection
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nats.errors
import nats.js.errors
from tests.chaos.load import Load
from tests.chaos.servers import Servers
from tests.e2e.conftest import System, descendants

from mim.contracts import subjects

SERVICES = (
    "gateway",
    "lifecycle",
    "allocator",
    "message-store",
    "webhooks",
    "telegram-adapter",
    "whatsapp-adapter",
    "nats-server",
)
KINDS = {
    "kill": 8,
    "freeze": 4,
    "child": 2,
    "flood": 1,
    "pipe": 1,
    "disk": 1,
    "consumer": 1,
    "clock": 1,
    "telegram": 3,
    "whatsapp": 2,
}
MOST_FROZEN_S = 12.0  # longer than a worker may be silent
PAUSE_S = (0.1, 1.5)
BACK_S = 5.0  # until everybody is connected again and has caught up
ELECTION_S = 9.0  # so long a server of a cluster waits for the one that leads, at most (nats-server's server/raft.go)
STEP_BYTES, STEP_S = 5_000_000, 0.05  # as fast as what is written to a disk


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and how long it is until the next."""

    kind: str
    target: str
    number: int
    lasts_s: float
    pause_s: float

    def __str__(self) -> str:
        return f"{self.kind} {self.target} ({self.lasts_s:.1f} s)"


def draw(seed: int, count: int, *, cluster: bool) -> list[Fault]:
    """`count` faults of a seed, for a system on one server or on a cluster."""
    chance = random.Random(seed)
    kinds = KINDS | {"cut": 3} if cluster else KINDS
    found = []
    for _ in range(count):
        kind = chance.choices(list(kinds), list(kinds.values()))[0]
        target = chance.choice(SERVICES) if kind in ("kill", "freeze") else kind
        if kind == "cut":
            target = "nats-server"
        if kind == "telegram":
            target = chance.choice(["drop", "lose", "refuse", "slow", "unreachable"])
        # Most freezes are short; some outlast the patience of those who wait for the frozen one.
        lasts_s = chance.choice([0.5, 1.0, 2.0, MOST_FROZEN_S if chance.random() < 0.2 else 3.0])
        found.append(Fault(kind, target, chance.randrange(1_000_000), lasts_s, chance.uniform(*PAUSE_S)))
    return found


class Faults:
    """Lets them happen to a system under a load. `disk` is a small one that has the system's data, if there is one."""

    def __init__(
        self, system: System, load: Load, servers: Servers | None, disk: Path | None, say: Callable[[str], None]
    ) -> None:
        self._system = system
        self._load = load
        self._servers = servers
        self._disk = disk
        self._say = say
        self._healing: set[asyncio.Task[None]] = set()
        self.unheard: list[tuple[float, float]] = []
        """From when to when (seconds since the epoch) a message that a WhatsApp account confirmed may be gone: its
        library confirms it before it hands it over, and then a process was killed that had it in memory only."""
        self._held = (0.0, 0.0)
        """From when to when nothing that came in could be stored."""

    async def run(self, faults: Iterable[Fault]) -> None:
        """All of them, one after the other; returns when everything that was taken away is there again."""
        for fault in faults:
            self._say(str(fault))
            self._note(fault, time.time())
            with suppress(ProcessLookupError, KeyError):  # it is down already
                await self._happen(fault)
            await asyncio.sleep(fault.pause_s)  # the pace of the faults is what is tested
        await asyncio.gather(*self._healing)

    def _note(self, fault: Fault, now: float) -> None:
        held = fault.target == "nats-server" or fault.kind == "flood"
        if held or (fault.kind, fault.target) == ("freeze", "whatsapp-adapter"):
            away_s = 0 if fault.kind == "kill" else fault.lasts_s
            if fault.target == "nats-server" and self._servers is not None:
                away_s = max(fault.lasts_s, ELECTION_S)
            self._hold(now, away_s)
        if fault.target in ("whatsapp-adapter", "child") and fault.kind != "freeze":
            began, ends = self._held
            self.unheard.append((min(began, now) if now < ends else now, now))

    def _hold(self, now: float, away_s: float) -> None:
        began, ends = self._held
        self._held = (min(began, now) if now < ends else now, max(ends, now + away_s + BACK_S))

    async def _happen(self, fault: Fault) -> None:
        match fault.kind:
            case "kill" | "freeze" | "cut" if fault.target == "nats-server" and self._servers is not None:
                self._later(self._servers.suffer(fault.kind, fault.number, fault.lasts_s))
            case "kill":
                self._system.kill(fault.target)
            case "freeze":
                self._freeze(fault.target, fault.lasts_s)
            case "telegram" | "whatsapp":
                await (self._of_telegram(fault) if fault.kind == "telegram" else self._drop(fault.number))
            case "child" | "flood":
                self._of_children(fault)
            case _:
                self._later(self._around(fault))

    def _around(self, fault: Fault) -> Coroutine[None, None, None]:
        """What the system stands on."""
        match fault.kind:
            case "pipe":
                return self._system.hold_output(fault.lasts_s)
            case "disk":
                return self._fill_disk(fault.lasts_s)
            case "consumer":
                return self._delete_consumer(fault.number)
            case _:
                return self._jump(fault)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        """Let a fault take its time beside the next ones; all have healed when `run` returns."""
        task = asyncio.create_task(work)
        self._healing.add(task)
        task.add_done_callback(self._healing.discard)

    def _freeze(self, service: str, lasts_s: float) -> None:
        pid = self._system.kill(service, signal.SIGSTOP)

        async def thaw() -> None:
            await asyncio.sleep(lasts_s)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        self._later(thaw())

    async def _fill_disk(self, lasts_s: float) -> None:
        if self._disk is None:
            return
        filler = self._disk / "filler"
        try:
            with suppress(OSError), filler.open("wb") as file:
                while True:  # no disk is full from one moment to the next
                    free = os.statvfs(self._disk)
                    left_bytes = free.f_bavail * free.f_frsize
                    if left_bytes == 0:
                        break
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), min(left_bytes, STEP_BYTES))
                    await asyncio.sleep(STEP_S)
            self._hold(time.time(), lasts_s)
            await asyncio.sleep(lasts_s)
        finally:
            filler.unlink(missing_ok=True)

    async def _delete_consumer(self, number: int) -> None:
        stream = self._load.bus.jetstream(timeout=1)
        with suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):  # the bus is away
            found = [
                (name, consumer.name)
                for name in (subjects.COMMANDS, subjects.EVENTS, subjects.OUTBOX)
                for consumer in await stream.consumers_info(name)
                if consumer.config.durable_name
            ]
            name, consumer = found[number % len(found)]
            await stream.delete_consumer(name, consumer)

    async def _jump(self, fault: Fault) -> None:
        self._system.clock_s = (fault.number - 500_000) / 50  # up to almost three hours
        await asyncio.sleep(fault.lasts_s)
        self._system.clock_s = 0.0

    def _of_children(self, fault: Fault) -> None:
        """One WhatsApp session's own process, or the pipes of all."""
        if fault.kind == "flood":
            self._freeze("whatsapp-adapter", fault.lasts_s)
            self._load.flood(fault.number)
            return
        children = descendants(self._system.processes()["mim whatsapp-ad"])
        if children:
            os.kill(children[fault.number % len(children)], signal.SIGKILL)

    async def _of_telegram(self, fault: Fault) -> None:
        bots = sorted(account.number for account in self._load.accounts if account.provider == "telegram")
        bot = int(bots[fault.number % len(bots)])
        if fault.target == "unreachable":
            await self._system.control("telegram", "unreachable", bot=bot)

            async def heal() -> None:
                await asyncio.sleep(fault.lasts_s)
                await self._system.control("telegram", "unreachable", bot=bot, on=False)

            self._later(heal())
            return
        how = {
            "drop": {"drop": True},
            "lose": {"lose": True},
            "refuse": {"status": 429, "retry_after": 1},
            "slow": {"delay_s": fault.lasts_s},
        }[fault.target]
        await self._system.control("telegram", "fault", bot=bot, method="sendMessage", times=2, **how)

    async def _drop(self, number: int) -> None:
        devices = [each for each in (await self._system.control("whatsapp", "links"))["devices"] if each["connected"]]
        if devices:
            chosen = devices[number % len(devices)]
            with suppress(AssertionError):  # it went by itself meanwhile
                await self._system.control("whatsapp", "drop", phone=chosen["phone"], device=chosen["device"])

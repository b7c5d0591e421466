"""What goes wrong, drawn from a seed: the same seed draws the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import System, descendants

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
MOST_FROZEN_S = 12.0  # longer than a worker may be silent
PAUSE_S = (0.1, 1.5)
BACK_S = 5.0  # until everybody is connected again and has caught up


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


def draw(seed: int, count: int) -> list[Fault]:
    """`count` faults of a seed."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        kind = chance.choices(["kill", "freeze", "child", "telegram", "whatsapp"], [8, 4, 2, 3, 2])[0]
        target = chance.choice(SERVICES) if kind in ("kill", "freeze") else kind
        if kind == "telegram":
            target = chance.choice(["drop", "lose", "refuse", "slow", "unreachable"])
        # Most freezes are short; some outlast the patience of those who wait for the frozen one.
        lasts_s = chance.choice([0.5, 1.0, 2.0, MOST_FROZEN_S if chance.random() < 0.2 else 3.0])
        found.append(Fault(kind, target, chance.randrange(1_000_000), lasts_s, chance.uniform(*PAUSE_S)))
    return found


class Faults:
    """Lets them happen to a system whose bots and WhatsApp accounts are known."""

    def __init__(self, system: System, bots: Iterable[int], say: Callable[[str], None]) -> None:
        self._system = system
        self._bots = tuple(bots)
        self._say = say
        self._healing: set[asyncio.Task[None]] = set()
        self.unheard: list[tuple[float, float]] = []
        """From when to when (monotonic seconds) a message that came to a WhatsApp account may be gone: its library
        confirms it before it hands it over, and then a process was killed that had it in memory only."""
        self._bus_away = (0.0, 0.0)

    async def run(self, faults: Iterable[Fault]) -> None:
        """All of them, one after the other; returns when everything that was taken away is there again."""
        for fault in faults:
            self._say(str(fault))
            self._note(fault, time.monotonic())
            with suppress(ProcessLookupError, KeyError):  # it is down already
                await self._happen(fault)
            await asyncio.sleep(fault.pause_s)  # the pace of the faults is what is tested
        await asyncio.gather(*self._healing)

    def _note(self, fault: Fault, now: float) -> None:
        if fault.target == "nats-server":
            self._bus_away = (now, now + (fault.lasts_s if fault.kind == "freeze" else 0) + BACK_S)
        if fault.target in ("whatsapp-adapter", "child") and fault.kind != "freeze":
            began, ends = self._bus_away
            self.unheard.append((min(began, now) if now < ends else now, now))

    async def _happen(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self._system.kill(fault.target)
            case "freeze":
                pid = self._system.kill(fault.target, signal.SIGSTOP)
                self._later(fault.lasts_s, pid)
            case "child":
                self._kill_child(fault.number)
            case "telegram":
                await self._of_telegram(fault)
            case _:
                await self._drop(fault.number)

    def _later(self, after_s: float, pid: int) -> None:
        async def thaw() -> None:
            await asyncio.sleep(after_s)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        task = asyncio.create_task(thaw())
        self._healing.add(task)
        task.add_done_callback(self._healing.discard)

    def _kill_child(self, number: int) -> None:
        """One WhatsApp session's own process."""
        adapter = self._system.processes()["mim whatsapp-ad"]
        children = descendants(adapter)
        if children:
            os.kill(children[number % len(children)], signal.SIGKILL)

    async def _of_telegram(self, fault: Fault) -> None:
        bot = self._bots[fault.number % len(self._bots)]
        if fault.target == "unreachable":
            await self._system.control("telegram", "unreachable", bot=bot)

            async def heal() -> None:
                await asyncio.sleep(fault.lasts_s)
                await self._system.control("telegram", "unreachable", bot=bot, on=False)

            task = asyncio.create_task(heal())
            self._healing.add(task)
            task.add_done_callback(self._healing.discard)
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


def alive(pid: int) -> bool:
    """Whether a process runs."""
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False

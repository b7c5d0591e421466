"""From a thousand instances to a hundred thousand: what each costs, and how what is measured grows with their number.

Real nats-server, lifecycle, allocator, gateway, message store and webhooks, a process each; the workers are real but
for the messengers (`fleet`). At every size: instances are made up to it, then the figures are taken.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from nats.js.api import StreamInfo

from benchmarks.bus import LAZY
from benchmarks.creator import AT_ONCE, PROVIDERS, Creator
from benchmarks.lags import both, watching
from benchmarks.parts import CORE, MORE, Parts, parts
from benchmarks.processes import Helper, Json, cpu_s, helper, pss
from benchmarks.report import BrokenError, Row, kb, mib, ms, percentile
from benchmarks.system import flush_s, free_port
from mim.contracts import subjects
from mim.runtime.secrets import load_vault

SIZES = (1_000, 10_000, 100_000)
SMOKE_SIZES = (100,)
CAPACITY = 5_000
RATE = 1_000.0
READ_RATE = 10.0
QUIET = {"MIM_LOG_LEVEL": "error"}
"""Of the workers, which share this terminal; their lines go to the bus all the same."""
LISTS = {
    "first page of 100": "",
    "by status": "&status=client_ready",
    "by provider": "&provider=telegram",
    "by user": "&user_id=user-0",
    "search by name": "&search=instance+17",
}
WRITTEN = (subjects.EVENTS, f"KV_{subjects.ORDERS_BUCKET}", f"KV_{subjects.INSTANCES_BUCKET}")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    instances: tuple[int, ...]
    reads: int
    reads_meanwhile: int
    storm_s: float
    settle_s: float


class Rows:
    """Makes rows: the first size is the baseline of the later ones."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, float]] = {}

    def row(self, size: int, what: str, text: str, value: float, note: str = "") -> Row:
        """One figure of one size."""
        title = f"scale {size}: {what}"
        before = self._first.get(what)
        if before is None:
            self._first[what] = (text, value)
            return Row(title, text, note=note)
        return Row(title, text, before[0], value / before[1] if before[1] else None, note=note)


class Scale:
    """One run."""

    def __init__(self, running: Parts, fleets: dict[str, Helper], load: Helper, sizes: Sizes) -> None:
        self._parts = running
        self._fleets = fleets
        self._load = load
        self._sizes = sizes
        self._row = Rows().row
        self._creator = Creator(running.client, load_vault(running.settings))

    def _pids(self) -> dict[str, int]:
        return self._parts.pids() | {name: fleet.pid for name, fleet in self._fleets.items()}

    def _cpu(self) -> dict[str, float]:
        return {name: cpu_s(pid) for name, pid in self._pids().items()}

    def _pss(self) -> dict[str, int]:
        return {name: pss(pid) for name, pid in self._pids().items()}

    async def run(self) -> AsyncIterator[Row]:
        """All sizes."""
        await self._creator.listen()
        await self._creator.up_to(len(PROVIDERS))  # what is loaded at the first use
        for size in self._sizes.instances:
            for part in (self._create, self._reads, self._storm, self._gateway, self._lifecycle):
                async for row in part(size):
                    yield row

    # ------------------------------------------------------------------------------------------ creating

    async def _create(self, size: int) -> AsyncIterator[Row]:
        await asyncio.sleep(self._sizes.settle_s)
        memory, cpu, had = self._pss(), self._cpu(), len(self._creator.ids)
        made = size - had
        took_s = await self._creator.up_to(size)
        spent = {name: (after - cpu[name]) / made for name, after in self._cpu().items()}
        note = f"until client_ready, {AT_ONCE} under way"
        yield self._row(size, "creates a second", f"{made / took_s:.0f}/s", made / took_s, note)
        total = sum(spent.values())
        note = ", ".join(f"{name} {ms(each)}" for name, each in spent.items())
        yield self._row(size, "processor time of a create", ms(total), total, note)
        await asyncio.sleep(self._sizes.settle_s)
        now = self._pss()
        total = sum(now.values())
        note = ", ".join(f"{name} {mib(taken)}" for name, taken in now.items())
        yield self._row(size, "memory of all processes", mib(total), total, note)
        grown = {name: (taken - memory[name]) / made for name, taken in now.items()}
        total = sum(grown.values())
        note = ", ".join(f"{name} {kb(slope)}" for name, slope in grown.items())
        yield self._row(size, f"memory an instance, of {made} more", kb(total), total, note)
        stored = {info.config.name: info.state.bytes / size for info in await self._streams()}
        total = sum(stored.values())
        note = ", ".join(f"{name} {kb(each)}" for name, each in stored.items() if each > 1)
        yield self._row(size, "stored an instance", kb(total), total, note)

    async def _streams(self) -> list[StreamInfo]:
        return await self._parts.client.jetstream().streams_info()

    # ------------------------------------------------------------------------------------------- reading

    async def _reads(self, size: int) -> AsyncIterator[Row]:
        for what, path in self._paths().items():
            took = await self._times(path, {"connections": 1, "count": self._sizes.reads})
            yield self._row(size, what, both(took), percentile(took, 0.5))

    async def _reads_meanwhile(self, size: int) -> list[Row]:
        """The same at a slow pace, so that it is the events that keep the machine busy."""
        rows = []
        for what, path in self._paths().items():
            took = await self._times(path, {"rate": READ_RATE}, self._sizes.reads_meanwhile)
            rows.append(self._row(size, f"{what}, {RATE:.0f} events/s", both(took), percentile(took, 0.5)))
        return rows

    def _paths(self) -> dict[str, str]:
        paths = {f"list, {name}": f"/api/v1/instances?limit=100{query}" for name, query in LISTS.items()}
        return paths | {"one instance": f"/api/v1/instances/{self._creator.ids[-1]}"}

    async def _times(self, path: str, how: Json, number: int = 1) -> list[float]:
        requests = [["GET", path, ""]] * number
        done = await self._load.ask(port=self._parts.port, requests=requests, expect='"success":true', **how)
        if done["wrong"]:
            raise BrokenError(f"GET {path}: {done['wrong'][0]}")
        latencies: list[float] = done["latencies"]
        return latencies

    # -------------------------------------------------------------------------------------------- events

    async def _storm(self, size: int) -> AsyncIterator[Row]:
        seconds, job = self._sizes.storm_s, {"rate": RATE / len(self._fleets), "seconds": self._sizes.storm_s}
        async with watching(self._parts.client, self._parts.port) as lags:
            before, all_before, began = self._cpu(), _all_cpu_s(), time.perf_counter()
            storms = asyncio.gather(*(fleet.ask(storm=job) for fleet in self._fleets.values()))
            await asyncio.sleep(seconds / 4)
            reads = await self._reads_meanwhile(size)
            done = await storms
            spent, all_spent, took_s = self._cpu(), _all_cpu_s() - all_before, time.perf_counter() - began
            told = sum(one["told"] for one in done)
            await lags.complete(told)
        took = [each for one in done for each in one["took"]]
        cpu = {name: (after - before[name]) / took_s for name, after in spent.items()}
        note = f"of {RATE:.0f}/s for {seconds:g} s; acknowledged to the worker after {both(took)}"
        yield self._row(size, "status events a second", f"{told / seconds:.0f}/s", told / seconds, note)
        total = sum(cpu.values())
        note = ", ".join(f"{name} {100 * share:.0f} %" for name, share in cpu.items())
        note += f"; everything else on the machine {100 * (all_spent / took_s - total):.0f} %"
        yield self._row(size, "processors busy meanwhile", f"{total:.2f}", total, note)
        note = f"lifecycle's own figures: at most {lags.fold_events:.0f} events, {lags.fold_s:.2f} s behind"
        yield self._row(size, "event to read model", both(lags.bucket), percentile(lags.bucket, 0.5), note)
        note = f"{len(lags.subscriber)} of {told} events"
        seen = lags.subscriber
        yield self._row(size, "event to a subscriber of the gateway", both(seen), percentile(seen, 0.5), note)
        for row in reads:
            yield row

    # -------------------------------------------------------------------------------------------- starts

    async def _gateway(self, size: int) -> AsyncIterator[Row]:
        took_s = await self._parts.start("gateway", "new gateway", {"MIM_PORT": str(free_port())})
        pid = self._parts.pids()["new gateway"]
        note = f"{cpu_s(pid):.2f} s of processor time; then it has {mib(pss(pid))}"
        await self._parts.stop("new gateway")
        yield self._row(size, "start of a new gateway", f"{took_s:.2f} s", took_s, note)

    async def _lifecycle(self, size: int) -> AsyncIterator[Row]:
        await self._parts.stop("lifecycle")
        before = await self._written()
        took_s = await self._parts.start("lifecycle")
        pid = self._parts.pids()["lifecycle"]
        note = f"{cpu_s(pid):.2f} s of processor time; then it has {mib(pss(pid))}"
        yield self._row(size, "start of lifecycle", f"{took_s:.2f} s", took_s, note)
        first_s = await self._creator.up_to(len(self._creator.ids) + 1)
        await asyncio.sleep(self._sizes.settle_s)
        written = [f"{name} {after - before[name]}" for name, after in (await self._written()).items()]
        note = f"written since it was stopped: {', '.join(written)} messages"
        yield self._row(size, "the first create after it", ms(first_s), first_s, note)

    async def _written(self) -> dict[str, int]:
        found = {info.config.name or "": info.state.last_seq for info in await self._streams()}
        return {name: found[name] for name in WRITTEN}


def _all_cpu_s() -> float:
    """Processor time of everything on this machine."""
    user, nice, system, _idle, _wait, *rest = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(map(int, (user, nice, system, *rest[:3]))) / os.sysconf("SC_CLK_TCK")


async def measure(smoke: bool, most: int = SIZES[-1], sync: str = LAZY) -> AsyncIterator[Row]:
    """Every figure at each size, the first size as the baseline of the others.

    `sync` is how nats-server flushes to the disk: by default as in a cluster, where copies make what is acknowledged
    durable; `always` as in a single server, and then the disk decides.
    """
    steps = SMOKE_SIZES if smoke else (*(size for size in SIZES if size < most), most)
    sizes = Sizes(steps, 10, 2, 0.5, 0.2) if smoke else Sizes(steps, 200, 30, 30.0, 10.0)
    workers = max(1, steps[-1] // len(PROVIDERS) // CAPACITY)
    services = CORE if smoke else CORE + MORE
    async with parts(sync, services) as running, helper("benchmarks.load") as load:
        typical, longest = flush_s(running.folder)
        note = f"at most {ms(longest)}; nats-server flushes: {sync}"
        yield Row("scale: a flush of the disk", ms(typical), note=note)
        telegram, whatsapp = (running.env(f"{name}-adapter", QUIET) for name in ("telegram", "whatsapp"))
        async with helper("benchmarks.fleet", env=telegram) as one, helper("benchmarks.fleet", env=whatsapp) as two:
            for fleet, provider in zip((one, two), PROVIDERS, strict=True):
                job = {"provider": provider, "workers": workers, "capacity": CAPACITY + CAPACITY // 10}
                await fleet.ask(start=job)
            async for row in Scale(running, {"telegram workers": one, "whatsapp workers": two}, load, sizes).run():
                yield row
            await running.stop("lifecycle")  # first: it shall not take the end of the workers for a loss of them

"""Reading one instance from the gateway, against the smallest server aiohttp can be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from statistics import median

from benchmarks.processes import cpu_s, end, helper, python
from benchmarks.report import BrokenError, Row, median_ratio
from benchmarks.system import create_request, running

CONNECTIONS = 16
LEAST = 0.8
BUSY = 0.9


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """Requests a second of `GET /api/v1/instances/{id}`, one process and one core each, keep-alive, no pipelining.

    Rounds of both alternate. The note says how much of the time the load generator was computing: near 1, it and not
    the server would be what is measured.
    """
    rounds, seconds = (2, 0.5) if smoke else (9, 2.0)
    ours: list[float] = []
    bare: list[float] = []
    cpu: list[float] = []
    used = {"gateway": 0.0, "aiohttp": 0.0}
    count = {"gateway": 0, "aiohttp": 0}
    hello = await python("-m", "benchmarks.baselines.hello")
    try:
        port = int(await hello.stdout.readline()) if hello.stdout else 0
        async with running(sandbox=False) as system, helper("benchmarks.load") as load:
            # As it ships; a bot that is not started touches no network.
            method, path, body = create_request()
            made = await system.call(method, path, json.loads(body) | {"start": False})
            read = [["GET", f"{path}/{made['instance_id']}", ""]]
            gateway = system.process("gateway")
            sides = (
                ("aiohttp", hello.pid, port, [["GET", "/", ""]], bare),
                ("gateway", gateway, system.port, read, ours),
            )
            for number in range(rounds + 1):
                for name, pid, at, requests, rates in sides:
                    used[name] -= cpu_s(pid)
                    done = await load.ask(
                        port=at, requests=requests, expect='":', connections=CONNECTIONS, seconds=seconds
                    )
                    used[name] += cpu_s(pid)
                    count[name] += len(done["latencies"])
                    if done["wrong"]:
                        raise BrokenError(f"a read failed: {done['wrong'][0]}")
                    if number:  # the first round warms both up
                        rates.append(len(done["latencies"]) / done["seconds"])
                        cpu.append(done["cpu"])
    finally:
        await end(hello)
    ratio = median_ratio(ours, bare)
    doubt = "; the load generator was too busy for this to be sure" if max(cpu) > BUSY else ""
    yield Row(
        "read: GET one instance",
        f"{median(ours):.0f}/s",
        f"{median(bare):.0f}/s aiohttp",
        ratio,
        f">= {LEAST} of its rate",
        ratio >= LEAST,
        f"load generator computing {max(cpu):.0%} of the time at most{doubt}",
        cpu=", ".join(f"{name} {1e6 * used_s / count[name]:.0f} µs" for name, used_s in used.items()) + " a request",
    )

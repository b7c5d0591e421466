"""From asking for a WhatsApp instance to its QR code, against bare neonize on the same emulator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from benchmarks.processes import python
from benchmarks.report import BrokenError, Row, median_ratio, ms
from benchmarks.system import System, next_event, running

MOST = 1.15
WITHIN_S = 30.0


async def _ours(system: System) -> float:
    async with system.events() as events:
        began = time.time()
        made = await system.call(
            "POST", "/api/v1/instances", {"user_id": "bench", "provider": "whatsappweb", "type_instance": ["api"]}
        )
        seen = await next_event(events, "qr_ready", made["instance_id"])
        await system.call("DELETE", f"/api/v1/instances/{made['instance_id']}")
        await next_event(events, "deleted", made["instance_id"])
    await asyncio.sleep(0.5)  # its process ends meanwhile
    return seen.at - began


async def _bare(system: System, database: Path) -> float:
    folder = system.folder / "sandbox" / "whatsapp"
    began = time.perf_counter()
    process = await python(
        *("-m", "mim.emulators.whatsapp.trust", str(folder / "root.pub"), "benchmarks.baselines.bare_neonize"),
        *(str(database), f"http://127.0.0.1:{system.emulator('whatsapp')['proxy']}"),
        env={"SSL_CERT_FILE": str(folder / "ca.pem")},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            while process.stdout and (line := await process.stdout.readline()):
                if line == b"qr\n":
                    return time.perf_counter() - began
    finally:
        process.kill()
        await process.wait()
    raise BrokenError("bare neonize showed no QR code")


async def measure(smoke: bool) -> AsyncIterator[Row]:
    """From the POST to `qr_ready` at a subscriber of the event stream, with everything between: bus, port, key, worker.

    Baseline: a fresh process with nothing but neonize, started the same way through the same emulator, from its start
    to its first code. Both alternate.
    """
    ours, bare = [], []
    async with running() as system:
        for number in range(3 if smoke else 10):
            b = await _bare(system, system.folder / f"bare-{number}.sqlite3")
            o = await _ours(system)
            if number:  # the first round warms the file cache
                bare.append(b)
                ours.append(o)
    ratio = median_ratio(ours, bare)
    yield Row(
        "qr: create to qr_ready event",
        ms(median(ours)),
        f"{ms(median(bare))} neonize",
        ratio,
        f"<= {MOST} of its time",
        ratio <= MOST,
        f"{len(ours)} logins, {ms(min(ours))} to {ms(max(ours))}; emulator, no real network",
    )

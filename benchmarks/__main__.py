"""`python -m benchmarks [--smoke] [NAME…]`: measure the system against its goals and against bare libraries.

`--publish` writes what came of it into docs/performance.md, with the machine and the versions. The exit code is 0 if
everything could be measured, whether or not goals are reached.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial

import uvloop

from benchmarks import burst, bus, create, events, incoming, layout, memory, qr, read, scale, send, soak, start, storm
from benchmarks.bus import LAZY
from benchmarks.machine import Others, about
from benchmarks.processes import ROOT
from benchmarks.report import HEAD, WIDTHS, Row, line, markdown, put, show
from mim.runtime import cancellation

Measure = Callable[[bool], AsyncIterator[Row]]
LONG = {"scale": 3 * 3600.0, "soak": 3 * 3600.0}
"""What runs only when it is named, or with `--smoke`; and how many seconds it may take."""

ALL: dict[str, Measure] = {
    "start": start.measure,
    "create": create.measure,
    "send": send.measure,
    "burst": burst.measure,
    "incoming": incoming.measure,
    "read": read.measure,
    "qr": qr.measure,
    "events": events.measure,
    "memory": memory.measure,
    "bus": bus.measure,
    "layout": layout.measure,
    "storm": storm.measure,
    "soak": soak.measure,
    "scale": scale.measure,
}
AT_MOST_S = 600.0
QUIET = 0.1
"""Of so many cores' work by others the figures show little."""
DOCUMENT = ROOT / "docs" / "performance.md"


async def _run(name: str, measure: Measure, smoke: bool, rows: list[Row]) -> bool:
    """Measure and show; what came is added to `rows`."""
    running = asyncio.current_task()
    assert running is not None  # for the type checker
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)  # processes and folders go with it
    try:
        async with asyncio.timeout(LONG.get(name, AT_MOST_S)):
            async for row in measure(smoke):
                show(row)
                rows.append(row)
    except Exception:  # noqa: BLE001 - the others are still worth measuring
        traceback.print_exc()
        rows.append(Row(name, "did not work"))
        show(rows[-1])
        return False
    return True


def main() -> int:
    """Run what was asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"{', '.join(ALL)}; all without a name")
    parser.add_argument("--smoke", action="store_true", help="small sizes, for seeing that everything can be measured")
    parser.add_argument(
        "--instances", type=int, metavar="N", default=scale.SIZES[-1], help="how many `scale` goes up to"
    )
    parser.add_argument(
        "--sync", default=LAZY, help="how often `scale` lets nats-server flush to the disk, or `always`"
    )
    parser.add_argument("--minutes", type=float, default=soak.MINUTES, help="how long `soak` lasts")
    parser.add_argument("--publish", action="store_true", help="run all and write docs/performance.md")
    options = parser.parse_args()
    if options.publish and (options.names or options.smoke):
        parser.error("--publish takes neither names nor --smoke: the table has all figures of one run")
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(ALL)}")
    cancellation.mend()
    print(line(HEAD))
    print(line(["-" * width for width in WIDTHS]), flush=True)
    worked = True
    began, at, others = time.monotonic(), datetime.now(UTC), Others()
    rows: list[Row] = []
    measures = ALL | {
        "scale": partial(scale.measure, most=options.instances, sync=options.sync),
        "soak": partial(soak.measure, minutes=options.minutes),
    }
    for name in options.names or [name for name in ALL if options.smoke or name not in LONG]:
        since = time.monotonic()
        worked &= uvloop.run(_run(name, measures[name], options.smoke, rows))
        print(f"    {name} took {time.monotonic() - since:.0f} s", file=sys.stderr, flush=True)
    print(f"{time.monotonic() - began:.0f} s in all" + (" (smoke sizes: figures mean little)" if options.smoke else ""))
    if options.publish:
        DOCUMENT.write_text(put(DOCUMENT.read_text(), _measured(rows, at, others.busy())))
        print(f"written to {DOCUMENT.relative_to(ROOT)}")
    return 0 if worked else 1


def _measured(rows: list[Row], at: datetime, busy: float) -> str:
    """What stands in the document."""
    disturbed = f"Everything else on the machine used {busy:.1f} cores meanwhile."
    if busy > QUIET:
        disturbed += " **It was busy**: compare ratios and processor times, not rates and latencies."
    facts = "\n".join(f"| {name} | {value} |" for name, value in about())
    return f"{at:%Y-%m-%d %H:%M} UTC. {disturbed}\n\n| | |\n| --- | --- |\n{facts}\n\n{markdown(rows)}"


if __name__ == "__main__":
    sys.exit(main())

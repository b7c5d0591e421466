"""`python -m benchmarks [--smoke] [NAME…]`: measure the system against its goals and against bare libraries.

The exit code is 0 if everything could be measured, whether or not goals are reached.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable
from functools import partial

import uvloop

from benchmarks import burst, bus, create, events, incoming, layout, memory, qr, read, scale, send, soak, start, storm
from benchmarks.bus import LAZY
from benchmarks.report import HEAD, WIDTHS, Row, line, show

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


async def _run(name: str, measure: Measure, smoke: bool) -> bool:
    running = asyncio.current_task()
    assert running is not None  # for the type checker
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)  # processes and folders go with it
    try:
        async with asyncio.timeout(LONG.get(name, AT_MOST_S)):
            async for row in measure(smoke):
                show(row)
    except Exception:  # noqa: BLE001 - the others are still worth measuring
        traceback.print_exc()
        print(f"{name} did not work", flush=True)
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
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(ALL)}")
    print(line(HEAD))
    print(line(["-" * width for width in WIDTHS]), flush=True)
    worked = True
    began = time.monotonic()
    measures = ALL | {
        "scale": partial(scale.measure, most=options.instances, sync=options.sync),
        "soak": partial(soak.measure, minutes=options.minutes),
    }
    for name in options.names or [name for name in ALL if options.smoke or name not in LONG]:
        at = time.monotonic()
        worked &= uvloop.run(_run(name, measures[name], options.smoke))
        print(f"    {name} took {time.monotonic() - at:.0f} s", file=sys.stderr, flush=True)
    print(f"{time.monotonic() - began:.0f} s in all" + (" (smoke sizes: figures mean little)" if options.smoke else ""))
    return 0 if worked else 1


if __name__ == "__main__":
    sys.exit(main())

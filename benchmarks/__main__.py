"""`python -m benchmarks [--smoke] [NAME…]`: measure the system against its goals and against bare libraries.

The exit code is 0 if everything could be measured, whether or not goals are reached.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable

import uvloop

from benchmarks import burst, bus, create, events, incoming, layout, memory, qr, read, send, start
from benchmarks.report import HEAD, WIDTHS, Row, line, show

Measure = Callable[[bool], AsyncIterator[Row]]

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
}
AT_MOST_S = 600.0


async def _run(name: str, smoke: bool) -> bool:
    try:
        async with asyncio.timeout(AT_MOST_S):
            async for row in ALL[name](smoke):
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
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in ALL]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; choose from {', '.join(ALL)}")
    print(line(HEAD))
    print(line(["-" * width for width in WIDTHS]), flush=True)
    worked = True
    began = time.monotonic()
    for name in options.names or ALL:
        at = time.monotonic()
        worked &= uvloop.run(_run(name, options.smoke))
        print(f"    {name} took {time.monotonic() - at:.0f} s", file=sys.stderr, flush=True)
    print(f"{time.monotonic() - began:.0f} s in all" + (" (smoke sizes: figures mean little)" if options.smoke else ""))
    return 0 if worked else 1


if __name__ == "__main__":
    sys.exit(main())

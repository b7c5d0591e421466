"""A WhatsApp login with nothing but neonize: prints `qr` when the first code is there, then waits to be ended.

`python -m mim.emulators.whatsapp.trust ROOT_PUB benchmarks.baselines.bare_neonize DATABASE PROXY_URL`
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from typing import Any


async def main(database: str, proxy: str) -> None:
    """Connect and show the code."""
    library: Any = importlib.import_module("neonize.aioze.client")
    client = library.NewAClient(database)
    shown = asyncio.Event()

    async def on_qr(_client: object, _code: bytes) -> None:
        print("qr", flush=True)
        shown.set()

    client.event.qr(on_qr)
    await client.connect(library.ProxySettings(proxy_address=proxy))
    await shown.wait()
    sys.stdin.read()
    os._exit(0)  # the library's thread never ends


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

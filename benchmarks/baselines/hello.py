"""The smallest HTTP server that aiohttp can be, with the gateway's settings: uvloop, no access log, one process.

`python -m benchmarks.baselines.hello` prints its port; every GET and POST is answered with the same small object.
"""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    """Read what came and answer."""
    await request.read()
    return web.Response(body=b'{"hello":"world"}', content_type="application/json")


async def main() -> None:
    """Serve until the process is ended."""
    app = web.Application()
    app.router.add_route("*", "/", hello)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())

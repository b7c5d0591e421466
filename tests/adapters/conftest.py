"""What tests of both adapters use: a server that has files."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web


class Files:
    """Files by name at `url`; `asked` lists the names that were asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._content: dict[str, bytes] = {}

    def add(self, name: str, content: bytes) -> str:
        """Serve a file. Returns its URL."""
        self._content[name] = content
        return f"{self.url}/{name}"

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked.append(name)
        if name not in self._content:
            raise web.HTTPNotFound
        return web.Response(body=self._content[name])


@pytest.fixture
async def files() -> AsyncIterator[Files]:
    """A server on loopback; sessions reach it with the setting `media_private`."""
    served = Files()
    app = web.Application()
    app.router.add_get("/{name}", served.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()

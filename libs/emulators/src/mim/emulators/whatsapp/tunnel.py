"""An HTTP CONNECT proxy that leads nowhere but to the emulator.

Clients dial WhatsApp's host names through it; whatever else they ask for is refused, so nothing of a test or a
sandbox ever reaches the internet.
"""

from __future__ import annotations

import asyncio
import contextlib
import re

import structlog

log = structlog.get_logger(__name__)

_ALLOWED = re.compile(rb"CONNECT (?:[a-z0-9-]+\.)+whatsapp\.(?:com|net):443 HTTP/1\.1")
_BLOCK = 65_536


class Tunnel:
    """The proxy. `target` is the emulator's own TLS port on loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, asyncio.Event] = {}

    async def start(self, port: int) -> int:
        """Listen on loopback, on any free port if `port` is 0. Returns the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        ended = list(self._clients.values())
        for client in self._clients:
            client.transport.abort()
        for event in ended:
            await event.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = self._clients[writer] = asyncio.Event()
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._connect(reader, writer)
        finally:
            writer.close()
            del self._clients[writer]
            ended.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        if not _ALLOWED.fullmatch(request):
            log.warning("tunnel_refused", request=request.decode(errors="replace")[:200])
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    except OSError:
        pass  # one side is gone; closing the other tells it
    finally:
        writer.close()

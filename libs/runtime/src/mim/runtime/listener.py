"""How an HTTP application listens: who connects and then says nothing, trickles, or never reads, does not stay."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, cast

from aiohttp import web

FIRST_S = 10.0
"""How long a new connection may take for the headers of its first request; the library itself waits for ever."""
SWEEP_S = 2.0
IDLE_S = 75.0
"""How long a connection is kept between two requests, of which the second may trickle as well."""
UNREAD_S = 30
"""How long the other side's machine may take nothing of what was sent."""
HEARD_S = 0.2
"""Of a connection that is this young at the end its request may not be here yet."""
BACKLOG = 1024


Shortcut = Callable[[web.Request], web.StreamResponse | None]
"""Answers a request before the search for a route, or not."""


class Listener(web.AppRunner):
    """Runs an application; opens and closes sites of it. `max_line_size` is in bytes, of a request's first line."""

    def __init__(
        self, app: web.Application, *, first_s: float = FIRST_S, shortcut: Shortcut | None = None, **more: Any
    ) -> None:
        super().__init__(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=IDLE_S, **more
        )
        self._first_s = first_s
        self._shortcut = shortcut
        self._sweeping: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Make ready to listen."""
        await super().setup()
        if self._shortcut is not None and self.server is not None:
            self.server.request_handler = _trying(self._shortcut, self.server.request_handler)
        self._sweeping = asyncio.create_task(self._sweep(), name="sweep connections")

    async def open(self, host: str, port: int) -> web.TCPSite:
        """Start listening. Raises: OSError if the port cannot be opened."""
        site = web.TCPSite(self, host, port, backlog=BACKLOG)
        await site.start()
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            for listening in getattr(site._server, "sockets", ()):  # noqa: SLF001 - connections inherit it
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)
        return site

    async def open_chosen(self, host: str, port: int, setting: str) -> None:
        """`open` a port that a setting names. Raises: SystemExit that says how to choose another."""
        try:
            await self.open(host, port)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            message = f"cannot listen on port {port} of {host}: {reason}; choose another with {setting}"
            raise SystemExit(message) from None

    async def cleanup(self) -> None:
        """Close everything: who has connected by now is still heard and answered, others cannot connect any more."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        listening = [one for site in self.sites for one in getattr(site._server, "sockets", ())]  # noqa: SLF001
        # Kept open beyond the loop's own: what waits in them would be reset.
        kept = [socket.socket(fileno=os.dup(one.fileno())) for one in listening]
        for site in list(self.sites):
            await site.stop()
        waiting = [connection for one in kept for connection in _last(one)]
        if self.server is not None:
            for connection in waiting:
                with suppress(OSError):  # it is gone already
                    await asyncio.get_running_loop().connect_accepted_socket(self.server, connection)
            if self.server.connections:
                await asyncio.sleep(HEARD_S)
        await super().cleanup()

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        silent: dict[Any, float] = {}
        while self.server is not None:
            # The library tells nowhere else how many requests have come.
            found = [each for each in self.server.connections if each._request_count == 0]  # noqa: SLF001
            now = clock()
            silent = {each: silent.get(each, now) for each in found}
            for connection, since in silent.items():
                if now - since >= self._first_s:
                    connection.force_close()
            await asyncio.sleep(SWEEP_S)


def _last(listening: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait in a socket, which is closed as soon as there are none."""
    listening.setblocking(False)
    with listening, suppress(OSError):
        for _ in range(BACKLOG):
            connection, _address = listening.accept()
            connection.setblocking(False)
            yield connection


def _trying(
    shortcut: Shortcut, search: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = shortcut(cast("web.Request", request))
        return await search(request) if response is None else response

    return answer

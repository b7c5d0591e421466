"""Who connects and does not ask does not stay, over real sockets; who asks, waits or listens does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import aiohttp
import pytest
import uvloop
from aiohttp import web

from mim.runtime import listener
from mim.runtime.listener import Listener

DEADLINE_S = 10.0
FIRST_S = 0.3
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """A listener with one route that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = asyncio.Event()
        app = web.Application()
        app.add_routes([web.get("/", self._answer)])
        self.listener = Listener(app, first_s=FIRST_S)
        self.site: web.TCPSite

    async def _answer(self, _request: web.Request) -> web.Response:
        self.asked.set()
        await self.answers.wait()
        return web.Response(text="here")

    async def connect(self) -> Streams:
        return await asyncio.open_connection(*self.listener.addresses[0][:2])


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(listener, "SWEEP_S", 0.02)
    site = Site()
    await site.listener.setup()
    site.site = await site.listener.open("127.0.0.1", 0)
    yield site
    await site.listener.cleanup()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Say a header that never ends, a byte at each turn of the loop that finds room."""
    with suppress(ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        for _ in range(1000):
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.005)


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed."""
    async with asyncio.timeout(DEADLINE_S):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_a_shortcut_answers_what_it_takes_and_all_else_is_searched_for() -> None:
    async def found(request: web.Request) -> web.Response:
        return web.Response(text=f"route {request.match_info['name']}")

    def shortcut(request: web.Request) -> web.Response | None:
        return web.Response(body=b"") if request.raw_path == "/short" else None

    app = web.Application()
    app.add_routes([web.get("/{name}", found)])
    listener = Listener(app, shortcut=shortcut)
    await listener.setup()
    await listener.open("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{listener.addresses[0][1]}") as client:
            for path, text in (("/short", ""), ("/short?a=1", "route short"), ("/long", "route long")):
                async with client.get(path) as response:
                    assert (response.status, await response.text()) == (200, text)
    finally:
        await listener.cleanup()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_at_the_end_who_has_connected_is_answered_also_if_nobody_has_accepted_it_yet(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def answered() -> list[bytes]:
        site = Site()
        site.answers.set()
        await site.listener.setup()
        await site.listener.open("127.0.0.1", 0)
        address = site.listener.addresses[0][:2]
        connected = [socket.create_connection(address, DEADLINE_S) for _ in range(3)]  # the loop does not turn
        for one in connected:
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await site.listener.cleanup()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, DEADLINE_S)
        answers = []
        for one in connected:
            with one, one.makefile("rb") as reader:
                answers.append(reader.read())
        return answers

    with asyncio.Runner(loop_factory=loop) as runner:
        answers = runner.run(answered())
    assert len(answers) == 3
    assert all(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"here") for answer in answers)


async def test_who_says_nothing_or_trickles_is_cut_off_while_others_are_served(site: Site) -> None:
    silent, _silence = await site.connect()
    slow, slowly = await site.connect()
    trickling = asyncio.create_task(trickle(slowly))
    reader, writer = await site.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await site.asked.wait()
    assert (await end_of(silent), await end_of(slow)) == (b"", b"")
    site.answers.set()  # it has waited for longer than a first request may take to come
    async with asyncio.timeout(DEADLINE_S):
        assert b"200 OK" in await reader.readuntil(b"here")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"here")
    trickling.cancel()


@pytest.mark.parametrize(
    "head",
    [b"X-Large: " + b"x" * 10_000, b"\r\n".join(b"X-%d: x" % number for number in range(200))],
    ids=["one too large", "too many"],
)
async def test_too_large_a_head_is_refused_before_it_has_come_whole(site: Site, head: bytes) -> None:
    reader, writer = await site.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + head)
    assert (await end_of(reader)).startswith(b"HTTP/1.0 400")
    assert not site.asked.is_set()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
async def test_a_connection_ends_when_the_other_machine_takes_nothing(site: Site) -> None:
    await site.connect()
    async with asyncio.timeout(DEADLINE_S):
        while not (found := site.listener.server.connections):  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0)
    accepted = found[0].transport.get_extra_info("socket")  # type: ignore[union-attr]
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == listener.UNREAD_S * 1000

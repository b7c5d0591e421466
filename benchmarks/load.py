"""The load generator, a process of its own: HTTP/1.1 keep-alive over bare transports, one request at a time on each.

`python -m benchmarks.load` is a helper (see `processes`). A job is

    {"port", "requests": [[method, path, body], …], "expect", "connections", "seconds"}     as fast as it goes
    {"port", "requests": [[method, path, body], …], "expect", "connections", "count"}       the same, so many in all
    {"port", "requests": [[method, path, body], …], "expect", "connections", "once"}        each once, so many at a time
    {"port", "requests": [[method, path, body], …], "expect", "rate"}                       each once, in fixed steps

Where there are counts or seconds, connection i repeats request i. With a rate, latency counts from the moment at which
the request was due, whether or not earlier ones were answered, so a stall is not left out. The answer is {"latencies",
"seconds", "cpu", "wrong"}: cpu is the share of the time in which this process was computing, wrong holds answers that
do not contain `expect`.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import cast

from benchmarks.processes import Json, serve_lines

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
TIMEOUT_S = 30.0


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[bytes] | None = None
        self._got = b""
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("closed without an answer"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._size == 0:
            end = self._got.find(END_OF_HEAD)
            if end < 0:
                return
            head = self._got[: end + 2].lower()
            at = head.index(LENGTH) + len(LENGTH)
            self._size = end + len(END_OF_HEAD) + int(head[at : head.index(b"\r\n", at)])
        if len(self._got) >= self._size and self._waiting is not None:
            answer, self._got, self._size = self._got[: self._size], self._got[self._size :], 0
            self._waiting.set_result(answer)

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future is its whole answer."""
        if self._transport is None:
            raise ConnectionError("not connected")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class Load:
    """One job."""

    def __init__(self, port: int, requests: Sequence[Sequence[str]], expect: str) -> None:
        self._port = port
        self._requests = [_request(port, *request) for request in requests]
        self._expect = expect.encode()
        self._open: list[Connection] = []
        self._idle: list[Connection] = []
        self.latencies: list[float] = []
        self.wrong: list[str] = []

    async def closed_loop(self, connections: int, seconds: float, count: int) -> None:
        """Every connection sends its next request when the last one was answered."""
        await self._connect(connections)
        until = time.perf_counter() + seconds
        left = count or 1 << 60

        async def loop(connection: Connection, request: bytes) -> None:
            nonlocal left
            while left > 0 and time.perf_counter() < until:
                left -= 1
                began = time.perf_counter()
                self._note(await connection.ask(request), time.perf_counter() - began)

        given = (self._requests[number % len(self._requests)] for number in range(connections))
        await asyncio.gather(*(loop(one, request) for one, request in zip(self._open, given, strict=True)))

    async def once(self, connections: int) -> None:
        """Every connection takes the next request when its last one was answered."""
        await self._connect(connections)
        rest = iter(self._requests)

        async def loop(connection: Connection) -> None:
            for request in rest:
                began = time.perf_counter()
                self._note(await connection.ask(request), time.perf_counter() - began)

        await asyncio.gather(*map(loop, self._open))

    async def open_loop(self, rate: float) -> None:
        """Every request goes out when it is due, on an idle connection or, if there is none, a new one."""
        await self._connect(min(len(self._requests), 32))
        self._idle = list(self._open)
        began = time.perf_counter() + 0.01

        async def one(number: int, request: bytes) -> None:
            due = began + number / rate
            await asyncio.sleep(due - time.perf_counter())
            if not self._idle:
                await self._connect(1)
                self._idle.append(self._open[-1])
            connection = self._idle.pop()
            self._note(await connection.ask(request), time.perf_counter() - due)
            self._idle.append(connection)

        await asyncio.gather(*(one(number, request) for number, request in enumerate(self._requests)))

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()

    async def _connect(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            self._open.append(connection)

    def _note(self, answer: bytes, took_s: float) -> None:
        self.latencies.append(took_s)
        if self._expect not in answer and len(self.wrong) < 5:
            self.wrong.append(answer[-500:].decode(errors="replace"))


def _request(port: int, method: str, path: str, body: str = "") -> bytes:
    data = body.encode()
    kind = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" if data else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{kind}\r\n".encode() + data


async def run(
    port: int,
    requests: list[list[str]],
    expect: str,
    connections: int = 1,
    seconds: float = 60.0,
    count: int = 0,
    rate: float = 0.0,
    once: bool = False,
) -> Json:
    """Do one job."""
    load = Load(port, requests, expect)
    gc.collect()
    gc.freeze()
    cpu, began = time.process_time(), time.perf_counter()
    try:
        async with asyncio.timeout(seconds + TIMEOUT_S):
            if rate:
                await load.open_loop(rate)
            elif once:
                await load.once(connections)
            else:
                await load.closed_loop(connections, seconds, count)
    finally:
        load.close()
    took = time.perf_counter() - began
    share = (time.process_time() - cpu) / took
    return {"latencies": load.latencies, "seconds": took, "cpu": share, "wrong": load.wrong}


if __name__ == "__main__":
    serve_lines(run)

"""Server-Sent Events: answers that go on (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

import structlog
from aiohttp import web

from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime import metrics
from mim.runtime.http import invalid_fields

log = structlog.get_logger()
PING_S = 15.0
WRITE_S = 20.0
PING = b": ping\n\n"
BUFFER_BYTES = 32_768
"""What is kept for a subscriber who does not read: so much in the process, and twice as much in its kernel."""
AGAIN_MS = range(1000, 4000)
"""When a subscriber who is cut off comes back: not all of them at once."""


class Streams:
    """Serves at most `most` streams at a time. Who reads too slowly is let go and comes back where it left off."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0

    def enter(self) -> None:
        """Count one more; `leave` must follow. Raises: Unavailable if there are too many."""
        if self._open >= self._most:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"there are {self._most} subscribers already", 10)
        self._open += 1
        metrics.subscribers(1)

    def leave(self) -> None:
        """One less."""
        self._open -= 1
        metrics.subscribers(-1)

    async def serve(
        self, request: web.Request, source: AsyncGenerator[bytes], may_go_on: Callable[[], bool]
    ) -> web.StreamResponse:
        """Answer with what `source` yields until the client goes, its credential does, or the source ends.

        Raises: Unavailable before.
        """
        self.enter()
        try:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            bound(request)
            await response.write(b"retry: %d\n: connected\n\n" % random.choice(AGAIN_MS))  # noqa: S311
            async for frames in source:
                if not may_go_on():
                    break
                async with asyncio.timeout(WRITE_S):
                    await response.write(frames)
            return response
        except TimeoutError:
            let_go(request)
            return response
        except ConnectionError:
            return response
        finally:
            self.leave()
            await source.aclose()


def bound(request: web.Request) -> None:
    """Keep little for a client that does not read: the kernel alone would keep megabytes."""
    transport = request.transport
    if transport is not None:
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)


def let_go(request: web.Request) -> None:
    """Cut off a client that reads too slowly, and drop what is kept for it; it may come back."""
    metrics.subscriber_let_go()
    log.warning("subscriber_let_go", path=request.path, caller=request.remote, reason="it reads too slowly")
    if request.transport is not None:
        request.transport.abort()


def gathered(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Frames put together, as many as fit into `BUFFER_BYTES`."""
    found: list[bytes] = []
    size = 0
    for frame in frames:
        if found and size + len(frame) > BUFFER_BYTES:
            yield b"".join(found)
            found, size = [], 0
        found.append(frame)
        size += len(frame)
    if found:
        yield b"".join(found)


def last_event_id(request: web.Request) -> int | None:
    """After which event a client resumes; None if it does not. Raises: HttpError (INVALID_FIELDS)."""
    given = request.headers.get("Last-Event-ID")
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise invalid_fields([("Last-Event-ID", "must be the id of an event, a whole number")])
    return int(given)


async def pinged(source: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """What `source` yields, and a ping whenever it is silent: only writing shows that a client is gone."""
    step: asyncio.Task[bytes] | None = None
    try:
        while True:
            step = step or asyncio.ensure_future(anext(source))
            done, _ = await asyncio.wait({step}, timeout=PING_S)
            if not done:
                yield PING
                continue
            finished, step = step, None
            if frames := finished.result():
                yield frames
    except StopAsyncIteration:
        return
    finally:
        if step is not None:
            step.cancel()
            await asyncio.wait({step})
        await source.aclose()

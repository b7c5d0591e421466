"""Server-Sent Events: answers that go on (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from aiohttp import web

from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime.http import invalid_fields

PING_S = 15.0
WRITE_S = 20.0
PING = b": ping\n\n"


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

    def leave(self) -> None:
        """One less."""
        self._open -= 1

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
            await response.write(b"retry: 1000\n: connected\n\n")
            async for frames in source:
                if not may_go_on():
                    break
                async with asyncio.timeout(WRITE_S):
                    await response.write(frames)
            return response
        except (TimeoutError, ConnectionError):
            return response
        finally:
            self.leave()
            await source.aclose()


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

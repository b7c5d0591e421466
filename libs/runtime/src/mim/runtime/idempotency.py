"""`Idempotency-Key`: the same key and body give the same answer and happen once.

The first request leaves a record with the hash of its body and a seed; all ids of what it causes come from the seed,
so that doing it again after a crash repeats nothing. The answer is kept for 24 hours, sealed: it may hold an API key.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID, uuid4, uuid5

from aiohttp import web

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.records import Remembered
from mim.runtime.bus import Bus
from mim.runtime.http import error_answer, invalid_fields, shutting_down
from mim.runtime.logs import correlation
from mim.runtime.secrets import Vault
from mim.runtime.store import Store

MAX_KEY = 255
WAIT_S = 5.0
POLL_S = 0.05
OUR_FAILURES = frozenset({500, 503, 504})


class Seed:
    """Where the ids of one request come from: random, or the same again for the same key."""

    def __init__(self, seed: str | None = None) -> None:
        self._seed = UUID(seed) if seed else None

    def id(self, purpose: str) -> str:
        """An id for one purpose."""
        return str(uuid4() if self._seed is None else uuid5(self._seed, purpose))


Act = Callable[[Seed], Awaitable[web.StreamResponse]]


class Idempotency:
    """Remembers answers by key."""

    def __init__(self, bus: Bus, vault: Vault) -> None:
        self._store = Store(bus, subjects.IDEMPOTENCY_BUCKET, Remembered)
        self._vault = vault

    async def once(self, request: web.Request, whose: str, act: Act) -> web.StreamResponse:
        """Do `act`, or give the answer of the request that did it. Keys of different callers (`whose`) never meet.

        Raises: MimError (IDEMPOTENCY_CONFLICT) if the key was used with another body, HttpError for a bad key.
        """
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return await act(Seed())
        if not (0 < len(key) <= MAX_KEY and key.isprintable()):
            raise invalid_fields([("Idempotency-Key", f"must be 1 to {MAX_KEY} printable characters")])
        asked = f"{whose}\0{request.method} {request.path}\0{key}"
        place = hashlib.sha256(asked.encode(errors="replace")).hexdigest()[:40]
        fingerprint = hashlib.sha256(await request.read()).hexdigest()
        entry = Remembered(fingerprint=fingerprint, seed=str(uuid4()))
        if not await self._store.create(place, entry):
            entry, done = await self._other(place, fingerprint, entry)
            if done is not None:
                return done
        try:
            response = await act(Seed(entry.seed))
        except MimError as error:
            await self._keep(place, entry, error_answer(error, correlation() or uuid4().hex))
            raise
        except asyncio.CancelledError:  # this server ends: whoever asks again need not wait for it
            await self._keep(place, entry, error_answer(shutting_down(), correlation() or uuid4().hex))
            raise
        await self._keep(place, entry, response)
        return response

    async def _other(self, place: str, fingerprint: str, mine: Remembered) -> tuple[Remembered, web.Response | None]:
        for _ in range(int(WAIT_S / POLL_S)):
            entry, _ = await self._store.load(place)
            if entry is not None:
                if entry.fingerprint != fingerprint:
                    raise MimError(ErrorCode.IDEMPOTENCY_CONFLICT, "this Idempotency-Key was used with another body")
                if entry.answer is not None:
                    return entry, self._answer(place, entry)
                if entry.status is not None:
                    return entry, None
            elif await self._store.create(place, mine):  # it was forgotten just now; a server that lags cannot tell
                return mine, None
            await asyncio.sleep(POLL_S)
        if entry is None:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the server that answers lags behind; try again in a moment")
        # Whoever began it is gone; the seed makes it safe to do it again.
        return entry, None

    def _answer(self, place: str, entry: Remembered) -> web.Response:
        body = base64.b64decode(self._vault.open(entry.answer or "", "idempotency", place))
        headers = {"Idempotent-Replayed": "true"}
        return web.Response(body=body, status=entry.status or 200, content_type="application/json", headers=headers)

    async def _keep(self, place: str, entry: Remembered, response: web.StreamResponse) -> None:
        if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
            return
        done = entry.model_copy(update={"status": response.status})
        if response.status not in OUR_FAILURES:
            sealed = self._vault.seal(base64.b64encode(response.body).decode(), "idempotency", place)
            done = done.model_copy(update={"answer": sealed})
        # What cannot be kept is done again for a repeat, with the same seed: that is harmless, an error here is not.
        with suppress(Unavailable):
            await self._store.change(place, lambda stored: done if stored is None or stored.answer is None else None)

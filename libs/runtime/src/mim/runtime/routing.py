"""From the table of routes to a running server: who may call, how often, once for each key, and then the handler."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.routes import Route
from mim.contracts.states import Role
from mim.runtime import metrics
from mim.runtime.http import TooManyRequests, bearer
from mim.runtime.idempotency import Idempotency, Seed
from mim.runtime.ratelimit import Allowance, RateLimit


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `user_id` binds to one user's instances, `instance_id` to one instance; None is everything.

    `limit` is the key under which the calls are counted; None for callers without a limit.
    """

    name: str
    role: Role
    user_id: str | None = None
    instance_id: str | None = None
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to its handler. All ids of what it causes come from `seed`."""

    request: web.Request
    route: Route
    caller: Caller
    seed: Seed

    @property
    def origin(self) -> str:
        """Where the call comes from, for the audit."""
        return f"rest {self.request.remote or 'unknown'}"


WRONG_PER_MINUTE = 30
"""So many wrong credentials may come from one address; guessing is slowed down."""

Handler = Callable[[Call], Awaitable[web.StreamResponse]]
Admit = Callable[[web.Request, Route], Caller]
Audit = Callable[[Call, MimError | None], Awaitable[None]]


def count_call(limit: RateLimit, caller: Caller) -> Allowance | None:
    """Count a call; what the caller has left, or None if there is no limit. Raises: TooManyRequests."""
    allowance = limit.take(caller.limit) if caller.limit else None
    if allowance is not None and allowance.retry_after_s:
        metrics.rate_limited()
        raise TooManyRequests(allowance)
    return allowance


class Binder:
    """Adds the routes of a table to a server. `admit` raises MimError for whoever may not."""

    def __init__(self, admit: Admit, limit: RateLimit, idempotency: Idempotency, audit: Audit | None = None) -> None:
        self._admit = admit
        self._limit = limit
        self._idempotency = idempotency
        self._audit = audit
        self._wrong = RateLimit(WRONG_PER_MINUTE, time.monotonic)

    def bind(self, router: web.UrlDispatcher, routes: Iterable[Route], handlers: Mapping[str, Handler]) -> None:
        """Add every route. Raises: LookupError if a handler is missing or belongs to none."""
        table = {route.operation: route for route in routes}
        if odd := table.keys() ^ handlers.keys():
            raise LookupError(f"routes and handlers differ: {', '.join(sorted(odd))}")
        for operation, route in table.items():
            serve = self._serve(route, handlers[operation])
            if route.method == "GET":
                router.add_get(route.path, serve)
            else:
                router.add_route(route.method, route.path, serve)

    def _serve(self, route: Route, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        act = self._audited(handler) if route.audited else handler
        is_post = route.method == "POST"

        async def serve(request: web.Request) -> web.StreamResponse:
            caller = self._known(request, route)
            allowance = count_call(self._limit, caller)
            if is_post:
                response = await self._idempotency.once(
                    request, caller.name, lambda seed: act(Call(request, route, caller, seed))
                )
            else:
                response = await act(Call(request, route, caller, Seed()))
            if allowance is not None and not response.prepared:
                response.headers.update(allowance.headers())
            return response

        return serve

    def _known(self, request: web.Request, route: Route) -> Caller:
        try:
            return self._admit(request, route)
        except MimError as error:
            if error.code == ErrorCode.UNAUTHORIZED and bearer(request) is not None:
                allowance = self._wrong.take(request.remote or "")
                if allowance is not None and allowance.retry_after_s:
                    raise TooManyRequests(allowance) from None
            raise

    def _audited(self, handler: Handler) -> Handler:
        async def act(call: Call) -> web.StreamResponse:
            error: MimError | None = None
            try:
                return await handler(call)
            except MimError as failure:
                error = failure
                raise
            finally:
                if self._audit is not None:
                    await self._audit(call, error)

        return act

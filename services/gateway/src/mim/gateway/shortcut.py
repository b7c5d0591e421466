"""GET one instance, answered before the search for a route: that and the middleware are a third of its time (measured).

The answer is the one that the route gives. Whatever is out of the ordinary about a request goes there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web

from mim.contracts import routes
from mim.contracts.errors import MimError
from mim.contracts.records import InstanceRecord
from mim.gateway.access import Access, sees
from mim.gateway.instances import shown
from mim.gateway.model import ReadModel
from mim.runtime import http, tracing
from mim.runtime.ratelimit import RateLimit
from mim.runtime.routing import Caller, count_call
from mim.runtime.traffic import Traffic

ROUTE = next(route for route in routes.GATEWAY if route.operation == "get")
PREFIX = ROUTE.path.removesuffix("{id}")
LENGTH = len(PREFIX) + 36


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Tried with every request. What has to be passed, and what marks an answer, are those of the application."""

    checks: Collection[http.Check]
    marks: Collection[http.Mark]
    model: ReadModel
    access: Access
    limit: RateLimit
    traffic: Traffic

    def __call__(self, request: web.Request) -> web.Response | None:
        """The answer; None if the request has to go the whole way."""
        path = request.raw_path
        if len(path) != LENGTH or not path.startswith(PREFIX) or request.method != ROUTE.method:
            return None
        record = self.model.get(path[len(PREFIX) :])
        if record is None or request.body_exists or "Expect" in request.headers:
            return None
        try:
            for check in self.checks:
                check(request)
        except MimError:
            return None
        caller = self.access.at_once(request)
        if caller is None or not caller.role.may(ROUTE.role) or not sees(caller, record):
            return None
        return self._answer(request, caller, record)

    def _answer(self, request: web.Request, caller: Caller, record: InstanceRecord) -> web.Response:
        began = self.traffic.begin()
        with tracing.request_span(ROUTE.method, ROUTE.path, request.headers) as span:
            try:
                allowance = count_call(self.limit, caller)
            except http.TooManyRequests as error:
                response = http.error_answer(error, uuid4().hex)
            else:
                response = shown(self.model, record)
                if allowance is not None:
                    response.headers.update(allowance.headers())
            for mark in self.marks:
                mark(request, response)
            span.answered(response.status)
        self.traffic.end(ROUTE.method, ROUTE.path, response, began)
        return response

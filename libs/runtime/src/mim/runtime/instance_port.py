"""The instances' own ports: one shared aiohttp application, a listener for each instance.

Which instance a request is for is told by the port it came in on (5,000 listeners: 1.3 KB each, measured).
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from aiohttp import web

from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.fields import Model
from mim.contracts.messages import MessageFailed, MessageSent, SendMessage
from mim.runtime import http
from mim.runtime.http import HttpError
from mim.runtime.runner import Runner
from mim.runtime.sending import OUTBOX_LIFE_S, Sender
from mim.runtime.settings import is_loopback

log = structlog.get_logger()
SEND_DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class SendRoute:
    """A route with which an adapter lets callers send: its body, what that means, and what the answer looks like."""

    body: type[Model]
    message: Callable[[Any], dict[str, Any]]
    """The body as fields of `SendMessage`; at least `to` and `text`."""
    answer: Callable[[MessageSent], dict[str, Any]]


class InstancePorts:
    """Opens and closes the listeners of a worker's instances."""

    def __init__(
        self,
        host: str,
        provider: str,
        prefix: str,
        send_routes: Mapping[str, SendRoute],
        sender: Sender,
        now: Callable[[], datetime],
        allowed: tuple[tuple[str, ...], tuple[str, ...]],
    ) -> None:
        self._host = host
        self._provider = provider
        self._sender = sender
        self._now = now
        self._runners: dict[int, Runner] = {}
        self._sites: dict[int, web.TCPSite] = {}
        guard = http.guard(*allowed, any_host=not is_loopback(host))
        app = web.Application(middlewares=[http.entrance(guard)], client_max_size=http.MAX_BODY_BYTES)
        for base in dict.fromkeys(("/api/v1", prefix)):
            app.router.add_get(f"{base}/health", self._health)
            app.router.add_get(f"{base}/status", self._with_key(self._status))
        app.router.add_get("/api/v1/account-info", self._with_key(self._account))
        if prefix != "/api/v1":
            app.router.add_get(f"{prefix}/me", self._with_key(self._account))
        for path, route in send_routes.items():
            app.router.add_post(path, self._with_key(self._send(route)))
        self._app = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)

    async def start(self) -> None:
        """Make ready to open ports."""
        await self._app.setup()

    async def stop(self) -> None:
        """Close all ports."""
        await self._app.cleanup()

    async def open(self, port: int, runner: Runner) -> None:
        """Serve an instance on a port. Raises: OSError if something else listens there."""
        self._runners[port] = runner
        if port not in self._sites:
            self._sites[port] = await http.open_site(self._app, self._host, port)

    async def close(self, port: int) -> None:
        """Stop serving a port."""
        self._runners.pop(port, None)
        site = self._sites.pop(port, None)
        if site is not None:
            await site.stop()

    # --------------------------------------------------------------------------------------------- handlers

    def _runner(self, request: web.Request) -> Runner:
        transport = request.transport
        port = transport.get_extra_info("sockname")[1] if transport else 0
        runner = self._runners.get(port)
        if runner is None:
            raise MimError(ErrorCode.NOT_FOUND, "no instance lives on this port any more")
        return runner

    def _with_key(self, act: Callable[[web.Request, Runner], Awaitable[web.Response]]) -> http.Route:
        async def handler(request: web.Request) -> web.StreamResponse:
            runner = self._runner(request)
            check_key(request, runner.order.api_key_sha256)
            return await act(request, runner)

        return handler

    async def _health(self, request: web.Request) -> web.Response:
        self._runner(request)
        return http.json_answer({"status": "healthy", "provider": self._provider, "timestamp": _iso(self._now())})

    async def _status(self, _request: web.Request, runner: Runner) -> web.Response:
        return http.success(
            instance_id=runner.order.instance_id,
            provider=self._provider,
            status=runner.status,
            is_ready_for_messages=runner.status.is_ready,
            reason=runner.reason.model_dump(mode="json"),
            since=_iso(runner.reason.since),
            account=runner.account.model_dump(mode="json") if runner.account else None,
            observed_at=_iso(runner.observed_at) if runner.observed_at else None,
        )

    async def _account(self, _request: web.Request, runner: Runner) -> web.Response:
        if runner.account is None:
            raise not_ready(runner.order.instance_id, runner.status, runner.reason.model_dump(mode="json"))
        return http.success(**runner.account.model_dump(mode="json"))

    def _send(self, route: SendRoute) -> Callable[[web.Request, Runner], Awaitable[web.Response]]:
        async def send(request: web.Request, runner: Runner) -> web.Response:
            body = await http.read_body(request, route.body)
            if not runner.status.is_ready:
                raise not_ready(runner.order.instance_id, runner.status, runner.reason.model_dump(mode="json"))
            message = SendMessage(
                id=uuid4().hex,
                instance_id=runner.order.instance_id,
                provider=runner.order.provider,
                expires_at=self._now() + timedelta(seconds=OUTBOX_LIFE_S),
                actor="instance port",
                **route.message(body),
            )
            outcome = await self._sender.send(message, SEND_DEADLINE_S)
            return send_answer(message, outcome, route.answer)

        return send


def not_ready(instance_id: str, status: str, reason: dict[str, Any]) -> HttpError:
    """The 409 of an instance that cannot send now."""
    text = f"the instance is {status}, not client_ready: {reason['message']}"
    return HttpError(ErrorCode.NOT_READY, text, instance_id=instance_id, status=status, reason=reason)


def check_key(request: web.Request, api_key_sha256: str) -> None:
    """Raises: MimError (UNAUTHORIZED) unless the request carries the instance's API key."""
    given = http.bearer(request)
    if given is None:
        raise MimError(ErrorCode.UNAUTHORIZED, "send the instance's API key as 'Authorization: Bearer <api_key>'")
    if not key_fits(given, api_key_sha256):
        raise MimError(ErrorCode.UNAUTHORIZED, "this API key is not the instance's")


def key_fits(given: str, api_key_sha256: str) -> bool:
    """Whether a key is the one with this hash, in constant time."""
    return http.same(hashlib.sha256(given.encode(errors="replace")).hexdigest(), api_key_sha256)


def send_answer(
    message: SendMessage,
    outcome: MessageSent | MessageFailed | None,
    answer: Callable[[MessageSent], dict[str, Any]],
) -> web.Response:
    """200 with what the messenger said, 202 while it is still queued, or the messenger's refusal."""
    if outcome is None:
        return http.success(202, id=message.id, status="queued", to=message.to, provider=message.provider)
    if isinstance(outcome, MessageFailed):
        raise HttpError(ErrorCode(outcome.code), outcome.message, id=message.id, to=message.to)
    return http.success(id=message.id, **answer(outcome))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

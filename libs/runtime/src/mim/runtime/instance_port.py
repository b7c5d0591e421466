"""The instances' own ports: one shared aiohttp application, a listener for each instance.

Which instance a request is for is told by the port it came in on (5,000 listeners: 1.3 KB each, measured).
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import structlog
from aiohttp import web

from mim.contracts.answers import (
    AccountInfo,
    Answer,
    PortHealth,
    PortStatus,
    QueueFigures,
    WebhookAnswer,
)
from mim.contracts.api import WebhookBody
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.fields import Model
from mim.contracts.messages import MessageSent, SendMessage, UpdateInstance
from mim.contracts.records import InstanceRecord, SessionOrder
from mim.contracts.routes import PORT_ROUTES, Route, Scope
from mim.contracts.states import Provider, Role
from mim.contracts.values import Webhook
from mim.runtime import http
from mim.runtime.activity import Activity
from mim.runtime.bus import Bus
from mim.runtime.commands import Commands
from mim.runtime.groups import GroupRoutes
from mim.runtime.idempotency import Idempotency
from mim.runtime.listener import Listener
from mim.runtime.media import MediaStore
from mim.runtime.messaging import SEND_DEADLINE_S, may_wait, not_ready, send_answer, send_any, send_file, upload
from mim.runtime.ratelimit import RateLimit
from mim.runtime.routing import Binder, Call, Caller, Handler
from mim.runtime.runner import Runner
from mim.runtime.sending import OUTBOX_LIFE_S, Sender
from mim.runtime.settings import Settings, is_loopback
from mim.runtime.store import Secrets, Store
from mim.runtime.stored import StoredRoutes
from mim.runtime.stored_messages import stored_message
from mim.runtime.traffic import Traffic

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SendRoute:
    """A route with which an adapter lets callers send: its body, what that means, and what the answer looks like."""

    body: type[Model]
    message: Callable[[Any], dict[str, Any]]
    """The body as fields of `SendMessage`; at least `to` and `text` or `media`."""
    answer: Callable[[MessageSent], Answer]


@dataclass(frozen=True, slots=True)
class Means:
    """What the ports work with."""

    bus: Bus
    sender: Sender
    commands: Commands
    secrets: Secrets
    records: Store[InstanceRecord]
    activity: Activity
    limit: RateLimit
    idempotency: Idempotency
    media: MediaStore


class InstancePorts:
    """Opens and closes the listeners of a worker's instances."""

    def __init__(
        self, settings: Settings, provider: Provider, send_routes: Mapping[str, SendRoute], means: Means
    ) -> None:
        self._settings = settings
        self._stored = StoredRoutes(means.bus)
        self._groups = GroupRoutes(self._stored)
        self._host = settings.instance_host
        self._provider = provider
        self._means = means
        self._send_routes = send_routes
        self._runners: dict[int, Runner] = {}
        self._by_id: dict[str, Runner] = {}
        self._sites: dict[int, web.TCPSite] = {}
        self._app, self._hub = self._application(""), self._application("/i/{id}")
        self.hub_port = 0
        """Where all instances are reached by their ids, once it was started."""

    def _application(self, prefix: str) -> Listener:
        settings, means = self._settings, self._means
        origins = settings.allowed_origins
        guard = http.guard(settings.allowed_hosts, origins, any_host=not is_loopback(self._host))
        preflight, mark = http.cors(origins)
        checks = [guard, preflight] if origins else [guard]
        app = http.application(*checks, traffic=Traffic(), marks=[mark] if origins else [])
        routes = PORT_ROUTES[self._provider]
        handlers = {route.operation: self._handler(route) for route in routes}
        placed = [replace(route, path=prefix + route.path) for route in routes]
        Binder(self._admit, means.limit, means.idempotency).bind(app.router, placed, handlers)
        return Listener(app)

    async def start(self) -> None:
        """Make ready to open ports, and open the one of all instances. Raises: SystemExit if something else listens."""
        await self._app.setup()
        await self._hub.setup()
        await self._hub.open_chosen(self._host, self._settings.worker_port, "MIM_WORKER_PORT")
        self.hub_port = int(self._hub.addresses[0][1])

    async def stop(self) -> None:
        """Close all ports."""
        await self._app.cleanup()
        await self._hub.cleanup()

    def know(self, runner: Runner) -> None:
        """Serve an instance by its id."""
        self._by_id[runner.order.instance_id] = runner

    def forget(self, instance_id: str) -> None:
        """Serve an instance by its id no more."""
        self._by_id.pop(instance_id, None)

    async def open(self, port: int, runner: Runner) -> None:
        """Serve an instance on a port. Raises: OSError if something else listens there."""
        self._runners[port] = runner
        if port not in self._sites:
            self._sites[port] = await self._app.open(self._host, port)

    async def close(self, port: int) -> None:
        """Stop serving a port: whoever gets it next must not be reached over connections that are open now."""
        self._runners.pop(port, None)
        site = self._sites.pop(port, None)
        if site is not None:
            await site.stop()
        for connection in self._app.server.connections if self._app.server else ():
            transport = connection.transport
            if transport is not None and transport.get_extra_info("sockname")[1] == port:
                connection.close()

    # ----------------------------------------------------------------------------------------------- callers

    def _runner(self, request: web.Request) -> Runner:
        if (identity := request.match_info.get("id")) is not None:
            found = self._by_id.get(identity)
            if found is None:
                raise Unavailable(ErrorCode.NO_WORKER, "this worker does not hold the instance any more; ask again")
            return found
        transport = request.transport
        port = transport.get_extra_info("sockname")[1] if transport else 0
        runner = self._runners.get(port)
        if runner is None:
            raise Unavailable(ErrorCode.NO_WORKER, "no instance lives on this port any more; ask again")
        return runner

    def _admit(self, request: web.Request, route: Route) -> Caller:
        order = self._runner(request).order
        if route.scope is Scope.OPEN:
            return Caller("anybody", Role.VIEWER)
        check_key(request, order.api_key_sha256)
        self._means.activity.called(order.instance_id, order.api_key_sha256)
        name = f"key of {order.instance_id}"
        return Caller(name, Role.OPERATOR, order.user_id, order.instance_id, limit=order.api_key_sha256)

    # --------------------------------------------------------------------------------------------- handlers

    def _handler(self, route: Route) -> Handler:
        if (send := self._send_routes.get(route.path)) is not None and route.method == "POST":
            return self._send(send)
        handlers: dict[str, Callable[[Call, Runner], Awaitable[web.StreamResponse]]] = {
            "health": self._health,
            "status": self._status,
            "account": self._account,
            "me": self._account,
            "webhook": self._webhook,
            "set_webhook": self._set_webhook,
            "upload": self._upload,
            "media": self._media,
        }
        if route.operation == "port_send":
            return self._send_any
        handlers |= self._stored.handlers() | self._groups.handlers()
        act = handlers[route.operation.removeprefix("port_").removeprefix("provider_")]

        async def handle(call: Call) -> web.StreamResponse:
            return await act(call, self._runner(call.request))

        return handle

    async def _health(self, _call: Call, _runner: Runner) -> web.StreamResponse:
        return http.answer(PortHealth(provider=self._provider, timestamp=self._means.bus.now()))

    async def _status(self, _call: Call, runner: Runner) -> web.StreamResponse:
        return http.answer(
            PortStatus(
                instance_id=runner.order.instance_id,
                provider=self._provider,
                status=runner.status,
                is_ready_for_messages=runner.status.is_ready,
                reason=runner.reason,
                since=runner.reason.since,
                account=runner.account,
                observed_at=runner.observed_at,
                restriction=runner.restricted.present,
                queue=await _queue(runner),
            )
        )

    async def _account(self, _call: Call, runner: Runner) -> web.StreamResponse:
        if runner.account is None:
            raise not_ready(runner)
        return http.answer(AccountInfo(**runner.account.model_dump()))

    async def _send_any(self, call: Call) -> web.StreamResponse:
        return await send_any(call, self._runner(call.request), self._means.sender, self._means.bus)

    def _send(self, route: SendRoute) -> Handler:
        async def send(call: Call) -> web.StreamResponse:
            runner = self._runner(call.request)
            body = await http.read_body(call.request, route.body)
            if not may_wait(runner):
                raise not_ready(runner)
            message = SendMessage(
                id=call.seed.id("message"),
                instance_id=runner.order.instance_id,
                provider=runner.order.provider,
                expires_at=self._means.bus.now() + timedelta(seconds=OUTBOX_LIFE_S),
                actor=call.caller.name,
                **route.message(body),
            )
            outcome = await self._means.sender.send(message, SEND_DEADLINE_S)
            return send_answer(message, outcome, route.answer)

        return send

    # ------------------------------------------------------------------------------------------------- files

    async def _upload(self, call: Call, runner: Runner) -> web.StreamResponse:
        means, instance_id = self._means, runner.order.instance_id
        return await upload(call, instance_id, means.media, self._settings, means.bus)

    async def _media(self, call: Call, runner: Runner) -> web.StreamResponse:
        chat, message_id = call.request.match_info["chat"], call.request.match_info["message"]
        message = await stored_message(self._means.bus, runner.order.instance_id, chat, message_id)
        media = message.media if message else None
        if media is None or media.reference is None:
            raise MimError(ErrorCode.NOT_FOUND, f"there is no message {message_id[:40]!r} with a file in this chat")
        async with runner.incoming_file(chat, message_id, media.reference) as path:
            return await send_file(call.request, path, media)

    # ------------------------------------------------------------------------------------------------ webhook

    async def _webhook(self, _call: Call, runner: Runner) -> web.StreamResponse:
        record, _ = await self._means.records.load(runner.order.instance_id)
        if record is None:
            raise MimError(ErrorCode.NOT_FOUND, "no instance lives on this port any more")
        return http.answer(WebhookAnswer(webhook=record.webhook, has_headers="webhook_headers" in record.secrets))

    async def _set_webhook(self, call: Call, runner: Runner) -> web.StreamResponse:
        body = await http.read_body(call.request, WebhookBody)
        webhook = Webhook(enabled=body.enabled, url=body.url, filters=body.filters)
        command = UpdateInstance(
            instance_id=runner.order.instance_id,
            actor=call.caller.name,
            origin=call.origin,
            webhook=webhook,
            sealed=self._sealed(runner.order, body),
        )
        await self._means.commands.change(command, call.seed.id("command"))
        return http.answer(WebhookAnswer(webhook=webhook, has_headers=bool(body.headers)))

    def _sealed(self, order: SessionOrder, body: WebhookBody) -> dict[Any, str]:
        if not body.headers:
            return {}
        plain = orjson.dumps(body.headers).decode()
        name = "webhook_headers"
        return {name: self._means.secrets.seal(order.user_id, order.instance_id, name, plain)}


async def _queue(runner: Runner) -> QueueFigures | None:
    try:
        depth, oldest_age_s = await runner.waiting()
    except Unavailable:
        return None
    return QueueFigures(depth=depth, oldest_age_s=round(oldest_age_s, 1))


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

"""The gateway as a process: `mim run gateway`. Wiring only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from mim.contracts import routes
from mim.contracts.errors import Invalid
from mim.contracts.messages import MessageFailed, MessageSent, unwrap
from mim.gateway.access import Access, Tokens
from mim.gateway.deliveries import Deliveries
from mim.gateway.events import EventStream, Item, Subscriptions
from mim.gateway.figures import Figures
from mim.gateway.instances import Instances
from mim.gateway.keys import Keys
from mim.gateway.login import Login
from mim.gateway.model import ReadModel
from mim.gateway.pages import BUILT, Pages
from mim.gateway.providers import MultiProvider
from mim.gateway.proxy import proxy
from mim.gateway.shortcut import Shortcut
from mim.gateway.sse import Streams
from mim.gateway.system import Reports, System
from mim.gateway.workers import Workers
from mim.runtime import http
from mim.runtime.activity import Activity
from mim.runtime.bus import Bus
from mim.runtime.commands import Commands
from mim.runtime.idempotency import Idempotency
from mim.runtime.listener import Listener
from mim.runtime.media import MediaStore
from mim.runtime.ratelimit import RateLimit
from mim.runtime.routing import Binder
from mim.runtime.secrets import load_vault
from mim.runtime.sending import Sender
from mim.runtime.service import Tasks
from mim.runtime.settings import Settings, is_loopback
from mim.runtime.store import Secrets
from mim.runtime.traffic import Traffic

log = structlog.get_logger()
LONGEST_LINE = 32_768
"""Bytes of a request's first line: every query that the routes allow fits in it, however it is encoded."""
MAX_FOLLOWERS = 200
"""Who may follow log lines at a time; each costs the bus a consumer."""


@asynccontextmanager
async def gateway(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Serve HTTP until the end."""
    http.need_credentials(settings.host, settings.admin_token is not None)
    vault = load_vault(settings)
    secrets, sender, commands = Secrets(bus, vault), Sender(bus), Commands(bus)
    await commands.listen()
    model, tokens, reports = ReadModel(bus), Tokens(bus), Reports(bus)
    workers = Workers(bus, settings, model)
    events, activity, traffic = EventStream(bus, model), Activity(bus), Traffic()
    limit = RateLimit(settings.rate_limit, time.monotonic)
    access = Access(settings, model, tokens, activity, limit, time.monotonic)
    instances = Instances(model, access, commands, secrets)
    keys = Keys(bus, access, tokens, instances, secrets, workers)
    handlers = {
        **instances.handlers(),
        **keys.handlers(),
        **Login(bus, model, access, instances).handlers(),
        **Figures(bus, access, workers, Streams(MAX_FOLLOWERS)).handlers(),
        **Deliveries(bus, access, secrets).handlers(),
        **MultiProvider(bus, model, access, sender, workers, MediaStore(bus), settings).handlers(),
        **Subscriptions(events, model, access, settings.subscribers_most).handlers(),
        **workers.handlers(),
        **System(bus, settings, model, reports, traffic).handlers(),
    }
    binder = Binder(access.admit, limit, Idempotency(bus, vault), keys.record)
    async with proxy(model, access, workers, secrets) as ports, Tasks(bus) as tasks:
        checks, marks = _entrance(settings)
        app = http.application(*checks, traffic=traffic, marks=marks)
        binder.bind(app.router, routes.GATEWAY, handlers)
        ports.bind(app.router)
        Pages(settings.dashboard_dir or BUILT).bind(app.router, routes.GATEWAY)
        shortcut = Shortcut(checks, marks, model, access, limit, traffic)
        listener = Listener(app, max_line_size=LONGEST_LINE, shortcut=shortcut)
        for work, name in (
            (model.run(), "read model"),
            (tokens.run(), "tokens"),
            (workers.run(), "workers"),
            (reports.run(), "reports"),
            (activity.run(), "activity"),
            (events.run(lambda item: _resolve(sender, item)), "events"),
        ):
            tasks.start(work, name)
        await asyncio.gather(model.ready.wait(), tokens.ready.wait(), events.ready.wait())
        await listener.setup()
        try:
            await listener.open_chosen(settings.host, settings.port, "MIM_PORT")
            yield
        finally:
            await listener.cleanup()
            await activity.close()


def _entrance(settings: Settings) -> tuple[list[http.Check], list[http.Mark]]:
    """What every request has to pass, and what every answer is marked with."""
    checks = [http.guard(settings.allowed_hosts, settings.allowed_origins, any_host=not is_loopback(settings.host))]
    marks: list[http.Mark] = []
    if settings.allowed_origins:
        check, mark = http.cors(settings.allowed_origins)
        checks.append(check)
        marks.append(mark)
    if settings.sandbox:
        marks.append(_say_sandbox)
    return checks, marks


def _say_sandbox(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Mim-Sandbox"] = "emulated messengers, no real accounts"


def _resolve(sender: Sender, item: Item) -> None:
    if item.name not in ("message.sent", "message.failed"):
        return
    try:
        envelope = unwrap(item.data)
    except Invalid:
        return
    if envelope is not None and isinstance(envelope.data, MessageSent | MessageFailed):
        sender.resolve(envelope.data)

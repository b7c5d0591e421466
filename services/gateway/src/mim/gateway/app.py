"""The gateway as a process: `mim run gateway`. Wiring only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import orjson
import structlog
from aiohttp import web
from nats.aio.msg import Msg

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid, MimError
from mim.contracts.messages import MessageFailed, MessageSent, unwrap
from mim.gateway.commands import Commands
from mim.gateway.events import EventStream, Item, types_wanted
from mim.gateway.idempotency import Idempotency
from mim.gateway.instances import Instances
from mim.gateway.model import ReadModel
from mim.gateway.providers import MultiProvider
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.instance_port import key_fits
from mim.runtime.secrets import load_vault
from mim.runtime.sending import Sender
from mim.runtime.service import Tasks
from mim.runtime.settings import Settings, is_loopback
from mim.runtime.store import Secrets

log = structlog.get_logger()
SERVICES = ("allocator", "lifecycle", "telegram-adapter", "whatsapp-adapter")
ASK_S = 1.0
SILENT_S = 3.0


class Health:
    """Which services answered lately. Asked in the background, so that `/health` answers from memory."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self._bus = bus
        self._settings = settings
        self._seen: dict[str, float] = {}
        self._began = time.monotonic()

    async def run(self) -> None:
        """Ask all services once a second."""
        inbox = self._bus.nc.new_inbox()
        await self._bus.nc.subscribe(inbox, cb=self._answer)
        while True:
            if self._bus.connected:
                await self._bus.nc.publish(subjects.HEALTH, b"", reply=inbox)
            await asyncio.sleep(ASK_S if len(self._seen) >= len(SERVICES) else 0.1)

    async def _answer(self, msg: Msg) -> None:
        if msg.data:  # empty when the server itself says that nobody listens yet
            self._seen[orjson.loads(msg.data)["service"]] = time.monotonic()

    async def serve(self, _request: web.Request) -> web.Response:
        """200 while everything is up, 503 otherwise; says which service is down."""
        now = time.monotonic()
        services = {name: "up" if now - self._seen.get(name, -SILENT_S) < SILENT_S else "down" for name in SERVICES}
        services = {"gateway": "up", "nats": "up" if self._bus.connected else "down", **services}
        healthy = all(state == "up" for state in services.values())
        body = {
            "status": "healthy" if healthy else "degraded",
            "uptime": round(now - self._began, 3),
            "timestamp": self._bus.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "version": version("mim-gateway"),
            "sandbox": self._settings.sandbox,
            "services": services,
        }
        return http.json_answer(body, 200 if healthy else 503, None if healthy else {"Retry-After": "2"})


@asynccontextmanager
async def gateway(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    """Serve HTTP until the end."""
    http.need_credentials(settings.host, settings.admin_token is not None)
    vault = load_vault(settings)
    model = ReadModel(bus)
    events, health = EventStream(bus, model.shows), Health(bus, settings)
    commands, sender, secrets, once = Commands(bus), Sender(bus), Secrets(bus, vault), Idempotency(bus, vault)
    await commands.listen()
    instances = Instances(bus, model, commands, secrets, once)
    providers = MultiProvider(bus, model, sender, once)

    async def stream(request: web.Request) -> web.StreamResponse:
        query = request.query
        names = types_wanted(query.get("types", ""))
        only, owner = query.get("instance_id"), query.get("user_id")

        def wanted(item: Item) -> bool:
            if only is not None and item.instance_id != only:
                return False
            if names and item.name not in names:
                return False
            record = model.get(item.instance_id) if owner is not None else None
            return owner is None or (record is not None and record.user_id == owner)

        return await events.serve(request, wanted)

    guard = http.guard(settings.allowed_hosts, settings.allowed_origins, any_host=not is_loopback(settings.host))
    app = web.Application(
        middlewares=[http.entrance(guard, credentials(settings, model))],
        client_max_size=http.MAX_BODY_BYTES,
    )
    if settings.sandbox:
        app.on_response_prepare.append(_say_sandbox)
    app.add_routes([web.get("/health", health.serve), web.get("/api/v1/events", stream)])
    app.add_routes([*instances.routes(), *providers.routes()])
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=75)
    async with Tasks(bus) as tasks:
        tasks.start(model.run(), "read model")
        tasks.start(events.run(lambda item: _resolve(sender, item)), "events")
        tasks.start(health.run(), "health")
        await asyncio.gather(model.ready.wait(), events.ready.wait())
        await runner.setup()
        try:
            await http.open_site(runner, settings.host, settings.port)
            yield
        finally:
            await runner.cleanup()


async def _say_sandbox(_request: web.Request, response: web.StreamResponse) -> None:
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


def credentials(settings: Settings, model: ReadModel) -> http.Check:
    """Who may call: with an admin token set, only its bearer; an instance's API key opens sending for that instance.

    Without one (loopback only) everybody on this machine may, but a wrong credential is still wrong.
    The check raises: MimError (UNAUTHORIZED).
    """
    admin = settings.admin_token.get_secret_value() if settings.admin_token else None

    def check(request: web.Request) -> None:
        given = http.bearer(request)
        if request.path == "/health" or (given is None and admin is None):
            return
        if given is None:
            raise MimError(ErrorCode.UNAUTHORIZED, "send the admin token as 'Authorization: Bearer <token>'")
        if admin is not None and http.same(given, admin):
            return
        record = model.get(request.match_info.get("id", "").lower())
        opens = request.path.startswith("/api/v1/multi-provider/") and record is not None
        if opens and record is not None and record.api_key_sha256 and key_fits(given, record.api_key_sha256):
            return
        raise MimError(ErrorCode.UNAUTHORIZED, "this credential is not valid here")

    return check

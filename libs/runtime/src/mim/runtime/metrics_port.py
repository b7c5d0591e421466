"""A port on which a service other than the gateway shows its metrics, for platforms that scrape each process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from mim.contracts.errors import ErrorCode, MimError
from mim.runtime import http, metrics
from mim.runtime.bus import Bus
from mim.runtime.listener import Listener
from mim.runtime.settings import Settings, is_loopback
from mim.runtime.traffic import Traffic

GATEWAY = "gateway"  # shows its own on its own port


def check(service: str, settings: Settings) -> None:
    """Raises: SystemExit if strangers could read the metrics without credentials."""
    if _is_wanted(service, settings):
        http.need_credentials(settings.metrics_host, settings.admin_token is not None)


@asynccontextmanager
async def serve(bus: Bus, service: str, settings: Settings) -> AsyncIterator[None]:
    """Serve `/metrics` and `/health` meanwhile, if the settings name a port. Raises: SystemExit if it is taken."""
    if not _is_wanted(service, settings):
        yield
        return

    async def show(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def health(_request: web.Request) -> web.Response:
        state = "healthy" if bus.connected else "degraded"
        return http.json_answer({"status": state, "service": service}, 200 if bus.connected else 503)

    any_host = not is_loopback(settings.metrics_host)
    guard = http.guard(settings.allowed_hosts, settings.allowed_origins, any_host=any_host)
    app = http.application(guard, _credentials(settings), traffic=Traffic())
    app.add_routes([web.get("/metrics", show), web.get("/health", health)])
    listener = Listener(app)
    await listener.setup()
    try:
        await listener.open_chosen(settings.metrics_host, settings.metrics_port, "MIM_METRICS_PORT")
        yield
    finally:
        await listener.cleanup()


def _is_wanted(service: str, settings: Settings) -> bool:
    return settings.metrics_port != 0 and service != GATEWAY


def _credentials(settings: Settings) -> http.Check:
    """With an admin token set, metrics are for its bearer only; probes of health carry none."""
    expected = settings.admin_token.get_secret_value() if settings.admin_token else None

    def checked(request: web.Request) -> None:
        if expected is None or request.path == "/health":
            return
        given = http.bearer(request)
        if given is None or not http.same(given, expected):
            raise MimError(ErrorCode.UNAUTHORIZED, "send the admin token as 'Authorization: Bearer <token>'")

    return checked

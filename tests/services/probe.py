"""A service that does nothing but log: what every service shows of itself is tested with it."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from mim.runtime import logs, service
from mim.runtime.bus import Bus
from mim.runtime.settings import Settings

ID = "5f0c1d3e-0000-4000-8000-000000000042"
TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
log = structlog.get_logger()


@asynccontextmanager
async def _probe(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    bus.figures = lambda: {"traces": int("opentelemetry.sdk" in sys.modules), "load": [0.5, 0.25]}
    with logs.of_instance(ID):
        log.info("began", token=TOKEN)
        logging.getLogger("library").warning("careful with %s", TOKEN)
    log.info("of nobody")
    yield
    log.info("ended", instance_id=ID)


def main() -> None:
    """Run it under the name that is the program's argument."""
    sys.exit(service.run(sys.argv[1], _probe, Settings()))

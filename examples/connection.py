"""How to connect: NATS_URL, NATS_USER and NATS_PASSWORD, or what `mim up` wrote into its data folder."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.aio.client import Client


@asynccontextmanager
async def connection() -> AsyncIterator[Client]:
    """A connection that ends when its server does. Raises OSError or nats.errors.Error if there is none."""
    url, user, password = (os.environ.get(name) for name in ("NATS_URL", "NATS_USER", "NATS_PASSWORD"))
    if url is None:
        folder = Path(os.environ.get("MIM_DATA_DIR", "~/.local/share/mim")).expanduser()
        # Read anew each time: a restarted system has another port and password.
        access = json.loads((folder / "nats" / "access.json").read_text())
        url, user, password = (access[f"MIM_NATS_{name}"] for name in ("URL", "USER", "PASSWORD"))
    once = {"allow_reconnect": False, "max_reconnect_attempts": 1}
    client = await nats.connect(url, user=user, password=password, error_cb=_quiet, **once)
    try:
        yield client
    finally:
        await client.close()


async def _quiet(_error: Exception) -> None:
    """What matters is raised where the connection is used."""

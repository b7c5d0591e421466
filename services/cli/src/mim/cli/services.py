"""The services by name. Each is imported only where it runs, or by the parent of all shortly before."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from mim.cli.loading import loading
from mim.runtime import service
from mim.runtime.settings import Settings

SERVICES: dict[str, str] = {
    "allocator": "mim.allocator.app:allocator",
    "lifecycle": "mim.lifecycle.app:lifecycle",
    "gateway": "mim.gateway.app:gateway",
    "whatsapp-adapter": "mim.whatsapp_adapter.app:whatsapp_adapter",
    "telegram-adapter": "mim.telegram_adapter.app:telegram_adapter",
    "message-store": "mim.message_store.app:message_store",
    "webhooks": "mim.webhooks.app:webhooks",
}
"""In the order in which `mim up` starts them: what takes long to load comes last."""


def preload() -> None:
    """Import what all services have in common."""
    with loading():
        import_module("mim.runtime.worker")
        import_module("anyio._backends._asyncio")  # FastStream has it loaded when it starts


def module_of(name: str) -> str:
    """Where a service is."""
    return SERVICES[name].partition(":")[0]


def run(name: str, settings: Settings) -> int:
    """Run one service until it is told to stop; returns its exit code."""
    module, _, function = SERVICES[name].partition(":")
    with loading():
        build = getattr(import_module(module), function)
    return service.run(name, cast(service.Build, build), settings)

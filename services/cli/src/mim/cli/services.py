"""The services by name. Each is imported only in the process that runs it: aiogram alone costs 142 MB."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from mim.runtime import service
from mim.runtime.settings import Settings

SERVICES: dict[str, str] = {
    "allocator": "mim.allocator.app:allocator",
    "lifecycle": "mim.lifecycle.app:lifecycle",
    "gateway": "mim.gateway.app:gateway",
    "message-store": "mim.message_store.app:message_store",
    "telegram-adapter": "mim.telegram_adapter.app:telegram_adapter",
    "webhooks": "mim.webhooks.app:webhooks",
    "whatsapp-adapter": "mim.whatsapp_adapter.app:whatsapp_adapter",
}


SHARED = ("allocator", "lifecycle", "gateway")
"""Light enough to be loaded by the parent of all services; an adapter brings its messenger's library along."""


def preload() -> None:
    """Import what the forked services have in common."""
    import_module("mim.runtime.worker")
    for name in SHARED:
        import_module(SERVICES[name].partition(":")[0])


def run(name: str, settings: Settings) -> int:
    """Run one service until it is told to stop; returns its exit code."""
    module, _, function = SERVICES[name].partition(":")
    return service.run(name, cast(service.Build, getattr(import_module(module), function)), settings)

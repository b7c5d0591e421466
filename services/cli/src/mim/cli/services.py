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
    "telegram-adapter": "mim.telegram_adapter.app:telegram_adapter",
    "whatsapp-adapter": "mim.whatsapp_adapter.app:whatsapp_adapter",
}


def run(name: str, settings: Settings) -> int:
    """Run one service until it is told to stop; returns its exit code."""
    module, _, function = SERVICES[name].partition(":")
    return service.run(name, cast(service.Build, getattr(import_module(module), function)), settings)

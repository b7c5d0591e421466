"""What is loaded and built by now is shared with every process that is forked from this one: a garbage collection there
would touch, and so copy, all of it."""

import gc
from importlib import import_module

from mim.cli.loading import loading

with loading():
    from mim.cli import services
    from mim.emulators.whatsapp.tokens import tokens
    from mim.telegram_adapter import lazy_aiogram

    import_module("mim.cli.up")
    for service in services.SERVICES:
        import_module(services.module_of(service))
    for messenger in ("telegram", "mtproto", "whatsapp"):
        import_module(f"mim.emulators.{messenger}.__main__")
    services.preload()
    lazy_aiogram.build()
    tokens()
gc.collect()
gc.freeze()

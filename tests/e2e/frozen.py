"""What is loaded and built by now is shared with every process that is forked from this one: a garbage collection there
would touch, and so copy, all of it."""

import gc

from mim.cli.services import preload
from mim.emulators.whatsapp.tokens import tokens
from mim.telegram_adapter import lazy_aiogram

preload()
lazy_aiogram.build()
tokens()
gc.collect()
gc.freeze()

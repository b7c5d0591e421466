"""Telegram bots as sessions of the runtime."""

import mim.telegram_adapter.lazy_aiogram  # noqa: F401 - must run before anything else imports aiogram

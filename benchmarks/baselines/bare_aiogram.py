"""Sending with nothing but aiogram: plain `Bot`s that share one session, in a process of their own, on uvloop.

A helper (see `processes`): `{"api", "tokens", "chat", "text", "count", "in_flight"}` sends `count` messages, so many
at a time, the bots taking turns, and answers `{"latencies", "seconds"}`. Without a text they ask who they are.
"""

from __future__ import annotations

import asyncio
import time

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from benchmarks.processes import Json, serve_lines

_sessions: dict[str, AiohttpSession] = {}


async def run(api: str, tokens: list[str], count: int, in_flight: int, chat: str = "", text: str = "") -> Json:
    """Do one job."""
    if api not in _sessions:
        _sessions[api] = AiohttpSession(api=TelegramAPIServer.from_base(api))
    bots = [Bot(token, session=_sessions[api]) for token in tokens]
    latencies: list[float] = []
    left = count

    async def ask() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            bot = bots[left % len(bots)]
            began = time.perf_counter()
            await (bot.send_message(chat, text) if text else bot.get_me())
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(in_flight)))
    return {"latencies": latencies, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    serve_lines(run)

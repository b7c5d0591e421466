"""Hearing with nothing but aiogram: plain `Bot`s that poll with one session, in a process of their own, on uvloop.

A helper (see `processes`): `{"api", "tokens", "count", "within_s"}` polls with all the bots until `count` messages came
and answers `{"delays"}`: how long after the time that stands in the text of each it was there.
"""

from __future__ import annotations

import asyncio
import time

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from benchmarks.processes import Json, serve_lines

POLL_S = 10


async def run(api: str, tokens: list[str], count: int, within_s: float) -> Json:
    """Do one job."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(api), limit=len(tokens))
    delays: list[float] = []
    enough = asyncio.Event()

    async def poll(bot: Bot) -> None:
        offset = None
        while True:
            for update in await bot.get_updates(offset=offset, timeout=POLL_S):
                offset = update.update_id + 1
                if update.message is not None and update.message.text is not None:
                    delays.append(time.time() - float(update.message.text))
            if len(delays) >= count:
                enough.set()

    polling = [asyncio.create_task(poll(Bot(token, session=session))) for token in tokens]
    try:
        await asyncio.wait_for(enough.wait(), within_s)
    finally:
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)
        await session.close()
    return {"delays": delays}


if __name__ == "__main__":
    serve_lines(run)

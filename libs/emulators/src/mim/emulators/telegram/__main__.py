"""`python -m mim.emulators.telegram DIR [--port N] [--host A]`: the emulator as a process, until SIGTERM.

Writes `DIR/ports.json`, `{"api": port, "control": port}`, as soon as both ports listen, and prints the same as one
line. The control port takes `POST /<verb>` with a JSON object:

    say {bot, from, text, name?, …} -> {message_id}       a person writes to a bot; more goes into the `Message`
    edit {bot, from, message_id, text}   -> {}            the person changes that message
    react {bot, from, message_id, emoji} -> {}            a person reacts to a message
    group {bot, chat, title, people, is_admin?} -> {chat} a group with a bot; people are names by id, the owner first
    inbox {chat}                    -> {messages}         what bots sent to a chat; of files kind, name, size, sha256
    fault {bot?, method?, times?, status?, description?, retry_after?, body?, delay_s?, drop?, lose?, duplicate?,
           reorder?} -> {}
    mend {}                         -> {}                 no fault hits anything any more
    unreachable {bot, on?}          -> {}
    revoke {bot}                    -> {}
    bots {}                         -> {bots}

`bot` is the number before the colon of a token. An error is 400 with `{"error": "<sentence>"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from aiohttp import web

from mim.emulators.telegram.bots import ApiError, Fault, Json
from mim.emulators.telegram.emulator import Emulator
from mim.emulators.telegram.server import serve


def _verbs(emulator: Emulator) -> dict[str, Callable[..., Json | None]]:
    def say(bot: int, sender: int, text: str | None = None, name: str = "Anna", **fields: Any) -> Json:
        return {"message_id": emulator.say(bot, sender, text, name=name, **fields)}

    def edit(bot: int, sender: int, message_id: int, text: str) -> None:
        emulator.edit(bot, sender, message_id, text)

    def react(bot: int, sender: int, message_id: int, emoji: str) -> None:
        emulator.react(bot, sender, message_id, emoji)

    def group(bot: int, chat: int, title: str, people: dict[str, str], is_admin: bool = True) -> Json:
        named = {int(person): name for person, name in people.items()}
        return {"chat": emulator.add_group(bot, chat, title, named, is_admin=is_admin)}

    def inbox(chat: int | str) -> Json:
        return {"messages": emulator.inbox(chat)}

    def fault(**fields: Any) -> None:
        emulator.fault(Fault(**fields))

    def unreachable(bot: int, on: bool = True) -> None:
        emulator.unreachable(bot, on=on)

    def revoke(bot: int) -> None:
        emulator.revoke(bot)

    def bots() -> Json:
        return {"bots": emulator.bots()}

    verbs = (say, edit, react, group, inbox, fault, emulator.mend, unreachable, revoke, bots)
    return {verb.__name__: verb for verb in verbs}


def _control(emulator: Emulator) -> web.Application:
    verbs = _verbs(emulator)

    async def handle(request: web.Request) -> web.Response:
        verb = verbs.get(request.match_info["verb"])
        if verb is None:
            return web.json_response({"error": f"no such verb; there are {', '.join(verbs)}"}, status=404)
        try:
            fields = await request.json() if request.can_read_body else {}
            # `from` is the contract's word, but no name for a Python parameter.
            fields = {"sender" if key == "from" else key: value for key, value in fields.items()}
            signature(verb).bind(**fields)
            return web.json_response(verb(**fields) or {})
        except (ApiError, TypeError, ValueError, AttributeError) as error:
            return web.json_response({"error": f"{request.match_info['verb']} cannot do that: {error}"}, status=400)

    app = web.Application()
    app.router.add_post("/{verb}", handle)
    return app


async def _run(folder: Path, port: int, host: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(port, Emulator(first_id=int(time.time())), host) as emulator:
        runner = web.AppRunner(_control(emulator), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports = {"api": int(emulator.url.rpartition(":")[2]), "control": runner.addresses[0][1]}
        _announce(folder, ports)
        await stop.wait()
        await runner.cleanup()


def _announce(folder: Path, ports: dict[str, int]) -> None:
    line = json.dumps(ports)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "ports.json.new"
    unfinished.write_text(line)
    unfinished.replace(folder / "ports.json")  # whoever waits for the file must never read half of it
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="mim.emulators.telegram", description="Telegram Bot API emulator")
    parser.add_argument("folder", metavar="DIR", type=Path, help="where ports.json is written")
    parser.add_argument("--port", type=int, default=0, help="port of the Bot API; 0 is any free one")
    parser.add_argument("--host", default="127.0.0.1", help="address of the Bot API, such as 0.0.0.0 in a container")
    options = parser.parse_args()
    asyncio.run(_run(options.folder, options.port, options.host))


if __name__ == "__main__":
    main()

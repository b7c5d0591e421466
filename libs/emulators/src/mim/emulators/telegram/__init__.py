"""A Telegram Bot API server that speaks the real wire protocol, for the sandbox, tests and benchmarks.

In-process:

    async with serve() as emulator:
        emulator.say(42, 1001, "hello", name="Anna")    # to the bot whose token begins with 42:
        ... # a Bot API client at emulator.url answers
        emulator.inbox(1001)

As a process: `python -m mim.emulators.telegram DIR [--port N]`; see `__main__`.

Behaviour and error texts follow the official server, https://github.com/tdlib/telegram-bot-api (read at commit
01a3679, mostly `telegram-bot-api/Client.cpp`) and https://core.telegram.org/bots/api.
"""

from mim.emulators.telegram.bots import ApiError, Fault
from mim.emulators.telegram.emulator import Emulator, poll
from mim.emulators.telegram.server import serve

__all__ = ["ApiError", "Emulator", "Fault", "poll", "serve"]

"""`mim` that writes down the requests between its processes, with their answers, into the file `WITNESS`, and whose
clock is as many seconds ahead as the file `WITNESS_CLOCK` says, if it is there.

A listener on the bus is no witness of them: who asks where only a listener is, waits instead of hearing that nobody
answers.
"""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from mim.cli.main import app
from mim.runtime.bus import Bus


def note(subject: str, asked: bytes | None, answer: bytes) -> None:
    """One line in one write, which processes that append to the same file do not tear apart."""
    if subject.startswith("mim.rpc."):
        line = json.dumps([subject, *(base64.b64encode(part or b"").decode() for part in (asked, answer))])
        descriptor = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line.encode() + b"\n")
        os.close(descriptor)


request, respond = Client.request, Msg.respond


async def witnessed_request(self: Client, subject: str, payload: bytes = b"", *more: Any, **named: Any) -> Msg:
    """A request that has its answer."""
    answer = await request(self, subject, payload, *more, **named)
    note(subject, payload, answer.data)
    return answer


async def witnessed_respond(self: Msg, data: bytes) -> None:
    """An answer, whoever asked."""
    note(self.subject, self.data, data)
    await respond(self, data)


def shifted_now(_: Bus) -> datetime:
    """The time by the clock that the test sets."""
    try:
        with open(os.environ["WITNESS_CLOCK"]) as file:  # noqa: PTH123 - asked for with every event
            return datetime.now(UTC) + timedelta(seconds=float(file.read()))
    except OSError:
        return datetime.now(UTC)


def patch() -> None:
    """Have this process, and what it forks, write down."""
    Bus.now = shifted_now  # type: ignore[method-assign]
    Client.request = witnessed_request  # type: ignore[method-assign,assignment]
    Msg.respond = witnessed_respond  # type: ignore[method-assign]


if __name__ == "__main__":
    patch()
    app(prog_name="mim")

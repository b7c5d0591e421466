"""What comes from everywhere at once is cut short: what it costs is bounded, and others do not notice."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import StartSystem, System

SLOW, DEAF = 200, 300
MESSAGES = 400
TEXT = "x" * 4000
MOST_BYTES = 150_000_000
"""What the gateway may grow by. All that is said is five times as much for all who do not read."""
DEADLINE_S = 90.0


def memory(pid: int) -> int:
    """Proportional memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


async def figure(system: System, name: str) -> float:
    """A metric of the gateway."""
    _, _, raw = await system.raw("GET", "/metrics")
    return next(float(line.split()[1]) for line in raw.decode().splitlines() if line.startswith(f"{name} "))


async def deaf(system: System) -> socket.socket:
    """A subscriber to everything that does not read, with little room in its own kernel."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", system.port))
    await loop.sock_sendall(sock, b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return sock


async def rest(sock: socket.socket) -> bytes:
    """What is there to be read until the connection ends."""
    loop, got = asyncio.get_running_loop(), b""
    with suppress(ConnectionError):
        while block := await loop.sock_recv(sock, 65_536):
            got += block
    sock.close()
    return got


async def slowloris(system: System) -> None:
    """A request whose head never ends; returns when the gateway has had enough of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    with suppress(ConnectionError):
        while not reader.at_eof():
            writer.write(b"x")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.5)
    writer.close()


async def _says(system: System, bot: int) -> None:
    for number in range(MESSAGES):
        await system.control("telegram", "say", bot=bot, text=f"{number} {TEXT}", **{"from": 1001})


async def _hears(system: System, numbers: list[int]) -> None:
    """A subscriber who reads, until it has got all."""
    async with system.events("?types=message.received") as events:
        while len(numbers) < MESSAGES:
            _, _, event = await anext(events)
            numbers.append(int(event["data"]["message"]["body"].split()[0]))


async def test_slow_callers_and_deaf_subscribers_are_cut_off_and_others_do_not_notice(own_system: StartSystem) -> None:
    system = await own_system(MIM_RATE_LIMIT="0")
    bot = 611_000_002
    await system.ready_telegram(token=f"{bot}:{'A' * 35}")
    gateway = system.processes()["mim gateway"]
    before = memory(gateway)
    async with asyncio.timeout(DEADLINE_S):
        slow = [asyncio.create_task(slowloris(system)) for _ in range(SLOW)]
        subscribers = [await deaf(system) for _ in range(DEAF)]
        while await figure(system, "mim_subscribers") < DEAF:
            pass  # the question itself waits for the gateway
        heard: list[int] = []
        hearing = asyncio.create_task(_hears(system, heard))
        while await figure(system, "mim_subscribers") <= DEAF:
            pass
        await _says(system, bot)
        await hearing
        assert heard == list(range(MESSAGES))
        largest = memory(gateway)
        while await figure(system, "mim_subscribers_let_go_total") < DEAF:
            largest = max(largest, memory(gateway))
            assert (await system.call("GET", "/api/v1/instances"))[0] == 200
        assert largest - before < MOST_BYTES
        await asyncio.gather(*slow)
        got = [await rest(sock) for sock in subscribers]
    await system.says("subscriber_let_go")
    assert max(map(len, got)) < MESSAGES * len(TEXT) // 2
    # Whoever was cut off goes on where it was, as browsers do by themselves.
    whole_events = got[0].rpartition(b"\n\n")[0]
    last, number = (int(re.findall(pattern, whole_events)[-1]) for pattern in (rb"\nid: (\d+)\n", rb'"body":"(\d+) '))
    async with asyncio.timeout(DEADLINE_S), system.events(f"?last_event_id={last}") as events:
        numbers = []
        while not numbers or numbers[-1] < MESSAGES - 1:
            _, name, event = await anext(events)
            if name == "message.received":
                numbers.append(int(event["data"]["message"]["body"].split()[0]))
    assert numbers == list(range(number + 1, MESSAGES))
    assert system.processes()["mim gateway"] == gateway

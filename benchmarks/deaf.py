"""Subscribers that never read, in a process of their own: `python -m benchmarks.deaf` is a helper (see `processes`).

    {"port", "path", "count"}     so many more subscribe, each on a connection of its own; how many there are now

Each has the smallest buffer that the kernel gives, so that what is sent to it soon stays with the sender.
"""

from __future__ import annotations

import asyncio
import resource
import socket

from benchmarks.processes import Json, serve_lines

SPARE_FILES = 100
RECEIVE_BYTES = 4096
AT_A_TIME = 64
_open: list[socket.socket] = []


async def run(port: int, path: str, count: int) -> Json:
    """Do one job."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    left = min(count, most - SPARE_FILES - len(_open))
    while left > 0:
        together = min(left, AT_A_TIME)
        _open.extend(await asyncio.gather(*(_subscribed(port, path) for _ in range(together))))
        left -= together
    return {"open": len(_open)}


async def _subscribed(port: int, path: str) -> socket.socket:
    loop, sock = asyncio.get_running_loop(), socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return sock


if __name__ == "__main__":
    serve_lines(run)

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
_open: list[socket.socket] = []


async def run(port: int, path: str, count: int) -> Json:
    """Do one job."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = asyncio.get_running_loop()
    for _ in range(min(count, most - SPARE_FILES - len(_open))):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        _open.append(sock)
    return {"open": len(_open)}


if __name__ == "__main__":
    serve_lines(run)

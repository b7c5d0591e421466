"""One client's connection: framing, handshake, and stanzas both ways. What stanzas mean is not its business.

A frame is a three-byte length and the sealed bytes of one binary node, in binary websocket messages (whatsmeow's
socket package). Before its first frame the client sends a four-byte header, and before that, if it was told so by an
earlier connection, routing information.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog
from aiohttp import WSMsgType, web
from google.protobuf.message import DecodeError

from mim.emulators.whatsapp.nodes import SERVER, Attributes, Node, decode, encode
from mim.emulators.whatsapp.noise import Authority, Cipher, Handshake
from mim.emulators.whatsapp.phones import Device, Phone

log = structlog.get_logger(__name__)

_ROUTING = b"ED"
_ANSWER_WITHIN_S = 10
_CLIENT_CLOSES_WITHIN_S = 2


class ConnectionLostError(ConnectionError):
    """The client is gone."""


class Connection:
    """A client after it has opened its websocket.

    `phone` and `device_number` are set once it has proved which device it is; `static_key` is what it proves it with.
    """

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.phone: Phone | None = None
        self.device_number = 0
        self.static_key = b""
        self._request, self._socket = request, socket
        self._frames = self._read_frames()
        self._header = b""
        self._incoming: Cipher
        self._outgoing: Cipher
        self._sending = asyncio.Lock()
        self._asked: dict[str, asyncio.Future[Node]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def device(self) -> Device | None:
        """The device it belongs to, unless that was unlinked in the meantime."""
        return self.phone.devices.get(self.device_number) if self.phone else None

    async def handshake(self, authority: Authority) -> Any:
        """Agree on keys and return who the client says it is (a `ClientPayload`)."""
        try:
            hello = await anext(self._frames)
            handshake = Handshake(authority, self._header)
            await self._write(handshake.answer(hello))
            payload, self._incoming, self._outgoing = handshake.finish(await anext(self._frames))
        except StopAsyncIteration:
            raise ConnectionLostError("the client left during the handshake") from None
        except (DecodeError, ValueError) as error:
            raise ConnectionLostError(f"what the client sent is no handshake: {error}") from None
        self.static_key = handshake.client_static
        return payload

    async def stanzas(self) -> AsyncIterator[Node]:
        """What the client sends from now on, but for the answers to `ask`."""
        async for frame in self._frames:
            node = decode(self._incoming.decrypt(frame))
            answered = self._asked.pop(node.text("id"), None) if node.text("type") in ("result", "error") else None
            if answered is None:
                yield node
            elif not answered.done():
                answered.set_result(node)

    async def send(self, node: Node) -> None:
        """Send one stanza. A client that is gone does not get it; its connection ends by itself."""
        async with self._sending:
            with contextlib.suppress(ConnectionError):
                await self._write(self._outgoing.encrypt(encode(node)))

    async def reply(self, query: Node, *content: Node) -> None:
        """Answer a query of the client's."""
        attributes: Attributes = {"from": SERVER, "type": "result", "id": query.text("id")}
        await self.send(Node("iq", attributes, list(content) or None))

    async def refuse(self, query: Node, code: int, text: str) -> None:
        """Answer a query with an error, in the codes and words that clients know (whatsmeow's errors.go)."""
        attributes: Attributes = {"from": SERVER, "type": "error", "id": query.text("id")}
        await self.send(Node("iq", attributes, [Node("error", {"code": str(code), "text": text})]))

    async def ask(self, query: Node) -> Node:
        """Send a query and return the client's answer. Raises: TimeoutError."""
        answer = self._asked[query.text("id")] = asyncio.get_running_loop().create_future()
        await self.send(query)
        return await asyncio.wait_for(answer, _ANSWER_WITHIN_S)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the stanzas; it ends with the connection at the latest."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def expect_close(self) -> None:
        """Give the client time to close by itself: a close right away would outrun the last stanza."""

        async def close_later() -> None:
            await asyncio.sleep(_CLIENT_CLOSES_WITHIN_S)
            await self.close()

        self.start(close_later())

    async def close(self) -> None:
        """Close the connection properly."""
        await self._socket.close()

    def abort(self) -> None:
        """Cut the connection, as a lost network does."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def end(self) -> None:
        """Let go of everything that was started for it."""
        for task in self._tasks:
            task.cancel()

    async def _write(self, frame: bytes) -> None:
        await self._socket.send_bytes(len(frame).to_bytes(3, "big") + frame)

    async def _read_frames(self) -> AsyncIterator[bytes]:
        buffer = b""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY:
                continue
            buffer += message.data
            if not self._header:
                if buffer.startswith(_ROUTING):
                    buffer = buffer[7 + int.from_bytes(buffer[4:7], "big") :]
                self._header, buffer = buffer[:4], buffer[4:]
            while len(buffer) >= 3 and len(buffer) >= (end := 3 + int.from_bytes(buffer[:3], "big")):
                yield buffer[3:end]
                buffer = buffer[end:]

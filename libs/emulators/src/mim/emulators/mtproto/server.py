"""The emulator as a whole: it listens, and keeps its RSA key in a folder so that clients that trusted it still do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mim.emulators.mtproto.client import saved_session
from mim.emulators.mtproto.connection import converse
from mim.emulators.mtproto.crypto import KEY_BYTES, AuthKey
from mim.emulators.mtproto.handshake import ServerKey
from mim.emulators.mtproto.people import Device, Person
from mim.emulators.mtproto.world import World

_BACKLOG = 4096


class MTProtoEmulator:
    """The server on loopback. `world` is all that it knows."""

    def __init__(self, world: World | None = None, server_key: ServerKey | None = None) -> None:
        self.world = world or World()
        self.server_key = server_key or ServerKey()
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self.world.port

    @property
    def public_pem(self) -> str:
        """The key for `mim.emulators.mtproto.trust`."""
        return self.server_key.public_pem

    def logged_in(self, person: Person) -> str:
        """A saved session (`StringSession`) that is logged in as somebody, without all that leads to it."""
        world = self.world
        device = Device.of(AuthKey(world.noise(KEY_BYTES)), world.number(), world.number(), world.clock())
        world.add_device(device)
        device.log_in(person)
        return saved_session(self.port, device.key.raw)

    async def start(self, port: int = 0) -> None:
        """Listen; 0 is any free port. Raises: OSError if the port is taken."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, backlog=_BACKLOG)
        self.world.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut all clients and keep what is known; `start` with the same port brings it back."""
        if self._server is not None:
            self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.create_task(converse(self.world, self.server_key, reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)


@asynccontextmanager
async def serve(
    world: World | None = None, *, port: int = 0, server_key: ServerKey | None = None
) -> AsyncIterator[MTProtoEmulator]:
    """Run an emulator in this process until the block ends."""
    emulator = MTProtoEmulator(world, server_key)
    await emulator.start(port)
    try:
        yield emulator
    finally:
        await emulator.stop()

"""One client's connection from its first byte to its last: packets, handshakes, and the channel that they lead to."""

from __future__ import annotations

import asyncio
import struct

import structlog

from mim.emulators.mtproto import wire
from mim.emulators.mtproto.channel import IDLE_S, Channel
from mim.emulators.mtproto.crypto import CryptoError
from mim.emulators.mtproto.handshake import Handshake, HandshakeError, ServerKey
from mim.emulators.mtproto.people import Device
from mim.emulators.mtproto.transport import AUTH_KEY_NOT_FOUND, Transport, TransportError, choose
from mim.emulators.mtproto.world import World

log = structlog.get_logger(__name__)

_MAX_UNSENT_BYTES = 1 << 25


async def converse(
    world: World, server_key: ServerKey, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Talk with a client until either side ends it."""
    try:
        async with asyncio.timeout(IDLE_S):
            transport = await choose(reader)
        await Connection(world, server_key, transport, writer).serve(reader)
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        pass
    except TransportError as error:
        log.info("connection_refused", error=str(error))
    finally:
        writer.close()


class Connection:
    """What stands between the transport and the channel."""

    def __init__(self, world: World, server_key: ServerKey, transport: Transport, writer: asyncio.StreamWriter) -> None:
        self._world = world
        self._transport = transport
        self._writer = writer
        self._handshake = Handshake(server_key, world.noise, world.clock, world.devices.__contains__)
        self._last_id = 0
        self._channel: Channel | None = None

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Take packets until the connection ends. Raises: TransportError, asyncio.IncompleteReadError, TimeoutError."""
        try:
            while not self._writer.is_closing():
                async with asyncio.timeout(self._channel.idle_s if self._channel else IDLE_S):
                    packet = await self._transport.read(reader)
                await self._take(packet)
                await self._writer.drain()
        except (HandshakeError, CryptoError, wire.MalformedError) as error:
            log.info("connection_refused", error=str(error))
            self._refuse()
        finally:
            if self._channel is not None:
                self._channel.leave()

    async def _take(self, packet: bytes) -> None:
        key_id = int.from_bytes(packet[:8], "little")
        if key_id == 0:
            self._take_plain(packet)
            return
        device = self._world.devices.get(key_id)
        if device is None:
            self._refuse()
            return
        message = device.key.open(packet)
        if self._channel is None:
            self._channel = Channel(self._world, device, message.session_id, self._write, self._writer.transport.abort)
            await self._channel.enter()
        if self._channel.device is not device:
            raise CryptoError("one connection, two keys")
        self._channel.take(message)

    def _take_plain(self, packet: bytes) -> None:
        if len(packet) < 24 or struct.unpack_from("<i", packet, 16)[0] != len(packet) - 20:
            raise wire.MalformedError("a plain message of another length than it says")
        answer = bytes(self._handshake.answer(wire.read(packet[20:])))
        self._last_id = max(self._last_id + 4, int(self._world.clock() * 2**32) & ~3 | 1)
        agreed = self._handshake.agreed
        if agreed is not None:
            self._world.add_device(Device.of(agreed.key, agreed.salt, self._world.number(), self._world.clock()))
        self._write(struct.pack("<qqi", 0, self._last_id, len(answer)) + answer)

    def _write(self, payload: bytes) -> None:
        """Write a payload; a client that does not read is cut off when too much has piled up."""
        if self._writer.transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self._writer.transport.abort()
            return
        self._writer.write(self._transport.encode(payload))

    def _refuse(self) -> None:
        """Say that the key is not known, and hang up."""
        self._write(struct.pack("<i", AUTH_KEY_NOT_FOUND))
        self._writer.close()

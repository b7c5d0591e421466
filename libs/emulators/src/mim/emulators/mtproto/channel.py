"""The encrypted half of a connection: messages of one key, the protocol's own and requests, and the answers to them.

What requests mean is not its business. Everything it sends is written at once, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from telethon.tl import functions, types
from telethon.tl.tlobject import TLRequest

from mim.emulators.mtproto import rpc, service, wire
from mim.emulators.mtproto.crypto import Plain
from mim.emulators.mtproto.faults import UPDATES, Fault
from mim.emulators.mtproto.people import Device
from mim.emulators.mtproto.session import INVALID_CONTAINER, WRONG_SALT, BadMessage
from mim.emulators.mtproto.world import Call, World

log = structlog.get_logger(__name__)

IDLE_S = 300.0
"""A client that says nothing for so long is gone; clients ping every minute."""
_NEIGHBOUR_LEAVES_WITHIN_S = 0.25


class Channel:
    """A `Link` of its device from the first sealed packet on. `write` sends a payload, `cut` ends the connection."""

    def __init__(
        self, world: World, device: Device, session_id: int, write: Callable[[bytes], None], cut: Callable[[], None]
    ) -> None:
        self.device = device
        self.session = device.session(session_id, world.number)
        self.receives_updates = False
        self.idle_s = IDLE_S
        self.ended = asyncio.Event()
        self._world = world
        self._write = write
        self._cut = cut
        self._aborted = False
        self._timers: set[asyncio.TimerHandle] = set()

    async def enter(self) -> None:
        """Become a connection of the device.

        A key belongs to one client: if another session of it is still connected, the key is destroyed. A client that
        reconnects has closed its old connection, whose end may be noticed a moment later.
        """
        neighbours = [link for link in self.device.links if link.session is not self.session]
        self.device.links.append(self)
        self._world.note("connected", self.device.person)
        for neighbour in neighbours:
            try:
                await asyncio.wait_for(neighbour.ended.wait(), _NEIGHBOUR_LEAVES_WITHIN_S)
            except TimeoutError:
                self._world.duplicated(self.device)
                return

    def leave(self) -> None:
        """The connection has ended."""
        self.ended.set()
        for timer in self._timers:
            timer.cancel()
        self.device.links.remove(self)
        self._world.note("disconnected", self.device.person)

    def push(self, update: Any) -> None:
        """Send an `Updates` object, unless a fault has other plans."""
        fault = self._world.faults.take(self._phone(), UPDATES)
        self._send_faulty(update, fault, answer=False)

    def abort(self) -> None:
        """Cut the connection, as a lost network does; from here on, updates wait for the next."""
        self.receives_updates, self._aborted = False, True
        self._cut()

    def take(self, message: Plain) -> None:
        """Take in what a packet held. Raises: wire.MalformedError if it is no message at all."""
        session = self.session = self.device.session(message.session_id, self._world.number)
        if message.salt not in self.device.salts:
            salt = types.BadServerSalt(message.msg_id, message.seq_no, WRONG_SALT, self.device.salts[0])
            self._send(salt, content=False)
            return
        if not session.announced:
            session.announced = True
            created = types.NewSessionCreated(message.msg_id, session.unique_id, self.device.salts[0])
            self._send(created, content=True)
        self._take_message(wire.Item(message.msg_id, message.seq_no, message.body))

    def _take_message(self, message: wire.Item) -> None:
        """Take in a message or all those of a container, acknowledge, then carry them out in order."""
        batch = [message]
        if wire.is_container(message.body):
            batch = wire.items(message.body)
            nested = any(wire.is_container(item.body) or item.msg_id >= message.msg_id for item in batch)
            if nested or not self._accept(message, content=False):
                if nested:
                    self._reject(message, INVALID_CONTAINER)
                return
        fresh, received = [], []
        for item in batch:
            content = self._understand(item)
            verdict = self._accept(item, content=_is_content(content))
            if verdict is not None and item.seq_no % 2:
                received.append(item.msg_id)
            if verdict:
                fresh.append((item.msg_id, content))
        if received:
            self._send(types.MsgsAck(received), content=False)
        for msg_id, content in fresh:
            if not self._aborted:
                self._handle(msg_id, content)

    def _accept(self, item: wire.Item, *, content: bool | None) -> bool | None:
        """Whether a message is new; None if it is bad, which the client is told."""
        try:
            return self.session.accept(item.msg_id, item.seq_no, self._world.clock(), content=content)
        except BadMessage as bad:
            self._reject(item, bad.code)
            return None

    def _reject(self, item: wire.Item, code: int) -> None:
        self._send(types.BadMsgNotification(item.msg_id, item.seq_no, code), content=False)

    @staticmethod
    def _understand(item: wire.Item) -> Any:
        try:
            return wire.read(item.body)
        except wire.MalformedError as error:
            log.info("request_malformed", error=str(error))
            return None

    def _handle(self, msg_id: int, content: Any) -> None:
        if content is None:
            self._send(
                wire.rpc_result(msg_id, bytes(types.RpcError(400, "INPUT_FETCH_ERROR"))), content=True, answer=True
            )
            return
        if isinstance(content, functions.PingDelayDisconnectRequest):
            self.idle_s = min(max(content.disconnect_delay, 1), IDLE_S)
        if service.is_service(content):
            reply = service.answer(self._world, self.device, self.session, msg_id, content)
            if reply is not None:
                self._send(reply, content=False, answer=True)
            return
        self._call(msg_id, content)

    def _call(self, msg_id: int, content: Any) -> None:
        call = Call(self._world, self.device, self)
        request = rpc.unwrap(call, content)
        # Before a login, the number that it is for says whose fault it may be.
        phone = self._phone() or str(getattr(request, "phone_number", "")).lstrip("+")
        fault = self._world.faults.take(phone, rpc.name_of(type(request)))
        if fault and fault.cut:
            self.abort()
            return
        if fault and fault.drop:
            return
        result = wire.rpc_result(msg_id, rpc.carry_out(call, request, fault))
        if fault and fault.lose:
            self.abort()
            return
        self._send_faulty(result, fault, answer=True)

    # -- out

    def _send_faulty(self, message: Any, fault: Fault | None, *, answer: bool) -> None:
        if fault is None:
            self._send(message, content=True, answer=answer)
            return
        if fault.drop:
            return
        for _ in range(2 if fault.duplicate else 1):
            if fault.delay_s:
                self._later(fault.delay_s, message, answer=answer)
            else:
                self._send(message, content=True, answer=answer)

    def _later(self, delay_s: float, message: Any, *, answer: bool) -> None:
        def send() -> None:
            self._timers.discard(timer)
            self._send(message, content=True, answer=answer)

        timer = asyncio.get_running_loop().call_later(delay_s, send)
        self._timers.add(timer)

    def _send(self, message: Any, *, content: bool, answer: bool = False) -> None:
        """Seal and write a message, an object or ready bytes, in the present session."""
        if self._aborted or self.ended.is_set():
            return
        body = message if isinstance(message, bytes) else wire.write(message)
        msg_id, seq_no = self.session.stamp(self._world.clock(), content=content, answer=answer)
        plain = Plain(self.device.salts[0], self.session.id, msg_id, seq_no, body)
        self._write(self.device.key.seal(plain, self._world.noise(32)))

    def _phone(self) -> str:
        person = self.device.person or self.device.pending
        return person.phone if person else ""


def _is_content(message: Any) -> bool | None:
    """Whether a message must be acknowledged; clients do not agree about the protocol's own, like pings."""
    if isinstance(message, types.MsgsAck):
        return False
    return True if isinstance(message, TLRequest) and not service.is_service(message) else None

"""The MTProto emulator, worked with by the real Telethon client, and where that is too well behaved, by bare bytes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import signal
import struct
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telethon import TelegramClient, errors, events
from telethon.crypto import rsa as telethon_rsa
from telethon.extensions import BinaryReader
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate
from telethon.password import compute_check
from telethon.tl import functions, types
from telethon.tl.alltlobjects import tlobjects
from telethon.tl.core import GzipPacked

from mim.emulators.mtproto import Fault, MTProtoEmulator, World, serve, session_at, trust, wire
from mim.emulators.mtproto.boxes import Box
from mim.emulators.mtproto.crypto import AuthKey, CryptoError, G, P, Plain, rsa_pad, rsa_unpad, sha1, sha256
from mim.emulators.mtproto.describe import messages_of
from mim.emulators.mtproto.files import Files, picture_size
from mim.emulators.mtproto.handshake import FACTORS, Handshake, HandshakeError, ServerKey
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.people import Device, Person
from mim.emulators.mtproto.session import BadMessage, Session
from mim.emulators.mtproto.state import dump, load
from mim.emulators.mtproto.transport import Abridged, Full, Intermediate

WITHIN_S = 5
ANNA, BORIS = "15550001111", "15550002222"
SERVER_KEY = ServerKey()
trust(SERVER_KEY.public_pem)

Connect = Callable[..., Awaitable[Any]]
brief = settings(max_examples=40, deadline=None)


class Clock:
    """The time, which tests can put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def telegram(clock: Clock) -> AsyncIterator[MTProtoEmulator]:
    async with serve(World(clock=clock), server_key=SERVER_KEY) as emulator:
        yield emulator


@pytest.fixture
def anna(telegram: MTProtoEmulator) -> Person:
    return telegram.world.people.add(phone=ANNA, name="Anna Alpha", username="anna_a")


@pytest.fixture
def boris(telegram: MTProtoEmulator) -> Person:
    return telegram.world.people.add(phone=BORIS, name="Boris", username="boris_b")


@pytest.fixture
async def connect(telegram: MTProtoEmulator) -> AsyncIterator[Connect]:
    """Makes connected clients; with a person, logged in as them."""
    clients = []

    async def connected(person: Person | None = None, saved: str | None = None, **options: Any) -> Any:
        options = {"flood_sleep_threshold": 0, "retry_delay": 0, "connection_retries": 2} | options
        session = session_at(telegram.port, saved or (telegram.logged_in(person) if person else None))
        client = TelegramClient(session, 1, "any", **options)
        clients.append(client)
        await client.connect()
        return client

    yield connected
    for client in clients:
        with suppress(ConnectionError, errors.RPCError):
            await client.disconnect()


class Heard:
    """What a client is told, in order."""

    def __init__(self, client: Any) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        client.add_event_handler(self._queue.put, events.Raw)

    async def next(self, kind: Any) -> Any:
        """The next update of a kind; others before it are passed over."""
        async with asyncio.timeout(WITHIN_S):
            while not isinstance(update := await self._queue.get(), kind):
                pass
        return update

    async def text(self) -> str:
        """The text of the next new message."""
        update = await self.next((types.UpdateNewMessage, types.UpdateNewChannelMessage))
        return str(update.message.message or "")

    def rest(self) -> list[str]:
        """The names of what came since."""
        return [type(self._queue.get_nowait()).__name__ for _ in range(self._queue.qsize())]


async def end_of(client: Any) -> Any:
    """Why a client gave up by itself."""
    await asyncio.wait_for(client.disconnected, WITHIN_S)
    return client._updates_error


async def qr_login(telegram: MTProtoEmulator, client: Any, person: Person, **options: Any) -> Any:
    """Scan the client's QR code while it waits for that."""
    qr = await client.qr_login()
    waiting = asyncio.create_task(qr.wait(WITHIN_S))
    await asyncio.sleep(0)
    telegram.world.scan(qr.token, person, **options)
    return await waiting


# -- the protocol


@pytest.mark.parametrize("connection", [ConnectionTcpFull, ConnectionTcpAbridged, ConnectionTcpIntermediate])
async def test_a_client_connects_over_every_transport(connect: Connect, anna: Person, connection: Any) -> None:
    client = await connect(connection=connection)
    assert not await client.is_user_authorized()
    assert await client.get_me() is None
    await client.send_code_request(ANNA)


async def test_a_known_key_is_resumed_and_every_message_acknowledged(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect(anna)
    saved = client.session.save()
    await client.disconnect()
    again = await connect(saved=saved)
    assert (await again.get_me()).phone == ANNA
    assert len(telegram.world.devices) == 1
    session = telegram.world.devices[again.session.auth_key.key_id].links[0].session
    await again.get_me()
    assert len(session.unacknowledged) <= 1, "all but the last answer, which goes with the next request"
    assert {incident["type"] for incident in telegram.world.incidents} == {"connected", "disconnected"}


async def test_an_unknown_key_is_refused_by_the_transport(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect(anna)
    saved = client.session.save()
    await client.disconnect()
    telegram.world.devices.clear()
    with pytest.raises(errors.AuthKeyNotFound):
        await connect(saved=saved)


async def test_one_key_in_two_places_is_destroyed(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect(anna)
    with pytest.raises(errors.AuthKeyDuplicatedError):
        await connect(saved=client.session.save())
    with pytest.raises(errors.AuthKeyDuplicatedError):
        await client(functions.users.GetUsersRequest([types.InputUserSelf()]))
    assert [incident["phone"] for incident in telegram.world.incidents if "duplicated" in incident["type"]] == [ANNA]


async def test_a_client_that_lost_its_connection_comes_back_by_itself(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    heard = Heard(client)
    for count in (3, 30, 0):
        anna.devices[0].abort()
        for number in range(count):  # the server sends what came meanwhile, or says that it was too much
            telegram.world.mail.send(boris, anna.id, Draft(str(number)))
        assert (await client.get_me()).id == anna.id
        assert [await heard.text() for _ in range(count)] == [str(number) for number in range(count)]
    telegram.world.mail.send(boris, anna.id, Draft("live"))
    assert await heard.text() == "live"
    assert "auth_key_duplicated" not in {incident["type"] for incident in telegram.world.incidents}


async def test_service_messages_are_answered(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect(anna)
    assert (await client._sender.send(functions.PingRequest(7))).ping_id == 7
    assert (await client._sender.send(functions.PingDelayDisconnectRequest(8, 60))).ping_id == 8
    (salt,) = (await client._sender.send(functions.GetFutureSaltsRequest(1))).salts
    assert salt.salt == client._sender._state.salt
    assert isinstance(await client._sender.send(functions.DestroySessionRequest(5)), types.DestroySessionNone)
    assert isinstance(await client(functions.RpcDropAnswerRequest(5)), types.RpcAnswerUnknown)


async def test_a_new_salt_and_a_wrong_clock_are_put_right(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, clock: Clock
) -> None:
    client = await connect(anna)
    for salt in (11, 12):
        anna.devices[0].salts.appendleft(salt)
    assert (await client.get_me()).id == anna.id
    assert client._sender._state.salt == 12
    clock.ahead_s = 1000
    assert (await client.get_me()).id == anna.id
    assert 990 < client._sender._state.time_offset < 1010


class Raw:
    """A client that says what it is told to say: the full transport and a key, nothing else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, device: Device) -> None:
        self.reader, self.writer, self.device = reader, writer, device
        self.session_id = 77
        self.transport = ConnectionTcpFull.packet_codec(None)

    async def send(self, body: bytes, msg_id: int, seq_no: int) -> None:
        plain = Plain(self.device.salts[0], self.session_id, msg_id, seq_no, body)
        await self.write(self.device.key.seal(plain, os.urandom(32), 0))

    async def write(self, payload: bytes) -> None:
        self.writer.write(self.transport.encode_packet(payload))
        await self.writer.drain()

    async def read(self) -> Any:
        packet = await asyncio.wait_for(self.transport.read_packet(self.reader), WITHIN_S)
        return BinaryReader(self.device.key.open(packet, 8).body).tgread_object()

    async def code_of(self, body: Any, msg_id: int, seq_no: int) -> int:
        """Send a bad message and return why it is bad."""
        await self.send(bytes(body), msg_id, seq_no)
        while not isinstance(answer := await self.read(), types.BadMsgNotification):
            pass
        assert answer.bad_msg_id == msg_id
        return int(answer.error_code)


@pytest.fixture
async def raw(telegram: MTProtoEmulator) -> AsyncIterator[Raw]:
    device = Device.of(AuthKey(os.urandom(256)), 5, 1, time.time())
    telegram.world.add_device(device)
    reader, writer = await asyncio.open_connection("127.0.0.1", telegram.port)
    yield Raw(reader, writer, device)
    writer.close()


def container(*items: tuple[int, int, bytes]) -> bytes:
    inner = b"".join(struct.pack("<qii", msg_id, seq_no, len(body)) + body for msg_id, seq_no, body in items)
    return struct.pack("<Ii", 0x73F1F8DC, len(items)) + inner


async def test_bad_messages_are_refused_with_the_codes_of_the_protocol(raw: Raw) -> None:
    now = int(time.time()) << 32
    ping, acks = functions.PingRequest(1), types.MsgsAck([1])
    assert await raw.code_of(ping, now - (400 << 32), 1) == 16
    assert await raw.code_of(ping, now + (60 << 32), 1) == 17
    assert await raw.code_of(ping, now + 2, 1) == 18
    assert await raw.code_of(functions.help.GetConfigRequest(), now, 2) == 35
    assert await raw.code_of(acks, now, 1) == 34
    await raw.send(bytes(ping), now + 8, 5)
    assert await raw.code_of(ping, now + 12, 3) == 32
    assert await raw.code_of(ping, now + 4, 7) == 33
    inner = container((now + 16, 7, bytes(ping)))
    assert await raw.code_of(container((now + 20, 8, inner)), now + 24, 8) == 64
    assert await raw.code_of(container((now + 32, 7, bytes(ping))), now + 28, 8) == 64


async def test_a_message_that_comes_twice_is_carried_out_once(raw: Raw, telegram: MTProtoEmulator) -> None:
    request = functions.InvokeWithLayerRequest(1, functions.help.GetConfigRequest())
    now = int(time.time()) << 32
    await raw.send(bytes(request), now, 1)
    await raw.send(bytes(request), now, 1)
    await raw.send(bytes(functions.PingRequest(3)), now + 4, 3)
    seen: list[Any] = []
    while not isinstance(seen[-1] if seen else None, types.Pong):
        seen.append(await raw.read())
    assert [type(answer).__name__ for answer in seen] == [
        *("NewSessionCreated", "MsgsAck", "RpcResult", "MsgsAck", "MsgsAck", "Pong")
    ]
    assert seen[2].error.error_message == "CONNECTION_NOT_INITED"
    assert len(telegram.world.calls) == 1


async def test_one_session_may_have_two_connections(raw: Raw, telegram: MTProtoEmulator) -> None:
    now = int(time.time()) << 32
    await raw.send(bytes(functions.PingRequest(1)), now, 1)
    while not isinstance(await raw.read(), types.Pong):
        pass
    other = Raw(*await asyncio.open_connection("127.0.0.1", telegram.port), raw.device)
    await other.send(bytes(functions.PingRequest(2)), now + 4, 3)
    answers = [await other.read() for _ in range(2)]  # it is no new session
    assert [type(answer) for answer in answers] == [types.MsgsAck, types.Pong]
    await raw.send(bytes(functions.PingRequest(3)), now + 8, 5)
    while not isinstance(await raw.read(), types.Pong):
        pass
    assert "auth_key_duplicated" not in {incident["type"] for incident in telegram.world.incidents}
    other.writer.close()


async def test_a_request_of_an_unknown_layer_is_an_error_not_an_end(raw: Raw) -> None:
    now = int(time.time()) << 32
    await raw.send(b"\x01\x02\x03\x04" * 2, now, 1)
    answers = [await raw.read() for _ in range(3)]
    assert answers[-1].error.error_message == "INPUT_FETCH_ERROR"


@pytest.mark.parametrize(
    "payload", [b"", bytes(24), os.urandom(8) * 5, bytes(16) + struct.pack("<i", 4) + b"\1\2\3\4", bytes(200)]
)
async def test_what_is_no_message_gets_404_and_an_end(raw: Raw, payload: bytes) -> None:
    if payload:
        await raw.write(payload)
        answer = await raw.transport.read_packet(raw.reader)
        assert struct.unpack("<i", answer) == (-404,)
    else:
        raw.writer.write(struct.pack("<ii", 1 << 30, 0))
    assert await asyncio.wait_for(raw.reader.read(), WITHIN_S) == b""


async def test_a_packet_of_another_key_holder_is_refused(raw: Raw) -> None:
    packet = raw.device.key.seal(Plain(5, 7, 4, 1, bytes(8)), os.urandom(32), 0)
    await raw.write(packet[:-1] + bytes([packet[-1] ^ 1]))
    assert struct.unpack("<i", await raw.transport.read_packet(raw.reader)) == (-404,)


# -- the handshake, step by step


class Exchange:
    """The client's half, which can be told to cheat."""

    def __init__(self) -> None:
        self.taken: set[int] = set()
        self.server = Handshake(SERVER_KEY, os.urandom, time.time, self.taken.__contains__)
        self.nonce, self.new_nonce = 5, int.from_bytes(os.urandom(32), "little", signed=True)
        self.res = self.server.answer(functions.ReqPqMultiRequest(self.nonce))
        self.p, self.q = (telethon_rsa.get_byte_array(number) for number in FACTORS)

    def inner(self, **changes: Any) -> bytes:
        fields = {"pq": self.res.pq, "p": self.p, "q": self.q, "nonce": self.nonce, "new_nonce": self.new_nonce}
        return bytes(types.PQInnerData(**{**fields, "server_nonce": self.res.server_nonce} | changes))

    def sealed(self, data: bytes) -> bytes:
        numbers = SERVER_KEY.private.public_key().public_numbers()
        while (padded := int.from_bytes(rsa_pad(data, os.urandom(32), os.urandom(192)), "big")) >= numbers.n:
            pass
        return pow(padded, numbers.e, numbers.n).to_bytes(256, "big")

    def offer(self, data: bytes, **changes: Any) -> Any:
        fields = {"nonce": self.nonce, "server_nonce": self.res.server_nonce, "p": self.p, "q": self.q}
        fields |= {"public_key_fingerprint": SERVER_KEY.fingerprint, "encrypted_data": data}
        return self.server.answer(functions.ReqDHParamsRequest(**fields | changes))

    def agree(self, share: int, *, digest: bytes | None = None, **changes: Any) -> Any:
        self.offer(self.sealed(self.inner()))
        nonces = {"nonce": self.nonce, "server_nonce": self.res.server_nonce} | changes
        data = bytes(types.ClientDHInnerData(**nonces, retry_id=0, g_b=share.to_bytes(256, "big")))
        return self.answer_share((digest or sha1(data)) + data)

    def answer_share(self, data: bytes) -> Any:
        from mim.emulators.mtproto.crypto import encrypt_ige, handshake_aes

        new_nonce = self.new_nonce.to_bytes(32, "little", signed=True)
        keys = handshake_aes(new_nonce, self.res.server_nonce.to_bytes(16, "little", signed=True))
        sealed = encrypt_ige(data + bytes(-len(data) % 16), *keys)
        return self.server.answer(functions.SetClientDHParamsRequest(self.nonce, self.res.server_nonce, sealed))


def test_the_handshake_takes_the_present_rsa_layout_too() -> None:
    exchange = Exchange()
    assert isinstance(exchange.agree(pow(G, 1 << 2000, P)), types.DhGenOk)
    assert exchange.server.agreed


def test_factors_may_have_leading_zeros() -> None:
    exchange = Exchange()
    exchange.p, exchange.q = (bytes(4 - len(factor)) + factor for factor in (exchange.p, exchange.q))
    assert isinstance(exchange.agree(pow(G, 1 << 2000, P)), types.DhGenOk)


@pytest.mark.parametrize("changes", [{"nonce": 6}, {"server_nonce": 6}, {"p": b"\3"}, {"public_key_fingerprint": 6}])
def test_a_request_for_parameters_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    exchange = Exchange()
    with pytest.raises(HandshakeError):
        exchange.offer(exchange.sealed(exchange.inner()), **changes)


@pytest.mark.parametrize("changes", [{"nonce": 6}, {"server_nonce": 6}, {"p": b"\3"}, {"pq": b"\3"}])
def test_inner_data_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    exchange = Exchange()
    with pytest.raises(HandshakeError):
        exchange.offer(exchange.sealed(exchange.inner(**changes)))


def test_inner_data_with_a_wrong_sha1_is_refused() -> None:
    exchange = Exchange()
    numbers = SERVER_KEY.private.public_key().public_numbers()
    block = bytes(1) + bytes(20) + exchange.inner()
    block += bytes(256 - len(block))
    with pytest.raises(HandshakeError, match="SHA-1"):
        exchange.offer(pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(256, "big"))


@pytest.mark.parametrize("share", [1, P - 1, P - 2, 1 << 1900])
def test_an_unsafe_share_fails(share: int) -> None:
    exchange = Exchange()
    assert isinstance(exchange.agree(share), types.DhGenFail)
    assert exchange.server.agreed is None


@pytest.mark.parametrize("changes", [{"nonce": 6}, {"server_nonce": 6}, {"digest": bytes(20)}])
def test_a_share_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(HandshakeError):
        Exchange().agree(pow(G, 1 << 2000, P), **changes)


def test_a_key_that_is_taken_is_made_anew() -> None:
    exchange = Exchange()
    exchange.server._is_taken = lambda _: True
    assert isinstance(exchange.agree(pow(G, 1 << 2000, P)), types.DhGenRetry)


def test_steps_out_of_turn_are_refused() -> None:
    exchange = Exchange()
    with pytest.raises(HandshakeError):
        exchange.answer_share(b"")
    exchange.offer(exchange.sealed(exchange.inner()))
    with pytest.raises(HandshakeError):
        exchange.offer(exchange.sealed(exchange.inner()))
    with pytest.raises(HandshakeError):
        exchange.server.answer(functions.PingRequest(1))


# -- pure rules

NUMBERS = st.integers(-(2**63), 2**63 - 1)


@brief
@given(
    seed=st.binary(max_size=8),
    salt=NUMBERS,
    session=NUMBERS,
    body=st.binary(min_size=1, max_size=40).map(lambda half: half * 4),
    flip=st.integers(0, 10**6),
    direction=st.sampled_from([0, 8]),
)
def test_only_the_holder_of_the_key_can_seal(
    seed: bytes, salt: int, session: int, body: bytes, flip: int, direction: int
) -> None:
    raw = b"".join(sha256(seed, bytes([number])) for number in range(8))
    key, message = AuthKey(raw), Plain(salt, session, 4, 1, body)
    packet = key.seal(message, bytes(32), direction)
    assert key.open(packet, direction) == message
    changed = bytearray(packet)
    changed[8 + flip % (len(packet) - 8)] ^= 1 << flip % 8
    with pytest.raises(CryptoError):
        key.open(bytes(changed), direction)
    with pytest.raises(CryptoError):
        key.open(packet, 8 - direction)


@brief
@given(
    st.sampled_from([Full, Abridged, Intermediate]),
    st.lists(st.integers(1, 200).map(lambda words: os.urandom(words * 4)), max_size=5),
)
def test_what_a_transport_writes_it_reads(kind: Any, payloads: list[bytes]) -> None:
    async def exchange() -> list[bytes]:
        reader, sender, receiver = asyncio.StreamReader(), kind(), kind()
        reader.feed_data(b"".join(sender.encode(payload) for payload in payloads))
        return [await receiver.read(reader) for _ in payloads]

    assert asyncio.run(exchange()) == payloads


@brief
@given(st.sampled_from(sorted(tlobjects)), st.binary(max_size=80))
def test_bytes_of_others_are_an_object_or_malformed(constructor: int, rest: bytes) -> None:
    body = struct.pack("<I", constructor) + rest
    with suppress(wire.MalformedError):
        wire.read(body)
    with suppress(wire.MalformedError):
        assert len(wire.items(struct.pack("<I", 0x73F1F8DC) + rest)) <= wire.MAX_ITEMS


def test_what_is_zipped_is_opened_up_to_a_bound() -> None:
    def zipped(data: bytes) -> bytes:
        return bytes(GzipPacked(data))

    assert wire.read(zipped(bytes(functions.PingRequest(7)))).ping_id == 7
    for bad in (zipped(bytes(wire.MAX_INFLATED_BYTES + 1)), zipped(b"")[:-8], b"\xa1\xcf\x72\x30\x04nope\0\0\0"):
        with pytest.raises(wire.MalformedError):
            wire.read(bad)


@brief
@given(st.binary(max_size=144), st.binary(min_size=32, max_size=32))
def test_rsa_padding_is_taken_off(data: bytes, temp_key: bytes) -> None:
    opened = rsa_unpad(rsa_pad(data, temp_key, bytes(192)))
    assert (opened.data[: len(data)], opened.digest) == (data, None)


@brief
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60))
def test_a_session_accepts_each_message_of_an_orderly_client_once(messages: list[tuple[int, bool]]) -> None:
    session, now, count = Session(1, 2), 1_000_000.0, 0
    seen: set[int] = set()
    for step, content in messages:
        msg_id = (1_000_000 << 32) + (len(seen) + 1) * 4 if step > 5 or not seen else max(seen)
        fresh = msg_id not in seen
        seq_no = count * 2 + content
        count += content and fresh
        assert session.accept(msg_id, seq_no, now, content=content) is fresh
        seen.add(msg_id)


@brief
@given(st.lists(st.tuples(st.floats(0, 2e9), st.booleans(), st.booleans()), max_size=50))
def test_the_servers_messages_are_numbered_upwards_whatever_the_clock_does(
    stamps: list[tuple[float, bool, bool]],
) -> None:
    session, last = Session(1, 2), 0
    for now, content, answer in stamps:
        msg_id, seq_no = session.stamp(now, content=content, answer=answer)
        assert msg_id > last
        assert (msg_id % 4, seq_no % 2) == (1 if answer else 3, content)
        last = msg_id


def test_messages_older_than_what_is_remembered_are_refused() -> None:
    session, base = Session(1, 2), 1_000_000 << 32
    for number in range(500):
        session.accept(base + 400 + number * 4, number * 2 + 1, 1_000_000, content=True)
    with pytest.raises(BadMessage) as bad:
        session.accept(base, 1, 1_000_000, content=True)
    assert bad.value.code == 20


# -- logins


async def test_a_qr_login(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect()
    qr = await client.qr_login()
    assert qr.url.startswith("tg://login?token=")
    assert 25 < qr.expires.timestamp() - time.time() <= 31
    user = await qr_login(telegram, client, anna)
    assert (user.id, user.phone, user.first_name, user.last_name) == (anna.id, ANNA, "Anna", "Alpha")
    assert await client.is_user_authorized()
    assert (await client.get_me()).username == "anna_a"
    assert [device.person for device in anna.devices] == [anna]


async def test_a_qr_code_is_renewed_and_the_old_one_expires(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, clock: Clock
) -> None:
    telegram.world.logins.token_ttl_s = 20
    client, phone = await connect(), await connect(anna)
    qr = await client.qr_login()
    old = qr.token
    clock.ahead_s += 21
    with pytest.raises(errors.AuthTokenExpiredError):
        await phone(functions.auth.AcceptLoginTokenRequest(old))
    await qr.recreate()
    assert qr.token != old
    with pytest.raises(asyncio.TimeoutError):
        await qr.wait(0.01)
    waiting = asyncio.create_task(qr.wait(WITHIN_S))
    await asyncio.sleep(0)
    accepted = await phone(functions.auth.AcceptLoginTokenRequest(qr.token))
    assert (await waiting).id == anna.id
    assert accepted.hash in {device.hash for device in anna.devices}
    with pytest.raises(errors.AuthTokenInvalidError):
        await phone(functions.auth.AcceptLoginTokenRequest(qr.token))


async def test_a_scan_that_nobody_waited_for_shows_when_the_code_is_renewed(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect()
    qr = await client.qr_login()
    telegram.world.scan(qr.token, anna)
    await qr.recreate()
    assert isinstance(qr._resp, types.auth.LoginTokenSuccess)
    assert qr._resp.authorization.user.id == anna.id
    assert await client.is_user_authorized()


async def test_a_qr_code_can_be_scanned_once(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client, phone = await connect(), await connect(anna)
    qr = await client.qr_login()
    await phone(functions.auth.AcceptLoginTokenRequest(qr.token))
    with pytest.raises(errors.AuthTokenAlreadyAcceptedError):
        await phone(functions.auth.AcceptLoginTokenRequest(qr.token))


async def test_a_qr_login_goes_on_at_another_data_centre(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect()
    assert (await qr_login(telegram, client, anna, dc_id=4)).id == anna.id
    assert client.session.dc_id == 4
    assert (await client.get_me()).id == anna.id


async def test_a_password_is_asked_for_after_the_scan(
    telegram: MTProtoEmulator, connect: Connect, boris: Person
) -> None:
    telegram.world.people.add(phone=BORIS, password="тайна")
    client = await connect()
    with pytest.raises(errors.SessionPasswordNeededError):
        await qr_login(telegram, client, boris)
    with pytest.raises(errors.SessionPasswordNeededError):
        await client.qr_login()
    assert not await client.is_user_authorized()
    with pytest.raises(errors.PasswordHashInvalidError):
        await client.sign_in(password="wrong")
    assert (await client.sign_in(password="тайна")).id == boris.id
    assert (await client(functions.account.GetPasswordRequest())).has_password


async def test_a_password_check_is_good_for_one_try_and_cannot_be_cheated(
    telegram: MTProtoEmulator, connect: Connect, boris: Person
) -> None:
    telegram.world.people.add(phone=BORIS, password="тайна")
    client = await connect()
    with pytest.raises(errors.AuthKeyUnregisteredError):
        await client(functions.account.GetPasswordRequest())
    await client.send_code_request(BORIS)
    with pytest.raises(errors.SessionPasswordNeededError):
        await client.sign_in(BORIS, telegram.world.logins.code(BORIS).digits)
    first, second = [await client(functions.account.GetPasswordRequest()) for _ in range(2)]
    assert first.srp_id != second.srp_id
    with pytest.raises(errors.SrpIdInvalidError):
        await client(functions.auth.CheckPasswordRequest(compute_check(first, "тайна")))
    for share in (bytes(256), P.to_bytes(256, "big"), (1).to_bytes(256, "big")):
        asked = await client(functions.account.GetPasswordRequest())
        cheat = types.InputCheckPasswordSRP(asked.srp_id, share, bytes(32))
        with pytest.raises(errors.RPCError, match="SRP_A_INVALID"):
            await client(functions.auth.CheckPasswordRequest(cheat))
    asked = await client(functions.account.GetPasswordRequest())
    with pytest.raises(errors.PasswordHashInvalidError):
        await client(functions.auth.CheckPasswordRequest(compute_check(asked, "wrong")))
    with pytest.raises(errors.SrpIdInvalidError):
        await client(functions.auth.CheckPasswordRequest(compute_check(asked, "тайна")))


async def test_phone_codes(telegram: MTProtoEmulator, connect: Connect, anna: Person, clock: Clock) -> None:
    client = await connect()
    for wrong in ("12", "not a number", "1234567890123456"):
        with pytest.raises(errors.PhoneNumberInvalidError):
            await client(functions.auth.SendCodeRequest(wrong, 1, "any", types.CodeSettings()))
    sent = await client.send_code_request("+" + ANNA)
    code = telegram.world.logins.code(ANNA)
    with pytest.raises(errors.PhoneCodeInvalidError):
        await client.sign_in(ANNA, "0" if code.digits != "0" else "1")
    with pytest.raises(errors.PhoneCodeExpiredError):  # the hash is another number's
        await client.sign_in(BORIS, code.digits, phone_code_hash=sent.phone_code_hash)
    clock.ahead_s += 301
    with pytest.raises(errors.PhoneCodeExpiredError):
        await client.sign_in(ANNA, code.digits, phone_code_hash=sent.phone_code_hash)
    again = await client.send_code_request(ANNA)
    assert again.phone_code_hash != sent.phone_code_hash
    assert (await client.sign_in(ANNA, telegram.world.logins.code(ANNA).digits)).id == anna.id


async def test_codes_for_a_number_without_account_and_too_many_codes(
    telegram: MTProtoEmulator, connect: Connect
) -> None:
    client = await connect()
    await client.send_code_request("15550009999")
    with pytest.raises(errors.PhoneNumberUnoccupiedError):
        await client.sign_in("15550009999", telegram.world.logins.code("15550009999").digits)
    hashes = [(await client.send_code_request("15550009999")).phone_code_hash for _ in range(4)]
    assert len(set(hashes)) == 4
    with pytest.raises(errors.FloodWaitError) as flood:
        await client.send_code_request("15550009999")
    assert 3500 < flood.value.seconds <= 3601


async def test_a_code_ends_after_too_many_wrong_tries_or_when_it_is_cancelled(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect()
    sent = await client.send_code_request(ANNA)
    right = telegram.world.logins.code(ANNA).digits
    for _ in range(5):
        with pytest.raises(errors.PhoneCodeInvalidError):
            await client.sign_in(ANNA, "x")
    with pytest.raises(errors.PhoneCodeExpiredError):
        await client.sign_in(ANNA, right)
    sent = await client.send_code_request(ANNA)
    assert await client(functions.auth.CancelCodeRequest(ANNA, sent.phone_code_hash))
    with pytest.raises(errors.PhoneCodeExpiredError):
        await client(functions.auth.SignInRequest(ANNA, sent.phone_code_hash, right))


async def test_logging_out(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect(anna)
    saved = client.session.save()
    assert await client.log_out()
    assert anna.devices == []
    again = await connect(saved=saved)
    assert not await again.is_user_authorized()


@pytest.mark.parametrize(
    ("word", "error"),
    [("AUTH_KEY_UNREGISTERED", errors.AuthKeyUnregisteredError), ("SESSION_REVOKED", errors.SessionRevokedError)],
)
async def test_a_login_that_is_ended_elsewhere(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, word: str, error: type[Exception]
) -> None:
    client, silent = await connect(anna), await connect(anna)
    first, second = anna.devices
    telegram.world.revoke(first, error=word)
    assert isinstance(await end_of(client), error)
    telegram.world.revoke(second, error=word, tell=False)
    with pytest.raises(error):
        await silent(functions.users.GetUsersRequest([types.InputUserSelf()]))
    assert anna.devices == []


async def test_devices_are_listed_and_ended_by_one_another(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    one, two, three = [await connect(anna, device_model=f"model {number}") for number in range(3)]
    listed = (await one(functions.account.GetAuthorizationsRequest())).authorizations
    assert [(device.device_model, device.current) for device in listed] == [
        *(("model 0", True), ("model 1", False), ("model 2", False))
    ]
    await one(functions.account.ResetAuthorizationRequest(listed[1].hash))
    with pytest.raises(errors.SessionRevokedError):
        await two(functions.users.GetUsersRequest([types.InputUserSelf()]))
    await one(functions.auth.ResetAuthorizationsRequest())
    with pytest.raises(errors.SessionRevokedError):
        await three(functions.users.GetUsersRequest([types.InputUserSelf()]))
    assert len(anna.devices) == 1


# -- faults


async def test_errors_and_floods_on_demand(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect(anna)
    telegram.world.faults.add(Fault(phone=ANNA, method="users.getUsers", error="FLOOD_WAIT_600"))
    with pytest.raises(errors.FloodWaitError) as flood:
        await client(functions.users.GetUsersRequest([types.InputUserSelf()]))
    assert flood.value.seconds == 600
    assert telegram.world.calls[-1] == (ANNA, "users.getUsers", "FLOOD_WAIT_600")
    newcomer = await connect()
    telegram.world.faults.add(Fault(phone=BORIS, method="auth.sendCode", error="PHONE_NUMBER_BANNED"))
    await newcomer.send_code_request(ANNA)
    with pytest.raises(errors.PhoneNumberBannedError):
        await newcomer.send_code_request("+" + BORIS)


async def test_answers_that_are_late_double_or_never_come(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect(anna)
    asked = functions.account.GetAuthorizationsRequest()
    method = "account.getAuthorizations"
    telegram.world.faults.add(Fault(phone=ANNA, method=method, delay_s=0.05))
    begun = time.monotonic()
    await client(asked)
    assert time.monotonic() - begun >= 0.05
    telegram.world.faults.add(Fault(phone=ANNA, method=method, duplicate=True))
    await client(asked)
    telegram.world.faults.add(Fault(phone=ANNA, method=method, drop=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client(asked), 0.05)
    assert [name for _, name, _ in telegram.world.calls].count(method) == 2


async def test_connections_that_break_before_and_after_a_request_is_carried_out(
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect(anna)
    method = "account.getAuthorizations"
    telegram.world.faults.add(Fault(phone=ANNA, method=method, cut=True))
    telegram.world.faults.add(Fault(phone=ANNA, method=method, lose=True))
    await client(functions.account.GetAuthorizationsRequest())  # asked three times by the client, carried out twice
    assert [name for _, name, _ in telegram.world.calls].count(method) == 2


# -- messages


async def test_text_reaches_the_other_and_one_s_own_other_devices(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two, other = await connect(anna), await connect(anna), await connect(boris)
    at_two, at_other, at_one = Heard(two), Heard(other), Heard(one)
    sent = await one.send_message(await one.get_input_entity("@boris_b"), "hello **bold** [link](https://example.com)")
    assert (sent.message, sent.out) == ("hello bold link", True)
    got = (await at_other.next(types.UpdateNewMessage)).message
    assert (got.message, got.out, got.peer_id) == ("hello bold link", False, types.PeerUser(anna.id))
    assert got.entities == [types.MessageEntityBold(6, 4), types.MessageEntityTextUrl(11, 4, "https://example.com")]
    mirrored = (await at_two.next(types.UpdateNewMessage)).message
    assert (mirrored.id, mirrored.out, mirrored.from_id) == (sent.id, True, types.PeerUser(anna.id))
    answer = await other.send_message(anna.id, "back", reply_to=got.id)
    assert answer.reply_to.reply_to_msg_id == got.id
    update = await at_one.next(types.UpdateNewMessage)
    assert update.message.reply_to.reply_to_msg_id == sent.id
    assert (await at_two.next(types.UpdateNewMessage)).pts == update.pts == anna.box.pts


async def test_saved_messages_and_what_cannot_be_sent(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    note = await client.send_message("me", "note")
    assert (note.message, note.peer_id) == ("note", types.PeerUser(anna.id))
    boris_peer = types.InputPeerUser(boris.id, boris.access_hash)
    for peer, text, reply, error in (
        (types.InputPeerUser(boris.id, 1), "x", None, errors.PeerIdInvalidError),
        (types.InputPeerUser(99, 1), "x", None, errors.PeerIdInvalidError),
        (types.InputPeerChat(99), "x", None, errors.ChatIdInvalidError),
        (types.InputPeerChannel(99, 1), "x", None, errors.ChannelInvalidError),
        (boris_peer, " ", None, errors.MessageEmptyError),
        (boris_peer, "x" * 4097, None, errors.MessageTooLongError),
        (boris_peer, "x", types.InputReplyToMessage(99), errors.BadRequestError),
    ):
        with pytest.raises(error):
            await client(functions.messages.SendMessageRequest(peer, text, random_id=7, reply_to=reply))
    assert len(anna.box.copies) == 1


async def test_a_random_id_sends_once(telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person) -> None:
    client = await connect(anna)
    peer = types.InputPeerUser(boris.id, boris.access_hash)
    request = functions.messages.SendMessageRequest(peer, "once", random_id=7)
    first, again = await client(request), await client(request)
    assert isinstance(again.updates[0], types.UpdateMessageID)
    assert (again.updates[0].id, again.updates[1].message.message) == (first.id, "once")
    # The answer is lost with the connection, so the client asks again by itself.
    telegram.world.faults.add(Fault(phone=ANNA, method="messages.sendMessage", lose=True))
    sent = await client.send_message(boris.id, "twice?")
    assert sent.message == "twice?"
    assert [copy.message.message for copy in boris.box.copies.values()] == ["once", "twice?"]


async def test_messages_are_edited_deleted_and_reacted_to(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two = await connect(anna), await connect(boris)
    await two.get_input_entity("@anna_a")
    await one.get_input_entity("@boris_b")
    at_one, at_two = Heard(one), Heard(two)
    sent = await one.send_message(boris.id, "first")
    got = (await at_two.next(types.UpdateNewMessage)).message
    edited = await one.edit_message(boris.id, sent.id, "second")
    assert (edited.message, bool(edited.edit_date)) == ("second", True)
    assert (await at_two.next(types.UpdateEditMessage)).message.message == "second"
    with pytest.raises(errors.MessageNotModifiedError):
        await one.edit_message(boris.id, sent.id, "second")
    with pytest.raises(errors.MessageAuthorRequiredError):
        await two.edit_message(anna.id, got.id, "mine now")
    with pytest.raises(errors.MessageIdInvalidError):
        await one.edit_message(boris.id, 99, "x")
    heart = [types.ReactionEmoji("❤")]
    await two(functions.messages.SendReactionRequest(await two.get_input_entity(anna.id), got.id, reaction=heart))
    reacted = await at_one.next(types.UpdateMessageReactions)
    assert (reacted.msg_id, reacted.reactions.results[0].count) == (sent.id, 1)
    assert reacted.reactions.recent_reactions[0].peer_id == types.PeerUser(boris.id)
    assert (await one.get_messages(boris.id, ids=sent.id)).reactions.results[0].reaction == heart[0]
    await two(functions.messages.SendReactionRequest(await two.get_input_entity(anna.id), got.id, reaction=[]))
    assert (await at_one.next(types.UpdateMessageReactions)).reactions.results == []
    affected = await one.delete_messages(boris.id, [sent.id])
    assert affected[0].pts_count == 1
    assert (await at_two.next(types.UpdateDeleteMessages)).messages == [got.id]
    assert await one.get_messages(boris.id, ids=sent.id) is None
    kept = await one.send_message(boris.id, "kept by the other")
    await one.delete_messages(boris.id, [kept.id], revoke=False)
    assert [copy.message.message for copy in boris.box.copies.values()] == ["kept by the other"]
    assert not anna.box.copies


async def test_reading_and_typing_are_told(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, other_one, two = await connect(anna), await connect(anna), await connect(boris)
    at_one, at_other, at_two = Heard(one), Heard(other_one), Heard(two)
    await one.get_input_entity("@boris_b")
    await two.get_input_entity("@anna_a")
    sent = [await one.send_message(boris.id, text) for text in ("a", "b", "c")]
    dialog = (await two.get_dialogs())[0]
    assert (dialog.unread_count, dialog.message.message) == (3, "c")
    got = await two.get_messages(anna.id)
    await two.send_read_acknowledge(anna.id, max_id=got[0].id - 1)
    assert (await at_one.next(types.UpdateReadHistoryOutbox)).max_id == sent[1].id
    assert (await two.get_dialogs())[0].unread_count == 1
    await two.send_read_acknowledge(anna.id)
    assert (await at_other.next(types.UpdateReadHistoryOutbox)).max_id == sent[1].id
    assert (await at_other.next(types.UpdateReadHistoryOutbox)).max_id == sent[2].id
    await two.send_message(anna.id, "answer")
    await one.send_read_acknowledge(boris.id)
    inbox = await at_other.next(types.UpdateReadHistoryInbox)
    assert (inbox.peer, inbox.still_unread_count) == (types.PeerUser(boris.id), 0)
    async with two.action(anna.id, "typing"):
        assert isinstance((await at_one.next(types.UpdateUserTyping)).action, types.SendMessageTypingAction)
    assert (await at_two.next(types.UpdateReadHistoryOutbox)).peer == types.PeerUser(anna.id)
    await two(functions.account.UpdateStatusRequest(offline=True))
    assert isinstance((await at_one.next(types.UpdateUserStatus)).status, types.UserStatusOffline)
    assert isinstance((await one.get_entity(boris.id)).status, types.UserStatusOffline)


async def test_forwarding_keeps_the_author_unless_told_otherwise(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    await client.get_input_entity("@boris_b")
    telegram.world.mail.send(boris, anna.id, Draft("original"))
    (original,) = await client.get_messages(boris.id)
    named, bare = [await client.forward_messages("me", original, drop_author=drop) for drop in (False, True)]
    assert (named.message, named.fwd_from.from_id) == ("original", types.PeerUser(boris.id))
    assert (bare.message, bare.fwd_from) == ("original", None)
    with pytest.raises(errors.MessageIdInvalidError):
        await client.forward_messages("me", 99, from_peer=boris.id)


async def test_history_and_dialogs_come_in_pages(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    for number in range(230):
        telegram.world.mail.send(boris, anna.id, Draft(f"message {number}"))
    people = [telegram.world.people.add(phone=f"1555100{number:04}") for number in range(120)]
    for person in people:
        telegram.world.mail.send(person, anna.id, Draft("hello"))
    dialogs = await client.get_dialogs()
    assert len(dialogs) == 121
    assert {dialog.id for dialog in dialogs} == {boris.id, *(person.id for person in people)}
    texts = [message.message async for message in client.iter_messages(boris.id, wait_time=0)]
    assert texts == [f"message {number}" for number in reversed(range(230))]
    oldest = [message.message async for message in client.iter_messages(boris.id, reverse=True, limit=3)]
    assert oldest == ["message 0", "message 1", "message 2"]
    newer = [message.message async for message in client.iter_messages(boris.id, min_id=228)]
    assert newer == ["message 229", "message 228"]
    found = [message.message async for message in client.iter_messages(boris.id, search="message 22")]
    assert found == [f"message {number}" for number in (*range(229, 219, -1), 22)]
    (one,) = await client.get_messages(boris.id, ids=[1])
    assert one.message == "message 0"


async def test_contacts(telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person) -> None:
    client = await connect(anna)
    imported = await client(
        functions.contacts.ImportContactsRequest([types.InputPhoneContact(1, "+" + BORIS, "B", "")])
    )
    assert [(user.first_name, user.phone, user.contact) for user in imported.users] == [("Boris", BORIS, True)]
    listed = await client(functions.contacts.GetContactsRequest(0))
    assert [contact.user_id for contact in listed.contacts] == [boris.id]
    found = await client(functions.contacts.SearchRequest("bor", 5))
    assert [user.id for user in found.users] == [boris.id]
    await client(functions.contacts.DeleteContactsRequest([types.InputUser(boris.id, boris.access_hash)]))
    assert (await client.get_entity(boris.id)).phone is None
    with pytest.raises(ValueError, match="nobody"):
        await client.get_entity("@nobody_here")
    with pytest.raises(errors.PhoneNotOccupiedError):
        await client(functions.contacts.ResolvePhoneRequest("15550009999"))


# -- what was missed


async def test_who_was_away_gets_what_was_missed(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    state = await client(functions.updates.GetStateRequest())
    mail = telegram.world.mail
    kept, _ = mail.send(boris, anna.id, Draft("kept"))
    gone, _ = mail.send(boris, anna.id, Draft("gone"))
    mail.edit(boris, anna.id, kept.message.id, Draft("kept, edited"))
    mail.delete(boris, anna.id, [gone.message.id], revoke=True, origin=None)
    telegram.world.attention.react(boris, anna.id, kept.message.id, ["👍"])
    missed = await client(functions.updates.GetDifferenceRequest(state.pts, state.date, state.qts))
    assert isinstance(missed, types.updates.Difference)
    assert [message.message for message in missed.new_messages] == ["kept, edited"]
    assert [type(update) for update in missed.other_updates] == [
        *(types.UpdateEditMessage, types.UpdateDeleteMessages, types.UpdateMessageReactions)
    ]
    assert {user.id for user in missed.users} == {anna.id, boris.id}
    assert missed.state.pts == state.pts + 4 == anna.box.pts
    later = missed.state.date + timedelta(seconds=1)
    nothing = await client(functions.updates.GetDifferenceRequest(missed.state.pts, later, 0))
    assert isinstance(nothing, types.updates.DifferenceEmpty)
    too_long = await client(functions.updates.GetDifferenceRequest(-1, missed.state.date, 0))
    assert too_long == types.updates.DifferenceTooLong(anna.box.pts)


async def test_a_client_that_comes_back_catches_up_in_slices(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    session = client.session
    await client.disconnect()
    for number in range(250):
        telegram.world.mail.send(boris, anna.id, Draft(str(number)))
    back = TelegramClient(session, 1, "any", catch_up=True, flood_sleep_threshold=0)
    heard = Heard(back)
    await back.connect()
    assert [await heard.text() for _ in range(250)] == [str(number) for number in range(250)]
    telegram.world.mail.send(boris, anna.id, Draft("live"))
    assert await heard.text() == "live"
    await back.disconnect()


async def test_updates_that_are_lost_late_or_double_come_once(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    heard, world = Heard(client), telegram.world
    world.faults.add(Fault(phone=ANNA, method="update", drop=True))
    world.mail.send(boris, anna.id, Draft("lost"))
    world.mail.send(boris, anna.id, Draft("told"))
    # The client sees a gap in the sequence, waits half a second for the rest, and asks for the difference.
    assert [await heard.text() for _ in range(2)] == ["lost", "told"]
    world.faults.add(Fault(phone=ANNA, method="update", duplicate=True))
    world.faults.add(Fault(phone=ANNA, method="update", delay_s=0.05))
    for text in ("double", "late", "last"):
        world.mail.send(boris, anna.id, Draft(text))
    assert [await heard.text() for _ in range(3)] == ["double", "late", "last"]
    assert heard.rest() == []
    with pytest.raises(ValueError, match="delayed, dropped or duplicated"):
        Fault(method="update", error="FLOOD_WAIT_1")


async def test_a_client_that_wants_no_updates_gets_none(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna, receive_updates=False)
    telegram.world.mail.send(boris, anna.id, Draft("unheard"))
    assert len(anna.devices[0].unsent) == 1
    assert [message.message for message in await client.get_messages("@boris_b")] == ["unheard"]


@brief
@given(st.lists(st.integers(1, 3), max_size=30), st.integers(0, 40), st.integers(1, 7))
def test_slices_of_what_was_missed_join_up(counts: list[int], since: int, limit: int) -> None:
    box = Box(1)
    for count in counts:
        box.record(types.UpdateDeleteMessages([0] * count, 0, 0), 0, count)
    seen, pts, final = [], min(since, box.pts), False
    while not final:
        missed = box.since(pts, limit)
        if missed is None:
            assert pts < 1
            return
        seen += [event.pts for event in missed.events]
        pts, final = missed.pts, missed.final
    ends = list(accumulate(counts, initial=1))[1:]
    assert (seen, pts) == ([end for end in ends if end > min(since, box.pts)], box.pts)


# -- groups


async def test_a_basic_group_from_its_making_to_its_leaving(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two = await connect(anna), await connect(boris)
    at_one, at_two = Heard(one), Heard(two)
    made = await one(functions.messages.CreateChatRequest([await one.get_input_entity("@boris_b")], "Friends"))
    chat_id = made.updates.chats[0].id
    created = (await at_two.next(types.UpdateNewMessage)).message
    assert isinstance(created.action, types.MessageActionChatCreate)
    assert created.action.users == [anna.id, boris.id]
    sent = await one.send_message(-chat_id, "hello group")
    got = (await at_two.next(types.UpdateNewMessage)).message
    assert (got.message, got.from_id, got.peer_id) == ("hello group", types.PeerUser(anna.id), types.PeerChat(chat_id))
    answer = await two.send_message(-chat_id, "hello back", reply_to=got.id)
    assert answer.reply_to.reply_to_msg_id == got.id
    assert (await at_one.next(types.UpdateNewMessage)).message.reply_to.reply_to_msg_id == sent.id
    await two.send_read_acknowledge(-chat_id)
    read = await at_one.next(types.UpdateReadHistoryOutbox)
    assert (read.peer, read.max_id) == (types.PeerChat(chat_id), sent.id)
    await two(functions.messages.SetTypingRequest(types.InputPeerChat(chat_id), types.SendMessageTypingAction()))
    assert (await at_one.next(types.UpdateChatUserTyping)).from_id == types.PeerUser(boris.id)
    full = (await one(functions.messages.GetFullChatRequest(chat_id))).full_chat
    assert [type(one_).__name__ for one_ in full.participants.participants] == [
        *("ChatParticipantCreator", "ChatParticipant")
    ]
    assert {user.id for user in await one.get_participants(-chat_id)} == {anna.id, boris.id}
    await one(functions.messages.EditChatTitleRequest(chat_id, "Old friends"))
    assert (await two.get_entity(-chat_id)).title == "Old friends"
    with pytest.raises(errors.MessageDeleteForbiddenError):
        await two.delete_messages(-chat_id, [got.id])
    with pytest.raises(errors.ChatAdminRequiredError):
        await two.kick_participant(-chat_id, anna.id)
    await two.delete_dialog(-chat_id)
    left = (await at_one.next(types.UpdateNewMessage)).message.action
    assert left.user_id == boris.id
    with pytest.raises(errors.ChatIdInvalidError):
        await two.send_message(-chat_id, "still here?")


async def test_an_invite_link_leads_into_a_supergroup(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two = await connect(anna), await connect(boris)
    made = await one(functions.channels.CreateChannelRequest("Club", "about us", megagroup=True))
    channel = await one.get_input_entity(made.chats[0])
    link = (await one(functions.messages.ExportChatInviteRequest(channel))).link
    assert link.startswith("https://t.me/+")
    preview = await two(functions.messages.CheckChatInviteRequest(link.rpartition("+")[2]))
    assert (preview.title, preview.participants_count) == ("Club", 1)
    await two(functions.messages.ImportChatInviteRequest(link.rpartition("+")[2]))
    assert isinstance(
        await two(functions.messages.CheckChatInviteRequest(link.rpartition("+")[2])), types.ChatInviteAlready
    )
    with pytest.raises(errors.UserAlreadyParticipantError):
        await two(functions.messages.ImportChatInviteRequest(link.rpartition("+")[2]))
    with pytest.raises(errors.InviteHashExpiredError):
        await two(functions.messages.CheckChatInviteRequest("nothing"))
    full = (await two(functions.channels.GetFullChannelRequest(await two.get_input_entity(channel)))).full_chat
    assert (full.about, full.participants_count, full.exported_invite) == ("about us", 2, None)
    people = await one.get_participants(channel)
    assert {type(person.participant) for person in people} == {
        *(types.ChannelParticipantCreator, types.ChannelParticipant)
    }
    assert [user.id for user in await one.get_participants(channel, search="bor")] == [boris.id]


async def test_a_supergroup_has_one_box_for_all(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    group = telegram.world.groups.add("Club", anna, channel=True)
    telegram.world.groups.join(group, boris, anna)
    telegram.world.mail.send(anna, group.chat, Draft("begin"))
    one, two = await connect(anna), await connect(boris)
    dialogs = [await client.get_dialogs() for client in (one, two)]
    assert [(dialog[0].title, dialog[0].unread_count) for dialog in dialogs] == [("Club", 0), ("Club", 1)]
    at_one, at_two = Heard(one), Heard(two)
    sent = await one.send_message(group.chat, "hello")
    got = (await at_two.next(types.UpdateNewChannelMessage)).message
    assert (got.id, got.out, sent.out) == (sent.id, False, True)
    await one.edit_message(group.chat, sent.id, "hello all")
    assert (await at_two.next(types.UpdateEditChannelMessage)).message.message == "hello all"
    await two(
        functions.messages.SendReactionRequest(
            await two.get_input_entity(group.chat), sent.id, reaction=[types.ReactionEmoji("👍")]
        )
    )
    assert (await at_one.next(types.UpdateMessageReactions)).peer == types.PeerChannel(group.id)
    mine, theirs = [(await client.get_messages(group.chat, ids=sent.id)).reactions for client in (one, two)]
    assert (mine.results[0].chosen_order, theirs.results[0].chosen_order) == (None, 0)
    await two.send_read_acknowledge(group.chat)
    assert (await at_one.next(types.UpdateReadChannelOutbox)).max_id == sent.id
    with pytest.raises(errors.MessageDeleteForbiddenError):
        await two.delete_messages(group.chat, [sent.id])
    await one.delete_messages(group.chat, [sent.id])
    assert (await at_two.next(types.UpdateDeleteChannelMessages)).messages == [sent.id]
    await two.delete_dialog(group.chat)
    with pytest.raises(errors.ChannelPrivateError):
        await two.send_message(group.chat, "gone")


async def test_only_its_maker_writes_into_a_channel(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two = await connect(anna), await connect(boris)
    made = await one(functions.channels.CreateChannelRequest("News", "", broadcast=True))
    channel = await one.get_input_entity(made.chats[0])
    await one(functions.channels.InviteToChannelRequest(channel, [await one.get_input_entity("@boris_b")]))
    await one.send_message(channel, "news")
    assert [dialog.message.message for dialog in await two.get_dialogs()] == ["news"]
    with pytest.raises(errors.ChatWriteForbiddenError):
        await two.send_message(-1_000_000_000_000 - channel.channel_id, "me too")


async def test_what_was_missed_in_a_supergroup(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    world = telegram.world
    group = world.groups.add("Club", anna, channel=True)
    world.groups.join(group, boris, anna)
    world.mail.send(anna, group.chat, Draft("begin"))
    client = await connect(boris)
    await client.get_dialogs()  # from here on it knows the group and its sequence
    session = client.session
    await client.disconnect()
    world.mail.send(anna, group.chat, Draft("while away"))
    back = TelegramClient(session, 1, "any", catch_up=True, flood_sleep_threshold=0)
    heard = Heard(back)
    await back.connect()
    assert await heard.text() == "while away"
    world.faults.add(Fault(phone=BORIS, method="update", drop=True))
    for text in ("lost", "told"):
        world.mail.send(anna, group.chat, Draft(text))
    assert [await heard.text() for _ in range(2)] == ["lost", "told"]
    channel = await back.get_input_entity(group.chat)
    request = functions.updates.GetChannelDifferenceRequest(channel, types.ChannelMessagesFilterEmpty(), 1, 2)
    first = await back(request)
    assert ([message.message for message in first.new_messages], first.final) == (["begin", "while away"], False)
    assert group.box
    request.pts = group.box.pts
    assert isinstance(await back(request), types.updates.ChannelDifferenceEmpty)
    await back.disconnect()


# -- media


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + os.urandom(width * 3)) * height)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def named(content: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(content)
    file.name = name
    return file


async def test_a_photo_goes_there_and_back(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two = await connect(anna), await connect(boris)
    at_two = Heard(two)
    uploaded = await one.upload_file(png(40, 30), file_name="p.png")
    sent = await one.send_file(
        await one.get_input_entity("@boris_b"), types.InputMediaUploadedPhoto(uploaded), caption="**look**"
    )
    assert (sent.photo.sizes[0].w, sent.photo.sizes[0].h) == (40, 30)
    got = (await at_two.next(types.UpdateNewMessage)).message
    assert (got.message, got.entities) == ("look", [types.MessageEntityBold(0, 4)])
    stored = telegram.world.files.get(sent.photo.id)
    assert stored
    assert await two.download_media(got, bytes) == stored.content
    with pytest.raises(errors.ImageProcessFailedError):
        await one.send_file("me", types.InputMediaUploadedPhoto(await one.upload_file(b"text", file_name="p.png")))


async def test_documents_of_every_kind(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    audio = types.DocumentAttributeAudio(3, title="t", performer="p")
    video = types.DocumentAttributeVideo(4, 320, 240, supports_streaming=True)
    sticker = types.DocumentAttributeSticker("🙂", types.InputStickerSetEmpty())
    sent = [
        await client.send_file("me", named(b"data" * 100, "отчёт.txt"), force_document=True, caption="file"),
        await client.send_file("me", named(b"data", "a.mp3"), attributes=[audio]),
        await client.send_file("me", named(b"data", "v.ogg"), voice_note=True),
        await client.send_file("me", named(b"data", "v.mp4"), attributes=[video]),
        await client.send_file("me", named(b"data", "s.webp"), attributes=[sticker], force_document=True),
    ]
    kinds = [entry["media"]["kind"] for entry in messages_of(telegram.world, anna, sent=True)]
    assert kinds == ["document", "audio", "voice", "video", "sticker"]
    document, _, voice, clip, _ = sent
    assert (document.file.name, document.file.size, document.message) == ("отчёт.txt", 400, "file")
    assert (bool(voice.voice), bool(clip.video)) == (True, True)
    assert await document.download_media(bytes) == b"data" * 100
    again = await client.send_file("me", document.document)
    assert again.document.id == document.document.id
    edited = await client.edit_message("me", document.id, "another caption")
    assert (edited.message, edited.document.id) == ("another caption", document.document.id)
    replaced = await client.edit_message("me", document.id, file=named(b"new", "new.txt"), force_document=True)
    assert replaced.file.name == "new.txt"


async def test_a_big_file_goes_in_parts_both_ways(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    one, two = await connect(anna), await connect(boris)
    content = os.urandom(11 * 1024 * 1024 + 5)
    at_two = Heard(two)
    await one.send_file(await one.get_input_entity("@boris_b"), named(content, "big.bin"), force_document=True)
    got = (await at_two.next(types.UpdateNewMessage)).message
    assert sum("saveBigFilePart" in name for _, name, _ in telegram.world.calls) > 20
    digest = hashlib.sha256()
    async for chunk in two.iter_download(got.media, request_size=512 * 1024):
        digest.update(chunk)
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
    stored = telegram.world.files.get(got.document.id)
    assert stored
    assert stored.sha256 == digest.hexdigest()


async def test_uploads_and_downloads_that_are_wrong(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect(anna)
    save, media = functions.upload.SaveFilePartRequest, types.InputMediaUploadedDocument
    sent = await client.send_file("me", named(b"data" * 5000, "f.bin"), force_document=True)
    place = {"id": sent.document.id, "access_hash": sent.document.access_hash, "thumb_size": ""}
    good = types.InputDocumentFileLocation(**place, file_reference=sent.document.file_reference)
    old = types.InputDocumentFileLocation(**place, file_reference=b"old")
    other = types.InputDocumentFileLocation(**place | {"access_hash": 1}, file_reference=b"")
    get = functions.upload.GetFileRequest
    await client(save(1, 0, b"x" * 1024))
    await client(save(1, 2, b"x"))
    for request, word in (
        (save(1, 1, b""), "FILE_PART_EMPTY"),
        (save(1, 1, b"x" * (512 * 1024 + 1)), "FILE_PART_TOO_BIG"),
        (save(1, 4000, b"x"), "FILE_PART_INVALID"),
        (functions.upload.SaveBigFilePartRequest(1, 0, 3, b"x"), "FILE_PART_SIZE_INVALID"),
        (get(good, 1, 4096), "OFFSET_INVALID"),
        (get(good, 0, 1), "LIMIT_INVALID"),
        (get(good, 4096, 1 << 20), "LIMIT_INVALID"),
        (get(old, 0, 4096), "FILE_REFERENCE_EXPIRED"),
        (get(other, 0, 4096), "FILE_ID_INVALID"),
    ):
        await refused(telegram, client, request, word)
    for parts, checksum, word in (
        (3, "", "FILE_PART_1_MISSING"),
        (0, "", "FILE_PARTS_INVALID"),
        (1, "0" * 32, "MD5_CHECKSUM_INVALID"),
    ):
        made = media(types.InputFile(1, parts, "f", checksum), "text/plain", [])
        await refused(
            telegram, client, functions.messages.SendMediaRequest(types.InputPeerSelf(), made, "", random_id=1), word
        )
    end = await client(get(good, 16384, 8192))
    assert end.bytes == (b"data" * 5000)[16384:]
    assert (await client(get(good, 1024, 1024, precise=True))).bytes == b"data" * 256


async def refused(telegram: MTProtoEmulator, client: Any, request: Any, word: str) -> None:
    """Assert that a request is refused with this word, whatever the client makes of it."""
    with pytest.raises(errors.RPCError):
        await client(request)
    assert telegram.world.calls[-1][2] == word


async def test_places_contacts_and_polls(
    telegram: MTProtoEmulator, connect: Connect, anna: Person, boris: Person
) -> None:
    client = await connect(anna)
    await client.send_file("me", types.InputMediaGeoPoint(types.InputGeoPoint(52.5, 13.4)))
    await client.send_file("me", types.InputMediaContact("+" + BORIS, "Boris", "B", ""))
    answers = [types.InputPollAnswer(types.TextWithEntities(text, [])) for text in ("yes", "no")]
    poll = types.Poll(0, types.TextWithEntities("well?", []), answers, 0)
    asked = await client.send_file("me", types.InputMediaPoll(poll))
    location, contact, question = [entry["media"] for entry in messages_of(telegram.world, anna, sent=True)]
    assert location == {"kind": "location", "latitude": 52.5, "longitude": 13.4}
    assert contact == {"kind": "contact", "phone": "+" + BORIS, "first_name": "Boris", "last_name": "B"}
    assert question == {"kind": "poll", "question": "well?", "options": ["yes", "no"]}
    assert [answer.option for answer in asked.poll.poll.answers] == [b"0", b"1"]
    with pytest.raises(errors.RPCError):
        await client.send_file("me", types.InputMediaGeoPoint(types.InputGeoPoint(91, 0)))
    with pytest.raises(errors.RPCError):
        await client.send_file("me", types.InputMediaDice("x"))


async def test_an_album(telegram: MTProtoEmulator, connect: Connect, anna: Person) -> None:
    client = await connect(anna)
    files = [named(b"one", "1.txt"), named(b"two", "2.txt")]
    sent = await client.send_file("me", files, caption=["first", "second"], force_document=True)
    assert [message.message for message in sent] == ["first", "second"]
    assert len({message.grouped_id for message in sent}) == 1


@brief
@given(st.lists(st.tuples(st.integers(0, 3), st.binary(min_size=1, max_size=3)), max_size=12))
def test_parts_of_a_file_are_put_together_in_their_order(parts: list[tuple[int, bytes]]) -> None:
    files, last = Files(os.urandom), {}
    for number, part in parts:
        files.save_part(1, 9, number, part * 1024)
        last[number] = part * 1024
    whole = [number for number in range(4) if all(before in last for before in range(number + 1))]
    for count in range(1, 5):
        if count <= len(whole):
            content = files.assemble(1, types.InputFile(9, count, "f", ""))
            assert content == b"".join(last[number] for number in range(count))
            return


@brief
@given(st.binary(max_size=60))
def test_a_picture_s_size_is_read_from_anything(content: bytes) -> None:
    for head in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a"):
        size = picture_size(head + content)
        assert size is None or len(size) == 2


def test_the_size_of_a_jpeg_is_in_its_frame_header() -> None:
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + bytes(14)
    frame = b"\xff\xc2" + struct.pack(">HBHH", 11, 8, 30, 40) + bytes(4)
    assert picture_size(b"\xff\xd8" + app0 + frame) == (40, 30)


# -- the program


async def test_what_outlives_the_emulator(telegram: MTProtoEmulator, anna: Person, boris: Person) -> None:
    world = telegram.world
    world.people.add(phone=BORIS, password="тайна")
    anna.contacts.add(boris.id)
    telegram.logged_in(anna)
    for channel in (True, False):
        world.groups.join(world.groups.add("Club", anna, channel=channel), boris, anna)
    world.mail.send(boris, anna.id, Draft("not this"))
    kept = json.dumps(dump(world, final=True))
    after, killed = World(), World()
    load(after, json.loads(kept))
    assert json.dumps(dump(after, final=True)) == kept
    load(killed, json.loads(json.dumps(dump(world, final=False))))
    assert killed.people.get(ANNA).box.pts == anna.box.pts + 1000
    assert killed.people.get(ANNA).devices[0].key == anna.devices[0].key


class Program:
    """The emulator as a process, and its control port."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        self.folder, self.http = folder, http
        self.ports: dict[str, int] = {}

    async def __call__(self, verb: str, **fields: Any) -> Any:
        status, body = await self.answer(verb, **fields)
        assert status == 200, body
        return body

    async def answer(self, verb: str, **fields: Any) -> tuple[int, Any]:
        fields = {key.removesuffix("_"): value for key, value in fields.items()}
        async with self.http.post(f"http://127.0.0.1:{self.ports['control']}/{verb}", json=fields) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def program(folder: Path) -> AsyncIterator[Program]:
    command = (sys.executable, "-m", "mim.emulators.mtproto", str(folder))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20), aiohttp.ClientSession() as http:
            running = Program(folder, http)
            running.ports = json.loads(await process.stdout.readline())
            assert json.loads((folder / "ports.json").read_text()) == running.ports
            yield running
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_as_a_process_it_is_driven_over_its_control_port(tmp_path: Path) -> None:
    async with program(tmp_path) as control:
        trust((tmp_path / "server.pub").read_text())
        key = (tmp_path / "server.pub").read_bytes()
        client = TelegramClient(session_at(control.ports["dc"]), 1, "any", flood_sleep_threshold=0)
        heard = Heard(client)
        await client.connect()
        anna = await control("person", phone="+1 555 000 1111", name="Anna Alpha", password="secret")
        boris = await control("person", phone=BORIS, name="Boris", username="boris_b")
        qr = await client.qr_login()
        waiting = asyncio.create_task(qr.wait(WITHIN_S))
        await asyncio.sleep(0)
        await control("scan", qr=qr.url, phone=ANNA)
        with pytest.raises(errors.SessionPasswordNeededError):
            await waiting
        await client.sign_in(password="secret")
        await drive_messages(control, client, heard, anna, boris)
        await drive_media(control, heard)
        group = await drive_groups(control, heard)
        await drive_faults(control, client, anna)
        await drive_logins(control, boris)
        await client.disconnect()
        ports = control.ports
    async with program(tmp_path) as control:
        assert (control.ports, (tmp_path / "server.pub").read_bytes()) == (ports, key)
        await client.connect()
        assert (await client.get_me()).id == anna["id"]
        await client.send_message(boris["id"], "again")
        assert [message["text"] for message in (await control("inbox", phone=BORIS))["messages"]] == ["again"]
        await control("say", from_=BORIS, to=group["chat"], text="still here")
        while await heard.text() != "still here":
            pass
        assert await control("revoke", phone=ANNA, error="SESSION_REVOKED") == {"revoked": 1}
        assert isinstance(await end_of(client), errors.SessionRevokedError)


async def drive_messages(control: Program, client: Any, heard: Heard, anna: Any, boris: Any) -> None:
    said = await control(
        "say", from_="@boris_b", to=ANNA, text="hello", entities=[{"type": "bold", "offset": 0, "length": 5}]
    )
    message = (await heard.next(types.UpdateNewMessage)).message
    assert (message.message, message.entities) == ("hello", [types.MessageEntityBold(0, 5)])
    assert said["ids"] == {str(anna["id"]): message.id, str(boris["id"]): said["id"]}
    content = base64.b64encode(b"voice").decode()
    media = {"kind": "voice", "name": "v.ogg", "content": content, "mime_type": "audio/ogg"}
    await control("say", from_=BORIS, to=ANNA, reply_to=message.id, of=ANNA, media=media)
    voice = (await heard.next(types.UpdateNewMessage)).message
    assert (voice.reply_to.reply_to_msg_id, bool(voice.voice)) == (message.id, True)
    assert await client.download_media(voice, bytes) == b"voice"
    await control("edit", from_=BORIS, to=ANNA, id=said["id"], text="changed")
    assert (await heard.next(types.UpdateEditMessage)).message.message == "changed"
    sent = await client.send_message(boris["id"], "to Boris", reply_to=message.id)
    (record,) = (await control("sent", phone=ANNA))["messages"]
    assert record.items() >= {"id": sent.id, "chat": boris["id"], "text": "to Boris", "reply_to": message.id}.items()
    assert [entry["text"] for entry in (await control("inbox", phone="@boris_b"))["messages"]] == ["to Boris"]
    await control("typing", from_=BORIS, to=ANNA, action="record_voice")
    assert isinstance((await heard.next(types.UpdateUserTyping)).action, types.SendMessageRecordAudioAction)
    await control("presence", who=BORIS, online=True)
    assert isinstance((await heard.next(types.UpdateUserStatus)).status, types.UserStatusOnline)
    assert await control("read", from_=BORIS, to=ANNA) == {"read": 1}
    assert (await heard.next(types.UpdateReadHistoryOutbox)).max_id == sent.id
    await control("react", from_=BORIS, to=ANNA, id=sent.id, of=ANNA, emoji="👍")
    assert (await heard.next(types.UpdateMessageReactions)).msg_id == sent.id
    await control("delete", from_=BORIS, to=ANNA, ids=[said["id"]])
    assert (await heard.next(types.UpdateDeleteMessages)).messages == [message.id]


async def drive_media(control: Program, heard: Heard) -> None:
    given: list[dict[str, Any]] = [
        {"kind": "photo", "name": "p.png", "content": base64.b64encode(png(2, 3)).decode()},
        *({"kind": kind, "name": "f", "content": "ZGF0YQ=="} for kind in ("document", "audio", "video", "sticker")),
        {"kind": "location", "latitude": 52.5, "longitude": 13.4},
        {"kind": "contact", "phone": BORIS, "first_name": "B", "last_name": "C"},
        {"kind": "poll", "question": "well?", "options": ["yes", "no"]},
    ]
    for media in given:
        await control("say", from_=BORIS, to=ANNA, media=media, forwarded_from=ANNA)
        message = (await heard.next(types.UpdateNewMessage)).message
        assert message.media
        assert message.fwd_from.from_id == types.PeerUser(message.fwd_from.from_id.user_id)
    records = (await control("inbox", phone=ANNA))["messages"][-len(given) :]
    assert [record["media"]["kind"] for record in records] == [media["kind"] for media in given]
    for key in ("latitude", "first_name", "question"):
        (one,) = [media for media in given if key in media]
        assert one in [record["media"] for record in records]


async def drive_groups(control: Program, heard: Heard) -> Any:
    group = await control("group", title="Club", creator=BORIS, members=[ANNA], kind="supergroup")
    await control("say", from_=BORIS, to=group["chat"], text="hello all")
    assert [await heard.text() for _ in range(2)] == ["", "hello all"]
    await control("leave", chat=group["chat"], who=ANNA)
    await control("join", chat=group["chat"], who=ANNA)
    return group


async def drive_faults(control: Program, client: Any, anna: Any) -> None:
    await control("fault", phone="+1 555 000 1111", method="users.getFullUser", error="FLOOD_WAIT_30")
    with pytest.raises(errors.FloodWaitError):
        await client(functions.users.GetFullUserRequest("me"))
    await control("fault", phone=ANNA, method="users.getUsers", drop=True)
    await control("mend")
    assert await control("drop", phone=ANNA) == {"dropped": 1}
    assert (await client.get_me()).id == anna["id"]
    (device,) = (await control("devices", phone=ANNA))["devices"]
    assert device["connections"] == 1
    calls = (await control("calls", phone=ANNA))["calls"]
    assert {"phone": ANNA, "method": "users.getFullUser", "error": "FLOOD_WAIT_30"} in calls
    kinds = [incident["type"] for incident in (await control("incidents"))["incidents"]]
    assert (kinds.count("connected"), kinds.count("auth_key_duplicated")) == (2, 0)


async def drive_logins(control: Program, boris: Any) -> None:
    other = TelegramClient(session_at(control.ports["dc"]), 1, "any")
    await other.connect()
    await other.send_code_request(BORIS)
    code = await control("code", phone=BORIS)
    assert (await other.sign_in(BORIS, code["code"])).id == boris["id"]
    await other.disconnect()
    ready = await control("login", phone=BORIS)
    other = TelegramClient(session_at(control.ports["dc"], ready["session"]), 1, "any")
    await other.connect()
    assert (await other.get_me()).id == boris["id"]
    await other.disconnect()
    for verb, fields, status in (
        *(("scan", {"qr": "x", "phone": ANNA}, 400), ("scan", {"phone": ANNA}, 400), ("sing", {}, 404)),
        *(("person", {"phone": "x"}, 400), ("say", {"from": "@nobody", "to": ANNA, "text": "x"}, 400)),
        *(("say", {"from": BORIS, "to": ANNA, "media": {"kind": "x", "content": ""}}, 400),),
        *(("say", {"from": BORIS, "to": ANNA, "media": {"kind": "photo", "content": "?"}}, 400),),
        *(
            ("say", {"from": BORIS, "to": -5, "text": "x"}, 400),
            ("fault", {"wrong": 1}, 400),
            ("fault", {"method": "messages.sing"}, 400),
            ("_person", {}, 404),
        ),
    ):
        answered, body = await control.answer(verb, **fields)
        assert (answered, list(body)) == (status, ["error"])

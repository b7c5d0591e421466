"""The MTProto emulator, worked with by the real Telethon client, and where that is too well behaved, by bare bytes."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon import TelegramClient, errors, events
from telethon.crypto import AuthKey as TelethonKey
from telethon.crypto import rsa as telethon_rsa
from telethon.extensions import BinaryReader
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate
from telethon.password import compute_check
from telethon.tl import functions, types

from mim.emulators.mtproto import Fault, MTProtoEmulator, World, serve, session_at, trust
from mim.emulators.mtproto.crypto import AuthKey, CryptoError, G, P, Plain, rsa_pad, rsa_unpad, sha1, sha256
from mim.emulators.mtproto.handshake import Handshake, HandshakeError, ServerKey
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.people import Device, Person
from mim.emulators.mtproto.session import BadMessage, Session

WITHIN_S = 5
ANNA, BORIS = "15550001111", "15550002222"
SERVER_KEY = ServerKey()
trust(SERVER_KEY.public_pem)

Connect = Callable[..., Awaitable[Any]]


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
        session = session_at(telegram.port, saved or (logged_in(telegram, person) if person else None))
        client = TelegramClient(session, 1, "any", **options)
        clients.append(client)
        await client.connect()
        return client

    yield connected
    for client in clients:
        with suppress(ConnectionError, errors.RPCError):
            await client.disconnect()


def logged_in(telegram: MTProtoEmulator, person: Person) -> str:
    """A saved session whose key somebody is logged in with already."""
    key = AuthKey(os.urandom(256))
    device = Device.of(key, telegram.world.number(), telegram.world.number(), time.time())
    telegram.world.add_device(device)
    device.log_in(person)
    session = session_at(telegram.port)
    session.auth_key = TelethonKey(key.raw)
    return str(session.save())


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
        return str(update.message.message)

    def rest(self) -> list[str]:
        """The names of what came since."""
        return [type(self._queue.get_nowait()).__name__ for _ in range(self._queue.qsize())]


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
    telegram: MTProtoEmulator, connect: Connect, anna: Person
) -> None:
    client = await connect(anna)
    for _ in range(3):
        anna.devices[0].abort()
        assert (await client.get_me()).id == anna.id
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
    assert await raw.code_of(ping, now, 2) == 35
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
        self.p, self.q = (telethon_rsa.get_byte_array(number) for number in (1229739323, 1402015859))

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


@given(st.binary(max_size=144), st.binary(min_size=32, max_size=32))
def test_rsa_padding_is_taken_off(data: bytes, temp_key: bytes) -> None:
    opened = rsa_unpad(rsa_pad(data, temp_key, bytes(192)))
    assert (opened.data[: len(data)], opened.digest) == (data, None)


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
    with pytest.raises(error):
        await asyncio.wait_for(client.run_until_disconnected(), WITHIN_S)
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
    mail.react(boris, anna.id, kept.message.id, ["👍"])
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

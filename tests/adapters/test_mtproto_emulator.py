"""The MTProto emulator, worked with by the real Telethon client, and where that is too well behaved, by bare bytes."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon import TelegramClient, errors
from telethon.crypto import rsa as telethon_rsa
from telethon.extensions import BinaryReader
from telethon.network import ConnectionTcpAbridged, ConnectionTcpFull, ConnectionTcpIntermediate
from telethon.password import compute_check
from telethon.tl import functions, types

from mim.emulators.mtproto import Fault, MTProtoEmulator, World, serve, session_at, trust
from mim.emulators.mtproto.crypto import AuthKey, CryptoError, G, P, Plain, rsa_pad, rsa_unpad, sha1, sha256
from mim.emulators.mtproto.handshake import Handshake, HandshakeError, ServerKey
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
    return telegram.world.people.add(phone=BORIS, name="Boris")


@pytest.fixture
async def connect(telegram: MTProtoEmulator) -> AsyncIterator[Connect]:
    """Makes connected clients; with a person, logged in by phone code."""
    clients = []

    async def connected(person: Person | None = None, saved: str | None = None, **options: Any) -> Any:
        options = {"flood_sleep_threshold": 0, "retry_delay": 0, "connection_retries": 2} | options
        client = TelegramClient(session_at(telegram.port, saved), 1, "any", **options)
        clients.append(client)
        await client.connect()
        if person is not None:
            await client.send_code_request(person.phone)
            await client.sign_in(person.phone, telegram.world.logins.code(person.phone).digits)
        return client

    yield connected
    for client in clients:
        with suppress(ConnectionError, errors.RPCError):
            await client.disconnect()


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

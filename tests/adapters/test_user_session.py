"""A person's Telegram account against the MTProto emulator: every way to log in, to lose the login, to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from telethon.crypto import AuthKey
from tests.contract.messengers import INSTANCE, WITHIN_S, Recorder, until, user_settings

from mim.contracts.content import MessageRef
from mim.contracts.errors import ErrorCode, Fatal, MimError, NeedsUser, NotReady, Refused, Rejected
from mim.contracts.login import LoginKind
from mim.contracts.messages import SendMessage
from mim.contracts.states import Provider, Status
from mim.emulators.mtproto import Fault, MTProtoEmulator, serve
from mim.emulators.mtproto.logins import token_of
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.people import Person
from mim.telegram_adapter import user_login
from mim.telegram_adapter.user_session import UserSession

OWN, OTHER = "15550001111", "15550002222"


@pytest.fixture
async def telegram() -> AsyncIterator[MTProtoEmulator]:
    async with serve() as emulator:
        yield emulator


@pytest.fixture
def own(telegram: MTProtoEmulator) -> Person:
    return telegram.world.people.add(phone=OWN, name="Own Account", username="own_account")


@pytest.fixture
def bob(telegram: MTProtoEmulator) -> Person:
    return telegram.world.people.add(phone=OTHER, name="Bob", username="bob_b")


@asynccontextmanager
async def running(
    telegram: MTProtoEmulator, folder: Path, secrets: dict[str, str] | None = None, **more: str
) -> AsyncIterator[tuple[UserSession, Recorder, asyncio.Task[None]]]:
    """A session that runs until the end of the block."""
    secrets = {} if secrets is None else secrets
    recorder = Recorder(folder / "session", user_settings(telegram, folder) | more, secrets, LoginKind.USER)
    session = UserSession(recorder)
    run = asyncio.create_task(session.run())
    try:
        yield session, recorder, run
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError, MimError):
            await run


async def scanned(telegram: MTProtoEmulator, recorder: Recorder, person: Person) -> None:
    url, _ = await recorder.next("qr_ready")
    telegram.world.scan(token_of(url), person)


async def ends_with(run: asyncio.Task[None], error: type[MimError]) -> MimError:
    with pytest.raises(error) as raised:
        await asyncio.wait_for(run, WITHIN_S)
    return raised.value


def last_code(telegram: MTProtoEmulator) -> str:
    return str(telegram.world.logins.code(OWN).digits)


def text(to: str, body: str, **more: Any) -> SendMessage:
    given = {"id": "m-1", "instance_id": INSTANCE, "provider": Provider.TELEGRAM, "to": to, "text": body}
    return SendMessage(**given | {"expires_at": datetime.now(UTC) + timedelta(minutes=1)} | more)


# ------------------------------------------------------------------------------------------------ logging in


async def test_a_scanned_qr_code_logs_in_and_the_login_is_kept(
    telegram: MTProtoEmulator, own: Person, tmp_path: Path
) -> None:
    secrets: dict[str, str] = {}
    async with running(telegram, tmp_path, secrets) as (_, recorder, _):
        url, expires_at = await recorder.next("qr_ready")
        assert url.startswith("tg://login?token=")
        assert timedelta(seconds=20) < expires_at - recorder.now() <= timedelta(seconds=60)
        telegram.world.scan(token_of(url), own)
        account = await recorder.next("client_ready")
    assert (account.id, account.username, account.phone_number) == (str(own.id), "own_account", OWN)
    assert secrets["login"]
    (tmp_path / "session").rename(tmp_path / "before")
    async with running(telegram, tmp_path, secrets) as (_, recorder, _):
        await recorder.next("client_ready")
    assert len(own.devices) == 1
    assert "auth_key_duplicated" not in {incident["type"] for incident in telegram.world.incidents}


async def test_a_code_is_renewed_until_it_is_scanned_or_nobody_came(
    telegram: MTProtoEmulator, own: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram.world.logins, "token_ttl_s", 2)
    async with running(telegram, tmp_path) as (_, recorder, _):
        first, _ = await recorder.next("qr_ready")
        second, _ = await recorder.next("qr_ready")
        assert first != second
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
    (tmp_path / "session").rename(tmp_path / "before")
    monkeypatch.setattr(user_login, "WINDOW_S", 0.5)
    async with running(telegram, tmp_path) as (_, _, run):
        ended = await ends_with(run, NeedsUser)
        assert isinstance(ended, NeedsUser)
        assert (ended.code, ended.status) == (ErrorCode.QR_EXPIRED, Status.LOGGED_OUT)


async def test_a_phone_number_a_code_and_a_password_log_in_and_each_may_be_wrong_first(
    telegram: MTProtoEmulator, tmp_path: Path
) -> None:
    telegram.world.people.add(phone=OWN, name="Own Account", password="correct horse")
    async with running(telegram, tmp_path) as (session, recorder, _):
        await recorder.next("qr_ready")
        with pytest.raises(Rejected, match="PHONE_NUMBER_INVALID") as refused:
            await session.answer_login({"phone_number": "12"})
        assert refused.value.code is ErrorCode.INVALID_FIELDS
        await session.answer_login({"phone_number": OWN})
        step = await recorder.next("login_step")
        assert (step.type, [field.name for field in step.fields]) == ("input_code", ["code", "phone_number"])
        with pytest.raises(Rejected, match="PHONE_CODE_INVALID"):
            await session.answer_login({"code": "00000"})
        await session.answer_login({"phone_number": OWN})  # another code, please
        assert (await recorder.next("login_step")).type == "input_code"
        await session.answer_login({"code": last_code(telegram)})
        step = await recorder.next("login_step")
        assert (step.type, step.fields[0].name, step.fields[0].secret) == ("input_password", "password", True)
        with pytest.raises(Rejected, match="PASSWORD_HASH_INVALID"):
            await session.answer_login({"password": "battery staple"})
        with pytest.raises(Rejected, match="does not ask"):
            await session.answer_login({"code": "12345"})
        await session.answer_login({"password": "correct horse"})
        await recorder.next("client_ready")
        with pytest.raises(Rejected, match="does not ask"):
            await session.answer_login({"password": "correct horse"})


async def test_a_scan_of_an_account_with_a_password_asks_for_it(telegram: MTProtoEmulator, tmp_path: Path) -> None:
    person = telegram.world.people.add(phone=OWN, name="Own", password="correct horse")
    async with running(telegram, tmp_path) as (session, recorder, _):
        await scanned(telegram, recorder, person)
        assert (await recorder.next("login_step")).type == "input_password"
        await session.answer_login({"password": "correct horse"})
        await recorder.next("client_ready")


async def test_a_key_that_the_library_proves_wrongly_is_made_again(
    telegram: MTProtoEmulator, own: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def made_of(key: bytes) -> Any:
        made.append(AuthKey(key if made else key[1:]))
        return made[-1]

    monkeypatch.setattr("telethon.network.authenticator.AuthKey", made_of)
    async with running(telegram, tmp_path) as (_, recorder, _):
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
    assert len(made) > 1  # one in 256 is wrong by itself


async def test_telegram_asking_to_wait_is_told_with_its_time(
    telegram: MTProtoEmulator, own: Person, tmp_path: Path
) -> None:
    async with running(telegram, tmp_path) as (session, recorder, _):
        await recorder.next("qr_ready")
        telegram.world.faults.add(Fault(method="auth.sendCode", error="FLOOD_WAIT_77", code=420))
        with pytest.raises(NotReady) as refused:
            await session.answer_login({"phone_number": OWN})
        assert (refused.value.code, refused.value.retry_after_s) == (ErrorCode.RATE_LIMITED, 77)
        assert own.devices == []


async def test_without_an_application_id_nothing_is_tried_and_the_message_says_where_to_get_one(
    telegram: MTProtoEmulator, tmp_path: Path
) -> None:
    async with running(telegram, tmp_path, telegram_api_id="0") as (_, _, run):
        assert "my.telegram.org" in (await ends_with(run, Fatal)).message


# --------------------------------------------------------------------------------------- losing it, coming back


async def test_a_login_that_is_ended_elsewhere_is_logged_out_and_forgotten(
    telegram: MTProtoEmulator, own: Person, tmp_path: Path
) -> None:
    secrets: dict[str, str] = {}
    async with running(telegram, tmp_path, secrets, telegram_ping_s="0.2") as (_, recorder, run):
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
        telegram.world.revoke(own.devices[0])
        ended = await ends_with(run, NeedsUser)
        assert isinstance(ended, NeedsUser)
        assert (ended.code, ended.status) == (ErrorCode.LOGGED_OUT, Status.LOGGED_OUT)
    (tmp_path / "session").rename(tmp_path / "before")
    async with running(telegram, tmp_path, secrets) as (_, _, run):
        ended = await ends_with(run, NeedsUser)
        assert ended.code is ErrorCode.LOGGED_OUT
    assert "login" not in secrets


async def test_what_came_while_away_is_heard_after_coming_back(
    telegram: MTProtoEmulator, own: Person, bob: Person, tmp_path: Path
) -> None:
    secrets: dict[str, str] = {}
    say = telegram.world.mail.send
    async with running(telegram, tmp_path, secrets) as (_, recorder, _):
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
        say(bob, own.id, Draft("one"))
        assert (await recorder.next("received")).body == "one"
        await until((tmp_path / "session" / "updates.json").exists)
    state = (tmp_path / "session" / "updates.json").read_bytes()
    (tmp_path / "session").rename(tmp_path / "before")
    say(bob, own.id, Draft("two"))
    say(bob, own.id, Draft("three"))
    secrets_again = dict(secrets)
    recorder = Recorder(tmp_path / "session", user_settings(telegram, tmp_path), secrets_again, LoginKind.USER)
    (tmp_path / "session" / "updates.json").write_bytes(state)
    run = asyncio.create_task(UserSession(recorder).run())
    heard = [(await recorder.next("received")).body for _ in range(2)]
    run.cancel()
    with suppress(asyncio.CancelledError):
        await run
    assert heard == ["two", "three"]


async def test_what_was_changed_while_away_is_heard_after_coming_back(
    telegram: MTProtoEmulator, own: Person, bob: Person, tmp_path: Path
) -> None:
    secrets: dict[str, str] = {}
    mail, state = telegram.world.mail, tmp_path / "session" / "updates.json"
    async with running(telegram, tmp_path, secrets) as (session, recorder, _):
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
        ours = await session.send(text(f"@{bob.username}", "read me"))
        copies = [mail.send(bob, own.id, Draft(text))[0] for text in ("one", "two")]
        heard = [await recorder.next("received") for _ in copies]
        await until(state.exists)
    known = state.read_bytes()
    (tmp_path / "session").rename(tmp_path / "before")
    mail.edit(bob, own.id, copies[0].message.id, Draft("one, changed"))
    mail.delete(bob, own.id, [copies[1].message.id], revoke=True, origin=None)
    telegram.world.attention.read(bob, own.id, 1_000)
    own.devices[0].unsent.clear()  # as after hours: nothing is pushed, the difference has to tell
    recorder = Recorder(tmp_path / "session", user_settings(telegram, tmp_path), dict(secrets), LoginKind.USER)
    state.write_bytes(known)
    run = asyncio.create_task(UserSession(recorder).run())
    edited, deleted, read = [await recorder.next(name) for name in ("edited", "deleted", "read")]
    run.cancel()
    with suppress(asyncio.CancelledError):
        await run
    assert (edited.messenger_id, edited.body) == (heard[0].id, "one, changed")
    assert deleted.messenger_id == heard[1].id
    assert int(read.messenger_ids[0]) >= int(ours.messenger_id)


async def test_a_lost_link_ends_the_session_so_that_the_worker_makes_the_next(
    telegram: MTProtoEmulator, own: Person, tmp_path: Path
) -> None:
    async with running(telegram, tmp_path) as (_, recorder, run):
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
        for device in own.devices:
            device.abort()
        assert (await ends_with(run, NotReady)).code is ErrorCode.MESSENGER_UNREACHABLE


async def test_logging_out_ends_the_login_at_telegram(telegram: MTProtoEmulator, own: Person, tmp_path: Path) -> None:
    async with running(telegram, tmp_path) as (session, recorder, _):
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
        await session.logout()
        assert own.devices == []


# -------------------------------------------------------------------------------------------------- sending


async def test_limits_and_refusals_are_told_apart(
    telegram: MTProtoEmulator, own: Person, bob: Person, tmp_path: Path
) -> None:
    async with running(telegram, tmp_path) as (session, recorder, _):
        with pytest.raises(NotReady, match="not connected"):
            await session.send(text("@bob_b", "too early"))
        await scanned(telegram, recorder, own)
        await recorder.next("client_ready")
        faults = telegram.world.faults
        for error, code in (
            ("PEER_FLOOD", ErrorCode.REACHOUT_LOCKED),
            ("USER_IS_BLOCKED", ErrorCode.RECIPIENT_BLOCKED),
        ):
            faults.add(Fault(method="messages.sendMessage", error=error, code=400))
            with pytest.raises(Refused) as refused:
                await session.send(text("@bob_b", "x"))
            assert refused.value.code is code
        for nobody in ("@nobody_here", "424242", "+15559999999"):
            with pytest.raises(Refused) as refused:
                await session.send(text(nobody, "x"))
            assert refused.value.code is ErrorCode.RECIPIENT_UNKNOWN
        with pytest.raises(Refused, match="numbers"):
            await session.send(text("@bob_b", "x", kind="edit", target=MessageRef(id="abc")))
        sent = await session.send(text(str(bob.id), "by id"))
        assert sent.chat_id == str(bob.id)
        await session.send(text(f"+{OTHER}", "by number"))
        inbox = [copy.message.message for copy in bob.box.copies.values()]
        assert inbox == ["by id", "by number"]
        faults.add(Fault(method="messages.sendMessage", error="FLOOD_WAIT_77", code=420))
        with pytest.raises(NotReady) as waits:
            await session.send(text("@bob_b", "x"))
        assert waits.value.retry_after_s == 77
        restriction = await recorder.next("restricted")
        assert (restriction.kind, restriction.scope) == ("flood_wait", "account")
        assert timedelta(seconds=70) < restriction.until - recorder.now() < timedelta(seconds=80)

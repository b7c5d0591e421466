"""WhatsApp sessions with the real client library, in real child processes, against the emulated server.

The second half goes through the library's known defects one by one: each is provoked, contained, and followed by a
recovery.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from mim.contracts.content import Media, MediaKind, MessageKind
from mim.contracts.errors import ErrorCode, Fatal, MimError, NeedsUser, NotReady, Refused
from mim.contracts.messages import Change, GroupChanged, Receipt, SendMessage
from mim.contracts.states import Provider, Status, UserAction
from mim.contracts.values import Account, IncomingMessage, Restriction
from mim.emulators.whatsapp import WhatsAppEmulator, serve
from mim.emulators.whatsapp.messages import Fault
from mim.emulators.whatsapp.phones import Phone
from mim.runtime.fetch import Fetched, Limits
from mim.runtime.media import file_of
from mim.whatsapp_adapter import session as session_module
from mim.whatsapp_adapter.login_file import DATABASE
from mim.whatsapp_adapter.process import ChildProcess
from mim.whatsapp_adapter.session import WhatsAppSession

if TYPE_CHECKING:
    from tests.conftest import Files

ALICE, BOB = "15550001111", "15550002222"
WITHIN_S = 25.0


@dataclass
class Kept:
    """The login as the bus would keep it, for all workers; `runs` counts sessions, so each has an epoch of its own."""

    login: str | None = None
    epoch: int = 0
    runs: int = 0


class Recorder:
    """A session context that remembers what was reported."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str], kept: Kept | None = None) -> None:
        self.instance_id = "00000000-0000-4000-8000-000000000001"
        self.settings = settings
        self.kept = kept or Kept()
        self.kept.runs += 1
        self.epoch, self.login_epoch = self.kept.runs, self.kept.epoch
        self.secrets: Mapping[str, str] = {} if self.kept.login is None else {"login": self.kept.login}
        self.data_dir = data_dir
        self.lines: list[Mapping[str, Any]] = []
        self.log = structlog.wrap_logger(None, processors=[self._keep], wrapper_class=structlog.BoundLogger)
        self.proofs = self.turns = 0
        self.reports: list[str] = []
        self.bus_is_there = asyncio.Event()
        self.bus_is_there.set()
        self.outliving: list[asyncio.Task[None]] = []
        self.received_so_far: list[IncomingMessage] = []
        self._reported: asyncio.Queue[tuple[str, object]] = asyncio.Queue()
        # What waited for an account may come before the library says that it is connected, and after it.
        self._messages: asyncio.Queue[IncomingMessage] = asyncio.Queue()

    def _keep(self, _: object, level: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        if level != "debug":
            self.lines.append(dict(event))
        raise structlog.DropEvent

    async def turn_to_link(self) -> None:
        assert not self.reports, "something was done for the login before its turn"
        self.turns += 1

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def keep_login(self, login: str | None) -> None:
        if self.kept.epoch > self.epoch:
            raise NotReady(ErrorCode.SESSION_CRASHED, "started elsewhere")
        self.kept.login, self.kept.epoch = login, self.epoch

    async def qr_ready(self, code: str, expires_at: datetime) -> None:
        self._report("qr_ready", (code, expires_at))

    async def authenticated(self, account: Account) -> None:
        self._report("authenticated", account)

    async def client_ready(self, account: Account) -> None:
        self._report("client_ready", account)

    async def reconnecting(self, code: ErrorCode, message: str) -> None:
        self._report("reconnecting", (code, message))

    async def received(self, message: IncomingMessage) -> None:
        await self.bus_is_there.wait()
        self.received_so_far.append(message)
        self.reports.append("received")
        self._messages.put_nowait(message)

    def outlive(self, work: Coroutine[Any, Any, None]) -> None:
        self.outliving.append(asyncio.create_task(work))

    async def happened(self, kind: type[Receipt | Change | GroupChanged], *, at: datetime, **fields: Any) -> None:
        self._report(kind.name, fields | {"at": at})

    async def restricted(self, restriction: Restriction | None) -> None:
        self._report("restricted", restriction)

    def file(self, media: Media, most_bytes: int | None = None) -> AbstractAsyncContextManager[Fetched]:
        return file_of(media, self.instance_id, self.data_dir, Limits.of(self.settings, most_bytes), None)

    def proved(self) -> None:
        self.proofs += 1

    def _report(self, name: str, what: object) -> None:
        self.reports.append(name)
        self._reported.put_nowait((name, what))

    async def next(self, name: str) -> object:
        """What was reported next under this name."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                reported, what = await self._reported.get()
                if reported == name:
                    return what

    async def qr(self) -> str:
        return (await self.qr_with_expiry())[0]

    async def qr_with_expiry(self) -> tuple[str, datetime]:
        match await self.next("qr_ready"):
            case (str(code), datetime() as expires_at):
                return code, expires_at
        raise AssertionError("no QR code")

    async def message(self) -> IncomingMessage:
        """The next message that came in, whatever else was reported meanwhile."""
        async with asyncio.timeout(WITHIN_S):
            return await self._messages.get()


@pytest.fixture
async def whatsapp(tmp_path: Path) -> AsyncIterator[WhatsAppEmulator]:
    async with serve(tmp_path / "whatsapp") as emulator:
        yield emulator


def settings_for(emulator: WhatsAppEmulator, **more: str) -> dict[str, str]:
    return {
        "whatsapp_proxy_url": emulator.proxy_url,
        "whatsapp_ca_file": str(emulator.ca_file),
        "whatsapp_child_wrapper": f"-m mim.emulators.whatsapp.trust {emulator.root_file}",
        **more,
    }


@contextlib.asynccontextmanager
async def running(
    emulator: WhatsAppEmulator, data_dir: Path, kept: Kept | None = None, **more: str
) -> AsyncIterator[tuple[WhatsAppSession, Recorder, asyncio.Task[None]]]:
    """A session that runs until the end of the block."""
    recorder = Recorder(data_dir, settings_for(emulator, **more), kept)
    session = WhatsAppSession(recorder)
    run = asyncio.create_task(session.run())
    try:
        yield session, recorder, run
    finally:
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError, MimError):
            await run


async def link(emulator: WhatsAppEmulator, recorder: Recorder, phone: str = ALICE) -> None:
    """Scan the QR code that is shown, and wait until messages can be sent."""
    await emulator.pairing.scan(await recorder.qr(), phone)
    await recorder.next("client_ready")


async def ends_with(run: asyncio.Task[None], error: type[MimError]) -> pytest.ExceptionInfo[MimError]:
    with pytest.raises(error) as raised:
        await asyncio.wait_for(run, WITHIN_S)
    return raised


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the emulator has seen something."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.to_thread(os.sched_yield)


def text(to: str, body: str) -> SendMessage:
    return SendMessage(
        id="m-1",
        instance_id="00000000-0000-4000-8000-000000000001",
        provider=Provider.WHATSAPPWEB,
        to=to,
        text=body,
        expires_at=datetime.now(UTC) + timedelta(minutes=1),
    )


def phone(emulator: WhatsAppEmulator, number: str) -> Phone:
    return emulator.phones.get(number)


def environment_of(session: WhatsAppSession) -> bytes:
    return Path(f"/proc/{session.pid}/environ").read_bytes()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_scanned_qr_code_makes_the_account_ready(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        code, expires_at = await recorder.qr_with_expiry()
        assert timedelta(seconds=55) < expires_at - recorder.now() <= timedelta(seconds=60)
        phone(whatsapp, ALICE).name = "Alice"
        await whatsapp.pairing.scan(code, "+1 (555) 000-1111")

        account = await recorder.next("client_ready")
        assert isinstance(account, Account)
        assert (account.id, account.phone_number) == (f"{ALICE}@s.whatsapp.net", ALICE)
        assert (account.lid, account.first_name) == (phone(whatsapp, ALICE).lid.user, "Alice")
        assert recorder.reports == ["qr_ready", "authenticated", "client_ready"]
        assert recorder.proofs > 0


async def test_only_the_owner_can_read_the_files_with_the_login(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "a").iterdir()}
        assert DATABASE in modes
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


async def test_the_process_with_foreign_code_gets_none_of_our_secrets(
    whatsapp: WhatsAppEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIM_MASTER_KEY", "secret")
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await recorder.qr()
        environment = environment_of(session)
        assert b"MIM_" not in environment
        assert b"NEONIZE_BOT_TAG=off" in environment


async def test_messages_travel_both_ways(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    bob = whatsapp.phones.get(BOB, "Bob")
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)

        sent = await session.send(text("+1 555 000 2222", "Grüße 👋"))
        assert sent.chat_id == f"{BOB}@s.whatsapp.net"
        assert [(each.id, each.sender, each.text) for each in bob.inbox] == [(sent.messenger_id, ALICE, "Grüße 👋")]
        assert [each.own for each in phone(whatsapp, ALICE).inbox] == [True]

        identity, _ = await whatsapp.messages.incoming(bob, phone(whatsapp, ALICE), {"text": "Hi Alice"})
        message = await recorder.message()
        assert (message.id, message.body, message.type, message.from_me) == (identity, "Hi Alice", "text", False)
        assert (message.contact.phone_number, message.contact.name) == (BOB, "Bob")
        assert message.chat_id == f"{BOB}@s.whatsapp.net"

        await session.send(text(message.chat_id, "answer to the chat id"))
        assert bob.inbox[-1].text == "answer to the chat id"


async def test_a_login_outlives_the_session_and_the_server(tmp_path: Path) -> None:
    async with serve(tmp_path / "whatsapp") as whatsapp, running(whatsapp, tmp_path / "a") as (session, recorder, _):
        bob = phone(whatsapp, BOB)
        await link(whatsapp, recorder)
        assert recorder.turns == 1
        await session.send(text(BOB, "before"))
    async with serve(tmp_path / "whatsapp") as whatsapp, running(whatsapp, tmp_path / "a") as (session, recorder, _):
        bob = phone(whatsapp, BOB)
        await recorder.next("client_ready")
        assert "qr_ready" not in recorder.reports
        assert recorder.turns == 0, "who is linked waits for nobody who links"
        await session.send(text(BOB, "after"))
        assert [each.text for each in bob.inbox] == ["before", "after"]
        await whatsapp.messages.incoming(bob, phone(whatsapp, ALICE), {"text": "still here"})
        assert (await recorder.message()).body == "still here"


async def test_a_pairing_code_links_without_a_scan(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        with pytest.raises(NotReady):
            await session.pairing_code(ALICE)
        await recorder.qr()
        code, until = await session.pairing_code("+1 555 000 1111")
        assert timedelta(seconds=150) < until - recorder.now() <= timedelta(seconds=160)
        await whatsapp.pairing.enter_code(code, ALICE)
        await recorder.next("client_ready")
        with pytest.raises(NotReady):
            await session.pairing_code(ALICE)


@pytest.mark.parametrize("number", ["", "Bob", "12345", "015550001111", "15550001111@s.whatsapp.net", "1" * 16])
async def test_a_wrong_number_gets_no_pairing_code(whatsapp: WhatsAppEmulator, tmp_path: Path, number: str) -> None:
    session = WhatsAppSession(Recorder(tmp_path, settings_for(whatsapp)))
    with pytest.raises(Refused) as refused:
        await session.pairing_code(number)
    assert refused.value.code is ErrorCode.INVALID_FIELDS


FILES = {
    "image": ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "image/png"),
    "document": ("отчёт.pdf", b"%PDF-1.7" + b"\0\n" * 50_000, "application/pdf"),
    "audio": ("voice.ogg", b"OggS\0\x02" + bytes(70_001), "audio/ogg; codecs=opus"),
    "video": ("clip.mp4", b"\0\0\0\x20ftypisom" + bytes(300_000), "video/mp4"),
}
LOCAL = {"media_private": "True"}


def file_to(to: str, kind: str, source: str, body: str = "", name: str | None = None) -> SendMessage:
    media = Media(kind=MediaKind(kind), source=source, file_name=name)
    return text(to, "placeholder").model_copy(update={"kind": MessageKind(kind), "media": media, "text": body})


async def test_files_of_every_kind_can_be_decrypted_by_the_receivers_phone(
    whatsapp: WhatsAppEmulator, files: Files, tmp_path: Path
) -> None:
    bob = phone(whatsapp, BOB)
    async with running(whatsapp, tmp_path / "a", **LOCAL) as (session, recorder, _):
        await link(whatsapp, recorder)
        for kind, (name, content, content_type) in FILES.items():
            url = files.add(kind, content)
            sent = await session.send(file_to(BOB, kind, url, f"caption of {kind}", name))
            got = next(each for each in bob.inbox if each.id == sent.messenger_id)
            assert got.media == {
                "kind": kind,
                "file_name": name if kind == "document" else None,
                "content_type": content_type,
                "size_bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            captions = [got.text] if kind != "audio" else [got.text, bob.inbox[-1].text]
            assert captions == ([f"caption of {kind}"] if kind != "audio" else ["", "caption of audio"])
        encrypted = [path.read_bytes() for path in (tmp_path / "whatsapp" / "media").iterdir()]
        assert len(encrypted) == len(FILES)
        assert not any(content[:32] in blob for blob in encrypted for _, content, _ in FILES.values())
        assert [each.media is None for each in phone(whatsapp, ALICE).inbox] == [False] * 3 + [True, False]
        await session.send(text(BOB, "a text after it"))
    assert [path.name for path in (tmp_path / "a").iterdir() if path.name.startswith("fetched-")] == []


async def test_a_document_without_a_caption_and_a_large_one(
    whatsapp: WhatsAppEmulator, files: Files, tmp_path: Path
) -> None:
    bob = phone(whatsapp, BOB)
    content = os.urandom(1 << 20) * 20
    async with running(whatsapp, tmp_path / "a", **LOCAL) as (session, recorder, _):
        await link(whatsapp, recorder)
        await session.send(file_to(BOB, "document", files.add("data.bin", content)))
    (got,) = bob.inbox
    assert got.text == ""
    assert got.media is not None
    assert (got.media["file_name"], got.media["sha256"]) == ("data.bin", hashlib.sha256(content).hexdigest())


async def test_a_file_that_cannot_be_had_or_uploaded_is_certainly_not_sent(
    whatsapp: WhatsAppEmulator, files: Files, tmp_path: Path
) -> None:
    bob = phone(whatsapp, BOB)
    url = files.add("a.png", FILES["image"][1])
    async with running(whatsapp, tmp_path / "a", **LOCAL) as (session, recorder, _):
        with pytest.raises(NotReady):
            await session.send(file_to(BOB, "image", url))
        assert not files.asked
        await link(whatsapp, recorder)
        for source, code in (
            (f"{files.url}/missing", ErrorCode.MEDIA_UNREACHABLE),
            (files.add("page", b"<html>"), ErrorCode.MEDIA_REFUSED),
        ):
            with pytest.raises(Refused) as refused:
                await session.send(file_to(BOB, "image", source))
            assert refused.value.code is code
        for status, kind, code in (
            (413, Refused, ErrorCode.MEDIA_REFUSED),
            (403, Refused, ErrorCode.MESSENGER_REFUSED),
            (500, NotReady, ErrorCode.MESSENGER_UNREACHABLE),
        ):
            whatsapp.media.refuse[ALICE] = status
            with pytest.raises(kind) as failed:
                await session.send(file_to(BOB, "image", url))
            assert failed.value.code is code
        assert not bob.inbox
        whatsapp.media.refuse.clear()
        await session.send(file_to(BOB, "image", url))
        assert len(bob.inbox) == 1


async def test_a_file_that_was_tampered_with_is_not_shown(
    whatsapp: WhatsAppEmulator, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = phone(whatsapp, BOB)
    honest = whatsapp.media._blob
    url = files.add("a.png", FILES["image"][1])
    async with running(whatsapp, tmp_path / "a", **LOCAL) as (session, recorder, _):
        await link(whatsapp, recorder)
        monkeypatch.setattr(whatsapp.media, "_blob", lambda part: bytes(16) + honest(part)[16:])
        await session.send(file_to(BOB, "image", url))
        assert not bob.inbox
        monkeypatch.undo()
        await session.send(file_to(BOB, "image", url))
        assert len(bob.inbox) == 1


async def test_an_account_that_dies_during_an_upload_has_not_sent_the_file(
    whatsapp: WhatsAppEmulator, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploading = asyncio.Event()

    async def never(_: object) -> None:
        uploading.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("mim.emulators.whatsapp.queries.Queries._media_connection", lambda *_: never(None))
    async with serve(tmp_path / "stuck") as stuck, running(stuck, tmp_path / "a", **LOCAL) as (session, recorder, run):
        await link(stuck, recorder)
        sending = asyncio.create_task(session.send(file_to(BOB, "image", files.add("a.png", FILES["image"][1]))))
        await asyncio.wait_for(uploading.wait(), WITHIN_S)
        assert session.pid is not None
        os.kill(session.pid, signal.SIGKILL)
        with pytest.raises(NotReady):
            await sending
        await ends_with(run, NotReady)
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.startswith("fetched-")]


async def test_a_long_upload_is_not_taken_for_silence(
    whatsapp: WhatsAppEmulator, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploading, release = asyncio.Event(), asyncio.Event()
    take = whatsapp.media.connection

    async def late(queries: Any, connection: Any, query: Any) -> None:
        uploading.set()

        async def answer() -> None:
            await release.wait()
            await connection.reply(query, take(connection.phone.number))

        connection.start(answer())

    monkeypatch.setattr("mim.emulators.whatsapp.queries.Queries._media_connection", late)
    async with serve(tmp_path / "late") as slow:
        phone(slow, BOB)
        impatient = {**LOCAL, "whatsapp_ping_s": "0.1", "whatsapp_ping_within_s": "2"}
        async with running(slow, tmp_path / "a", **impatient) as (session, recorder, run):
            await link(slow, recorder)
            sending = asyncio.create_task(session.send(file_to(BOB, "image", files.add("a.png", FILES["image"][1]))))
            await asyncio.wait_for(uploading.wait(), WITHIN_S)
            await asyncio.wait({run}, timeout=3)  # longer than a proof of life may take
            assert not run.done()
            release.set()
            await sending
            before = recorder.proofs
            await until(lambda: recorder.proofs > before)


async def test_the_log_tells_what_happened_and_no_text_and_no_number(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    bob = phone(whatsapp, BOB)
    async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
        await link(whatsapp, recorder)
        await session.send(text(BOB, "private words out"))
        with pytest.raises(Refused):
            await session.send(text("+1 999 888 7777", "private words out"))
        await whatsapp.messages.incoming(bob, phone(whatsapp, ALICE), {"text": "private words in"})
        await recorder.message()
        await whatsapp.log_out(phone(whatsapp, ALICE), 1)
        await ends_with(run, NeedsUser)
    events = [str(line["event"]) for line in recorder.lines]
    assert events[:3] == ["qr_shown", "whatsapp_linked", "whatsapp_connected"]
    assert events[3:] == ["message_not_sent", "message_received", "whatsapp_ended"]
    written = repr(recorder.lines)
    for secret in ("private words", ALICE, BOB, "19998887777"):
        assert secret not in written


async def test_unlinking_on_the_phone_ends_the_session_and_removes_the_login(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, run):
        await link(whatsapp, recorder)
        await whatsapp.log_out(phone(whatsapp, ALICE), 1)
        ended = await ends_with(run, NeedsUser)
        assert isinstance(ended.value, NeedsUser)
        assert (ended.value.code, ended.value.status) == (ErrorCode.LOGGED_OUT, Status.LOGGED_OUT)
        assert ended.value.user_action is UserAction.SCAN_QR
        assert "unlinked on the phone" in ended.value.message
        assert not list((tmp_path / "a").iterdir())
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)


async def test_a_login_revoked_while_away_ends_the_session_too(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)
    await whatsapp.log_out(phone(whatsapp, ALICE), 1)
    async with running(whatsapp, tmp_path / "a") as (_, _, run):
        assert (await ends_with(run, NeedsUser)).value.code is ErrorCode.LOGGED_OUT


async def test_logging_out_unlinks_the_device(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)
        await session.logout()
        assert not phone(whatsapp, ALICE).devices
        assert "reconnecting" not in recorder.reports


async def test_a_dropped_connection_comes_back_with_what_was_missed(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)
        whatsapp.drop(phone(whatsapp, ALICE), 1)
        await whatsapp.messages.incoming(phone(whatsapp, BOB), phone(whatsapp, ALICE), {"text": "while away"})
        await recorder.next("reconnecting")
        await recorder.next("client_ready")
        assert (await recorder.message()).body == "while away"
        await session.send(text(BOB, "back again"))


async def test_what_came_in_while_the_bus_was_away_is_stored_though_the_session_ends(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, run):
        await link(whatsapp, recorder)
        recorder.bus_is_there.clear()
        for number in range(5):
            await whatsapp.messages.incoming(phone(whatsapp, BOB), phone(whatsapp, ALICE), {"text": f"n{number}"})
        await until(lambda: sum(event["type"] == "receipt" for event in whatsapp.messages.events) >= 5)
        run.cancel()
        await asyncio.wait({run})
        recorder.bus_is_there.set()
        assert [(await recorder.message()).body for _ in range(5)] == [f"n{number}" for number in range(5)]
        await asyncio.gather(*recorder.outliving)


async def test_what_comes_in_while_the_session_ends_is_stored_or_comes_again(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    kept, stored = Kept(), set[str]()
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, _):
        await link(whatsapp, recorder)
    for end in range(5):
        async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, run):
            await recorder.next("client_ready")
            for number in range(12):
                text = {"text": f"n{end}-{number}"}
                await whatsapp.messages.incoming(phone(whatsapp, BOB), phone(whatsapp, ALICE), text)
                if number == 6:
                    run.cancel()
            await asyncio.wait({run})
            await asyncio.gather(*recorder.outliving)
            stored |= {message.body for message in recorder.received_so_far}
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, _):
        wanted = {f"n{end}-{number}" for end in range(5) for number in range(12)}
        async with asyncio.timeout(WITHIN_S):
            while stored < wanted:
                stored.add((await recorder.message()).body)
        assert stored == wanted


@pytest.mark.parametrize("reads", [True, False], ids=["", "while the worker is held"])
async def test_before_the_disk_is_full_it_leaves_and_what_came_in_meanwhile_waits_for_it(
    whatsapp: WhatsAppEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr(session_module, "_ROOM_BYTES", shutil.disk_usage(tmp_path).free - 500_000_000)
    kept, filler = Kept(), tmp_path / "filler"
    bob, alice = phone(whatsapp, BOB), phone(whatsapp, ALICE)
    async with running(whatsapp, tmp_path / "a", kept) as (session, recorder, run):
        await link(whatsapp, recorder)
        assert session._child is not None
        if not reads:
            pipe: asyncio.ReadTransport = session._child._stdout._transport  # type: ignore[attr-defined]
            pipe.pause_reading()
            for _ in range(100):  # a pipe holds 64 KB
                await whatsapp.messages.incoming(bob, alice, {"text": 1000 * "x"})
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 1_000_000_000)
        if not reads:
            await until(lambda: not whatsapp._connections)
            await whatsapp.messages.incoming(bob, alice, {"text": "meanwhile"})
            pipe.resume_reading()
        assert (await ends_with(run, NotReady)).value.code is ErrorCode.STORAGE_FULL
    if reads:
        await whatsapp.messages.incoming(bob, alice, {"text": "meanwhile"})
    async with running(whatsapp, tmp_path / "a", kept) as (_, _, run):
        assert "free space" in (await ends_with(run, NotReady)).value.message
    filler.unlink()
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, _):
        while (await recorder.message()).body != "meanwhile":
            pass


async def test_on_a_disk_that_has_filled_since_it_was_asked_for_a_session_does_not_even_connect(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)
    whatsapp.messages.events.clear()
    settings, room_bytes = settings_for(whatsapp), shutil.disk_usage(tmp_path).free + 1_000_000_000
    child = await ChildProcess.spawn(settings, recorder.log)
    where = {"db": str(tmp_path / "a" / DATABASE), "proxy": settings["whatsapp_proxy_url"]}
    await child.tell("start", room_bytes=room_bytes, **where)
    assert (await child.next_event())["event"] == "full"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.5):  # it would connect within a tenth of that
            await until(lambda: bool(whatsapp.messages.events))
    await child.stop()
    assert not whatsapp.messages.events


async def test_messages_that_come_twice_or_in_another_order_are_read_once_each(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)
        bob, alice = phone(whatsapp, BOB), phone(whatsapp, ALICE)
        whatsapp.phones.duplicating.add(ALICE)
        whatsapp.phones.reordering.add(ALICE)
        for number in range(4):
            await whatsapp.messages.incoming(bob, alice, {"text": f"text {number}"})
        whatsapp.phones.duplicating.clear()
        whatsapp.phones.reordering.clear()
        await whatsapp.messages.incoming(bob, alice, {"text": "last"})
        heard = [(await recorder.message()).body for _ in range(5)]
        assert heard == ["text 1", "text 0", "text 3", "text 2", "last"]


async def test_a_silent_messenger_is_noticed_though_the_connection_is_open(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    impatient = {"whatsapp_ping_s": "0.1", "whatsapp_ping_within_s": "1"}
    async with running(whatsapp, tmp_path / "a", **impatient) as (_, recorder, run):
        await link(whatsapp, recorder)
        before = recorder.proofs
        await until(lambda: recorder.proofs > before)
        phone(whatsapp, BOB)
        whatsapp.messages.faults[ALICE] = Fault(silent=True)
        assert (await ends_with(run, NotReady)).value.code is ErrorCode.MESSENGER_UNREACHABLE
    whatsapp.messages.faults.clear()
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await recorder.next("client_ready")
        await session.send(text(BOB, "well again"))


async def test_what_the_messenger_refuses_is_told_apart(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)
        phone(whatsapp, BOB)
        with pytest.raises(Refused) as unknown:
            await session.send(text("+1 999 888 7777", "anyone?"))
        assert unknown.value.code is ErrorCode.RECIPIENT_UNKNOWN

        whatsapp.messages.faults[ALICE] = Fault(refuse=463)
        with pytest.raises(Refused) as locked:
            await session.send(text(BOB, "new here"))
        assert locked.value.code is ErrorCode.REACHOUT_LOCKED

        whatsapp.messages.faults.clear()
        await session.send(text(BOB, "now it goes"))
        assert [each.text for each in phone(whatsapp, BOB).inbox] == ["now it goes"]


async def test_a_message_under_way_when_the_process_dies_is_uncertain(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    bob = phone(whatsapp, BOB)
    async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
        await link(whatsapp, recorder)
        whatsapp.messages.faults[ALICE] = Fault(delay_s=60)
        sending = asyncio.create_task(session.send(text(BOB, "did it go?")))
        await until(lambda: bool(bob.inbox))
        assert session.pid is not None
        os.kill(session.pid, signal.SIGKILL)
        with pytest.raises(MimError) as uncertain:
            await sending
        assert type(uncertain.value) is MimError
        assert uncertain.value.code is ErrorCode.UNCERTAIN
        await ends_with(run, NotReady)


async def test_a_message_under_way_when_the_session_is_stopped_is_finished(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    bob = phone(whatsapp, BOB)
    async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
        await link(whatsapp, recorder)
        whatsapp.messages.faults[ALICE] = Fault(delay_s=0.3)
        sending = asyncio.create_task(session.send(text(BOB, "goodbye")))
        await until(lambda: bool(bob.inbox))
        run.cancel()
        assert (await sending).messenger_id == bob.inbox[0].id


async def test_a_login_that_is_used_elsewhere_is_not_fought_over(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    async with running(whatsapp, tmp_path / "a") as (_, recorder, run):
        await recorder.next("client_ready")
        async with running(whatsapp, tmp_path / "copy") as (_, copy, _):
            await copy.next("client_ready")
            assert (await ends_with(run, Fatal)).value.code is ErrorCode.LOGIN_REPLACED


async def test_any_number_can_be_written_to_where_contacts_make_themselves(tmp_path: Path) -> None:
    friendly = serve(tmp_path / "whatsapp", auto_contacts=True)
    async with friendly as whatsapp, running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)
        await session.send(text("+44 20 7946 0000", "hello stranger"))
        assert phone(whatsapp, "442079460000").inbox[0].text == "hello stranger"


async def test_a_wish_for_a_passkey_is_told_to_the_person(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (_, recorder, run):
        await whatsapp.pairing.ask_passkey(await recorder.qr())
        ended = await ends_with(run, NeedsUser)
        assert isinstance(ended.value, NeedsUser)
        assert ended.value.status is Status.ACTION_REQUIRED
        assert "passkey" in ended.value.message


# The library's defects, in the order in which they are documented in the adapter's README.


async def test_defect_1_many_sends_at_once_are_serialised(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)
        bodies = [f"number {count}" for count in range(100)]
        bob = phone(whatsapp, BOB)
        await asyncio.gather(*(session.send(text(BOB, body)) for body in bodies))
        assert [each.text for each in bob.inbox] == bodies


async def test_defect_1_an_abort_takes_down_one_session_only(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    async with running(whatsapp, tmp_path / "b") as (bystander, other, _):
        await link(whatsapp, other, BOB)
        async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
            await link(whatsapp, recorder)
            assert session.pid is not None
            os.kill(session.pid, signal.SIGABRT)
            ended = await ends_with(run, NotReady)
            assert ended.value.code is ErrorCode.SESSION_CRASHED
            assert "SIGABRT" in ended.value.message
            with pytest.raises(NotReady):
                await session.send(text(BOB, "too late"))
        await bystander.send(text(ALICE, "untouched"))
        async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
            assert (await recorder.message()).body == "untouched"


async def test_defect_2_nothing_is_asked_of_a_client_that_is_not_connected(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
        for too_early in (session.send(text(BOB, "early")), session.pairing_code(ALICE)):
            with pytest.raises(NotReady):
                await too_early
        await session.logout()
        code = await recorder.qr()
        with pytest.raises(NotReady):
            await session.send(text(BOB, "early"))
        await session.logout()
        await whatsapp.pairing.scan(code, ALICE)
        await recorder.next("client_ready")
        assert not run.done()


async def test_defect_3_stopping_while_a_qr_code_is_shown_takes_less_than_three_seconds(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
        await recorder.qr()
        pid = session.pid
        assert pid is not None
        began = time.monotonic()
        run.cancel()
        await asyncio.wait([run])
        assert time.monotonic() - began < 3
        assert not is_alive(pid)


async def test_defect_3_a_child_that_hangs_is_killed_within_three_seconds(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    async with running(whatsapp, tmp_path / "a") as (session, recorder, run):
        await recorder.qr()
        pid = session.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        run.cancel()
        await asyncio.wait([run])
        assert time.monotonic() - began < 3
        assert not is_alive(pid)


async def test_a_child_whose_worker_died_before_it_began_does_nothing(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    wrapper = shlex.split(settings_for(whatsapp)["whatsapp_child_wrapper"])
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, *wrapper, "mim.whatsapp_adapter.child", "1", stdin=pipe, stdout=pipe
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps({"command": "start", "db": str(tmp_path / "db")}).encode() + b"\n")
    try:
        assert await asyncio.wait_for(child.stdout.read(), WITHIN_S) == b""
    finally:
        child.stdin.close()
        await child.wait()


async def test_defect_4_the_end_of_the_qr_codes_ends_the_session(tmp_path: Path) -> None:
    async with serve(tmp_path / "whatsapp", qr_refs=1) as whatsapp:
        async with running(whatsapp, tmp_path / "a") as (_, recorder, run):
            await recorder.qr()
            ended = await ends_with(run, NeedsUser)
            assert isinstance(ended.value, NeedsUser)
            assert (ended.value.code, ended.value.status) == (ErrorCode.QR_EXPIRED, Status.LOGGED_OUT)
            assert ended.value.user_action is UserAction.SCAN_QR
        async with running(whatsapp, tmp_path / "a") as (_, recorder, _):
            await link(whatsapp, recorder)


async def test_defect_5_more_than_five_sessions_work_on_two_cores(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    numbers = [f"1555100000{count}" for count in range(6)]
    async with contextlib.AsyncExitStack() as stack:
        sessions = []
        for number in numbers:
            session, recorder, _ = await stack.enter_async_context(running(whatsapp, tmp_path / number))
            sessions.append((session, recorder, number))
        await asyncio.gather(*(link(whatsapp, recorder, number) for _, recorder, number in sessions))
        await asyncio.gather(
            *(session.send(text(BOB, number)) for session, _, number in sessions if phone(whatsapp, BOB))
        )
        assert sorted(each.text for each in phone(whatsapp, BOB).inbox) == numbers


async def test_defect_6_a_start_without_network_is_tried_again(tmp_path: Path) -> None:
    async with serve(tmp_path / "whatsapp") as whatsapp:
        settings = settings_for(whatsapp)
    recorder = Recorder(tmp_path / "a", settings)
    ended = await ends_with(asyncio.create_task(WhatsAppSession(recorder).run()), NotReady)
    assert ended.value.code is ErrorCode.MESSENGER_UNREACHABLE
    async with serve(tmp_path / "whatsapp") as whatsapp, running(whatsapp, tmp_path / "a") as (_, recorder, _):
        await link(whatsapp, recorder)

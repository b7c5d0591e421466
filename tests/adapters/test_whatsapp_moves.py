"""A WhatsApp login goes on at another worker, with the real client library against the emulated server."""

from __future__ import annotations

import asyncio
import base64
import random
import sqlite3
import threading
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.adapters.test_whatsapp_session import (
    ALICE,
    BOB,
    Kept,
    Recorder,
    ends_with,
    link,
    phone,
    running,
    settings_for,
    text,
    until,
)

from mim.contracts.errors import NeedsUser, NotReady
from mim.emulators.whatsapp import WhatsAppEmulator, serve
from mim.runtime.session import MOST_LOGIN_BYTES, SessionContext
from mim.whatsapp_adapter import login_file
from mim.whatsapp_adapter.login_file import DATABASE, LoginFile, as_bytes, as_text, copied
from mim.whatsapp_adapter.session import WhatsAppSession


@pytest.fixture
async def whatsapp(tmp_path: Path) -> AsyncIterator[WhatsAppEmulator]:
    async with serve(tmp_path / "whatsapp") as emulator:
        yield emulator


async def talk(whatsapp: WhatsAppEmulator, session: WhatsAppSession, recorder: Recorder, body: str) -> None:
    """A message in and a message out, both of which are read."""
    bob = phone(whatsapp, BOB)
    await whatsapp.messages.incoming(bob, phone(whatsapp, ALICE), {"text": f"to Alice: {body}"})
    assert (await recorder.message()).body == f"to Alice: {body}"
    await session.send(text(BOB, f"to Bob: {body}"))
    assert bob.inbox[-1].text == f"to Bob: {body}"


def retries(whatsapp: WhatsAppEmulator) -> int:
    return sum(event.get("kind") == "retry" for event in whatsapp.messages.events)


async def test_an_account_moves_to_another_worker_and_back_without_a_scan(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (session, recorder, _):
        await link(whatsapp, recorder)
        for count in range(3):
            await talk(whatsapp, session, recorder, f"at A, {count}")
    for place in "bab":
        async with running(whatsapp, tmp_path / place, kept) as (session, recorder, _):
            await recorder.next("client_ready")
            assert "qr_ready" not in recorder.reports
            await talk(whatsapp, session, recorder, f"at {place}")
            await talk(whatsapp, session, recorder, f"at {place} again")
    assert retries(whatsapp) == 0
    assert len(phone(whatsapp, ALICE).devices) == 1


async def test_messages_that_came_between_two_workers_are_read(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (session, recorder, _):
        await link(whatsapp, recorder)
        await talk(whatsapp, session, recorder, "before")
    await whatsapp.messages.incoming(phone(whatsapp, BOB), phone(whatsapp, ALICE), {"text": "between"})
    async with running(whatsapp, tmp_path / "b", kept) as (_, recorder, _):
        assert (await recorder.message()).body == "between"
    assert retries(whatsapp) == 0


async def test_after_a_sudden_loss_nothing_is_lost_that_is_sent_and_nothing_that_comes(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    """What was kept last is older than the account: it has no conversations, so none goes on from a wrong place."""
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (session, recorder, _):
        await link(whatsapp, recorder)
        at_loss = replace(kept)
        for count in range(5):
            await talk(whatsapp, session, recorder, f"unkept {count}")
    bob = phone(whatsapp, BOB)
    async with running(whatsapp, tmp_path / "b", at_loss) as (session, recorder, _):
        await recorder.next("client_ready")
        assert "qr_ready" not in recorder.reports
        await session.send(text(BOB, "first of B"))
        assert bob.inbox[-1].text == "first of B"
        await talk(whatsapp, session, recorder, "then as ever")
    async with running(whatsapp, tmp_path / "c", at_loss) as (session, recorder, _):
        await recorder.next("client_ready")
        await talk(whatsapp, session, recorder, "handed over in order")


async def test_a_message_that_the_copy_cannot_open_is_sent_again(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (session, recorder, _):
        await link(whatsapp, recorder)
        at_loss = replace(kept)
        await talk(whatsapp, session, recorder, "unkept")
    async with running(whatsapp, tmp_path / "b", at_loss) as (_, recorder, _):
        await recorder.next("client_ready")
        await whatsapp.messages.incoming(phone(whatsapp, BOB), phone(whatsapp, ALICE), {"text": "are you there?"})
        assert (await recorder.message()).body == "are you there?"
    assert retries(whatsapp) == 1


async def test_whoever_was_overtaken_does_not_connect_and_changes_nothing(
    whatsapp: WhatsAppEmulator, tmp_path: Path
) -> None:
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, _):
        await link(whatsapp, recorder)
    late = Recorder(tmp_path / "a", settings_for(whatsapp), kept)
    async with running(whatsapp, tmp_path / "b", kept) as (session, recorder, _):
        await recorder.next("client_ready")
        before = replace(kept)
        overtaken = WhatsAppSession(late)
        with pytest.raises(NotReady):
            await overtaken.run()
        assert kept == before
        await talk(whatsapp, session, recorder, "undisturbed")


async def test_a_session_that_another_run_overtook_ends(
    whatsapp: WhatsAppEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_file, "_FIRST_S", 0.05)
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, run):
        await link(whatsapp, recorder)
        kept.login, kept.epoch = "another run's", 99
        await ends_with(run, NotReady)
    assert kept.login == "another run's"


async def test_what_changes_while_it_runs_is_kept_now_and_then(
    whatsapp: WhatsAppEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_file, "_FIRST_S", 0.05)
    monkeypatch.setattr(login_file, "_EVERY_S", 0.05)
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (session, recorder, _):
        await link(whatsapp, recorder)
        first = kept.login
        await session.send(text(phone(whatsapp, BOB).number, "a contact more"))
        await until(lambda: kept.login != first)


async def test_a_login_that_ended_leaves_nothing_to_go_on_with(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, run):
        await link(whatsapp, recorder)
        before = replace(kept)
        await whatsapp.log_out(phone(whatsapp, ALICE), 1)
        await ends_with(run, NeedsUser)
    assert kept == before  # the worker forgets it, and nothing was handed over after the end
    assert not list((tmp_path / "a").iterdir())


async def test_neither_log_nor_folder_shows_the_copy(whatsapp: WhatsAppEmulator, tmp_path: Path) -> None:
    kept = Kept()
    async with running(whatsapp, tmp_path / "a", kept) as (_, recorder, _):
        await link(whatsapp, recorder)
    async with running(whatsapp, tmp_path / "b", kept) as (_, other, _):
        await other.next("client_ready")
        assert {file.stat().st_mode & 0o777 for file in (tmp_path / "b").iterdir()} == {0o600}
    assert kept.login is not None
    assert kept.login[:40] not in repr(recorder.lines + other.lines)
    assert "login_taken_over" in repr(other.lines)


# ------------------------------------------------------------------------------------------------------ the copy


def counts(database: Path, copy: str | None, *tables: str) -> list[int]:
    assert copy is not None
    login_file._restore(database, copy)
    with closing(sqlite3.connect(database)) as opened:
        return [opened.execute(f"SELECT count(*) FROM whatsmeow_{table}").fetchone()[0] for table in tables]


@pytest.fixture
async def used(whatsapp: WhatsAppEmulator, tmp_path: Path) -> Path:
    """The file of an account that has talked to forty contacts."""
    async with running(whatsapp, tmp_path / "a") as (session, recorder, _):
        await link(whatsapp, recorder)
        for count in range(40):
            await session.send(text(phone(whatsapp, f"155500030{count:02}").number, "hello"))
    return tmp_path / "a" / DATABASE


@pytest.mark.parametrize("size_bytes", [0, 1, 2, 3, 4, 4095, 4096, 4097, 50_001])
def test_a_copy_is_written_as_base85(size_bytes: int) -> None:
    data = random.Random(size_bytes).randbytes(size_bytes)
    assert as_text(data) == base64.b85encode(data).decode()
    assert len(as_text(data)) == -(-size_bytes * 5 // 4)
    assert as_bytes(as_text(data)) == data


def test_the_largest_copy_takes_little_memory_meanwhile() -> None:
    data = random.Random(1).randbytes(MOST_LOGIN_BYTES * 4 // 5)
    tracemalloc.start()
    try:
        assert as_bytes(as_text(data)) == data
        assert tracemalloc.get_traced_memory()[1] < 5 * MOST_LOGIN_BYTES
    finally:
        tracemalloc.stop()


async def test_sessions_keep_their_logins_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2)

    def copy(_database: Path, *, whole: bool) -> str | None:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.1)
            pytest.fail(f"two copies at a time (whole: {whole})")
        return None

    monkeypatch.setattr(login_file, "copied", copy)
    context = cast("SessionContext", SimpleNamespace(data_dir=tmp_path))
    await asyncio.gather(LoginFile(context).keep(), LoginFile(context).keep())
    assert together.broken  # somebody waited for the other in vain


async def test_a_copy_is_as_small_as_it_must_be(used: Path, tmp_path: Path) -> None:
    restored = tmp_path / DATABASE
    whole, running_one = copied(used, whole=True), copied(used, whole=False)
    assert whole is not None
    assert running_one is not None
    tables = ("device", "pre_keys", "sessions")
    assert counts(restored, whole, *tables) == [1, 812, 41]
    assert counts(restored, running_one, *tables) == [1, 812, 0]
    smaller = copied(used, whole=True, most_bytes=len(whole) - 1_000)
    assert counts(restored, smaller, *tables) == [1, 812, 0]
    least = copied(used, whole=True, most_bytes=len(running_one) - 1_000)
    assert counts(restored, least, "device", "lid_map", "identity_keys") == [1, 0, 41]
    with pytest.raises(ValueError, match="too large"):
        copied(used, whole=True, most_bytes=1000)


async def test_there_is_no_copy_of_a_file_without_a_login(tmp_path: Path) -> None:
    assert copied(tmp_path / "none", whole=True) is None


async def test_what_a_killed_process_left_beside_the_file_is_no_part_of_the_next(used: Path, tmp_path: Path) -> None:
    copy = copied(used, whole=True)
    journal = used.with_name(DATABASE + "-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    assert counts(used, copy, "device") == [1]
    assert not journal.exists()

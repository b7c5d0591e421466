"""A Telegram session against the Bot API emulator, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramNetworkError

from mim.contracts.content import Media, MediaKind
from mim.contracts.errors import ErrorCode, Fatal, MimError, NeedsUser, NotReady, Refused, Rejected, Unavailable
from mim.contracts.messages import Change, GroupChanged, Receipt, SendMessage
from mim.contracts.states import Provider, Status, UserAction
from mim.contracts.values import Account, IncomingMessage, Restriction
from mim.emulators.telegram import Emulator, Fault, serve
from mim.runtime.fetch import Fetched, Limits
from mim.runtime.media import file_of
from mim.telegram_adapter.connection import Connections
from mim.telegram_adapter.failures import classify, end_of_message
from mim.telegram_adapter.session import TelegramSession

if TYPE_CHECKING:
    from tests.conftest import Files

BOT = 42
TOKEN = f"{BOT}:{'s3cret-' * 5}"
DEADLINE_S = 8.0


class Context:
    """What the worker gives a session; every report lands in `reports`."""

    def __init__(
        self, emulator: Emulator, token: str | None = TOKEN, proxy: str | None = None, **settings: str
    ) -> None:
        self.instance_id = "5f0c1d3e-0000-4000-8000-000000000042"
        self.settings: Mapping[str, str] = {"telegram_api_url": emulator.url, "telegram_poll_s": "1"} | settings
        given = {"token": token, "proxy": proxy}
        self.secrets: Mapping[str, str] = {name: secret for name, secret in given.items() if secret is not None}
        self.data_dir = Path("not-there")
        self.lines: list[Mapping[str, Any]] = []
        self.log = structlog.wrap_logger(None, processors=[self._keep], wrapper_class=structlog.BoundLogger)
        self.reports: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.history: list[str] = []
        self.broken_store = 0
        self.proofs = 0

    def _keep(self, _: object, __: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        self.lines.append(dict(event))
        raise structlog.DropEvent

    def told(self) -> list[str]:
        """The events of the log lines so far."""
        return [str(line["event"]) for line in self.lines]

    def _report(self, kind: str, what: object) -> None:
        self.history.append(kind)
        self.reports.put_nowait((kind, what))

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def qr_ready(self, code: str, expires_at: datetime) -> None:
        raise AssertionError(f"a bot has no QR code: {code} until {expires_at}")

    async def authenticated(self, account: Account) -> None:
        self._report("authenticated", account)

    async def client_ready(self, account: Account) -> None:
        self._report("client_ready", account)

    async def reconnecting(self, code: ErrorCode, message: str) -> None:
        self._report("reconnecting", (code, message))

    async def received(self, message: IncomingMessage) -> None:
        if self.broken_store:
            self.broken_store -= 1
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the bus is away")
        self._report("received", message)

    async def happened(self, kind: type[Receipt | Change | GroupChanged], *, at: datetime, **fields: Any) -> None:
        self._report(kind.name, fields | {"at": at})

    async def restricted(self, restriction: Restriction | None) -> None:
        self._report("restricted", restriction)

    def file(self, media: Media, most_bytes: int | None = None) -> AbstractAsyncContextManager[Fetched]:
        return file_of(media, self.instance_id, self.data_dir, Limits.of(self.settings, most_bytes), None)

    def proved(self) -> None:
        self.proofs += 1

    async def until(self, kind: str, within_s: float = DEADLINE_S) -> Any:
        """The content of the next report of a kind; others before it are passed over."""
        async with asyncio.timeout(within_s):
            while True:
                seen, what = await self.reports.get()
                if seen == kind:
                    return what
                assert seen != "ended", f"the session ended by {what!r} before {kind}"


@asynccontextmanager
async def running(context: Context) -> AsyncIterator[tuple[TelegramSession, asyncio.Task[None]]]:
    """A session whose `run` goes on until the block ends."""
    session = TelegramSession(context)
    task = asyncio.create_task(session.run())
    task.add_done_callback(
        lambda done: context.reports.put_nowait(("ended", None if done.cancelled() else done.exception()))
    )
    try:
        yield session, task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.done()


async def end_of(task: asyncio.Task[None]) -> Exception:
    """The error with which a session's `run` ends."""
    await asyncio.wait([task], timeout=DEADLINE_S)
    error = task.exception() if task.done() else None
    assert isinstance(error, Exception), f"the session did not end by an error: {task}"
    return error


def text_to(chat: int | str, text: str = "hello", **fields: Any) -> SendMessage:
    return SendMessage(
        id="m1",
        instance_id="5f0c1d3e-0000-4000-8000-000000000042",
        provider=Provider.TELEGRAM,
        to=str(chat),
        text=text,
        expires_at=datetime.now(UTC) + timedelta(minutes=5),
        **fields,
    )


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with serve(emulator=Emulator(conflict_pause_s=0.2)) as server:
        yield server


# --------------------------------------------------------------------------------------------------- login


async def test_a_token_leads_to_client_ready(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (session, _):
        account = await context.until("client_ready")
    assert account == Account(id="42", username="sandbox_42_bot", first_name="Bot 42") == session.account
    assert context.history == ["authenticated", "client_ready"]
    assert context.proofs >= 3
    assert (BOT, "deletewebhook", 200) not in emulator.calls


async def test_without_a_token_a_person_is_asked_for_one(emulator: Emulator) -> None:
    async with running(Context(emulator, token=None)) as (_, task):
        error = await end_of(task)
    assert isinstance(error, NeedsUser)
    assert (error.code, error.status, error.user_action) == (
        ErrorCode.TOKEN_MISSING,
        Status.ERROR,
        UserAction.NEW_TOKEN,
    )


@pytest.mark.parametrize("token", ["42", "not a token", "42:short", f"{BOT + 1}:{'refused' * 6}"])
async def test_a_token_that_telegram_does_not_know_is_refused(emulator: Emulator, token: str) -> None:
    emulator.refused.add(str(BOT + 1))
    async with running(Context(emulator, token)) as (_, task):
        error = await end_of(task)
    assert isinstance(error, NeedsUser)
    assert (error.code, error.user_action) == (ErrorCode.TOKEN_REJECTED, UserAction.NEW_TOKEN)


async def test_a_token_revoked_later_ends_the_session_and_a_new_one_works(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (_, task):
        await context.until("client_ready")
        emulator.say(BOT, 1001, "hello")
        await context.until("received")
        emulator.revoke(BOT)
        error = await end_of(task)
    assert isinstance(error, NeedsUser)
    assert error.code is ErrorCode.TOKEN_REJECTED
    renewed = Context(emulator, f"{BOT}:{'another-' * 5}")
    async with running(renewed):
        await renewed.until("client_ready")


async def test_a_webhook_that_is_set_is_deleted_and_its_updates_are_kept(emulator: Emulator) -> None:
    emulator.bot(BOT).webhook = "https://example.org/hook"
    emulator.say(BOT, 1001, "waited")
    context = Context(emulator)
    async with running(context):
        assert (await context.until("received")).body == "waited"
        await context.until("client_ready")
    assert "telegram_webhook_deleted" in context.told()


async def test_a_proxy_that_cannot_be_used_is_not_passed_over(emulator: Emulator) -> None:
    context = Context(emulator, proxy="socks5://user:pass@127.0.0.1:1080")
    async with running(context) as (_, task):
        assert isinstance(await end_of(task), Fatal)


async def test_an_http_proxy_carries_the_requests(emulator: Emulator) -> None:
    # The emulator answers requests for any host, as a proxy does.
    context = Context(emulator, proxy=emulator.url, telegram_api_url="http://api.telegram.invalid")
    async with running(context):
        await context.until("client_ready")


# ------------------------------------------------------------------------------------------------- receiving


async def test_messages_arrive_in_order_with_their_facts(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context):
        await context.until("client_ready")
        for number in range(250):
            emulator.say(BOT, 1001, f"text {number}", name="Bea")
        got = [await context.until("received") for _ in range(250)]
    assert [message.body for message in got] == [f"text {number}" for number in range(250)]
    first = got[0]
    assert (first.id, first.chat_id, first.type, first.is_group, first.from_me) == ("1", "1001", "text", False, False)
    assert (first.contact.id, first.contact.name) == ("1001", "Bea")
    assert abs(datetime.now(UTC) - first.timestamp) < timedelta(minutes=1)


async def test_media_groups_and_channels_are_told_apart(emulator: Emulator) -> None:
    context = Context(emulator)
    file = {"file_id": "f", "file_unique_id": "u"}
    channel = {"id": -1001, "type": "channel", "title": "News", "username": "news"}
    async with running(context):
        await context.until("client_ready")
        emulator.say(BOT, 1001, None, photo=[{**file, "width": 1, "height": 1}], caption="look")
        emulator.say(BOT, -100500, None, document=file)
        emulator.bot(BOT).push("chat_member", {})
        emulator.bot(BOT).push("channel_post", {"message_id": 7, "date": 1, "chat": channel, "text": "post"})
        photo, document, post = [await context.until("received") for _ in range(3)]
    assert (photo.type, photo.body, photo.is_group) == ("image", "look", False)
    assert (document.type, document.body, document.is_group) == ("document", "", True)
    assert (post.body, post.contact.name, post.contact.username) == ("post", "News", "news")


async def test_an_update_is_stored_before_telegram_may_forget_it(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (_, task):
        await context.until("client_ready")
        emulator.say(BOT, 1001, "stored")
        await context.until("received")
        context.broken_store = 1
        emulator.say(BOT, 1001, "not stored at first")
        error = await end_of(task)
    assert isinstance(error, NotReady)
    assert error.code is ErrorCode.BUS_UNAVAILABLE
    again = Context(emulator)
    async with running(again):
        assert (await again.until("received")).body == "not stored at first"


async def test_an_update_nobody_can_read_does_not_stop_the_bot(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context):
        await context.until("client_ready")
        emulator.bot(BOT).push("message", {"message_id": "no number", "chat": "no chat"})
        emulator.say(BOT, 1001, "after")
        assert (await context.until("received")).body == "after"
    assert "telegram_update_unreadable" in context.told()


# --------------------------------------------------------------------------------------------------- outages


async def test_one_lost_poll_is_reported_and_bridged(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context):
        await context.until("client_ready")
        for what in ({"drop": True}, {"lose": True}, {"status": 502}, {"body": "<html>bad gateway</html>"}):
            emulator.fault(Fault(method="getUpdates", **what))
            emulator.say(BOT, 1001, f"ends the present poll, {what}")
            code, _ = await context.until("reconnecting")
            assert code is ErrorCode.MESSENGER_UNREACHABLE
            await context.until("client_ready")
            while (await context.until("received")).body != f"ends the present poll, {what}":
                pass
    assert context.history.count("authenticated") == 1


async def test_updates_that_come_twice_or_in_another_order_are_told_once_each_in_theirs(emulator: Emulator) -> None:
    for number in range(5):
        emulator.say(BOT, 1001, f"text {number}")
    emulator.fault(Fault(method="getUpdates", duplicate=True, reorder=True))
    context = Context(emulator)
    async with running(context):
        heard = [(await context.until("received")).body for _ in range(5)]
        await context.until("client_ready")
        emulator.say(BOT, 1001, "last")
        heard.append((await context.until("received")).body)
    assert heard == [*(f"text {number}" for number in range(5)), "last"]


async def test_an_unreachable_telegram_ends_the_session_and_the_next_one_recovers(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (session, task):
        await context.until("client_ready")
        emulator.say(BOT, 1001, "before")
        await context.until("received")
        emulator.unreachable(BOT)
        await context.until("reconnecting")
        error = await end_of(task)
        with pytest.raises(NotReady):
            await session.send(text_to(1001))
    assert isinstance(error, NotReady)
    assert error.code is ErrorCode.MESSENGER_UNREACHABLE
    emulator.unreachable(BOT, on=False)
    emulator.say(BOT, 1001, "meanwhile")
    recovered = Context(emulator)
    async with running(recovered):
        while (await recovered.until("received")).body != "meanwhile":
            pass  # the one before may come once more: its poll was cut off before it could confirm
        await recovered.until("client_ready")


async def test_polls_that_keep_failing_are_not_called_ready(emulator: Emulator) -> None:
    emulator.fault(Fault(method="getUpdates", status=500, times=100))
    context = Context(emulator)
    async with running(context) as (_, task):
        assert isinstance(await end_of(task), NotReady)
    assert "client_ready" not in context.history


async def test_a_flood_wait_on_the_poll_is_handed_on(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (_, task):
        await context.until("client_ready")
        emulator.fault(Fault(method="getUpdates", status=429, retry_after=7))
        error = await end_of(task)
    assert isinstance(error, NotReady)
    assert (error.code, error.retry_after_s) == (ErrorCode.RATE_LIMITED, 7.0)


async def test_another_poller_is_named_and_ready_comes_back_only_when_it_is_gone(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (_, task), aiohttp.ClientSession() as client:
        await context.until("client_ready")
        async with client.get(f"{emulator.url}/bot{TOKEN}/getUpdates", params={"timeout": 1}) as other:
            assert other.status == 200
        error = await end_of(task)
    assert isinstance(error, NotReady)
    assert error.code is ErrorCode.OTHER_POLLER
    assert "someone else polls this bot" in error.message
    contested = Context(emulator)
    async with running(contested) as (_, task), aiohttp.ClientSession() as client:
        await contested.until("authenticated")
        while not task.done():
            async with client.get(f"{emulator.url}/bot{TOKEN}/getUpdates", params={"timeout": 1}) as other:
                assert other.status in (200, 409)
        assert isinstance(await end_of(task), NotReady)
    assert "client_ready" not in contested.history
    alone = Context(emulator)
    emulator.say(BOT, 1001, "for whoever polls")
    async with running(alone):
        await alone.until("client_ready")


# --------------------------------------------------------------------------------------------------- sending


async def test_a_sent_message_has_telegrams_id_and_chat(emulator: Emulator) -> None:
    emulator.bot(BOT).message_id = 225
    emulator.add_chat("@news", "News")
    context = Context(emulator)
    async with running(context) as (session, _):
        await context.until("client_ready")
        sent = await session.send(text_to(1001, "<b>hi</b>", parse_mode="HTML", disable_web_page_preview=True))
        posted = await session.send(text_to("@news", "post"))
    assert (sent.messenger_id, sent.chat_id) == ("225", "1001")
    assert (posted.messenger_id, posted.chat_id) == ("226", "-1001000000000")
    assert [(m["text"], m["parse_mode"]) for m in emulator.inbox(1001)] == [("<b>hi</b>", "HTML")]
    assert [m["text"] for m in emulator.inbox("@news")] == ["post"]


@pytest.mark.parametrize(
    ("to", "text", "fault", "code"),
    [
        ("@nobody", "hello", None, ErrorCode.RECIPIENT_UNKNOWN),
        ("1001", "hello", Fault(status=403), ErrorCode.RECIPIENT_BLOCKED),
        ("1001", "x" * 4097, None, ErrorCode.MESSENGER_REFUSED),
        ("1001", "   ", None, ErrorCode.MESSENGER_REFUSED),
        ("1001", "hello", Fault(status=404), ErrorCode.MESSENGER_REFUSED),
    ],
)
async def test_a_refused_message_leaves_the_session_alone(
    emulator: Emulator, to: str, text: str, fault: Fault | None, code: ErrorCode
) -> None:
    context = Context(emulator)
    async with running(context) as (session, _):
        await context.until("client_ready")
        if fault:
            emulator.fault(Fault(bot=BOT, method="sendMessage", status=fault.status))
        with pytest.raises(Refused) as refused:
            await session.send(text_to(to, text))
        assert refused.value.code is code
        assert (await session.send(text_to(1002))).chat_id == "1002"


async def test_a_flood_wait_on_a_send_holds_that_chat_only(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (session, _):
        await context.until("client_ready")
        emulator.fault(Fault(method="sendMessage", status=429, retry_after=30))
        for _ in range(2):
            with pytest.raises(NotReady) as limited:
                await session.send(text_to(1001))
            assert limited.value.code is ErrorCode.RATE_LIMITED
            assert limited.value.retry_after_s == pytest.approx(30, abs=2)
        await session.send(text_to(1002))
    assert [status for _, method, status in emulator.calls if method == "sendmessage"] == [429, 200]


@pytest.mark.parametrize("fault", [Fault(lose=True), Fault(drop=True), Fault(status=500), Fault(body="<html>")])
async def test_a_send_without_a_clear_answer_stays_open(emulator: Emulator, fault: Fault) -> None:
    context = Context(emulator)
    async with running(context) as (session, _):
        await context.until("client_ready")
        emulator.fault(Fault(method="sendMessage", **_effect(fault)))
        with pytest.raises(MimError) as open_end:
            await session.send(text_to(1001))
        assert open_end.value.code is ErrorCode.UNCERTAIN
        assert not isinstance(open_end.value, Refused | NotReady)
        await session.send(text_to(1001))


async def test_a_send_that_found_no_server_was_certainly_not_sent() -> None:
    async with serve() as emulator:
        url = emulator.url
    connections = Connections(url, None)
    with pytest.raises(TelegramNetworkError) as refused:
        await Bot(TOKEN, session=connections).send_message("1001", "hello")
    await connections.close()
    error = end_of_message(classify(refused.value, TOKEN))
    assert isinstance(error, NotReady)
    assert error.code is ErrorCode.MESSENGER_UNREACHABLE


async def test_a_group_that_became_a_supergroup_is_followed(emulator: Emulator) -> None:
    body = '{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat",'
    body += '"parameters":{"migrate_to_chat_id":-100777}}'
    context = Context(emulator)
    async with running(context) as (session, _):
        await context.until("client_ready")
        emulator.fault(Fault(method="sendMessage", status=400, body=body))
        assert (await session.send(text_to(-777))).chat_id == "-100777"


async def test_a_send_that_learns_of_a_revoked_token_ends_the_session(emulator: Emulator) -> None:
    context = Context(emulator, telegram_poll_s="50")
    async with running(context) as (session, task):
        await context.until("client_ready")
        emulator.fault(Fault(method="sendMessage", status=401))
        with pytest.raises(Refused):
            await session.send(text_to(1001))
        error = await end_of(task)
    assert isinstance(error, NeedsUser)
    assert error.user_action is UserAction.NEW_TOKEN


async def test_bursts_to_one_chat_are_paced_and_pacing_can_be_switched_off(emulator: Emulator) -> None:
    async def burst(**settings: str) -> float:
        context = Context(emulator, **settings)
        async with running(context) as (session, _):
            await context.until("client_ready")
            clock = asyncio.get_running_loop().time
            started = clock()
            for _ in range(4):
                await session.send(text_to(1001))
            return clock() - started

    assert await burst(telegram_pacing="off") < 0.8
    assert 0.8 < await burst() < 3


# ----------------------------------------------------------------------------------------------------- files

FILES = {
    "image": ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40),
    "document": ('отчёт "v2".pdf', b"%PDF-1.7" + b"\r\n--boundary\0" * 5_000),
    "audio": ("song.mp3", b"ID3\x04" + bytes(70_000)),
    "video": ("clip.mp4", b"\0\0\0\x20ftypisom" + bytes(300_000)),
}


def file_to(chat: int | str, kind: str, source: str, text: str = "", name: str | None = None) -> SendMessage:
    media = Media(kind=MediaKind(kind), source=source, file_name=name)
    return text_to(chat, text, media=media)


def with_files(emulator: Emulator, folder: Path, **settings: str) -> Context:
    context = Context(emulator, **{"media_private": "True", **settings})
    context.data_dir = folder
    return context


async def test_files_of_every_kind_arrive_as_they_are(emulator: Emulator, files: Files, tmp_path: Path) -> None:
    context = with_files(emulator, tmp_path)
    async with running(context) as (session, _):
        await context.until("client_ready")
        for number, (kind, (name, content)) in enumerate(FILES.items()):
            url = files.add(f"{number}", content)
            sent = await session.send(file_to(1001 + number, kind, url, f"caption {kind}", name))
            (got,) = emulator.inbox(1001 + number)
            assert (str(got["message_id"]), got["caption"]) == (sent.messenger_id, f"caption {kind}")
            assert got["media"] == {
                "kind": kind,
                "file_name": name,
                "size_bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    assert not list(tmp_path.iterdir())
    assert "message_not_sent" not in context.told()


async def test_a_file_may_have_no_caption_and_the_name_of_its_url(
    emulator: Emulator, files: Files, tmp_path: Path
) -> None:
    context = with_files(emulator, tmp_path)
    async with running(context) as (session, _):
        await context.until("client_ready")
        await session.send(file_to("-100500", "image", files.add("a.png", FILES["image"][1])))
    (got,) = emulator.inbox("-100500")
    assert (got["caption"], got["media"]["file_name"]) == ("", "a.png")


async def test_a_large_file_goes_through_the_disk(emulator: Emulator, files: Files, tmp_path: Path) -> None:
    content = FILES["video"][1][:16] + b"\x5a" * (40 << 20)
    context = with_files(emulator, tmp_path)
    async with running(context) as (session, _):
        await context.until("client_ready")
        await session.send(file_to(1001, "video", files.add("long.mp4", content)))
    (got,) = emulator.inbox(1001)
    assert got["media"]["sha256"] == hashlib.sha256(content).hexdigest()


async def test_a_file_that_cannot_be_had_is_certainly_not_sent(
    emulator: Emulator, files: Files, tmp_path: Path
) -> None:
    context = with_files(emulator, tmp_path)
    async with running(context) as (session, _):
        await context.until("client_ready")
        cases = {
            f"{files.url}/missing.png": ErrorCode.MEDIA_UNREACHABLE,
            files.add("page.png", b"<html>"): ErrorCode.MEDIA_REFUSED,
            files.add("empty.png", b""): ErrorCode.MEDIA_REFUSED,
            files.add("huge.png", FILES["image"][1] + bytes(10 << 20)): ErrorCode.MEDIA_REFUSED,
        }
        for url, code in cases.items():
            with pytest.raises(Refused) as refused:
                await session.send(file_to(1001, "image", url))
            assert refused.value.code is code, url
        assert not [call for call in emulator.calls if call[1] == "sendphoto"]
        await session.send(file_to(1001, "document", f"{files.url}/huge.png"))
    assert "10 MiB" in refused.value.message
    assert [line["code"] for line in context.lines if line["event"] == "message_not_sent"] == list(cases.values())


async def test_private_addresses_are_not_fetched_from_unless_allowed(
    emulator: Emulator, files: Files, tmp_path: Path
) -> None:
    context = with_files(emulator, tmp_path, media_private="False")
    url = files.add("a.png", FILES["image"][1])
    async with running(context) as (session, _):
        await context.until("client_ready")
        with pytest.raises(Refused) as refused:
            await session.send(file_to(1001, "image", url))
    assert refused.value.code is ErrorCode.MEDIA_REFUSED
    assert not files.asked


async def test_what_telegram_says_of_a_file_is_passed_on(emulator: Emulator, files: Files, tmp_path: Path) -> None:
    context = with_files(emulator, tmp_path)
    url = files.add("a.png", FILES["image"][1])
    async with running(context) as (session, _):
        await context.until("client_ready")
        with pytest.raises(Refused) as refused:
            await session.send(file_to(1001, "image", url, "x" * 1025))
        assert "caption is too long" in refused.value.message
        emulator.fault(Fault(method="sendPhoto", status=413, description="Request Entity Too Large"))
        with pytest.raises(Refused) as refused:
            await session.send(file_to(1001, "image", url))
        assert refused.value.code is ErrorCode.MESSENGER_REFUSED
        emulator.fault(Fault(method="sendPhoto", lose=True))
        with pytest.raises(MimError) as open_end:
            await session.send(file_to(1001, "image", url))
        assert open_end.value.code is ErrorCode.UNCERTAIN
        emulator.fault(Fault(method="sendPhoto", status=429, retry_after=30))
        for _ in range(2):
            with pytest.raises(NotReady):
                await session.send(file_to(1002, "image", url))
    assert files.asked.count("a.png") == 4  # not for a chat that has to wait anyway


async def test_what_a_killed_session_left_is_removed(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "fetched-left").write_bytes(b"x")
    context = with_files(emulator, tmp_path)
    async with running(context):
        await context.until("client_ready")
    assert not list(tmp_path.iterdir())


async def test_a_bot_has_no_pairing_code(emulator: Emulator) -> None:
    with pytest.raises(Rejected) as rejected:
        await TelegramSession(Context(emulator)).pairing_code("+1 555 000 1111")
    assert rejected.value.code is ErrorCode.NOT_SUPPORTED


# --------------------------------------------------------------------------------------------------- secrecy


async def test_the_log_tells_what_happened_and_no_text(emulator: Emulator) -> None:
    context = Context(emulator)
    async with running(context) as (session, _):
        await context.until("client_ready")
        await session.send(text_to(1001, "private words out"))
        with pytest.raises(Refused):
            await session.send(text_to("@nobody", "private words out"))
        emulator.say(BOT, 1001, "private words in")
        await context.until("received")
        emulator.say(BOT, 1001, "another, so that the line about the first is there")
        await context.until("received")
    assert context.told()[:3] == ["telegram_logged_in", "message_not_sent", "message_received"]
    assert context.lines[1]["code"] is ErrorCode.RECIPIENT_UNKNOWN
    assert "private words" not in repr(context.lines)


async def test_the_token_shows_in_no_error_and_no_log_line(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = TOKEN.partition(":")[2]
    errors: list[BaseException] = []
    faults = [
        Fault(drop=True),
        Fault(lose=True),
        Fault(status=400, description=f"Bad Request: /bot{TOKEN}/sendMessage"),
        Fault(status=429, retry_after=1),
        Fault(status=500),
        Fault(status=401),
        Fault(body=TOKEN),
    ]
    for number, fault in enumerate(faults, start=1):
        for method in ("getMe", "getUpdates", "sendMessage"):
            context = Context(emulator, f"{number}{len(method)}:{secret}")
            if method != "sendMessage":
                emulator.fault(Fault(method=method, **_effect(fault)))
            async with running(context) as (session, task):
                if method == "sendMessage":
                    await context.until("client_ready")
                    emulator.fault(Fault(method=method, **_effect(fault)))
                    with pytest.raises(MimError) as failed:
                        await session.send(text_to(1))
                    errors.append(failed.value)
                else:
                    errors.append(await end_of(task))
                assert secret not in repr(session)
            assert secret not in repr(context.lines)
    assert len(errors) == 3 * len(faults)
    for error in errors:
        assert secret not in "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert secret not in caplog.text


def _effect(fault: Fault) -> dict[str, Any]:
    return {key: getattr(fault, key) for key in ("drop", "lose", "status", "description", "retry_after", "body")}


# ---------------------------------------------------------------------------------------------------- scale


async def test_two_hundred_bots_share_the_connections_and_all_are_polled(emulator: Emulator) -> None:
    contexts = [Context(emulator, f"{number}:{'t' * 35}", telegram_poll_s="50") for number in range(1, 201)]
    tasks = [asyncio.create_task(TelegramSession(context).run()) for context in contexts]
    for context in contexts:
        await context.until("client_ready", within_s=60)  # on a busy machine two hundred logins take any time
    for number, context in enumerate(contexts, start=1):
        emulator.say(number, 1001, f"for {number}")
        assert (await context.until("received")).body == f"for {number}"
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)
    assert all(task.cancelled() for task in tasks)
    assert {bot["max_pollers"] for bot in emulator.bots()} == {1}

"""One Telegram bot: its login, its poll, its sending. All bots of a process share their HTTP connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.methods import DeleteWebhook, GetFile, GetMe, GetUpdates, GetWebhookInfo, TelegramMethod
from aiogram.types import Message, Update
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientError, ClientTimeout

from mim.contracts.content import MessageKind
from mim.contracts.errors import (
    ErrorCode,
    Fatal,
    MimError,
    NeedsUser,
    NotReady,
    Refused,
    Rejected,
    SessionEnded,
    Unavailable,
)
from mim.contracts.login import LoginFieldName
from mim.contracts.messages import SendMessage
from mim.contracts.states import Status, UserAction
from mim.contracts.values import Account, IncomingMessage, Restriction
from mim.runtime.fetch import Fetched, sweep
from mim.runtime.session import SentMessage, SessionContext
from mim.telegram_adapter.connection import PRODUCTION_URL, Connections, shared
from mim.telegram_adapter.failures import (
    CallError,
    Kind,
    classify,
    end_of_download,
    end_of_message,
    end_of_session,
    rejected,
    unreachable,
)
from mim.telegram_adapter.groups import GroupMethods
from mim.telegram_adapter.incoming import UPDATE_KINDS, media_of, read, salvage
from mim.telegram_adapter.outgoing import MOST_BYTES, caption_edit, method
from mim.telegram_adapter.pacing import Pacer

T = TypeVar("T")

CONNECT_S = 10.0  # past this without a connection, a message was certainly not sent
ANSWER_S = 10.0  # how long Telegram may take for an answer; a poll has this on top of its own time
SEND_S = 30.0
DOWNLOAD_S = 60
POLL_S = 25  # a dead link shows after POLL_S + ANSWER_S; Telegram allows 50 s
# Asks for everything, as 0 does, but differs from the 0 of an idle bot's earlier session: Telegram holds a poll for 3 s
# that repeats the offset of one less than 3 s before (Client::process_get_updates_query in tdlib/telegram-bot-api).
FIRST_OFFSET = 1
LONGEST_PAUSE_S = 1.5  # what has to wait longer waits in the outbox, where it can be seen
NOT_A_TEXT = "there is no text in the message to edit"  # Client::process_edit_message_text_query, in lower case there
TRIAL_S = 10  # a poll that lives so long after a conflict shows that the other program is gone

# Bots that lost a poll to someone else, as (server, bot id). A session is new after every failure, and without this
# each new one would call itself ready until the other program takes the next poll away.
_contested: set[tuple[str, int]] = set()


class TelegramSession(GroupMethods):
    """A bot of the Bot API as `mim.runtime.session.Session`.

    Settings: `telegram_api_url`, `telegram_poll_s` (whole seconds), `telegram_pacing` ("off" for benchmarks only),
    `media_max_bytes`, `media_private`.
    Secrets: `token`, and `proxy` (an HTTP proxy's URL).
    """

    def __init__(self, context: SessionContext) -> None:
        self.account: Account | None = None
        """Who the bot is, once it logged in."""
        self._context = context
        self._api_url = context.settings.get("telegram_api_url") or PRODUCTION_URL
        self._poll_s = int(context.settings.get("telegram_poll_s") or POLL_S)
        self._paced = context.settings.get("telegram_pacing") != "off"
        self._proxy = context.secrets.get("proxy") or None
        self._pacer = Pacer()
        self._bot: Bot | None = None
        self._offset = 0
        self._rejection: NeedsUser | None = None
        self._until_rejected = asyncio.timeout(None)

    async def run(self) -> None:
        """Log in, report, poll; see `mim.runtime.session.Session.run`.

        Raises: NeedsUser if there is no token or Telegram rejects it, now or later (a send may be the first to notice).
        NotReady if Telegram cannot be reached, asks to wait, or somebody else polls this bot. Fatal if the proxy's URL
        cannot be used.
        """
        self._check_secrets()
        sweep(self._context.data_dir)
        try:
            async with self._until_rejected, shared(self._api_url, self._proxy) as connections:
                self._bot = self._make_bot(connections)
                await self._poll_forever(await self._log_in())
        except CallError as failure:
            ended: SessionEnded = self._end(failure)
        except Unavailable as error:
            ended = NotReady(error.code, error.message, error.retry_after_s)
        except TimeoutError:
            if self._rejection is None:
                raise
            ended = self._rejection
        finally:
            self._bot = None
        self._context.log.warning("telegram_ended", code=ended.code, why=ended.message)
        raise ended  # outside of the handlers, so that the library's error does not hang on to it

    async def send(self, message: SendMessage) -> SentMessage:
        """Send one text or file when the pace allows it; see `mim.runtime.session.Session.send`.

        A group that became a supergroup is followed. A wait that Telegram imposed on a chat is kept without asking.
        """
        try:
            return await self._send(message)
        except MimError as error:
            self._context.log.warning("message_not_sent", message_id=message.id, code=error.code, why=error.message)
            raise

    async def _send(self, message: SendMessage) -> SentMessage:
        if message.media is None:
            return await self._send_now(message, None)
        self._check_ready(message.to)  # before a file is fetched for nothing
        async with self._context.file(message.media, MOST_BYTES[message.media.kind]) as file:
            return await self._send_now(message, file)

    async def _send_now(self, message: SendMessage, file: Fetched | None) -> SentMessage:
        outcome = await self._try_send(message, message.to, file)
        if isinstance(outcome, CallError) and outcome.kind is Kind.MIGRATED:
            outcome = await self._try_send(message, str(outcome.migrated_to), file)
        if isinstance(outcome, SentMessage):
            return outcome
        if outcome.kind is Kind.UNAUTHORIZED and self._rejection is None and self._bot is not None:
            self._rejection = rejected()
            self._until_rejected.reschedule(asyncio.get_running_loop().time())
        raise end_of_message(outcome)

    async def download(self, reference: str, path: Path, most_bytes: int) -> None:
        """Write a file that Telegram has to `path`: at most 20 MB (https://core.telegram.org/bots/api#getfile).

        Raises: see `mim.runtime.session.Session.download`.
        """
        try:
            found = await self._ask(GetFile(file_id=reference), ANSWER_S)
        except CallError as failure:
            raise end_of_download(failure) from None
        if (found.file_size or 0) > most_bytes:
            raise Refused(ErrorCode.MEDIA_REFUSED, f"the file is larger than {most_bytes:,} bytes")
        bot = self._bot
        if bot is None or found.file_path is None:
            raise NotReady(ErrorCode.NOT_READY, "the bot is not connected at the moment")
        try:
            await bot.download_file(found.file_path, path, timeout=DOWNLOAD_S)
        except (AiogramError, ClientError, OSError, TimeoutError) as error:
            raise end_of_download(classify(error, bot.token.partition(":")[2])) from None

    async def pairing_code(self, phone_number: str) -> tuple[str, datetime]:
        """Raises: Rejected always: a bot logs in by its token."""
        del phone_number
        raise Rejected(ErrorCode.NOT_SUPPORTED, "a Telegram bot logs in by its token: there is no pairing code")

    async def answer_login(self, fields: Mapping[LoginFieldName, str]) -> None:
        """Raises: Rejected always."""
        del fields
        raise Rejected(ErrorCode.NOT_SUPPORTED, "a Telegram bot logs in by its token: there is nothing to enter")

    async def logout(self) -> None:
        """Do nothing: a bot's login is its token, and only @BotFather revokes it.

        The Bot API's logOut is for moving to another server and would lock the bot out of this one for 10 minutes
        (https://core.telegram.org/bots/api#logout).
        """

    def _check_secrets(self) -> None:
        if not self._context.secrets.get("token"):
            message = "the bot has no token: get one from @BotFather and set it"
            raise NeedsUser(ErrorCode.TOKEN_MISSING, message, status=Status.ERROR, user_action=UserAction.NEW_TOKEN)
        if self._proxy and not self._proxy.startswith(("http://", "https://")):
            raise Fatal(ErrorCode.INVALID_FIELDS, "a Telegram bot can only use a proxy whose URL begins with http://")

    def _make_bot(self, connections: Connections) -> Bot:
        try:
            return Bot(self._context.secrets["token"].strip(), session=connections)
        except TokenValidationError:
            problem = CallError(Kind.UNAUTHORIZED, "not the form of a bot token")
        raise problem

    async def _log_in(self) -> Account:
        me = await self._ask(GetMe(), ANSWER_S)
        account = self.account = Account(id=str(me.id), username=me.username, first_name=me.first_name)
        self._context.log.info("telegram_logged_in", bot_id=account.id, username=account.username)
        await self._context.authenticated(account)
        # Only where a webhook is set: getUpdates answers 409 as long as there is one. To delete without looking would
        # be one write a start for every bot, and would leave no trace of the program that is cut off by it.
        webhook = await self._ask(GetWebhookInfo(), ANSWER_S)
        if webhook.url:
            self._context.log.warning("telegram_webhook_deleted", pending_updates=webhook.pending_update_count)
            await self._ask(DeleteWebhook(), ANSWER_S)
        # The first poll comes before 'ready': it proves that messages can be received, and brings in what waited.
        contested = (self._api_url, me.id) in _contested
        self._offset = FIRST_OFFSET
        await self._poll(min(TRIAL_S, self._poll_s) if contested else 0)
        if self._offset == FIRST_OFFSET:
            self._offset = 0
        _contested.discard((self._api_url, me.id))
        await self._context.client_ready(account)
        return account

    async def _poll_forever(self, account: Account) -> None:
        """Poll until something ends the session.

        One poll that fails is bridged here: reported, proved over by getMe, and polling goes on. Two in a row, or a
        getMe that fails as well, are an outage.
        """
        bridged = False
        while True:
            try:
                await self._poll(self._poll_s)
                bridged = False
                continue
            except CallError as failure:
                if bridged or not failure.is_outage:
                    raise
                problem = unreachable(failure)
            await self._context.reconnecting(ErrorCode.MESSENGER_UNREACHABLE, problem)
            await self._ask(GetMe(), ANSWER_S)
            bridged = True
            await self._context.client_ready(account)

    async def _poll(self, timeout_s: int) -> None:
        """Wait up to `timeout_s` for updates and store them; only then move the offset, which deletes at Telegram."""
        method = GetUpdates(offset=self._offset, timeout=timeout_s, allowed_updates=UPDATE_KINDS)
        try:
            got: list[tuple[int, Update | None]] = [
                (update.update_id, update) for update in await self._ask(method, timeout_s + ANSWER_S)
            ]
        except CallError as failure:
            readable = salvage(failure.answer)
            if readable is None:
                raise
            got = readable
        for update_id, update in sorted(dict(got).items()):
            told = read(update) if update else None
            if isinstance(told, IncomingMessage):
                await self._context.received(told)
                self._context.log.info("message_received", messenger_id=told.id, type=told.type)
            elif told is not None:
                await self._context.happened(told.kind, at=told.at, **told.fields)
            elif update is None:
                self._context.log.warning("telegram_update_unreadable", update_id=update_id)
            self._offset = update_id + 1

    async def _try_send(self, message: SendMessage, chat: str, file: Fetched | None) -> SentMessage | CallError:
        await self._pace(chat)
        try:
            answer = await self._call(message, chat, file)
        except CallError as failure:
            if failure.retry_after_s is not None:
                await self._hold(chat, failure.retry_after_s)
            return failure
        if isinstance(answer, Message):
            identity, where = str(answer.message_id), str(answer.chat.id)
            body = answer.text or answer.caption if message.kind is MessageKind.FORWARD else None
            return SentMessage(messenger_id=identity, chat_id=where, media=media_of(answer), body=body)
        return SentMessage(messenger_id=message.target.id if message.target else "", chat_id=chat)

    async def _call(self, message: SendMessage, chat: str, file: Fetched | None) -> object:
        try:
            return await self._ask(method(message, chat, file), SEND_S)
        except CallError as failure:
            if message.kind is not MessageKind.EDIT or NOT_A_TEXT not in failure.description:
                raise
        return await self._ask(caption_edit(message, chat), SEND_S)

    async def _hold(self, chat: str, wait_s: float) -> None:
        """Telegram asked to wait: nothing goes there before, and whoever looks sees why."""
        self._pacer.hold(chat, asyncio.get_running_loop().time() + wait_s)
        until = self._context.now() + timedelta(seconds=wait_s)
        await self._context.restricted(Restriction(kind="flood_wait", scope=f"chat {chat}", until=until))

    def _check_ready(self, chat: str) -> None:
        if self._bot is None:
            raise NotReady(ErrorCode.NOT_READY, "the bot is not connected at the moment")
        if held_s := self._pacer.held(chat, asyncio.get_running_loop().time()):
            raise NotReady(ErrorCode.RATE_LIMITED, "Telegram asked to wait before the next message there", held_s)

    async def _pace(self, chat: str) -> None:
        self._check_ready(chat)
        clock = asyncio.get_running_loop().time
        while self._paced and (wait_s := self._pacer.take(chat, clock())) > 0:
            if wait_s > LONGEST_PAUSE_S:
                message = "Telegram lets a bot send at most 20 messages a minute to a group"
                raise NotReady(ErrorCode.RATE_LIMITED, message, wait_s)
            await asyncio.sleep(wait_s)

    async def _ask(self, method: TelegramMethod[T], timeout_s: float) -> T:
        """Call a method of the Bot API.

        Raises: CallError, never chained to the library's error (it may hold the token). NotReady if not connected.
        """
        bot = self._bot
        if bot is None:
            raise NotReady(ErrorCode.NOT_READY, "the bot is not connected at the moment")
        # aiogram types this as whole seconds, but hands it to aiohttp as it is.
        limit = cast("int", ClientTimeout(total=timeout_s, connect=CONNECT_S))
        try:
            answer = await bot(method, request_timeout=limit)
        except (AiogramError, ClientError, OSError, ValueError, LookupError) as error:
            failure = classify(error, bot.token.partition(":")[2])
        else:
            self._context.proved()
            return answer
        raise failure

    def _end(self, failure: CallError) -> SessionEnded:
        if failure.kind is Kind.CONFLICT and self.account is not None:
            _contested.add((self._api_url, int(self.account.id)))
        return end_of_session(failure)

"""One person's Telegram account over MTProto: its login, what it hears, what it says.

The key of the login is a secret like a token and lives sealed with the others; two connections with one key make
Telegram destroy the login, so there is exactly one client, it never reconnects by itself, and the worker makes the next
one only after this one is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telethon import TelegramClient, errors, utils
from telethon.crypto import rsa
from telethon.sessions import StringSession
from telethon.tl import functions

from mim.contracts.content import MessageKind
from mim.contracts.errors import ErrorCode, Fatal, NotReady, Refused, Rejected, SessionEnded
from mim.contracts.login import LoginFieldName
from mim.contracts.messages import SendMessage as Message
from mim.contracts.values import Account, Restriction
from mim.runtime.fetch import sweep
from mim.runtime.session import SentMessage, SessionContext
from mim.telegram_adapter.user_content import (
    PARSE_MODES,
    act,
    address,
    attachment,
    file_options,
    media_of,
    number,
    phone,
    target,
)
from mim.telegram_adapter.user_failures import ending, ends_login, flooded, logged_out, refusal_of, unreachable, word
from mim.telegram_adapter.user_groups import GroupMethods
from mim.telegram_adapter.user_hearing import Hearing, Sent, load_state
from mim.telegram_adapter.user_login import Answers, UserLogin

CONNECT_S = 20.0
ANSWER_S = 30.0
DOWNLOAD_S = 60.0
PING_S = 30.0
PING_WITHIN_S = 20.0
MOST_BYTES = 2 << 30
DIALOGS = 100


class UserSession(GroupMethods):
    """A person's account as `mim.runtime.session.Session`.

    Settings: `telegram_api_id` and `telegram_api_hash` (https://my.telegram.org), `telegram_ping_s` (seconds between
    proofs of life, default 30) and `telegram_ping_within_s` (how long one may take, default 20), `media_max_bytes`,
    `media_private`; for tests and the sandbox `telegram_dc` (HOST:PORT) and `telegram_dc_key_file` (its RSA key).
    Secrets: `login`, once there is one, and `proxy` (an HTTP or SOCKS5 proxy's URL).
    """

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._client: Any = None
        self._answers = Answers()
        self._is_ready = False
        self._sent = Sent()
        self._broken: asyncio.Future[None] | None = None

    @property
    def _state(self) -> Path:
        return self._context.data_dir / "updates.json"

    # ------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Log in, report, stay; see `mim.runtime.session.Session.run`.

        Raises: NeedsUser if nobody logs in or Telegram ended the login. NotReady if Telegram cannot be reached or asks
        to wait. Fatal without `telegram_api_id`, or if Telegram closed the account.
        """
        sweep(self._context.data_dir)
        self._broken = asyncio.get_running_loop().create_future()
        client = self._client = self._make_client()
        # Before anything else: what was missed while away is told as soon as the client is connected.
        Hearing(client, self._context, self._sent, self._state, self._break).listen()
        try:
            await self._connect(client)
            await self._log_in(client)
            await self._live(client)
        except SessionEnded as error:
            self._context.log.warning("telegram_ended", code=error.code, why=error.message)
            raise
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # When Telegram ends a login, the library cancels what is still being asked.
            raise self._ended(client._updates_error or ConnectionError()) from None  # noqa: SLF001
        except (errors.RPCError, errors.AuthKeyNotFound, EOFError, OSError, TimeoutError) as error:
            raise self._ended(error) from None
        finally:
            self._client, self._is_ready = None, False
            with suppress(EOFError, OSError, errors.RPCError):
                await client.disconnect()

    def _ended(self, error: BaseException) -> SessionEnded:
        ended = ending(error)
        self._context.log.warning("telegram_ended", code=ended.code, why=ended.message)
        return ended

    def _make_client(self) -> Any:
        settings = self._context.settings
        api_id, api_hash = int(settings.get("telegram_api_id") or 0), settings.get("telegram_api_hash") or ""
        if not api_id or not api_hash:
            message = (
                "Telegram lets accounts log in only with an application's id and hash: get them at my.telegram.org "
                "and set MIM_TELEGRAM_API_ID and MIM_TELEGRAM_API_HASH"
            )
            raise Fatal(ErrorCode.TOKEN_MISSING, message)
        session = StringSession(self._context.secrets.get("login"))
        if dc := settings.get("telegram_dc"):
            host, _, port = dc.rpartition(":")
            session.set_dc(2, host, int(port))
            rsa.add_key(Path(settings["telegram_dc_key_file"]).read_text(), old=False)
        load_state(session, self._state)
        return TelegramClient(
            session,
            api_id,
            api_hash,
            proxy=_proxy(self._context.secrets.get("proxy")),
            timeout=CONNECT_S,
            # One key in 256 begins with a zero, which Telethon leaves out, and what it proves with the rest is wrong.
            connection_retries=2,
            retry_delay=0,
            request_retries=1,
            auto_reconnect=False,
            flood_sleep_threshold=0,
            raise_last_call_error=True,
            sequential_updates=True,
            catch_up=True,
            device_model="mim",
            app_version="1",
        )

    async def _connect(self, client: Any) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                await client.connect()
        except (errors.InvalidBufferError, EOFError, OSError, TimeoutError) as error:
            raise unreachable(error) from None

    async def _log_in(self, client: Any) -> None:
        if not await client.is_user_authorized():
            if self._context.secrets.get("login"):
                await self._context.keep_login(None)
                raise logged_out()
            await UserLogin(client, self._context, self._answers).run()
        await self._context.keep_login(client.session.save())
        self._context.proved()

    async def _live(self, client: Any) -> None:
        me = await client.get_me()
        account = Account(id=str(me.id), username=me.username, first_name=me.first_name, phone_number=me.phone)
        self._context.log.info("telegram_logged_in", user_id=account.id, username=account.username)
        await self._context.authenticated(account)
        await client.get_dialogs(limit=DIALOGS)  # whoever is known by id only has to be seen once by this client
        self._is_ready = True
        await self._context.client_ready(account)
        broken = self._broken
        assert broken is not None  # noqa: S101 - for the type checker
        proving = asyncio.create_task(self._prove(client))
        try:
            await asyncio.wait({client.disconnected, proving, broken}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (broken, proving):
                if ended.done():
                    ended.result()
            await client.disconnected
            raise client._updates_error or ConnectionError("the connection was closed")  # noqa: SLF001
        finally:
            proving.cancel()

    async def _prove(self, client: Any) -> None:
        """Make a round trip now and then that only a login can make: an open connection alone proves nothing."""
        settings = self._context.settings
        every_s = float(settings.get("telegram_ping_s") or PING_S)
        within_s = float(settings.get("telegram_ping_within_s") or PING_WITHIN_S)
        while True:
            await asyncio.sleep(every_s)
            async with asyncio.timeout(within_s):
                await client(functions.updates.GetStateRequest())
            self._context.proved()

    async def logout(self) -> None:
        """End the login at Telegram, if connected."""
        if self._client is not None and self._is_ready:
            await self._client.log_out()

    async def pairing_code(self, phone_number: str) -> tuple[str, datetime]:
        """Raises: Rejected always: Telegram sends its code to the phone, not to us."""
        del phone_number
        message = "Telegram sends a code to the phone: enter the phone number as an answer to the login step"
        raise Rejected(ErrorCode.NOT_SUPPORTED, message)

    async def answer_login(self, fields: Mapping[LoginFieldName, str]) -> None:
        """What a person entered; see `mim.runtime.session.Session.answer_login`."""
        await self._answers.give(fields)

    # ---------------------------------------------------------------------------------------------- sending

    async def send(self, message: Message) -> SentMessage:
        """Say or do what the message's kind says; see `mim.runtime.session.Session.send`."""
        client = self._connected()
        try:
            async with self._sent.sending, asyncio.timeout(ANSWER_S):
                sent = await self._send(client, message)
        except errors.FloodError as error:
            wait = flooded(error)
            until = datetime.fromtimestamp(self._context.now().timestamp() + (wait.retry_after_s or 0), UTC)
            await self._context.restricted(Restriction(kind="flood_wait", scope="account", until=until))
            raise wait from None
        except (errors.RPCError, ValueError, EOFError, OSError, TimeoutError) as error:
            if ends_login(error):
                self._break(error)
            refusal = refusal_of(error)
            self._context.log.warning("message_not_sent", message_id=message.id, code=refusal.code, why=refusal.message)
            raise refusal from None
        self._context.proved()
        return sent

    def _connected(self) -> Any:
        if self._client is None or not self._is_ready:
            raise NotReady(ErrorCode.NOT_READY, "the account is not connected to Telegram at the moment")
        return self._client

    async def _send(self, client: Any, message: Message) -> SentMessage:
        peer = await self._peer(client, message.to)
        chat = utils.get_peer_id(peer)
        if not message.kind.is_message:
            await self._act(client, message, peer)
            return SentMessage(messenger_id=message.target.id if message.target else "", chat_id=str(chat))
        sent = await self._say(client, message, peer)
        self._sent.add(chat, sent.id)
        body = sent.message if message.kind is MessageKind.FORWARD else None
        return SentMessage(messenger_id=str(sent.id), chat_id=str(chat), media=media_of(sent, chat), body=body)

    async def _peer(self, client: Any, to: str) -> Any:
        """Whom a recipient means. Raises: ValueError, errors.RPCError if nobody is known by that."""
        try:
            return await client.get_input_entity(address(to))
        except ValueError:
            if not (number_of := phone(to)):
                raise
        # The library looks for a number among the contacts only.
        found = await client(functions.contacts.ResolvePhoneRequest(number_of))
        return await client.get_input_entity(found.peer)

    async def _say(self, client: Any, message: Message, peer: Any) -> Any:
        common = {
            "reply_to": number(message.reply_to) if message.reply_to else None,
            "silent": message.disable_notification or None,
            "parse_mode": PARSE_MODES[message.parse_mode],
        }
        if message.media is not None:
            async with self._context.file(message.media, MOST_BYTES) as file:
                # By its name the library tells a photo from a document.
                uploaded = await client.upload_file(str(file.path), file_name=file.file_name)
                return await client.send_file(peer, uploaded, **file_options(message, file), **common)
        if (media := attachment(message)) is not None:
            return await client.send_file(peer, media, **common)
        if message.kind is MessageKind.FORWARD:
            ref = target(message)
            source = await self._peer(client, ref.chat_id) if ref.chat_id else peer
            (copy,) = await client.forward_messages(peer, [number(ref)], source, silent=common["silent"])
            return copy
        return await client.send_message(
            peer, message.text, link_preview=not message.disable_web_page_preview, **common
        )

    def _break(self, error: BaseException) -> None:
        """End the session with this error."""
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def download(self, reference: str, path: Path, most_bytes: int) -> None:
        """Write the file of a message to `path`; see `mim.runtime.session.Session.download`."""
        client = self._connected()
        chat, _, message_id = reference.rpartition("/")
        try:
            async with asyncio.timeout(DOWNLOAD_S):
                found = await client.get_messages(await self._peer(client, chat), ids=int(message_id))
                if found is None or found.file is None:
                    raise Refused(ErrorCode.MEDIA_UNREACHABLE, "Telegram does not have this file any more")
                if (found.file.size or 0) > most_bytes:
                    raise Refused(ErrorCode.MEDIA_REFUSED, f"the file is larger than {most_bytes:,} bytes")
                with path.open("wb") as file:  # given a path, the library would add an ending to it
                    await client.download_media(found, file)
        except (errors.RPCError, ValueError) as error:
            raise Refused(ErrorCode.MEDIA_UNREACHABLE, f"Telegram does not give this file: {word(error)}") from None
        except (EOFError, OSError, TimeoutError) as error:
            raise unreachable(error) from None

    async def _act(self, client: Any, message: Message, peer: Any) -> None:
        match message.kind:
            case MessageKind.EDIT:
                mode = PARSE_MODES[message.parse_mode]
                await client.edit_message(peer, number(target(message)), message.text, parse_mode=mode)
            case MessageKind.DELETE:
                await client.delete_messages(peer, [number(target(message))], revoke=True)
            case MessageKind.READ:
                await client.send_read_acknowledge(peer, max_id=number(target(message)))
            case _:
                await client(act(message, peer))


def _proxy(url: str | None) -> dict[str, Any] | None:
    """A proxy as Telethon takes it. Raises: Fatal if it cannot be one."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "socks5") or not parts.hostname:
        raise Fatal(ErrorCode.INVALID_FIELDS, "an account can use a proxy whose URL begins with http:// or socks5://")
    return {
        "proxy_type": parts.scheme,
        "addr": parts.hostname,
        "port": parts.port or (1080 if parts.scheme == "socks5" else 80),
        "username": parts.username,
        "password": parts.password,
        "rdns": True,
    }

"""What an account says and does in chats: a part of the session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mim.contracts.content import MessageKind
from mim.contracts.errors import ErrorCode, MimError, Refused
from mim.contracts.messages import SendMessage
from mim.contracts.values import IncomingMedia, Restriction
from mim.runtime.session import SentMessage, SessionContext
from mim.whatsapp_adapter.endings import unreachable
from mim.whatsapp_adapter.messages import address, content_of, recipient, send_failure, upload_failure
from mim.whatsapp_adapter.process import ChildEndedError, ChildProcess, Fields

_SEND_WITHIN_S = 60.0
_UPLOAD_WITHIN_S = 25.0  # with the time for the fetch, less than the worker gives one attempt to send
_SHOW_WITHIN_S = 20.0
_WITHOUT_CAPTION = (MessageKind.AUDIO, MessageKind.VOICE, MessageKind.STICKER)
# WhatsApp does not say how long these last; so long after, sending is tried again.
_LIMITS: dict[str, tuple[str, str, timedelta]] = {
    ErrorCode.REACHOUT_LOCKED: ("reachout_time_lock", "new contacts", timedelta(days=1)),
    ErrorCode.RATE_LIMITED: ("flood_wait", "account", timedelta(minutes=1)),
}


class SendMethods(ABC):
    """The methods of a session that send."""

    _context: SessionContext
    _uploads: int
    """How many files are being uploaded now."""

    @abstractmethod
    def _connected(self) -> ChildProcess:
        """The child process of a connected account. Raises: NotReady."""

    @abstractmethod
    async def _ask(self, child: ChildProcess, command: str, within_s: float, **fields: object) -> Fields:
        """Send a command and return the event that answers it. Raises: NotReady."""

    async def send(self, message: SendMessage) -> SentMessage:
        """Say or do what the message's kind says and return WhatsApp's id for it.

        WhatsApp has no captions for audio and stickers: there the text follows as a message of its own.
        """
        try:
            return await self._send(message)
        except MimError as error:
            await self._note_limits(error)
            self._context.log.warning("message_not_sent", message_id=message.id, code=error.code, why=error.message)
            raise

    async def _send(self, message: SendMessage) -> SentMessage:
        to = recipient(message.to)
        content = content_of(message)
        if message.media is not None:
            return await self._send_file(message, to, content)
        if message.kind is MessageKind.FORWARD:
            return await self._forward(message, to)
        if message.kind in (MessageKind.READ, MessageKind.TYPING):
            return await self._show(message, to)
        sent = await self._deliver(self._connected(), to, content=content)
        return sent if message.target is None else replace(sent, messenger_id=message.target.id)

    async def _send_file(self, message: SendMessage, to: str, content: Fields) -> SentMessage:
        self._connected()  # before a file is fetched for nothing
        child, prepared, media = await self._upload(message)
        sent = replace(await self._deliver(child, to, content=content, message=prepared), media=media)
        if message.text and message.kind in _WITHOUT_CAPTION:
            try:
                await self._deliver(child, to, content={"kind": "text", "text": message.text})
            except MimError as error:
                why = f"the {message.kind} was sent, the text that belongs to it was not: {error.message}"
                raise MimError(ErrorCode.UNCERTAIN, why) from None
        return sent

    async def _forward(self, message: SendMessage, to: str) -> SentMessage:
        """Send once more what a message consists of: WhatsApp's servers keep nothing that could be pointed at."""
        child, target = self._connected(), message.target
        if target is None:
            raise Refused(ErrorCode.INVALID_FIELDS, "say which message is to be forwarded: target")
        found = await self._context.stored(recipient(target.chat_id) if target.chat_id else to, target.id)
        if found is None or found.deleted:
            raise Refused(ErrorCode.MESSENGER_REFUSED, "there is no such message here that could be forwarded")
        if found.media and found.media.reference:
            file, reference = found.media, found.media.reference
            sent = await self._deliver(child, to, content={"kind": message.kind}, message=reference)
            media = IncomingMedia(
                kind=file.kind,
                mime_type=file.mimeType,
                file_name=file.fileName,
                size_bytes=file.sizeBytes,
                reference=reference,
            )
            return replace(sent, media=media, body=found.body)
        if not found.body or found.type != MessageKind.TEXT:
            raise Refused(ErrorCode.MESSENGER_REFUSED, f"texts and files can be forwarded, but no {found.type}")
        sent = await self._deliver(child, to, content={"kind": message.kind, "text": found.body})
        return replace(sent, body=found.body)

    async def _show(self, message: SendMessage, to: str) -> SentMessage:
        """Show that a message was read, or that somebody types."""
        child, target = self._connected(), message.target
        if target is None:
            answer = await self._ask(child, "typing", _SHOW_WITHIN_S, chat=to)
        else:
            chat = recipient(target.chat_id) if target.chat_id else to
            sender = address(target.sender) or chat
            answer = await self._ask(child, "read", _SHOW_WITHIN_S, chat=chat, sender=sender, message_id=target.id)
        if answer["event"] == "failed":
            raise send_failure(answer["message"])
        return SentMessage(messenger_id=target.id if target else "", chat_id=to)

    async def _note_limits(self, error: MimError) -> None:
        """What WhatsApp limits is shown beside the status."""
        limit = _LIMITS.get(error.code)
        if limit is not None:
            kind, scope, life = limit
            await self._context.restricted(Restriction(kind=kind, scope=scope, until=self._context.now() + life))

    async def _upload(self, message: SendMessage) -> tuple[ChildProcess, Any, IncomingMedia]:
        """Fetch the message's file and bring it to WhatsApp's media host. Whatever fails, nothing was sent."""
        if message.media is None:
            raise ValueError("a message without media has nothing to upload")
        async with self._context.file(message.media) as file:
            child = self._connected()
            about = {"mime_type": file.content_type, "file_name": file.file_name, "caption": message.text}
            self._uploads += 1
            try:
                answer = await child.ask(
                    "upload", _UPLOAD_WITHIN_S, path=str(file.path), kind=message.media.kind, **about
                )
            except (TimeoutError, ChildEndedError) as error:
                why = str(error) or f"no answer within {_UPLOAD_WITHIN_S:.0f} s"
                raise unreachable(f"the file could not be uploaded to WhatsApp: {why}") from None
            finally:
                self._uploads -= 1
        if answer["event"] == "failed":
            self._context.log.warning("whatsapp_upload_failed", why=answer["message"])
            raise upload_failure(answer["message"])
        media = IncomingMedia(
            kind=message.media.kind,
            mime_type=file.content_type,
            file_name=file.file_name,
            size_bytes=file.size_bytes,
            reference=answer["message"],
        )
        return child, answer["message"], media

    async def _deliver(self, child: ChildProcess, to: str, **what: Any) -> SentMessage:
        try:
            answer = await child.ask("send", _SEND_WITHIN_S, to=to, **what)
        except (TimeoutError, ChildEndedError) as error:
            why = str(error) or f"no answer within {_SEND_WITHIN_S:.0f} s"
            raise MimError(ErrorCode.UNCERTAIN, f"it is open whether the message was sent: {why}") from None
        if answer["event"] == "failed":
            raise send_failure(answer["message"])
        self._context.proved()
        return SentMessage(messenger_id=answer["message_id"], chat_id=to)

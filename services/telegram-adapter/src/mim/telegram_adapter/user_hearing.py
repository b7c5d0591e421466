"""What a person's account hears: messages, edits, deletions, receipts, reactions, changes of groups.

Where the updates stand is noted only when everything that arrived is stored, so a crash brings repeats and loses
nothing: Telegram tells from there on what was missed (https://core.telegram.org/api/updates).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telethon import events, utils
from telethon._updates import MessageBox
from telethon.tl import types

from mim.contracts.errors import SessionEnded
from mim.contracts.messages import (
    GroupChange,
    GroupChanged,
    MessageDeleted,
    MessageEdited,
    MessageReaction,
    MessageRead,
)
from mim.runtime.session import SessionContext
from mim.telegram_adapter.user_content import contact, incoming

_REMEMBERED = 1_000
_MISSED = (
    types.UpdateEditMessage,
    types.UpdateDeleteMessages,
    types.UpdateReadHistoryOutbox,
    types.UpdateEditChannelMessage,
    types.UpdateDeleteChannelMessages,
)


class Sent:
    """The latest messages that were sent here, so that they are known when Telegram tells of them."""

    def __init__(self) -> None:
        self.sending = asyncio.Lock()
        """Held while a message is being sent: until it is released, its id is not known."""
        self._read: OrderedDict[tuple[int, int], bool] = OrderedDict()  # by chat and message

    def add(self, chat: int, message_id: int) -> None:
        """Note a message that was sent."""
        self._read[(chat, message_id)] = False
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)

    async def has(self, chat: int, message_id: int) -> bool:
        """Whether a message was sent here."""
        async with self.sending:
            return (chat, message_id) in self._read

    def chat_of(self, message_id: int) -> int | None:
        """The private chat that a message was sent to."""
        return next((chat for chat, known in self._read if known == message_id), None)

    def read(self, chat: int, last: int) -> list[int]:
        """The messages that are read for the first time when a chat is read up to `last`."""
        found = [known for (where, known), read in self._read.items() if where == chat and known <= last and not read]
        for message_id in found:
            self._read[(chat, message_id)] = True
        return found or [last]


class Hearing:
    """Reports what a client hears; `broken` gets the error that ends the session."""

    def __init__(
        self, client: Any, context: SessionContext, sent: Sent, state: Path, broken: Callable[[BaseException], None]
    ) -> None:
        self._client = client
        self._context = context
        self._sent = sent
        self._state = state
        self._broken = broken

    def listen(self) -> None:
        """Hear from now on."""
        # Telethon has no word for any of this.
        self._client._message_box = _ThoroughBox(self._client._log["telethon.client.updates"])  # noqa: SLF001
        for handle, kind in (
            (self._on_message, events.NewMessage()),
            (self._on_edit, events.MessageEdited()),
            (self._on_delete, events.MessageDeleted()),
            (self._on_read, events.MessageRead(inbox=False)),
            (self._on_reactions, events.Raw(types.UpdateMessageReactions)),
            (self._on_group, events.ChatAction()),
        ):
            self._client.add_event_handler(self._guarded(handle), kind)

    def _guarded(self, handle: Any) -> Any:
        async def handler(event: Any) -> None:
            try:
                await handle(event)
                self._save_state()
            except SessionEnded as error:
                self._broken(error)
            except Exception:
                self._context.log.exception("telegram_update_unreadable", kind=type(event).__name__)

        return handler

    async def _on_message(self, event: Any) -> None:
        message = event.message
        if message.action is not None:
            return
        if message.out and await self._sent.has(event.chat_id, message.id):
            return
        sender = await event.get_chat() if message.out else await event.get_sender()
        heard = incoming(message, event.chat_id, sender, is_group=bool(event.is_group))
        await self._context.received(heard)
        self._context.log.info("message_received", messenger_id=heard.id, type=heard.type)

    async def _on_edit(self, event: Any) -> None:
        message = event.message
        if getattr(message, "edit_hide", False):
            return  # a reaction or a preview: the text is as it was
        await self._context.happened(
            MessageEdited,
            at=message.edit_date or message.date,
            messenger_id=str(message.id),
            chat_id=str(event.chat_id),
            from_me=bool(message.out),
            is_group=bool(event.is_group),
            contact=contact(await event.get_sender(), event.chat_id),
            body=message.message or "",
        )

    async def _on_delete(self, event: Any) -> None:
        # Outside of channels Telegram does not say in which chat; ids of messages are unique for an account there.
        for deleted in event.deleted_ids:
            chat = event.chat_id or self._sent.chat_of(deleted) or 0
            at = self._context.now()
            await self._context.happened(
                MessageDeleted, at=at, messenger_id=str(deleted), chat_id=str(chat), is_group=bool(event.chat_id)
            )

    async def _on_read(self, event: Any) -> None:
        who = None if event.is_group else contact(await event.get_chat(), event.chat_id)
        ids = tuple(str(message_id) for message_id in self._sent.read(event.chat_id, event.max_id))
        at = self._context.now()
        await self._context.happened(MessageRead, at=at, messenger_ids=ids, chat_id=str(event.chat_id), contact=who)

    async def _on_reactions(self, update: Any) -> None:
        chat = utils.get_peer_id(update.peer)
        recent = [each for each in update.reactions.recent_reactions or () if not each.my]
        for each in recent or [None]:
            emoji = getattr(each.reaction, "emoticon", "") if each else ""
            peer = utils.get_peer_id(each.peer_id) if each else chat
            who = await self._client.get_entity(peer) if peer > 0 else None
            await self._context.happened(
                MessageReaction,
                at=each.date if each else self._context.now(),
                messenger_id=str(update.msg_id),
                chat_id=str(chat),
                is_group=chat < 0,
                contact=contact(who, peer),
                emoji=emoji,
            )

    async def _on_group(self, event: Any) -> None:
        change = None
        if event.created:
            change = GroupChange.CREATED
        elif event.user_joined or event.user_added:
            change = GroupChange.JOINED
        elif event.user_left or event.user_kicked:
            change = GroupChange.LEFT
        elif event.new_title:
            change = GroupChange.RENAMED
        if change is None or event.action_message is None:
            return
        by = await event.action_message.get_sender()
        members = await event.get_users() if change in (GroupChange.JOINED, GroupChange.LEFT) else ()
        await self._context.happened(
            GroupChanged,
            at=event.action_message.date,
            chat_id=str(event.chat_id),
            change=change,
            members=tuple(contact(member, event.chat_id) for member in members),
            by=contact(by, event.chat_id),
            title=event.new_title or None,
        )

    def _save_state(self) -> None:
        """Note where the updates stand; what has arrived and is not stored yet counts as not heard."""
        client = self._client
        if not client._updates_queue.empty():  # noqa: SLF001 - Telethon has no word for it
            return
        state, channels = client._message_box.session_state()  # noqa: SLF001
        known = {0: (state["pts"], state["qts"], state["date"].timestamp(), state["seq"])}
        known |= {channel: (pts, 0, 0.0, 0) for channel, pts in channels.items()}
        unfinished = self._state.with_suffix(".new")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known, file)
        unfinished.replace(self._state)


class _ThoroughBox(MessageBox):  # type: ignore[misc]
    """Lets what was changed while nobody listened be told like what was written.

    Telethon moves on to the end of a difference and only then looks at the changes in it, which it takes for known by
    their numbers (`MessageBox.apply_difference_type`). Without numbers they pass.
    """

    __slots__ = ()

    def apply_difference_type(self, diff: Any, chat_hashes: Any) -> Any:
        """Of private chats and basic groups."""
        _unnumber(diff)
        return super().apply_difference_type(diff, chat_hashes)

    def apply_channel_difference(self, request: Any, diff: Any, chat_hashes: Any) -> Any:
        """Of a supergroup or channel."""
        _unnumber(diff)
        return super().apply_channel_difference(request, diff, chat_hashes)


def _unnumber(diff: Any) -> None:
    for update in getattr(diff, "other_updates", ()):
        if isinstance(update, _MISSED):
            update.pts = 0


def load_state(session: Any, path: Path) -> None:
    """Tell a session what was heard last. It is no secret, unlike the login's key."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        for entry, (pts, qts, date, seq) in json.loads(path.read_text()).items():
            at = datetime.fromtimestamp(date, UTC)
            session.set_update_state(int(entry), types.updates.State(pts, qts, at, seq, unread_count=0))

"""What people do with messages of others, and what is seen of them: reading, reacting, typing, being there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.boxes import Post
from mim.emulators.mtproto.chats import Chats, Place, reactions_of
from mim.emulators.mtproto.people import Device, Person, RpcError

_ONLINE_S = 300


class Attention:
    """The doings. `origin` is the device that does something; it is told by its answer, all others by updates."""

    def __init__(self, chats: Chats, now: Callable[[], datetime], seconds: Callable[[], float]) -> None:
        self._chats = chats
        self._now = now
        self._seconds = seconds

    def read(self, reader: Person, chat: int, max_id: int, origin: Device | None = None) -> int:
        """Read a chat up to a message (0: all). Returns how many messages became read. Raises: RpcError."""
        own = self._chats.places(reader, chat)[0]
        dialog = reader.dialog(chat)
        incoming = [copy for copy in own.box.chat(chat) if copy.post.author_id != reader.id]
        unread = [copy for copy in incoming if copy.message.id > dialog.read_inbox]
        seen = [copy for copy in unread if not max_id or copy.message.id <= max_id]
        if not seen:
            return 0
        dialog.read_inbox, left = seen[-1].message.id, len(unread) - len(seen)
        update = self._read_inbox(own, dialog.read_inbox, left)
        self._chats.tell(reader, chat, update, but=origin)
        last_of = {copy.post.author_id: copy for copy in seen}
        for author_id, last in last_of.items():
            author = self._chats.person(author_id)
            if author is not None:
                self._read_outbox(author, reader, chat, last.post)
        return len(seen)

    def _read_inbox(self, own: Place, max_id: int, left: int) -> Any:
        if own.owner is None:
            channel = self._chats.peer(own.chat).channel_id
            return types.UpdateReadChannelInbox(channel, max_id, left, own.box.pts)
        peer = self._chats.peer(own.chat)
        return own.box.record(types.UpdateReadHistoryInbox(peer, max_id, left, 0, 0), self._seconds())

    def _read_outbox(self, author: Person, reader: Person, chat: int, post: Post) -> None:
        """Tell an author that their messages up to a post are read."""
        there, group = (chat, self._chats.group(chat)) if chat < 0 else (reader.id, None)
        if group is not None and author.id not in group.members:
            return
        place = self._chats.places(author, there)[0]
        max_id = post.copies.get(place.box.owner_id, 0)
        dialog = author.dialog(there)
        if max_id <= dialog.read_outbox:
            return
        dialog.read_outbox = max_id
        if place.owner is None:
            update = types.UpdateReadChannelOutbox(self._chats.peer(there).channel_id, max_id)
            author.box.note(update, self._seconds())
        else:
            update = types.UpdateReadHistoryOutbox(self._chats.peer(there), max_id, 0, 0)
            place.box.record(update, self._seconds())
        self._chats.tell(author, there, update)

    def react(self, person: Person, chat: int, message_id: int, emoji: list[str], origin: Device | None = None) -> Any:
        """React to a message; no emoji takes the reaction back. Returns the person's update. Raises: RpcError."""
        found = self._chats.find(person, chat, message_id)
        if found is None:
            raise RpcError(400, "MESSAGE_ID_INVALID")
        found.post.reactions.pop(person.id, None)
        if emoji:
            found.post.reactions[person.id] = emoji
        told = []
        for place, copy in self._chats.everywhere(person, chat, found.post):
            for viewer in self._chats.viewers(place):
                copy.message.reactions = reactions_of(copy.post, viewer, self._now())
                peer = self._chats.peer(place.chat)
                update = types.UpdateMessageReactions(peer, copy.message.id, copy.message.reactions)
                viewer.box.note(update, self._seconds())
                told += [update] if viewer is person else []
                self._chats.tell(viewer, place.chat, update, but=origin, about=person.id)
        return told[0]

    def typing(self, person: Person, chat: int, action: Any) -> None:
        """Tell the others in a chat that somebody is typing, or what else they are about."""
        group = self._chats.group(chat)
        who = types.PeerUser(person.id)
        for place in self._chats.places(person, chat):
            if group is None:
                update = types.UpdateUserTyping(person.id, action)
            elif group.box is None:
                update = types.UpdateChatUserTyping(group.id, who, action)
            else:
                update = types.UpdateChannelUserTyping(group.id, who, action)
            for viewer in self._chats.viewers(place):
                if viewer is not person:
                    self._chats.tell(viewer, place.chat, update, about=person.id)

    def presence(self, person: Person, *, online: bool) -> None:
        """Come or go; those who have the person as a contact or in a chat are told."""
        now = self._now()
        if online:
            person.status = types.UserStatusOnline(now + timedelta(seconds=_ONLINE_S))
        else:
            person.status = types.UserStatusOffline(now)
        update = types.UpdateUserStatus(person.id, person.status)
        for viewer in self._chats.acquaintances(person):
            self._chats.tell(viewer, person.id, update)

"""Messages that people write: sent, edited and deleted, in all copies, and who is told of it."""

from __future__ import annotations

import copy as copies
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.boxes import Box, Copy, Post
from mim.emulators.mtproto.chats import Chats, Place
from mim.emulators.mtproto.people import Device, Person, RpcError


@dataclass(frozen=True)
class Draft:
    """What is to be sent. `reply_to` is an id in the sender's own box, or in the channel's."""

    text: str = ""
    entities: list[Any] | None = None
    media: Any = None
    reply_to: int | None = None
    forwarded: Any = None
    action: Any = None
    silent: bool = False
    grouped_id: int | None = None


class Mail:
    """The doings. `origin` is the device that does something; it is told by its answer, all others by updates."""

    def __init__(self, chats: Chats, now: Callable[[], datetime], seconds: Callable[[], float]) -> None:
        self._chats = chats
        self._now = now
        self._seconds = seconds

    def send(self, sender: Person, chat: int, draft: Draft, origin: Device | None = None) -> tuple[Copy, Any]:
        """Send a message. Returns the sender's copy and its update. Raises: RpcError."""
        group = self._chats.group(chat)
        places = self._chats.places(sender, chat)
        if group is not None and draft.action is None and not group.may_post(sender):
            raise RpcError(403, "CHAT_WRITE_FORBIDDEN")
        answered = self._chats.find(sender, chat, draft.reply_to) if draft.reply_to else None
        if draft.reply_to and answered is None:
            raise RpcError(400, "REPLY_MESSAGE_ID_INVALID")
        post, sent = Post(sender.id), []
        for place in places:
            copy = self._write(sender, place, draft, post, answered.post if answered else None)
            sent.append((copy, self._announce(place, copy, origin)))
        return sent[0]

    def _write(self, sender: Person, place: Place, draft: Draft, post: Post, answered: Post | None) -> Copy:
        peer = self._chats.peer(place.chat)
        own = place.owner is sender
        fields: dict[str, Any] = {
            "id": place.box.next_id(),
            "peer_id": peer,
            "date": self._now(),
            "out": (own and place.chat != sender.id) or None,
            "from_id": types.PeerUser(sender.id) if own or place.chat < 0 else None,
            "silent": draft.silent or None,
        }
        reply_id = answered.copies.get(place.box.owner_id) if answered else None
        if reply_id is not None:
            fields["reply_to"] = types.MessageReplyHeader(reply_to_msg_id=reply_id)
        if draft.action is not None:
            message = types.MessageService(**fields, action=draft.action)
        else:
            message = types.Message(
                **fields,
                message=draft.text,
                entities=draft.entities,
                media=draft.media,
                fwd_from=draft.forwarded,
                grouped_id=draft.grouped_id,
            )
        copy = Copy(message, place.chat, post)
        place.box.put(copy)
        return copy

    def _announce(self, place: Place, copy: Copy, origin: Device | None) -> Any:
        kind = types.UpdateNewChannelMessage if place.owner is None else types.UpdateNewMessage
        return self._tell(place, copy, place.box.record(kind(copy.message, 0, 0), self._seconds()), origin)

    def _tell(self, place: Place, copy: Copy, update: Any, origin: Device | None) -> Any:
        """Push an update about a message to everybody whom a place concerns. Returns it as the origin sees it."""
        seen = update
        for viewer in self._chats.viewers(place):
            shown = copies.copy(update)
            shown.message = self._chats.view(copy, viewer)
            viewer.dialog(place.chat)
            viewer.push(self._chats.updates(viewer, [shown], [shown.message], [place.chat]), but=origin)
            if origin is not None and viewer is origin.person:
                seen = shown
        return seen

    def edit(self, editor: Person, chat: int, message_id: int, draft: Draft, origin: Device | None = None) -> Any:
        """Change one's own message. Returns the editor's update. Raises: RpcError."""
        found = self._chats.find(editor, chat, message_id)
        if found is None or found.message.SUBCLASS_OF_ID != types.Message.SUBCLASS_OF_ID:
            raise RpcError(400, "MESSAGE_ID_INVALID")
        if found.post.author_id != editor.id:
            raise RpcError(403, "MESSAGE_AUTHOR_REQUIRED")
        same = found.message.message == draft.text and (found.message.entities or []) == (draft.entities or [])
        if same and draft.media is None:
            raise RpcError(400, "MESSAGE_NOT_MODIFIED")
        told = []
        for place, copy in self._chats.everywhere(editor, chat, found.post):
            copy.message.message, copy.message.entities = draft.text, draft.entities
            copy.message.media = draft.media or copy.message.media
            copy.message.edit_date = self._now()
            kind = types.UpdateEditChannelMessage if place.owner is None else types.UpdateEditMessage
            told.append(self._tell(place, copy, place.box.record(kind(copy.message, 0, 0), self._seconds()), origin))
        return told[0]

    def delete(self, person: Person, chat: int | None, ids: list[int], *, revoke: bool, origin: Device | None) -> None:
        """Delete messages for oneself or (`revoke`, and always in channels) for all. Raises: RpcError."""
        doomed: dict[Box, list[int]] = {}
        places: dict[Box, Place] = {}
        for message_id in ids:
            found = self._chats.find(person, chat, message_id)
            if found is None:
                continue
            group = self._chats.group(found.chat)
            if group is not None and revoke and person.id not in (found.post.author_id, group.creator.id):
                raise RpcError(403, "MESSAGE_DELETE_FORBIDDEN")
            for place, copy in self._chats.everywhere(person, found.chat, found.post):
                if revoke or place.owner in (person, None):
                    places[place.box] = place
                    doomed.setdefault(place.box, []).append(copy.message.id)
        for box, gone in doomed.items():
            self._deleted(places[box], gone, origin)

    def clear(self, person: Person, chat: int, origin: Device | None) -> int:
        """Forget a private chat or basic group for oneself. Returns how many messages that were."""
        gone = [copy.message.id for copy in person.box.chat(chat)]
        person.dialogs.pop(chat, None)
        if gone:
            place = Place(person.box, chat, person)
            self._deleted(place, gone, origin)
        return len(gone)

    def _deleted(self, place: Place, ids: list[int], origin: Device | None) -> None:
        """Take messages out of a box and say so."""
        for message_id in ids:
            place.box.drop(message_id)
        if place.owner is not None:
            update = types.UpdateDeleteMessages(ids, 0, 0)
        else:
            update = types.UpdateDeleteChannelMessages(self._chats.peer(place.chat).channel_id, ids, 0, 0)
        place.box.record(update, self._seconds(), len(ids))
        for viewer in self._chats.viewers(place):
            self._chats.tell(viewer, place.chat, update, but=origin)

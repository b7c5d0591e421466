"""What people do in chats, and who is told of it: sending, editing, deleting, reading, reacting, typing.

In private chats and basic groups everybody has a copy of a message, with an id of its own, in their own box; a
supergroup or channel has one box that all see (https://core.telegram.org/api/updates).
"""

from __future__ import annotations

import copy as copies
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telethon.tl import types
from telethon.utils import get_peer_id

from mim.emulators.mtproto.boxes import Box, Copy, Post
from mim.emulators.mtproto.groups import Groups
from mim.emulators.mtproto.people import Device, People, Person, RpcError


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


@dataclass(frozen=True)
class Place:
    """One box that a chat's messages are in, and the marked id of the chat there."""

    box: Box
    chat: int
    owner: Person | None


class Mail:
    """The doings. `origin` is the device that does something; it is told by its answer, all others by updates."""

    def __init__(
        self, people: People, groups: Groups, now: Callable[[], datetime], seconds: Callable[[], float]
    ) -> None:
        self._people = people
        self._groups = groups
        self._now = now
        self._seconds = seconds

    # -- looking

    def places(self, person: Person, chat: int) -> list[Place]:
        """The boxes that a chat is in, the person's own first. Raises: RpcError if there is no such chat."""
        group = self._groups.get(chat)
        if group is not None and person.id not in group.members:
            raise RpcError(400, "PEER_ID_INVALID" if group.box is None else "CHANNEL_PRIVATE")
        if group is not None and group.box is not None:
            return [Place(group.box, chat, None)]
        if group is not None:
            members = sorted((member.person for member in group.members.values()), key=lambda one: one is not person)
            return [Place(member.box, chat, member) for member in members]
        other = self._people.by_id(chat)
        if other is None:
            raise RpcError(400, "PEER_ID_INVALID")
        own = Place(person.box, chat, person)
        return [own] if other is person else [own, Place(other.box, person.id, other)]

    def find(self, person: Person, chat: int | None, message_id: int) -> Copy | None:
        """A message as the person knows it; without a chat, in their own box."""
        group = self._groups.get(chat) if chat is not None else None
        box = group.box if group is not None and group.box is not None else person.box
        found = box.copies.get(message_id)
        return found if found is not None and chat in (None, found.chat) else None

    def view(self, copy: Copy, viewer: Person) -> Any:
        """A message as the viewer sees it: in a channel what is `out` depends on who looks."""
        message = copy.message
        if isinstance(message.peer_id, types.PeerChannel):
            message = copies.copy(message)
            message.out = copy.post.author_id == viewer.id
            message.reactions = reactions_of(copy.post, viewer, message.date) if copy.post.reactions else None
        return message

    def about(self, viewer: Person, messages: Iterable[Any], chats: Iterable[int] = ()) -> dict[str, list[Any]]:
        """The `users` and `chats` that messages and marked ids speak of, as the viewer sees them."""
        marked = dict.fromkeys([viewer.id, *chats])
        for message in messages:
            marked |= dict.fromkeys(_peers_of(message))
        users = [person.seen_by(viewer) for chat in marked if (person := self._people.by_id(chat))]
        return {
            "users": users,
            "chats": [group.seen_by(viewer) for chat in marked if (group := self._groups.get(chat))],
        }

    def updates(
        self, viewer: Person, updates: list[Any], messages: Iterable[Any] = (), chats: Iterable[int] = ()
    ) -> Any:
        """An `Updates` object for a viewer."""
        return types.Updates(updates, **self.about(viewer, messages, chats), date=self._now(), seq=0)

    # -- doing

    def send(self, sender: Person, chat: int, draft: Draft, origin: Device | None = None) -> tuple[Copy, Any]:
        """Send a message. Returns the sender's copy and its update. Raises: RpcError."""
        group = self._groups.get(chat)
        places = self.places(sender, chat)
        if group is not None and draft.action is None and not group.may_post(sender):
            raise RpcError(403, "CHAT_WRITE_FORBIDDEN")
        answered = self.find(sender, chat, draft.reply_to) if draft.reply_to else None
        if draft.reply_to and answered is None:
            raise RpcError(400, "REPLY_MESSAGE_ID_INVALID")
        post, sent = Post(sender.id), []
        for place in places:
            copy = self._write(sender, place, draft, post, answered.post if answered else None)
            sent.append((copy, self._announce(place, copy, origin)))
        return sent[0]

    def _write(self, sender: Person, place: Place, draft: Draft, post: Post, answered: Post | None) -> Copy:
        peer = _peer(place.chat, self._groups)
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
        for viewer in self._viewers(place):
            shown = copies.copy(update)
            shown.message = self.view(copy, viewer)
            viewer.dialog(place.chat)
            viewer.push(self.updates(viewer, [shown], [shown.message], [place.chat]), but=origin)
            if origin is not None and viewer is origin.person:
                seen = shown
        return seen

    def edit(self, editor: Person, chat: int, message_id: int, draft: Draft, origin: Device | None = None) -> Any:
        """Change one's own message. Returns the editor's update. Raises: RpcError."""
        found = self.find(editor, chat, message_id)
        if found is None or found.message.SUBCLASS_OF_ID != types.Message.SUBCLASS_OF_ID:
            raise RpcError(400, "MESSAGE_ID_INVALID")
        if found.post.author_id != editor.id:
            raise RpcError(403, "MESSAGE_AUTHOR_REQUIRED")
        same = found.message.message == draft.text and (found.message.entities or []) == (draft.entities or [])
        if same and draft.media is None:
            raise RpcError(400, "MESSAGE_NOT_MODIFIED")
        told = []
        for place, copy in self._everywhere(editor, chat, found.post):
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
            found = self.find(person, chat, message_id)
            if found is None:
                continue
            group = self._groups.get(found.chat)
            if group is not None and revoke and person.id not in (found.post.author_id, group.creator.id):
                raise RpcError(403, "MESSAGE_DELETE_FORBIDDEN")
            for place, copy in self._everywhere(person, found.chat, found.post):
                if revoke or place.owner in (person, None):
                    places[place.box] = place
                    doomed.setdefault(place.box, []).append(copy.message.id)
        for box, gone in doomed.items():
            for message_id in gone:
                del box.copies[message_id]
            self._push(places[box], box.record(_deletion(places[box], gone), self._seconds(), len(gone)), origin)

    def clear(self, person: Person, chat: int, origin: Device | None) -> int:
        """Forget a private chat or basic group for oneself. Returns how many messages that were."""
        gone = [copy.message.id for copy in person.box.chat(chat)]
        for message_id in gone:
            del person.box.copies[message_id]
        person.dialogs.pop(chat, None)
        if gone:
            place = Place(person.box, chat, person)
            self._push_to(person, place, person.box.record(_deletion(place, gone), self._seconds(), len(gone)), origin)
        return len(gone)

    def read(self, reader: Person, chat: int, max_id: int, origin: Device | None = None) -> int:
        """Read a chat up to a message (0: all). Returns how many messages became read. Raises: RpcError."""
        own = self.places(reader, chat)[0]
        dialog = reader.dialog(chat)
        incoming = [copy for copy in own.box.chat(chat) if copy.post.author_id != reader.id]
        unread = [copy for copy in incoming if copy.message.id > dialog.read_inbox]
        seen = [copy for copy in unread if not max_id or copy.message.id <= max_id]
        if not seen:
            return 0
        dialog.read_inbox, left = seen[-1].message.id, len(unread) - len(seen)
        self._push_to(reader, own, self._read_inbox(own, dialog.read_inbox, left), origin)
        last_of = {copy.post.author_id: copy for copy in seen}
        for author_id, last in last_of.items():
            author = self._people.by_id(author_id)
            if author is not None:
                self._read_outbox(author, reader, chat, last.post)
        return len(seen)

    def _read_inbox(self, own: Place, max_id: int, left: int) -> Any:
        if own.owner is None:
            channel = _peer(own.chat, self._groups).channel_id
            return types.UpdateReadChannelInbox(channel, max_id, left, own.box.pts)
        peer = _peer(own.chat, self._groups)
        return own.box.record(types.UpdateReadHistoryInbox(peer, max_id, left, 0, 0), self._seconds())

    def _read_outbox(self, author: Person, reader: Person, chat: int, post: Post) -> None:
        """Tell an author that their messages up to a post are read."""
        there, group = (chat, self._groups.get(chat)) if chat < 0 else (reader.id, None)
        if group is not None and author.id not in group.members:
            return
        place = self.places(author, there)[0]
        max_id = post.copies.get(place.box.owner_id, 0)
        dialog = author.dialog(there)
        if max_id <= dialog.read_outbox:
            return
        dialog.read_outbox = max_id
        if place.owner is None:
            update = types.UpdateReadChannelOutbox(_peer(there, self._groups).channel_id, max_id)
            self._push_to(author, place, author.box.note(update, self._seconds()), None)
        else:
            update = types.UpdateReadHistoryOutbox(_peer(there, self._groups), max_id, 0, 0)
            self._push_to(author, place, place.box.record(update, self._seconds()), None)

    def react(self, person: Person, chat: int, message_id: int, emoji: list[str], origin: Device | None = None) -> Any:
        """React to a message; no emoji takes the reaction back. Returns the person's update. Raises: RpcError."""
        found = self.find(person, chat, message_id)
        if found is None:
            raise RpcError(400, "MESSAGE_ID_INVALID")
        found.post.reactions.pop(person.id, None)
        if emoji:
            found.post.reactions[person.id] = emoji
        told = []
        for place, copy in self._everywhere(person, chat, found.post):
            for viewer in self._viewers(place):
                copy.message.reactions = reactions_of(copy.post, viewer, self._now())
                peer = _peer(place.chat, self._groups)
                update = types.UpdateMessageReactions(peer, copy.message.id, copy.message.reactions)
                viewer.box.note(update, self._seconds())
                told += [update] if viewer is person else []
                viewer.push(self.updates(viewer, [update], chats=[place.chat, person.id]), but=origin)
        return told[0]

    def type_(self, person: Person, chat: int, action: Any) -> None:
        """Tell the others in a chat that somebody is typing, or what else they are about."""
        group = self._groups.get(chat)
        who = types.PeerUser(person.id)
        for place in self.places(person, chat):
            if group is None:
                update = types.UpdateUserTyping(person.id, action)
            elif group.box is None:
                update = types.UpdateChatUserTyping(group.id, who, action)
            else:
                update = types.UpdateChannelUserTyping(group.id, who, action)
            for viewer in self._viewers(place):
                if viewer is not person:
                    viewer.push(self.updates(viewer, [update], chats=[place.chat, person.id]))

    # -- whom it concerns

    def _viewers(self, place: Place) -> list[Person]:
        if place.owner is not None:
            return [place.owner]
        group = self._groups.get(place.chat)
        return [member.person for member in group.members.values()] if group else []

    def _everywhere(self, person: Person, chat: int, post: Post) -> list[tuple[Place, Copy]]:
        """All copies of a post that are left, the person's own first."""
        return [
            (place, place.box.copies[post.copies[place.box.owner_id]])
            for place in self.places(person, chat)
            if post.copies.get(place.box.owner_id) in place.box.copies
        ]

    def _push(self, place: Place, update: Any, origin: Device | None) -> None:
        for viewer in self._viewers(place):
            self._push_to(viewer, place, update, origin)

    def _push_to(self, viewer: Person, place: Place, update: Any, origin: Device | None) -> None:
        viewer.push(self.updates(viewer, [update], chats=[place.chat]), but=origin)


def reactions_of(post: Post, viewer: Person, date: datetime) -> Any:
    """The reactions to a post as the viewer sees them."""
    counts = Counter(one for emoji in post.reactions.values() for one in emoji)
    mine = post.reactions.get(viewer.id, [])
    results = [
        types.ReactionCount(types.ReactionEmoji(one), count, chosen_order=mine.index(one) if one in mine else None)
        for one, count in counts.items()
    ]
    recent = [
        types.MessagePeerReaction(types.PeerUser(who), date, types.ReactionEmoji(one), my=(who == viewer.id) or None)
        for who, emoji in post.reactions.items()
        for one in emoji
    ]
    return types.MessageReactions(results, can_see_list=True, recent_reactions=recent)


def _peer(chat: int, groups: Groups) -> Any:
    group = groups.get(chat)
    return group.peer if group is not None else types.PeerUser(chat)


def _peers_of(message: Any) -> list[int]:
    peers = [message.peer_id, message.from_id]
    forwarded = getattr(message, "fwd_from", None)
    peers += [forwarded.from_id] if forwarded else []
    action = getattr(message, "action", None)
    people = list(getattr(action, "users", []) or [])
    people += [getattr(action, "user_id", 0)]
    return [get_peer_id(peer) for peer in peers if peer is not None] + people


def _deletion(place: Place, ids: list[int]) -> Any:
    if place.owner is not None:
        return types.UpdateDeleteMessages(ids, 0, 0)
    return types.UpdateDeleteChannelMessages(-place.chat - 1_000_000_000_000, ids, 0, 0)

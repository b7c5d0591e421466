"""Chats as their members see them: which boxes their messages are in, who is concerned, what is shown to whom.

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
from mim.emulators.mtproto.groups import Group, Groups
from mim.emulators.mtproto.people import Device, People, Person, RpcError


@dataclass(frozen=True)
class Place:
    """One box that a chat's messages are in, and the marked id of the chat there."""

    box: Box
    chat: int
    owner: Person | None


class Chats:
    """All chats. `now` gives the time as answers carry it."""

    def __init__(self, people: People, groups: Groups, now: Callable[[], datetime]) -> None:
        self._people = people
        self._groups = groups
        self._now = now

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

    def viewers(self, place: Place) -> list[Person]:
        """Who sees what is in a place."""
        if place.owner is not None:
            return [place.owner]
        group = self._groups.get(place.chat)
        return [member.person for member in group.members.values()] if group else []

    def everywhere(self, person: Person, chat: int, post: Post) -> list[tuple[Place, Copy]]:
        """All copies of a post that are left, the person's own first."""
        return [
            (place, place.box.copies[post.copies[place.box.owner_id]])
            for place in self.places(person, chat)
            if post.copies.get(place.box.owner_id) in place.box.copies
        ]

    def acquaintances(self, person: Person) -> list[Person]:
        """Who has somebody as a contact or in a chat."""
        everybody = [other for other in self._people if other is not person]
        return [other for other in everybody if person.id in other.contacts or person.id in other.dialogs]

    def tell(
        self, viewer: Person, chat: int, update: Any, *, but: Device | None = None, about: int | None = None
    ) -> None:
        """Push an update about a chat, and perhaps somebody, to a viewer's devices `but` one."""
        marked = [chat] if about is None else [chat, about]
        viewer.push(self.updates(viewer, [update], chats=marked), but=but)

    def peer(self, chat: int) -> Any:
        """A chat's marked id as a `Peer`."""
        group = self._groups.get(chat)
        return group.peer if group is not None else types.PeerUser(chat)

    def group(self, chat: int) -> Group | None:
        """The group with this marked id."""
        return self._groups.get(chat)

    def person(self, identity: int) -> Person | None:
        """The person with this id."""
        return self._people.by_id(identity)


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


def _peers_of(message: Any) -> list[int]:
    peers = [message.peer_id, message.from_id]
    forwarded = getattr(message, "fwd_from", None)
    peers += [forwarded.from_id] if forwarded else []
    action = getattr(message, "action", None)
    people = list(getattr(action, "users", []) or [])
    people += [getattr(action, "user_id", 0)]
    return [get_peer_id(peer) for peer in peers if peer is not None] + people

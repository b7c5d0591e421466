"""Basic groups, supergroups and channels, and who is in them. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.boxes import Box
from mim.emulators.mtproto.people import Person

_FIRST_CHAT, _FIRST_CHANNEL = 4_000_000_001, 2_000_000_001
_CHANNEL_MARK = -1_000_000_000_000
ALL_RIGHTS = types.ChatAdminRights(
    change_info=True, delete_messages=True, ban_users=True, invite_users=True, pin_messages=True, add_admins=True
)
_NO_BANS = {"until_date": datetime.fromtimestamp(0).astimezone()}


@dataclass(frozen=True)
class Member:
    """Somebody in a group."""

    person: Person
    inviter_id: int
    since: datetime
    is_admin: bool = False


@dataclass(eq=False)
class Group:
    """A basic group, or, with a box of its own, a supergroup or (`broadcast`) a channel."""

    id: int
    access_hash: int
    title: str
    creator: Person
    created: datetime
    about: str = ""
    broadcast: bool = False
    box: Box | None = None
    invite: str = ""
    members: dict[int, Member] = field(default_factory=dict)
    version: int = 1

    @property
    def chat(self) -> int:
        """The marked id."""
        return -self.id if self.box is None else self.channel_mark

    @property
    def channel_mark(self) -> int:
        """The marked id of a supergroup or channel with this id."""
        return _CHANNEL_MARK - self.id

    @property
    def peer(self) -> Any:
        """The group as a `Peer`."""
        return types.PeerChat(self.id) if self.box is None else types.PeerChannel(self.id)

    def is_admin(self, person: Person) -> bool:
        """Whether a person may change who is in here."""
        member = self.members.get(person.id)
        return member is not None and (member.is_admin or person is self.creator)

    def may_post(self, person: Person) -> bool:
        """Whether a person can write here."""
        return person.id in self.members and (not self.broadcast or self.is_admin(person))

    def seen_by(self, viewer: Person) -> Any:
        """The group as a `Chat` or `Channel`."""
        creator, left = (viewer is self.creator) or None, (viewer.id not in self.members) or None
        rights = ALL_RIGHTS if self.is_admin(viewer) else None
        photo, bans = types.ChatPhotoEmpty(), types.ChatBannedRights(**_NO_BANS)
        if self.box is None:
            count = len(self.members)
            return types.Chat(
                self.id,
                self.title,
                photo,
                count,
                self.created,
                self.version,
                creator=creator,
                left=left,
                admin_rights=rights,
                default_banned_rights=bans,
            )
        return types.Channel(
            self.id,
            self.title,
            photo,
            self.created,
            creator=creator,
            left=left,
            broadcast=self.broadcast or None,
            megagroup=(not self.broadcast) or None,
            access_hash=self.access_hash,
            admin_rights=rights,
            default_banned_rights=bans,
            participants_count=len(self.members),
        )


class Groups:
    """All groups by marked id."""

    def __init__(self, number: Callable[[], int], now: Callable[[], datetime], token: Callable[[], str]) -> None:
        self._number = number
        self._now = now
        self._token = token
        self._all: dict[int, Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._all.values())

    def get(self, chat: int) -> Group | None:
        """The group with this marked id."""
        return self._all.get(chat)

    def by_invite(self, invite: str) -> Group | None:
        """The group that an invite link's last part leads to."""
        return next((group for group in self if invite and group.invite == invite), None)

    def add(self, title: str, creator: Person, *, channel: bool = False, broadcast: bool = False) -> Group:
        """Make a group with one member."""
        count = len(self._all)
        identity = (_FIRST_CHANNEL if channel else _FIRST_CHAT) + count
        group = Group(identity, self._number(), title, creator, self._now(), broadcast=broadcast)
        if channel:
            group.box = Box(group.channel_mark)
        self.put(group)
        self.join(group, creator, creator)
        return group

    def put(self, group: Group) -> None:
        """Know a group."""
        self._all[group.chat] = group

    def join(self, group: Group, person: Person, inviter: Person) -> None:
        """Put a person into a group."""
        group.members[person.id] = Member(person, inviter.id, self._now())
        group.version += 1

    def leave(self, group: Group, person: Person) -> None:
        """Take a person out of a group."""
        group.members.pop(person.id, None)
        group.version += 1

    def promote(self, group: Group, person: Person, *, is_admin: bool) -> None:
        """Make a member an admin, or take that back."""
        group.members[person.id] = replace(group.members[person.id], is_admin=is_admin)
        group.version += 1

    def link(self, group: Group, *, renew: bool = False) -> str:
        """The group's invite link, made on the first call, and anew by `renew`."""
        group.invite = (not renew and group.invite) or self._token()
        return f"https://t.me/+{group.invite}"

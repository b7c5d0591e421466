"""Groups: who belongs to one, who may change what, and their stanzas. No I/O.

Codes of refusals and the form of stanzas are what whatsmeow reads (group.go, errors.go).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mim.emulators.whatsapp.nodes import Attributes, Jid, Node
from mim.emulators.whatsapp.phones import Phone, Phones

GROUP_SERVER = Jid("", "g.us")
"""Where groups as a whole are asked for."""
_LONGEST_TITLE = 100
_MOST_MEMBERS = 1024


class GroupError(LookupError):
    """What the server refuses, with the code that clients know (whatsmeow's errors.go)."""

    def __init__(self, code: int, text: str, why: str) -> None:
        super().__init__(why)
        self.code, self.text = code, text


def _forbidden(why: str) -> GroupError:
    return GroupError(403, "forbidden", why)


@dataclass
class Group:
    """One group. `members` says of each phone number whether it is an admin; `titled` is who named it last and when."""

    id: str
    title: str
    creator: str
    created_at: int
    members: dict[str, bool]
    titled: tuple[str, int]
    code: str = field(default_factory=lambda: os.urandom(11).hex())

    @property
    def jid(self) -> Jid:
        """Its address."""
        return Jid(self.id, "g.us")

    def require_member(self, number: str) -> None:
        """Raises: GroupError if this phone does not belong to the group."""
        if number not in self.members:
            raise _forbidden(f"{number} is not a member of the group")

    def require_admin(self, number: str) -> None:
        """Raises: GroupError if this phone may not change who belongs to the group."""
        self.require_member(number)
        if not self.members[number]:
            raise _forbidden(f"{number} is not an admin of the group")

    def add(self, number: str) -> int:
        """Take a phone in. Returns 0, or the code why not."""
        if number in self.members:
            return 409
        if len(self.members) >= _MOST_MEMBERS:
            return 419
        self.members[number] = False
        return 0

    def remove(self, number: str) -> int:
        """Let a phone go. Returns 0, or the code why not."""
        return 0 if self.members.pop(number, None) is not None else 404

    def let_administer(self, number: str, *, admin: bool) -> int:
        """Make a member an admin or take that back. Returns 0, or the code why not."""
        if number not in self.members:
            return 404
        self.members[number] = admin
        return 0

    def rename(self, title: str, by: str, at: int) -> None:
        """Give it another name. Raises: GroupError if nobody could have this one."""
        self.title, self.titled = named(title), (by, at)

    def revoke_code(self) -> None:
        """Make the present invite link useless."""
        self.code = os.urandom(11).hex()


def named(title: str) -> str:
    """A name that a group may have. Raises: GroupError."""
    if not title.strip() or len(title) > _LONGEST_TITLE:
        raise GroupError(406, "not-acceptable", f"a group needs a name of 1 to {_LONGEST_TITLE} characters")
    return title


class Groups:
    """All groups. `changed` is told whenever one has to be kept."""

    def __init__(self, known: list[Group], changed: Callable[[Group], None]) -> None:
        self.changed = changed
        self._by_id = {group.id: group for group in known}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._by_id.values())

    def create(self, title: str, creator: str, members: list[str], at: int) -> Group:
        """Make a group; its creator is its first admin. Raises: GroupError."""
        number = f"120363{int.from_bytes(os.urandom(6), 'big') % 10**12:012}"
        group = Group(number, named(title), creator, at, {creator: True}, (creator, at))
        for member in members:
            group.add(member)
        self._by_id[number] = group
        self.changed(group)
        return group

    def get(self, jid: Jid) -> Group:
        """The group with this address. Raises: GroupError if there is none."""
        group = self._by_id.get(jid.user)
        if group is None or jid.server != GROUP_SERVER.server:
            raise GroupError(404, "item-not-found", f"there is no group {jid}")
        return group

    def of(self, number: str) -> list[Group]:
        """The groups that a phone belongs to."""
        return [group for group in self if number in group.members]

    def invited(self, code: str) -> Group:
        """The group that an invite link leads to. Raises: GroupError if it leads nowhere (any more)."""
        for group in self:
            if group.code == code:
                return group
        raise GroupError(410, "gone", "this invite link leads to no group")


def group_node(group: Group, phones: Phones) -> Node:
    """A group as the server describes it (whatsmeow's parseGroupNode)."""
    creator, titler = phones.get(group.creator), phones.get(group.titled[0])
    head: Attributes = {
        "id": group.id,
        "subject": group.title,
        "creation": str(group.created_at),
        "creator": creator.lid,
        "creator_pn": creator.jid,
        "s_t": str(group.titled[1]),
        "s_o": titler.lid,
        "s_o_pn": titler.jid,
        "addressing_mode": "lid",
        "size": str(len(group.members)),
    }
    members = [participant_node(phones.get(number), kind=_kind(group, number)) for number in group.members]
    return Node("group", head, [*members, Node("member_add_mode", {}, b"all_member_add")])


def participant_node(phone: Phone, *, kind: str | None = None, error: int = 0) -> Node:
    """Somebody in a group, by both names. `error` is why what was asked about them was not done."""
    names = {"jid": phone.lid, "phone_number": phone.jid}
    return Node("participant", {**names, "type": kind, "error": str(error) if error else None})


def _kind(group: Group, number: str) -> str | None:
    if not group.members[number]:
        return None
    return "superadmin" if number == group.creator else "admin"

"""Changes of groups and questions about them: made by linked devices (`iq` stanzas of `w:g2`) or by played people.

Whoever belongs to a group, or just left it, is told on every linked device, the one that asked included: clients keep
their lists of members by these notifications alone (whatsmeow's updateGroupParticipantCache).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable, Iterable

from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.groups import Group, GroupError, Groups, group_node, participant_node
from mim.emulators.whatsapp.nodes import Attributes, Jid, MalformedNodeError, Node, now
from mim.emulators.whatsapp.phones import Phone, Phones

_CHANGES = ("add", "remove", "promote", "demote")


class GroupChanges:
    """Makes changes and tells of them. Methods raise GroupError for what is not allowed."""

    def __init__(self, phones: Phones, groups: Groups) -> None:
        self._phones, self._groups = phones, groups
        self._ids = (f"{os.urandom(4).hex().upper()}{number:06X}" for number in itertools.count(1))

    async def create(self, title: str, creator: Phone, members: Iterable[Phone]) -> Group:
        """Make a group."""
        group = self._groups.create(title, creator.number, [phone.number for phone in members], int(now()))
        await self._tell_created(group, creator, self._members(group), {"type": "new"})
        return group

    async def change(self, change: str, group: Group, by: Phone, whom: list[Phone]) -> dict[str, int]:
        """Add, remove, promote or demote. Returns by number why somebody was left as they were; 0 is done.

        Everybody may add, and everybody may go; the rest is for admins.
        """
        if change == "add" or (change == "remove" and whom == [by]):
            group.require_member(by.number)
        else:
            group.require_admin(by.number)
        codes = {phone.number: _make(change, group, phone.number) for phone in whom}
        await self._changed(change, group, by, [phone for phone in whom if not codes[phone.number]])
        return codes

    async def join(self, group: Group, phone: Phone) -> None:
        """Come in by the invite link."""
        if group.add(phone.number):
            raise GroupError(409, "conflict", f"{phone.number} is a member already")
        await self._changed("add", group, phone, [phone], reason="invite")

    async def rename(self, group: Group, by: Phone, title: str) -> None:
        """Give a group another name."""
        group.require_member(by.number)
        group.rename(title, by.number, int(now()))
        self._groups.changed(group)
        subject: Attributes = {"subject": title, "s_t": str(group.titled[1]), "s_o": by.lid, "s_o_pn": by.jid}
        await self._tell(group, by, Node("subject", subject), self._members(group))

    def _members(self, group: Group) -> list[Phone]:
        return [self._phones.get(number) for number in group.members]

    async def _changed(self, change: str, group: Group, by: Phone, whom: list[Phone], reason: str = "") -> None:
        if not whom:
            return
        self._groups.changed(group)
        members = self._members(group)
        audience = [phone for phone in members if change != "add" or phone not in whom]
        if change == "remove":
            audience += whom
            for phone in members:
                phone.party.groups.renew(group.id)
                self._phones.changed(phone)
        people = [participant_node(phone) for phone in whom]
        await self._tell(group, by, Node(change, {"reason": reason}, people), audience)
        if change == "add":
            await self._tell_created(group, by, whom, {"reason": reason})

    async def _tell_created(self, group: Group, by: Phone, whom: list[Phone], head: Attributes) -> None:
        """Those who are new in a group are told what it is (whatsmeow's parseGroupCreate)."""
        await self._tell(group, by, Node("create", head, [group_node(group, self._phones)]), whom)

    async def _tell(self, group: Group, by: Phone, what: Node, audience: Iterable[Phone]) -> None:
        for phone in audience:
            for device in phone.devices.values():
                head: Attributes = {"from": group.jid, "type": "w:gp2", "id": next(self._ids), "t": now()}
                author: Attributes = {
                    "notify": by.name,
                    "participant": by.lid,
                    "participant_pn": by.jid,
                    "addressing_mode": "lid",
                }
                await self._phones.deliver(phone, device, Node("notification", {**head, **author}, [what]))


def _make(change: str, group: Group, number: str) -> int:
    match change:
        case "add":
            return group.add(number)
        case "remove":
            return group.remove(number)
        case _:
            return group.let_administer(number, admin=change == "promote")


class GroupQueries:
    """Answers what linked devices ask about groups."""

    def __init__(self, phones: Phones, groups: Groups, changes: GroupChanges) -> None:
        self._phones, self._groups, self._changes = phones, groups, changes
        self._answers: dict[str, Callable[[Phone, Node, Node], Awaitable[Node | None]]] = {
            "participating": self._list,
            "query": self._info,
            "create": self._create,
            "leave": self._leave,
            "subject": self._rename,
            "invite": self._invite,
            **dict.fromkeys(_CHANGES, self._change),
        }

    async def answer(self, connection: Connection, query: Node) -> None:
        """Answer one `w:g2` query, or refuse it."""
        if connection.phone is None or not query.children:
            raise MalformedNodeError("only a linked device may ask about groups, and it has to say what")
        asked = query.children[0]
        try:
            answer = self._answers.get(asked.tag)
            if answer is None:
                raise GroupError(501, "feature-not-implemented", f"{asked.tag} of groups is not emulated")
            content = await answer(connection.phone, query, asked)
        except GroupError as error:
            await connection.refuse(query, error.code, error.text)
        else:
            await connection.reply(query, *([content] if content else []))

    async def _list(self, phone: Phone, _query: Node, _asked: Node) -> Node:
        return Node("groups", {}, [group_node(group, self._phones) for group in self._groups.of(phone.number)])

    async def _info(self, phone: Phone, query: Node, _asked: Node) -> Node:
        group = self._groups.get(query.jid("to"))
        group.require_member(phone.number)
        return group_node(group, self._phones)

    async def _create(self, phone: Phone, _query: Node, asked: Node) -> Node:
        members = [found for jid in _people(asked) if (found := self._phones.known(jid)) and found is not phone]
        return group_node(await self._changes.create(asked.text("subject"), phone, members), self._phones)

    async def _leave(self, phone: Phone, _query: Node, asked: Node) -> None:
        for left in asked.children:
            await self._changes.change("remove", self._groups.get(left.jid("id")), phone, [phone])

    async def _rename(self, phone: Phone, query: Node, asked: Node) -> None:
        await self._changes.rename(self._groups.get(query.jid("to")), phone, asked.data.decode(errors="replace"))

    async def _change(self, phone: Phone, query: Node, asked: Node) -> Node:
        found = {jid: self._phones.known(jid) for jid in _people(asked)}
        whom = [each for each in found.values() if each is not None]
        codes = await self._changes.change(asked.tag, self._groups.get(query.jid("to")), phone, whom)
        people = [
            participant_node(each, error=codes[each.number])
            if each
            else Node("participant", {"jid": jid, "error": "404"})
            for jid, each in found.items()
        ]
        return Node(asked.tag, {}, people)

    async def _invite(self, phone: Phone, query: Node, asked: Node) -> Node:
        if code := asked.text("code"):
            group = self._groups.invited(code)
            if query.text("type") == "set":
                await self._changes.join(group, phone)
                return Node("group", {"jid": group.jid})
            return group_node(group, self._phones)
        group = self._groups.get(query.jid("to"))
        group.require_member(phone.number)
        if not group.members[phone.number]:
            raise GroupError(401, "not-authorized", "only admins may see the invite link")
        if query.text("type") == "set":
            group.revoke_code()
            self._groups.changed(group)
        return Node("invite", {"code": group.code})


def _people(asked: Node) -> list[Jid]:
    return [child.jid("jid") for child in asked.children if child.tag == "participant"]

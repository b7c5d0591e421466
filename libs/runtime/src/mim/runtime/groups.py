"""Routes of an instance's port about groups: what the messenger says of them, beside what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from mim.contracts.api import PageQuery
from mim.contracts.errors import ErrorCode, MimError, NotReady
from mim.contracts.groups import (
    CreateGroupBody,
    Group,
    GroupAnswer,
    GroupItem,
    GroupList,
    GroupSource,
    InviteAnswer,
    ParticipantChange,
    ParticipantsAnswer,
    ParticipantsBody,
)
from mim.contracts.providers import Capability, check_can
from mim.contracts.stored import ChatRow, StoredVerb
from mim.runtime import http
from mim.runtime.messaging import not_ready
from mim.runtime.routing import Call
from mim.runtime.runner import Runner
from mim.runtime.session import GroupSession
from mim.runtime.stored import StoredRoutes

T = TypeVar("T")

READ_S = 4.0
MOST_GROUPS = 1000
_NEEDS = {
    ParticipantChange.ADD: Capability.GROUP_ADD,
    ParticipantChange.REMOVE: Capability.GROUP_REMOVE,
    ParticipantChange.PROMOTE: Capability.GROUP_ADMINS,
    ParticipantChange.DEMOTE: Capability.GROUP_ADMINS,
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class GroupRoutes:
    """Handlers by the names of their routes; each is given the instance that the call is for."""

    def __init__(self, stored: StoredRoutes) -> None:
        self._stored = stored

    def handlers(self) -> dict[str, Callable[[Call, Runner], Awaitable[web.StreamResponse]]]:
        """By the names of their routes."""
        return {
            "groups": self._list,
            "group": self._group,
            "create_group": self._create,
            "participants": self._participants,
            "invite": self._invite,
            "renew_invite": self._renew_invite,
        }

    async def _list(self, call: Call, runner: Runner) -> web.StreamResponse:
        query = http.read_query(call.request, PageQuery)
        known = PageQuery(limit=MOST_GROUPS)
        found, joined = await asyncio.gather(
            self._stored.look_up(runner, StoredVerb.CHATS, known, is_group=True), self._joined(runner)
        )
        items = merged(found.chats, joined or (), query.search or "")
        source = GroupSource.STORED if joined is None else GroupSource.ACCOUNT
        shown = items[query.offset : query.offset + query.limit]
        return http.answer(GroupList(groups=shown, total=len(items), source=source))

    async def _joined(self, runner: Runner) -> tuple[Group, ...] | None:
        """The groups of the account; None if it cannot be asked now."""
        try:
            return await _reading(_session(runner, Capability.GROUP_LIST).groups())
        except MimError:
            return None

    async def _group(self, call: Call, runner: Runner) -> web.StreamResponse:
        session = _session(runner, Capability.GROUPS)
        return http.answer(GroupAnswer(group=await _reading(session.group(_group_id(call)))))

    async def _create(self, call: Call, runner: Runner) -> web.StreamResponse:
        body = await http.read_body(call.request, CreateGroupBody)
        session = _session(runner, Capability.GROUP_CREATE)
        return http.answer(GroupAnswer(group=await session.create_group(body.title, body.participants)), 201)

    async def _participants(self, call: Call, runner: Runner) -> web.StreamResponse:
        body = await http.read_body(call.request, ParticipantsBody)
        session = _session(runner, _NEEDS[body.action])
        people = await session.change_participants(_group_id(call), body.action, body.participants)
        return http.answer(ParticipantsAnswer(participants=list(people)))

    async def _invite(self, call: Call, runner: Runner) -> web.StreamResponse:
        session = _session(runner, Capability.GROUP_INVITE)
        return http.answer(InviteAnswer(link=await _reading(session.invite_link(_group_id(call), renew=False))))

    async def _renew_invite(self, call: Call, runner: Runner) -> web.StreamResponse:
        session = _session(runner, Capability.GROUP_INVITE)
        return http.answer(InviteAnswer(link=await session.invite_link(_group_id(call), renew=True)))


def merged(stored: tuple[ChatRow, ...], joined: tuple[Group, ...], search: str) -> list[GroupItem]:
    """What is stored of groups and what the messenger says of them as one list, the latest first."""
    items = {chat.id: GroupItem(**chat.model_dump(exclude={"isGroup"})) for chat in stored}
    for group in joined:
        known = items.get(group.id) or GroupItem(id=group.id, name=None)
        about = {"name": group.title, "participantsCount": group.participants_count}
        items[group.id] = known.model_copy(update=about)
    wanted = [item for item in items.values() if search.lower() in (item.name or "").lower()]
    return sorted(wanted, key=lambda item: (item.lastMessageAt or _LONG_AGO, item.name or ""), reverse=True)


def _session(runner: Runner, capability: Capability) -> GroupSession:
    """The session to ask. Raises: Rejected (NOT_SUPPORTED), HttpError (NOT_READY)."""
    check_can(runner.order.provider, runner.order.login, capability)
    if runner.session is None or not runner.status.is_ready:
        raise not_ready(runner)
    return runner.session


async def _reading(asked: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(READ_S):
            return await asked
    except TimeoutError:
        raise NotReady(ErrorCode.MESSENGER_UNREACHABLE, f"no answer from the messenger within {READ_S:g} s") from None


def _group_id(call: Call) -> str:
    given = call.request.match_info["group"]
    if len(given) > 128:
        raise MimError(ErrorCode.NOT_FOUND, "there is no such group")
    return given

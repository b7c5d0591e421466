"""What can be asked and done about the groups of a person's account: a part of its session.

Basic groups and supergroups are two things to Telegram (https://core.telegram.org/api/channel), one here.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from telethon import errors, utils
from telethon.tl import functions, types

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused
from mim.contracts.groups import Group, GroupParticipant, ParticipantChange, ParticipantProblem
from mim.runtime.session import SessionContext
from mim.telegram_adapter.user_content import address
from mim.telegram_adapter.user_failures import flooded, unreachable, word

T = TypeVar("T")

WITHIN_S = 15.0
MOST_DIALOGS = 1000
MOST_SHOWN = 200
_RIGHTS = types.ChatAdminRights(
    change_info=True, delete_messages=True, ban_users=True, invite_users=True, pin_messages=True, manage_call=True
)
_ADMINS = (
    types.ChatParticipantAdmin,
    types.ChatParticipantCreator,
    types.ChannelParticipantAdmin,
    types.ChannelParticipantCreator,
)
_CREATORS = (types.ChatParticipantCreator, types.ChannelParticipantCreator)
_NO_GROUP = (
    errors.PeerIdInvalidError,
    errors.ChatIdInvalidError,
    errors.ChannelInvalidError,
    errors.ChannelPrivateError,
    ValueError,  # Telethon's own word for a peer that it has never seen
)
_NO_ADMIN = (
    errors.ChatAdminRequiredError,
    errors.ChatAdminInviteRequiredError,
    errors.RightForbiddenError,
    errors.UserAdminInvalidError,
)
_PROBLEMS: tuple[tuple[type[Exception], ParticipantProblem], ...] = (
    (errors.UserPrivacyRestrictedError, ParticipantProblem.NOT_ALLOWED),
    (errors.UserNotMutualContactError, ParticipantProblem.NOT_ALLOWED),
    (errors.UserBlockedError, ParticipantProblem.NOT_ALLOWED),
    (errors.UserChannelsTooMuchError, ParticipantProblem.NOT_ALLOWED),
    (errors.UserAlreadyParticipantError, ParticipantProblem.ALREADY_THERE),
    (errors.UserNotParticipantError, ParticipantProblem.NOT_FOUND),
    (errors.UserIdInvalidError, ParticipantProblem.NOT_FOUND),
)


class GroupMethods(ABC):
    """The methods of a session that are about groups; see `mim.runtime.session.GroupSession`."""

    _context: SessionContext

    @abstractmethod
    def _connected(self) -> Any:
        """The client of a connected account. Raises: NotReady."""

    @abstractmethod
    async def _peer(self, client: Any, to: str) -> Any:
        """Whom a recipient means. Raises: ValueError, errors.RPCError if nobody is known by that."""

    async def groups(self) -> tuple[Group, ...]:
        """The groups among the latest chats, without their participants."""
        client = self._connected()
        dialogs = await self._asked(client.get_dialogs(limit=MOST_DIALOGS), changes=False)
        return tuple(_group_of(each.entity) for each in dialogs if each.is_group and not _is_left(each.entity))

    async def group(self, group_id: str) -> Group:
        """One group, with at most `MOST_SHOWN` of its participants."""
        client = self._connected()
        return await self._asked(self._show(client, await self._group_peer(client, group_id)), changes=False)

    async def create_group(self, title: str, people: Sequence[str]) -> Group:
        """Make a basic group with these people."""
        client = self._connected()
        known, unknown = await self._known(client, people)
        if not known:
            raise Refused(ErrorCode.RECIPIENT_UNKNOWN, "Telegram knows none of these people, so there is no group")
        request = functions.messages.CreateChatRequest([utils.get_input_user(peer) for peer in known.values()], title)
        made = await self._asked(client(request), changes=True)
        group = await self._asked(self._show(client, await self._made(client, made.updates)), changes=True)
        refused = [str(one.user_id) for one in made.missing_invitees]
        left_out = [GroupParticipant(id=one, problem=ParticipantProblem.NOT_ALLOWED) for one in refused]
        return group.model_copy(update={"participants": (*group.participants, *left_out, *unknown)})

    async def change_participants(
        self, group_id: str, change: ParticipantChange, people: Sequence[str]
    ) -> tuple[GroupParticipant, ...]:
        """Add, remove, promote or demote people, one after the other: Telegram has no other way for basic groups."""
        client = self._connected()
        group = await self._group_peer(client, group_id)
        known, unknown = await self._known(client, people)
        changed = []
        for peer in known.values():
            problem = await self._asked(self._change(client, group, change, peer), changes=True)
            is_admin = change is ParticipantChange.PROMOTE and problem is None
            changed.append(_participant(await client.get_entity(peer), is_admin=is_admin, problem=problem))
        return (*changed, *unknown)

    async def invite_link(self, group_id: str, *, renew: bool) -> str:
        """The link by which anybody can come into a group."""
        client = self._connected()
        group = await self._group_peer(client, group_id)
        if not renew:
            full = (await self._asked(_full(client, group), changes=False)).full_chat
            if isinstance(full.exported_invite, types.ChatInviteExported):
                return str(full.exported_invite.link)
        request = functions.messages.ExportChatInviteRequest(group, legacy_revoke_permanent=True)
        return str((await self._asked(client(request), changes=renew)).link)

    # ------------------------------------------------------------------------------------------------ asking

    async def _asked(self, asked: Awaitable[T], *, changes: bool) -> T:
        try:
            async with asyncio.timeout(WITHIN_S):
                answer = await asked
        except (errors.RPCError, ValueError) as error:
            failure = _refusal(error)
        except (EOFError, OSError, TimeoutError) as error:
            why = f"it is open whether the group was changed ({type(error).__name__})"
            failure = MimError(ErrorCode.UNCERTAIN, why) if changes else unreachable(error)
        else:
            self._context.proved()
            return answer
        self._context.log.warning("telegram_group_refused", code=failure.code, why=failure.message)
        raise failure

    async def _group_peer(self, client: Any, group_id: str) -> Any:
        where = address(group_id.strip())
        if not isinstance(where, int) or where >= 0:
            raise Refused(ErrorCode.NOT_FOUND, "this is no group: the id of one looks like -1001234567890")
        return await self._asked(client.get_input_entity(where), changes=False)

    async def _known(self, client: Any, people: Sequence[str]) -> tuple[dict[str, Any], list[GroupParticipant]]:
        """Whom people's names mean, and those who are not known."""
        known, unknown = {}, []
        for person in people:
            try:
                known[person] = await self._person(client, person)
            except (errors.RPCError, ValueError):
                unknown.append(GroupParticipant(id=person, problem=ParticipantProblem.NOT_FOUND))
        return known, unknown

    async def _person(self, client: Any, person: str) -> Any:
        async with asyncio.timeout(WITHIN_S):
            peer = await self._peer(client, person)
        if not isinstance(peer, types.InputPeerUser):
            raise ValueError("not a person")  # noqa: TRY004 - as when nobody is known by this name
        return peer

    async def _made(self, client: Any, updates: Any) -> Any:
        return await client.get_input_entity(utils.get_peer_id(updates.chats[0]))

    async def _show(self, client: Any, group: Any) -> Group:
        found = await client.get_participants(group, limit=MOST_SHOWN)
        shown = [_participant(one, is_admin=isinstance(one.participant, _ADMINS)) for one in found]
        owner = next((shown[index].id for index, one in enumerate(found) if _is_creator(one)), None)
        about = {"participants": tuple(shown), "participants_count": found.total, "owner": owner}
        return _group_of(await client.get_entity(group)).model_copy(update=about)

    async def _change(
        self, client: Any, group: Any, change: ParticipantChange, person: Any
    ) -> ParticipantProblem | None:
        try:
            done = await _REQUESTS[change](client, group, person)
        except tuple(kind for kind, _ in _PROBLEMS) as error:
            return next(problem for kind, problem in _PROBLEMS if isinstance(error, kind))
        missing = getattr(done, "missing_invitees", ())
        return ParticipantProblem.NOT_ALLOWED if missing else None


async def _add(client: Any, group: Any, person: Any) -> Any:
    if isinstance(group, types.InputPeerChat):
        return await client(functions.messages.AddChatUserRequest(group.chat_id, person, fwd_limit=0))
    # Telegram takes it without a word if a supergroup is told to add a member again.
    with suppress(errors.UserNotParticipantError):
        found = await client(functions.channels.GetParticipantRequest(group, person))
        if not isinstance(found.participant, types.ChannelParticipantBanned | types.ChannelParticipantLeft):
            raise errors.UserAlreadyParticipantError(None)
    return await client(functions.channels.InviteToChannelRequest(group, [person]))


async def _remove(client: Any, group: Any, person: Any) -> Any:
    return await client.kick_participant(group, person)


async def _promote(client: Any, group: Any, person: Any) -> Any:
    return await _set_admin(client, group, person, is_admin=True)


async def _demote(client: Any, group: Any, person: Any) -> Any:
    return await _set_admin(client, group, person, is_admin=False)


async def _set_admin(client: Any, group: Any, person: Any, *, is_admin: bool) -> Any:
    if isinstance(group, types.InputPeerChat):
        return await client(functions.messages.EditChatAdminRequest(group.chat_id, person, is_admin))
    rights = _RIGHTS if is_admin else types.ChatAdminRights()
    return await client(functions.channels.EditAdminRequest(group, person, rights, rank=""))


async def _full(client: Any, group: Any) -> Any:
    if isinstance(group, types.InputPeerChat):
        return await client(functions.messages.GetFullChatRequest(group.chat_id))
    return await client(functions.channels.GetFullChannelRequest(group))


_REQUESTS: dict[ParticipantChange, Callable[[Any, Any, Any], Awaitable[Any]]] = {
    ParticipantChange.ADD: _add,
    ParticipantChange.REMOVE: _remove,
    ParticipantChange.PROMOTE: _promote,
    ParticipantChange.DEMOTE: _demote,
}


def _group_of(entity: Any) -> Group:
    count = getattr(entity, "participants_count", None) or 0
    identity = str(utils.get_peer_id(entity))
    return Group(id=identity, title=entity.title, created_at=entity.date, participants_count=count)


def _participant(person: Any, *, is_admin: bool, problem: ParticipantProblem | None = None) -> GroupParticipant:
    return GroupParticipant(
        id=str(person.id),
        name=utils.get_display_name(person) or None,
        username=person.username,
        phone_number=person.phone,
        is_admin=is_admin,
        problem=problem,
    )


def _is_creator(person: Any) -> bool:
    return isinstance(person.participant, _CREATORS)


def _is_left(entity: Any) -> bool:
    return bool(getattr(entity, "left", False) or getattr(entity, "deactivated", False))


def _refusal(error: Any) -> MimError:
    match error:
        case errors.FloodError():
            return flooded(error)
        case _ if isinstance(error, _NO_GROUP):
            return Refused(ErrorCode.NOT_FOUND, "the account belongs to no group with this id")
        case _ if isinstance(error, _NO_ADMIN):
            return Refused(ErrorCode.MESSENGER_REFUSED, "only admins of the group can do this")
        case errors.ServerError():
            return NotReady(ErrorCode.MESSENGER_UNREACHABLE, f"Telegram is out of order ({word(error)}): try again")
        case _:
            return Refused(ErrorCode.MESSENGER_REFUSED, f"Telegram refuses: {word(error)}")

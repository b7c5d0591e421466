"""What a bot can be asked and can do about the groups that it is in: a part of its session.

The Bot API tells no bot which groups it is in, makes no groups and adds nobody
(https://core.telegram.org/bots/api#available-methods); of the people in a group it names the admins only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from aiogram.methods import (
    BanChatMember,
    ExportChatInviteLink,
    GetChat,
    GetChatAdministrators,
    GetChatMember,
    GetChatMemberCount,
    PromoteChatMember,
    TelegramMethod,
    UnbanChatMember,
)
from aiogram.types import ChatFullInfo, ChatMemberOwner, User

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused, Rejected
from mim.contracts.groups import Group, GroupParticipant, ParticipantChange, ParticipantProblem
from mim.runtime.session import SessionContext
from mim.telegram_adapter.failures import CallError, Kind, end_of_message

T = TypeVar("T")

WITHIN_S = 10.0
_GROUPS = ("group", "supergroup")
_RIGHTS = (
    "can_manage_chat",
    "can_change_info",
    "can_delete_messages",
    "can_restrict_members",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_video_chats",
)
_GONE = ("left", "kicked")
# In Telegram's own words, lower case: Client.cpp of https://github.com/tdlib/telegram-bot-api and its server's errors.
_NO_ADMIN = ("not enough rights", "need administrator rights", "chat_admin_required", "right_forbidden", "not an admin")
_NOBODY = ("user not found", "participant_id_invalid", "user_id_invalid", "user_not_participant", "invalid user_id")


class GroupMethods(ABC):
    """The methods of a session that are about groups; see `mim.runtime.session.GroupSession`."""

    _context: SessionContext

    @abstractmethod
    async def _ask(self, method: TelegramMethod[T], timeout_s: float) -> T:
        """Call a method of the Bot API. Raises: CallError, NotReady."""

    async def groups(self) -> tuple[Group, ...]:
        """Raises: Rejected always."""
        raise Rejected(ErrorCode.NOT_SUPPORTED, "Telegram tells no bot in which groups it is")

    async def create_group(self, title: str, people: Sequence[str]) -> Group:
        """Raises: Rejected always."""
        del title, people
        raise Rejected(ErrorCode.NOT_SUPPORTED, "a Telegram bot makes no groups: people add it to theirs")

    async def group(self, group_id: str) -> Group:
        """One group with its admins."""
        chat = await self._chat(group_id)
        admins = await self._about_group(GetChatAdministrators(chat_id=chat.id))
        return Group(
            id=str(chat.id),
            title=chat.title or "",
            owner=next((str(admin.user.id) for admin in admins if isinstance(admin, ChatMemberOwner)), None),
            participants_count=await self._about_group(GetChatMemberCount(chat_id=chat.id)),
            participants=tuple(_participant(admin.user, is_admin=True) for admin in admins),
        )

    async def change_participants(
        self, group_id: str, change: ParticipantChange, people: Sequence[str]
    ) -> tuple[GroupParticipant, ...]:
        """Remove, promote or demote people, who are named by Telegram's number of them."""
        if change is ParticipantChange.ADD:
            raise Rejected(ErrorCode.NOT_SUPPORTED, "a Telegram bot adds nobody: send people the invite link")
        chat = await self._chat(group_id)
        return tuple([await self._change(chat, change, person) for person in people])

    async def invite_link(self, group_id: str, *, renew: bool) -> str:
        """The link by which anybody can come into a group."""
        chat = await self._chat(group_id)
        if chat.invite_link and not renew:
            return chat.invite_link
        return await self._about_group(ExportChatInviteLink(chat_id=chat.id), changes=renew)

    async def _chat(self, group_id: str) -> ChatFullInfo:
        chat = await self._about_group(GetChat(chat_id=group_id.strip()))
        if chat.type not in _GROUPS:
            raise Refused(ErrorCode.NOT_FOUND, "this chat is no group")
        return chat

    async def _change(self, chat: ChatFullInfo, change: ParticipantChange, person: str) -> GroupParticipant:
        if not person.isdecimal() or len(person) > 15:
            return GroupParticipant(id=person, problem=ParticipantProblem.NOT_FOUND)
        who = int(person)
        try:
            member = await self._ask(GetChatMember(chat_id=chat.id, user_id=who), WITHIN_S)
            if member.status in _GONE:
                return _participant(member.user, problem=ParticipantProblem.NOT_FOUND)
            await self._carry_out(chat, change, who)
        except CallError as failure:
            if _says(failure, _NOBODY):
                return GroupParticipant(id=person, problem=ParticipantProblem.NOT_FOUND)
            raise self._failure(failure, changes=True) from None
        return _participant(member.user, is_admin=change is ParticipantChange.PROMOTE)

    async def _carry_out(self, chat: ChatFullInfo, change: ParticipantChange, who: int) -> None:
        if change is ParticipantChange.REMOVE:
            await self._ask(BanChatMember(chat_id=chat.id, user_id=who), WITHIN_S)
            if chat.type == "supergroup":  # in a basic group nobody is banned, only removed
                await self._ask(UnbanChatMember(chat_id=chat.id, user_id=who, only_if_banned=True), WITHIN_S)
            return
        rights = dict.fromkeys(_RIGHTS, change is ParticipantChange.PROMOTE)
        await self._ask(PromoteChatMember(chat_id=chat.id, user_id=who, **rights), WITHIN_S)

    async def _about_group(self, method: TelegramMethod[T], *, changes: bool = False) -> T:
        try:
            return await self._ask(method, WITHIN_S)
        except CallError as failure:
            raise self._failure(failure, changes=changes) from None

    def _failure(self, failure: CallError, *, changes: bool) -> MimError:
        error = _meaning(failure, changes=changes)
        self._context.log.warning("telegram_group_refused", code=error.code, why=error.message)
        return error


def _meaning(failure: CallError, *, changes: bool) -> MimError:
    if failure.kind is Kind.UNANSWERED and not changes:
        return NotReady(ErrorCode.MESSENGER_UNREACHABLE, f"Telegram does not answer ({failure.description})")
    if _says(failure, _NO_ADMIN):
        return Refused(ErrorCode.MESSENGER_REFUSED, "only admins of the group can do this: make the bot one")
    if failure.kind is Kind.FORBIDDEN or _says(failure, ("chat not found",)):
        return Refused(ErrorCode.NOT_FOUND, f"the bot is in no group with this id ({failure.description})")
    return end_of_message(failure)


def _says(failure: CallError, words: tuple[str, ...]) -> bool:
    return any(word in failure.description.lower() for word in words)


def _participant(user: User, *, is_admin: bool = False, problem: ParticipantProblem | None = None) -> GroupParticipant:
    identity, name = str(user.id), user.full_name
    return GroupParticipant(id=identity, name=name, username=user.username, is_admin=is_admin, problem=problem)

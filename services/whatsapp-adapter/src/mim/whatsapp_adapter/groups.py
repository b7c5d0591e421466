"""What can be asked and done about an account's groups: a part of the session."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import StrEnum

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused
from mim.contracts.fields import Model, Time
from mim.runtime.session import SessionContext
from mim.whatsapp_adapter.endings import unreachable
from mim.whatsapp_adapter.messages import recipient
from mim.whatsapp_adapter.process import ChildEndedError, ChildProcess, Fields

_WITHIN_S = 30.0
_LATER_S = 60.0
_REFUSED = re.compile(r"info query returned status (\d+)")


class ParticipantChange(StrEnum):
    """What can be done to people in a group."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"


class GroupParticipant(Model):
    """Somebody in a group: `id` is the phone number, or the hidden id (`lid`) where WhatsApp does not tell it.

    `error` is WhatsApp's code why a change was not made for this one: 403 they do not let everybody add them, 404 not
    on WhatsApp or not in the group, 409 in the group already.
    """

    id: str
    phone_number: str | None = None
    lid: str | None = None
    is_admin: bool = False
    error: int | None = None


class Group(Model):
    """A group that the account belongs to. `id` is the chat to write to.

    `created_at` is right to about a minute: the library passes it in a number of 24 bits' precision.
    """

    id: str
    title: str
    owner: str | None = None
    created_at: Time | None = None
    participants: tuple[GroupParticipant, ...] = ()


class GroupMethods(ABC):
    """The methods of a session that are about groups.

    All raise NotReady if the account is not connected or WhatsApp does not answer, and Refused for what it does not
    allow or know. Those that change something raise MimError(UNCERTAIN) if it is open whether they did.
    """

    _context: SessionContext

    @abstractmethod
    def _connected(self) -> ChildProcess:
        """The child process of a connected account. Raises: NotReady."""

    async def _ask_about_groups(self, command: str, *, changes: bool, **fields: object) -> Fields:
        try:
            answer = await self._connected().ask(command, _WITHIN_S, **fields)
        except (TimeoutError, ChildEndedError) as error:
            why = str(error) or f"no answer within {_WITHIN_S:.0f} s"
            if changes:
                raise MimError(ErrorCode.UNCERTAIN, f"it is open whether the group was changed: {why}") from None
            raise unreachable(why) from None
        if answer["event"] == "failed":
            failure = group_failure(answer["message"])
            self._context.log.warning("whatsapp_group_refused", command=command, code=failure.code, why=failure.message)
            raise failure
        self._context.proved()
        return answer

    async def groups(self) -> tuple[Group, ...]:
        """The groups that the account belongs to."""
        answer = await self._ask_about_groups("groups", changes=False)
        return tuple(Group.model_validate(each) for each in answer["groups"])

    async def group(self, group_id: str) -> Group:
        """One group with its participants."""
        answer = await self._ask_about_groups("group", changes=False, group=group_address(group_id))
        return Group.model_validate(answer["group"])

    async def create_group(self, title: str, members: Iterable[str]) -> Group:
        """Make a group with these people, phone numbers as people write them. The account becomes its admin.

        Whom WhatsApp does not take in is not among the participants of what is returned.
        """
        people = [recipient(member) for member in members]
        answer = await self._ask_about_groups("create_group", changes=True, title=title, members=people)
        return Group.model_validate(answer["group"])

    async def participants(
        self, group_id: str, change: ParticipantChange, members: Iterable[str]
    ) -> tuple[GroupParticipant, ...]:
        """Add, remove, promote or demote people. Returns them, with `error` on those for whom it was not done."""
        about = {"group": group_address(group_id), "change": change.value}
        people = [recipient(member) for member in members]
        answer = await self._ask_about_groups("participants", changes=True, members=people, **about)
        return tuple(GroupParticipant.model_validate(each) for each in answer["participants"])

    async def invite(self, group_id: str, *, renew: bool = False) -> str:
        """The link by which anybody can come into a group; `renew` makes the one before useless."""
        answer = await self._ask_about_groups("invite", changes=renew, group=group_address(group_id), renew=renew)
        return str(answer["link"])


def group_address(group_id: str) -> str:
    """The address of a group, written with or without `@g.us`. Raises: Refused(INVALID_FIELDS) if it is none."""
    user, _, server = group_id.strip().partition("@")
    if server not in ("", "g.us") or not re.fullmatch(r"\d{5,20}(-\d{5,20})?", user):
        raise Refused(ErrorCode.INVALID_FIELDS, "this is no group: its id looks like 120363025246125486@g.us")
    return f"{user}@g.us"


def group_failure(text: str) -> MimError:
    """What the library's error text after something about groups means (whatsmeow's group.go and errors.go)."""
    if "not participating in that group" in text or "group does not exist" in text:
        return Refused(ErrorCode.NOT_FOUND, "the account belongs to no group with this id")
    if "permission to get the group" in text:
        return Refused(ErrorCode.MESSENGER_REFUSED, "only admins of the group can do this")
    if "rate-overlimit" in text:
        return NotReady(ErrorCode.RATE_LIMITED, "WhatsApp asks to do this more slowly", retry_after_s=_LATER_S)
    if status := _REFUSED.search(text):
        return _refusal(int(status[1]))
    return NotReady(ErrorCode.MESSENGER_UNREACHABLE, "WhatsApp did not answer what was asked about groups")


def _refusal(status: int) -> Refused:
    match status:
        case 401 | 403:
            return Refused(ErrorCode.MESSENGER_REFUSED, "only admins of the group can do this")
        case 404:
            return Refused(ErrorCode.NOT_FOUND, "the account belongs to no group with this id")
        case 406:
            return Refused(ErrorCode.INVALID_FIELDS, "WhatsApp does not accept this: check the name of the group")
        case _:
            return Refused(ErrorCode.MESSENGER_REFUSED, f"WhatsApp refused with status {status}")

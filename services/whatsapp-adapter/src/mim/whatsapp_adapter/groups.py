"""What can be asked and done about an account's groups: a part of the session."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused
from mim.contracts.groups import Group, GroupParticipant, ParticipantChange, ParticipantProblem
from mim.runtime.session import SessionContext
from mim.whatsapp_adapter.endings import unreachable
from mim.whatsapp_adapter.messages import recipient
from mim.whatsapp_adapter.process import ChildEndedError, ChildProcess, Fields

_WITHIN_S = 15.0
_LATER_S = 60.0
_REFUSED = re.compile(r"info query returned status (\d+)")


_PROBLEMS = {
    403: ParticipantProblem.NOT_ALLOWED,
    404: ParticipantProblem.NOT_FOUND,
    409: ParticipantProblem.ALREADY_THERE,
}


class GroupMethods(ABC):
    """The methods of a session that are about groups; see `mim.runtime.session.GroupSession`."""

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
        return tuple(self._group(each) for each in answer["groups"])

    async def group(self, group_id: str) -> Group:
        """One group with its participants."""
        answer = await self._ask_about_groups("group", changes=False, group=group_address(group_id))
        return self._group(answer["group"])

    async def create_group(self, title: str, people: Sequence[str]) -> Group:
        """Make a group with these people, phone numbers as people write them."""
        members = [recipient(person) for person in people]
        answer = await self._ask_about_groups("create_group", changes=True, title=title, members=members)
        return self._group(answer["group"])

    async def change_participants(
        self, group_id: str, change: ParticipantChange, people: Sequence[str]
    ) -> tuple[GroupParticipant, ...]:
        """Add, remove, promote or demote people."""
        about = {"group": group_address(group_id), "change": change.value}
        members = [recipient(person) for person in people]
        answer = await self._ask_about_groups("participants", changes=True, members=members, **about)
        return tuple(self._participant(each) for each in answer["participants"])

    async def invite_link(self, group_id: str, *, renew: bool) -> str:
        """The link by which anybody can come into a group."""
        answer = await self._ask_about_groups("invite", changes=renew, group=group_address(group_id), renew=renew)
        return str(answer["link"])

    def _group(self, told: Fields) -> Group:
        everybody = [self._participant(each) for each in told["participants"]]
        count = sum(each.problem is None for each in everybody)
        return Group.model_validate(told | {"participants": everybody, "participants_count": count})

    def _participant(self, told: Fields) -> GroupParticipant:
        """Somebody in a group; `error` is WhatsApp's code why what was asked about them was not done."""
        code = told.pop("error")
        if code is not None:
            self._context.log.warning("whatsapp_participant_refused", code=code)
        problem = None if code is None else _PROBLEMS.get(code, ParticipantProblem.REFUSED)
        return GroupParticipant.model_validate(told | {"problem": problem})


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

"""Groups that an account belongs to, and what can be done about them while it is connected."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from mim.contracts.answers import Answer, Shape
from mim.contracts.fields import Model, Name, Recipient, Time

MOST_PEOPLE = 200
People = Annotated[tuple[Recipient, ...], Field(min_length=1, max_length=MOST_PEOPLE)]


class ParticipantChange(StrEnum):
    """What can be done to people in a group."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"


class ParticipantProblem(StrEnum):
    """Why a change was not made for one person."""

    NOT_ALLOWED = "not_allowed"
    """They do not let this account add them: send them the invite link."""
    NOT_FOUND = "not_found"
    """Not known to the messenger, or not in the group."""
    ALREADY_THERE = "already_there"
    REFUSED = "refused"
    """The messenger gave another reason; the log of the instance has its code."""


class GroupParticipant(Model):
    """Somebody in a group. `id` is as in events: Telegram's number of the person; on WhatsApp the phone number, or the
    hidden id (`lid`) where that is not told. `problem` is why a change was not made for this one."""

    id: str
    name: str | None = None
    username: str | None = None
    phone_number: str | None = None
    lid: str | None = None
    is_admin: bool = False
    problem: ParticipantProblem | None = None


class Group(Model):
    """A group. `id` is the chat to write to.

    `participants` are those that the messenger shows: a bot sees admins only, nobody all members of a very large group;
    `participants_count` counts all. `created_at` is right to about a minute on WhatsApp.
    """

    id: str
    title: str
    owner: str | None = None
    created_at: Time | None = None
    participants_count: int = 0
    participants: tuple[GroupParticipant, ...] = ()


# ------------------------------------------------------------------------------------------------ in REST


class GroupSource(StrEnum):
    """Where a list of groups comes from."""

    ACCOUNT = "account"
    """The messenger, and what is stored of each."""
    STORED = "stored"
    """What is stored alone: the account is not connected, or its messenger does not list groups."""


class GroupItem(Shape):
    """A group as a chat. Of one in which nothing was written there is no last message; `participantsCount` is null
    where the messenger was not asked, or where the account is in the group no more."""

    id: str
    name: str | None
    isGroup: Literal[True] = True
    lastMessage: str = ""
    lastMessageAt: Time | None = None
    lastFromMe: bool = False
    unread: int = 0
    messageCount: int = 0
    participantsCount: int | None = None


class GroupList(Answer):
    """Groups, the latest first."""

    groups: list[GroupItem]
    total: int
    source: GroupSource = GroupSource.STORED


class GroupAnswer(Answer):
    """A group."""

    group: Group


class CreateGroupBody(Model):
    """Body of `POST …/groups`. People are named as in `to` of a message. The account becomes the group's admin."""

    title: Annotated[Name, Field(max_length=100)]
    participants: People


class ParticipantsBody(Model):
    """Body of `POST …/groups/{group}/participants`."""

    action: ParticipantChange
    participants: People


class ParticipantsAnswer(Answer):
    """Those who were named, with the problem where nothing was done."""

    participants: list[GroupParticipant]


class InviteAnswer(Answer):
    """The link by which anybody can come into the group."""

    link: str

"""Groups that bots are in: who else is, and what a bot may change there.

Methods and errors as in https://core.telegram.org/bots/api#available-methods and the official server's Client.cpp.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

from mim.emulators.telegram.bots import ApiError, Bot, Json

_ADMIN_RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
    "can_pin_messages",
)
_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_FLAGS = {"can_be_edited": True, "is_anonymous": False}


@dataclass(slots=True)
class Group:
    """A group: names of people by id, the first one its owner; `admins` may hold a bot's id."""

    chat: Json
    people: dict[int, str]
    admins: set[int]
    bots: set[int]
    banned: set[int] = field(default_factory=set)
    link: str = ""

    @property
    def owner(self) -> int:
        """Who made it."""
        return next(iter(self.people))

    def member(self, user: int) -> Json:
        """A `ChatMember`, https://core.telegram.org/bots/api#chatmember. Raises: ApiError 400 for a stranger."""
        if user in self.banned:
            return {"status": "kicked", "user": self._user(user), "until_date": 0}
        if user not in self.people:
            raise ApiError(400, "Bad Request: PARTICIPANT_ID_INVALID")
        if user == self.owner:
            return {"status": "creator", "user": self._user(user), "is_anonymous": False}
        if user in self.admins:
            rights = dict.fromkeys(_ADMIN_RIGHTS, True)
            return {"status": "administrator", "user": self._user(user), **rights, **_FLAGS}
        return {"status": "member", "user": self._user(user)}

    def _user(self, user: int) -> Json:
        return {"id": user, "is_bot": False, "first_name": self.people.get(user, "Deleted Account")}


class Groups:
    """All groups by chat id as text."""

    def __init__(self) -> None:
        self._all: dict[str, Group] = {}
        self._links = itertools.count(1)

    def put(self, chat: Json, bot: Bot, people: dict[int, str], *, is_admin: bool) -> None:
        """Have a group of these people and a bot."""
        admins = {next(iter(people))} | ({bot.id} if is_admin else set())
        self._all[str(chat["id"])] = Group(chat, dict(people), admins, {bot.id})

    def get(self, chat_id: str) -> Group | None:
        """The group with this id."""
        return self._all.get(chat_id)

    def of(self, bot: Bot, chat_id: str, *, as_admin: bool = False) -> Group:
        """A group that a bot is in. Raises: ApiError if it is not, or is no admin there and has to be."""
        group = self._all.get(chat_id)
        if group is None:
            raise ApiError(400, "Bad Request: chat not found")
        if bot.id not in group.bots:
            raise ApiError(403, f"Forbidden: bot is not a member of the {group.chat['type']} chat")
        if as_admin and bot.id not in group.admins:
            raise ApiError(400, "Bad Request: not enough rights")
        return group

    def about(self, bot: Bot, chat: Json) -> Json:
        """A `ChatFullInfo`, https://core.telegram.org/bots/api#chatfullinfo."""
        group = self.get(str(chat["id"]))
        gifts = dict.fromkeys(_GIFTS, False)
        full = chat | {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}
        if group is not None and group.link and bot.id in group.admins:
            full["invite_link"] = group.link
        return full

    def export_link(self, bot: Bot, chat_id: str) -> str:
        """A new invite link; the one before is dead."""
        group = self.of(bot, chat_id, as_admin=True)
        group.link = f"https://t.me/+emulated{next(self._links):08d}"
        return group.link

    def ban(self, bot: Bot, chat_id: str, user: int) -> None:
        """Take somebody out; from a supergroup they stay banned."""
        group = self.of(bot, chat_id, as_admin=True)
        if user == group.owner:
            raise ApiError(400, "Bad Request: can't remove chat owner")
        if user not in group.people:
            raise ApiError(400, "Bad Request: PARTICIPANT_ID_INVALID")
        gone = group.member(user)["user"]
        del group.people[user]
        group.admins.discard(user)
        if group.chat["type"] == "supergroup":
            group.banned.add(user)
        told = {"message_id": bot.next_message_id(), "date": int(time.time()), "chat": group.chat, "from": bot.user}
        bot.push("message", told | {"left_chat_member": gone})

    def promote(self, bot: Bot, chat_id: str, user: int, *, is_admin: bool) -> None:
        """Make a member an admin, or take that back."""
        group = self.of(bot, chat_id, as_admin=True)
        if user not in group.people:
            raise ApiError(400, "Bad Request: USER_NOT_PARTICIPANT")
        if is_admin:
            group.admins.add(user)
        else:
            group.admins.discard(user)

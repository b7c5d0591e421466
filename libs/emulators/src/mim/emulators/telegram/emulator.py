"""Bots, chats and faults of the server, and its other side: what people say to bots and what they get."""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque

from mim.emulators.telegram.bots import CONFLICT_PAUSE_S, ApiError, Bot, Fault, Json
from mim.emulators.telegram.groups import Groups

_TOKEN = re.compile(r"([1-9]\d{0,15}):[A-Za-z0-9_-]{30,}")
_CHAT_NUMBER = re.compile(r"-?[1-9]\d{0,15}")
_MAX_INBOX = 1_000
_MAX_CALLS = 10_000
_MAX_MESSAGES = 20_000
_MAX_FILES = 100


class Emulator:
    """The whole state of the server; methods without a leading underscore are what tests and people do with it.

    `auto_bots`: every well-formed token that was neither refused nor revoked is a bot.
    `auto_chats`: every number is a chat; without it only those that spoke, and those given to `add_chat`.
    `first_id`: where message and update ids begin; a process passes the time, so that ids rise across restarts.
    `conflict_pause_s`: a second 409 within this time is held back as long, as on the real server.
    """

    def __init__(
        self,
        *,
        auto_bots: bool = True,
        auto_chats: bool = True,
        first_id: int = 1,
        conflict_pause_s: float = CONFLICT_PAUSE_S,
    ) -> None:
        self.auto_bots = auto_bots
        self.auto_chats = auto_chats
        self.first_id = first_id
        self.conflict_pause_s = conflict_pause_s
        self.url = ""
        self.refused: set[str] = set()
        """Tokens, and bot ids as text, that get 401."""
        self.calls: deque[tuple[int, str, int]] = deque(maxlen=_MAX_CALLS)
        """The latest calls as (bot id, method in lower case, HTTP status); 0 is a connection closed unanswered."""
        self.files: dict[str, bytes] = {}
        """Files that people sent, by id."""
        self.actions: deque[tuple[int, str, str]] = deque(maxlen=_MAX_CALLS)
        """What bots showed that they do, as (bot id, chat, action)."""
        self.groups = Groups()
        self._bots: dict[int, Bot] = {}
        self._messages: dict[tuple[int, str, str], Json] = {}
        self._chats: dict[str, Json] = {}
        self._inboxes: dict[str, deque[Json]] = {}
        self._faults: list[Fault] = []

    def bot(self, bot: int | str) -> Bot:
        """The bot with this id or token.

        Raises: ValueError if it is not known and `auto_bots` is off.
        """
        bot_id = int(str(bot).partition(":")[0])
        if bot_id not in self._bots:
            if not self.auto_bots:
                raise ValueError(f"there is no bot {bot_id}: add it first")
            self.add_bot(bot_id)
        return self._bots[bot_id]

    def add_bot(self, bot: int | str) -> Bot:
        """Make a bot known by its id or by its token."""
        bot_id, _, secret = str(bot).partition(":")
        known = self._bots.setdefault(int(bot_id), Bot(int(bot_id), self.first_id, self.conflict_pause_s))
        if secret:
            known.tokens.add(str(bot))
        return known

    def add_chat(self, chat: int | str, name: str = "Chat") -> Json:
        """Make a chat known: a number, or the `@name` of a public channel. Returns it as Telegram's `Chat`."""
        self._chats[str(chat)] = described = _describe(chat, name, len(self._chats))
        return described

    def _chat(self, chat: int | str, name: str) -> Json:
        group = self.groups.get(str(chat))
        return self.add_chat(chat, name) if group is None else group.chat

    def add_group(
        self, bot: int | str, chat: int | str, title: str, people: dict[int, str], *, is_admin: bool = True
    ) -> Json:
        """Have a group of these people, the first one its owner, and a bot, which is an admin or not."""
        if int(chat) >= 0 or not people:
            raise ValueError("a group has a negative id and an owner")
        described = self._chats[str(chat)] = _describe(chat, title, 0) | {"title": title}
        self.groups.put(described, self.bot(bot), people, is_admin=is_admin)
        return described

    def say(self, bot: int | str, chat: int | str, text: str | None, *, name: str = "Anna", **fields: object) -> int:
        """A person writes to a bot, in private or (negative `chat`) in a group; returns the message's id.

        `fields` go into the `Message` as they are, such as `photo` and `caption` when `text` is None.
        """
        receiver = self.bot(bot)
        sender = int(chat) if int(chat) > 0 else 1_000
        message: Json = {
            "message_id": receiver.next_message_id(),
            "from": {"id": sender, "is_bot": False, "first_name": name},
            "chat": self._chat(chat, name),
            "date": int(time.time()),
        }
        message |= {"text": text} if text is not None else {}
        message |= fields
        self._keep(receiver, str(chat), message)
        receiver.push("message", message)
        return int(message["message_id"])

    def keep_file(self, content: bytes, file_id: str | None = None) -> str:
        """Have a file that people, or bots, send; returns the id under which bots can get it."""
        file_id = file_id or f"file{len(self.files)}-{hashlib.sha256(content).hexdigest()[:12]}"
        self.files[file_id] = content
        if len(self.files) > _MAX_FILES:
            self.files.pop(next(iter(self.files)))
        return file_id

    def edit(self, bot: int | str, chat: int | str, message_id: int, text: str) -> None:
        """The person who wrote a message to a bot changes its text. Raises: ApiError if there is no such message."""
        receiver = self.bot(bot)
        message = self.message(receiver, str(chat), str(message_id), "edit")
        message |= {"caption" if "caption" in message else "text": text, "edit_date": int(time.time())}
        receiver.push("edited_message", dict(message))

    def react(self, bot: int | str, chat: int | str, message_id: int, emoji: str, *, name: str = "Anna") -> None:
        """A person reacts to a message of a chat; an empty `emoji` takes the reaction away."""
        receiver = self.bot(bot)
        sender = int(chat) if int(chat) > 0 else 1_000
        reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
        receiver.push(
            "message_reaction",
            {
                "chat": self._chat(chat, name),
                "message_id": message_id,
                "user": {"id": sender, "is_bot": False, "first_name": name},
                "date": int(time.time()),
                "old_reaction": [],
                "new_reaction": reaction,
            },
        )

    def seen(self, bot: int | str, chat: int | str, message_id: int | str) -> Json:
        """A message of a chat as a person sees it; one that was taken back has `deleted`. Raises: KeyError."""
        return self._messages[(self.bot(bot).id, str(chat), str(message_id))]

    def message(self, bot: Bot, chat_id: str, message_id: str, deed: str) -> Json:
        """A message that a bot saw, as it is kept: what is changed in it is changed. Raises: ApiError 400."""
        found = self._messages.get((bot.id, chat_id, message_id))
        if found is None or found.get("deleted"):
            raise ApiError(400, f"Bad Request: message to {deed} not found")
        return found

    def act(self, bot: Bot, chat_id: str, action: str) -> None:
        """A bot shows that it does something, such as `typing`."""
        self.actions.append((bot.id, chat_id, action))

    def inbox(self, chat: int | str) -> list[Json]:
        """The latest messages that bots sent to a chat, oldest first: `{message_id, bot, text, parse_mode, date}`.

        A file has `caption` instead of `text`, and `media {kind, file_name, size_bytes, sha256}`. What became of one
        stands in `edit_date`, `deleted` and `reaction`.
        """
        return list(self._inboxes.get(str(chat), ()))

    def fault(self, fault: Fault) -> None:
        """Let calls fail; of several faults that fit, the one given first is used up first."""
        self._faults.append(fault)

    def mend(self) -> None:
        """Let nothing more go wrong; what is held back already stays so."""
        self._faults.clear()

    def revoke(self, bot: int | str) -> None:
        """Every token of the bot seen so far is refused from now on, and its poll is ended; a new token works."""
        known = self.bot(bot)
        self.refused |= known.tokens
        known.tokens.clear()
        known.end_poll(ApiError(401))

    def unreachable(self, bot: int | str, *, on: bool = True) -> None:
        """Close every connection that serves the bot, and each new one unanswered until called with `on=False`."""
        known = self.bot(bot)
        known.unreachable = on
        for connection in list(known.connections) if on else ():
            connection.abort()

    def bots(self) -> list[Json]:
        """What is known of every bot; `max_pollers` is the most polls that ever waited at once."""
        return [
            {
                "id": bot.id,
                "username": bot.user["username"],
                "polling": bot.poll is not None,
                "max_pollers": bot.max_pollers,
                "pending_updates": len(bot.updates),
                "sent": bot.sent,
                "webhook": bot.webhook,
            }
            for bot in self._bots.values()
        ]

    def authorize(self, token: str) -> Bot:
        """The bot of a token.

        Raises: ApiError 401 if there is none.
        """
        match = _TOKEN.fullmatch(token)
        if match is None or len(token) > 80:  # ClientManager::send in the official server
            raise ApiError(401, "Unauthorized: invalid token specified")
        if token in self.refused or match[1] in self.refused:
            raise ApiError(401)
        bot = self._bots.get(int(match[1]))
        if bot is None or token not in bot.tokens:
            if not self.auto_bots:
                raise ApiError(401)
            bot = self.add_bot(token)
        return bot

    def next_fault(self, bot: int, method: str) -> Fault | None:
        """The fault that this call runs into; takes one of its `times`."""
        for fault in self._faults:
            if fault.hits(bot, method):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def find_chat(self, chat_id: str) -> Json:
        """The chat to which a bot sends.

        Raises: ApiError 400 if there is none.
        """
        if not chat_id:
            raise ApiError(400, "Bad Request: chat_id is empty")
        known = self._chats.get(chat_id)
        if known is None and self.auto_chats and _CHAT_NUMBER.fullmatch(chat_id):
            return _describe(chat_id, "Chat", 0)
        if known is None:
            raise ApiError(400, "Bad Request: chat not found")
        return known

    def deliver(self, bot: Bot, chat_id: str, message: Json) -> None:
        """Put a message of a bot into a chat's inbox."""
        bot.sent += 1
        kept = message | {"bot": bot.id}
        self._keep(bot, chat_id, kept)
        self._inboxes.setdefault(chat_id, deque(maxlen=_MAX_INBOX)).append(kept)

    def _keep(self, bot: Bot, chat_id: str, message: Json) -> None:
        self._messages[(bot.id, chat_id, str(message["message_id"]))] = message
        if len(self._messages) > _MAX_MESSAGES:
            self._messages.pop(next(iter(self._messages)))


def _describe(chat: int | str, name: str, serial: int) -> Json:
    """A `Chat`, https://core.telegram.org/bots/api#chat."""
    if isinstance(chat, str) and chat.startswith("@"):
        return {"id": -1_001_000_000_000 - serial, "type": "channel", "title": name, "username": chat[1:]}
    if int(chat) > 0:
        return {"id": int(chat), "type": "private", "first_name": name}
    return {"id": int(chat), "type": "supergroup" if str(chat).startswith("-100") else "group", "title": "Group"}


def poll(identity: str, question: str, options: list[str], *, multiple: bool = False) -> Json:
    """A `Poll` that nobody has voted in yet, https://core.telegram.org/bots/api#poll."""
    return {
        "id": identity,
        "question": question,
        "options": [{"text": text, "voter_count": 0, "persistent_id": text} for text in options],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": multiple,
        "allows_revoting": True,
        "members_only": False,
    }

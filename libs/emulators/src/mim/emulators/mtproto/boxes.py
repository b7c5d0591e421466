"""A box of messages with its sequence of events: every account has one, and every channel. No I/O.

`pts` counts the events (https://core.telegram.org/api/updates): who was away asks for all since the `pts` they know.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

MAX_MESSAGES = 10_000
MAX_EVENTS = 5_000


@dataclass(eq=False)
class Post:
    """One message as such, however many boxes have a copy. `copies` are ids by owner, `reactions` emoji by person."""

    author_id: int
    copies: dict[int, int] = field(default_factory=dict)
    reactions: dict[int, list[str]] = field(default_factory=dict)


@dataclass(eq=False)
class Copy:
    """A message (Telethon's object) in one box, in the chat with this marked id."""

    message: Any
    chat: int
    post: Post


@dataclass(frozen=True, slots=True)
class Event:
    """One event that counts."""

    pts: int
    update: Any


@dataclass(frozen=True, slots=True)
class Missed:
    """Events after a `pts`; `final` if there are no more."""

    events: list[Event]
    pts: int
    final: bool


class Box:
    """Keeps the latest messages and events; `owner_id` is the account's, or the channel's marked id.

    `pts` is the number of the last event, `last_id` that of the last message.
    """

    def __init__(self, owner_id: int, pts: int = 1, last_id: int = 0) -> None:
        self.owner_id = owner_id
        self.pts = pts
        self.last_id = last_id
        self.changed_at = 0.0
        self.copies: dict[int, Copy] = {}
        self._chats: dict[int, dict[int, Copy]] = {}
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._notes: deque[tuple[float, Any]] = deque(maxlen=MAX_EVENTS)

    def next_id(self) -> int:
        """The id of the next message."""
        self.last_id += 1
        return self.last_id

    def put(self, copy: Copy) -> None:
        """Keep a message; the oldest goes if there are too many."""
        self.copies[copy.message.id] = copy
        self._chats.setdefault(copy.chat, {})[copy.message.id] = copy
        copy.post.copies[self.owner_id] = copy.message.id
        if len(self.copies) > MAX_MESSAGES:
            self.drop(next(iter(self.copies)))

    def drop(self, message_id: int) -> None:
        """Keep a message no longer."""
        copy = self.copies.pop(message_id)
        del self._chats[copy.chat][message_id]

    def record(self, update: Any, now: float, count: int = 1) -> Any:
        """Count an event. Returns the update with its `pts`."""
        self.pts += count
        self.changed_at = now
        update.pts, update.pts_count = self.pts, count
        self._events.append(Event(self.pts, update))
        return update

    def note(self, update: Any, now: float) -> Any:
        """Remember an update that does not count, like a reaction."""
        self._notes.append((now, update))
        return update

    def since(self, pts: int, limit: int) -> Missed | None:
        """What happened after `pts`, at most `limit` events; None if that is too long ago to say."""
        known_from = self._events[0].pts - self._events[0].update.pts_count if self._events else self.pts
        if pts < known_from:
            return None
        events = [event for event in self._events if event.pts > pts]
        final = len(events) <= limit
        return Missed(events[:limit], self.pts if final else events[limit - 1].pts, final)

    def notes_since(self, at: float) -> list[Any]:
        """What did not count since a time, in seconds."""
        return [update for noted, update in self._notes if noted >= at]

    def chat(self, chat: int) -> list[Copy]:
        """The messages of a chat, oldest first."""
        return list(self._chats.get(chat, {}).values())

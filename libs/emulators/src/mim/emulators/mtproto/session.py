"""Order within one session of a client: which of its messages are sound, and the numbers of the server's own. No I/O.

Source: https://core.telegram.org/mtproto/description (message identifiers, sequence numbers) and
https://core.telegram.org/mtproto/service_messages_about_messages (the error codes).
"""

from __future__ import annotations

from collections import OrderedDict

TOO_LOW, TOO_HIGH, NOT_DIVISIBLE, TOO_OLD = 16, 17, 18, 20
SEQ_TOO_LOW, SEQ_TOO_HIGH, SEQ_ODD, SEQ_EVEN = 32, 33, 34, 35
WRONG_SALT, INVALID_CONTAINER = 48, 64

_PAST_S, _FUTURE_S = 300, 30
_REMEMBERED = 500
_ANSWER, _NOTICE = 1, 3


class BadMessage(Exception):
    """A message that must not be carried out; `code` tells the client why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"bad message, code {code}")
        self.code = code


class Session:
    """`id` is the client's choice, `unique_id` the server's, `announced` whether the client was told of it.

    `unacknowledged` are the server's messages that the client has not confirmed, by identifier.
    """

    def __init__(self, session_id: int, unique_id: int) -> None:
        self.id = session_id
        self.unique_id = unique_id
        self.announced = False
        self.unacknowledged: OrderedDict[int, None] = OrderedDict()
        self._seen: OrderedDict[int, int] = OrderedDict()
        self._highest = (0, -1)
        self._last_id = 0
        self._content_messages = 0

    def accept(self, msg_id: int, seq_no: int, now: float, *, content: bool | None) -> bool:
        """Take in a message's numbers. False: it came before and only wants to be acknowledged.

        `content`: whether it is one that must be acknowledged, None if it may be. Raises: BadMessage.
        """
        self._check_time(msg_id, now)
        if msg_id in self._seen:
            return False
        if len(self._seen) == _REMEMBERED and msg_id < min(self._seen):
            raise BadMessage(TOO_OLD)
        if content is not None and bool(seq_no % 2) is not content:
            raise BadMessage(SEQ_EVEN if content else SEQ_ODD)
        highest_id, highest_no = self._highest
        if msg_id > highest_id and (seq_no < highest_no or (seq_no % 2 and seq_no == highest_no)):
            raise BadMessage(SEQ_TOO_LOW)
        if msg_id < highest_id and seq_no > highest_no:
            raise BadMessage(SEQ_TOO_HIGH)
        self._seen[msg_id] = seq_no
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self._highest = max(self._highest, (msg_id, seq_no))
        return True

    def stamp(self, now: float, *, content: bool, answer: bool) -> tuple[int, int]:
        """Identifier and sequence number of the server's next message."""
        kind = _ANSWER if answer else _NOTICE
        msg_id = int(now * 2**32) & ~3 | kind
        if msg_id <= self._last_id:
            msg_id = (self._last_id & ~3) + 4 | kind
        self._last_id = msg_id
        seq_no = self._content_messages * 2 + content
        if content:
            self._content_messages += 1
            self.unacknowledged[msg_id] = None
            if len(self.unacknowledged) > _REMEMBERED:
                self.unacknowledged.popitem(last=False)
        return msg_id, seq_no

    def acknowledge(self, msg_ids: list[int]) -> None:
        """The client has these messages of the server."""
        for msg_id in msg_ids:
            self.unacknowledged.pop(msg_id, None)

    def has_seen(self, msg_id: int) -> bool:
        """Whether a message with this identifier was taken in."""
        return msg_id in self._seen

    @staticmethod
    def _check_time(msg_id: int, now: float) -> None:
        if msg_id % 4:
            raise BadMessage(NOT_DIVISIBLE)
        seconds = msg_id >> 32
        if seconds < now - _PAST_S:
            raise BadMessage(TOO_LOW)
        if seconds > now + _FUTURE_S:
            raise BadMessage(TOO_HIGH)

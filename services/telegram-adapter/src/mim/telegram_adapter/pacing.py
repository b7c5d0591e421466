"""When a bot may send its next message: token buckets in which time is a number that is passed in. No I/O.

Telegram's limits (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this): about one message
a second in a chat with short bursts, 20 a minute in a group, 30 a second in all. A bucket of `burst` tokens refilled
at `rate` a second lets through at most `burst + rate * t` in any time `t`; the numbers below keep that within the
limits, and leave the first message to a chat without any wait.

    pacer = Pacer()
    while (wait_s := pacer.take("1001", now=clock())) > 0:
        await asyncio.sleep(wait_s)
    ... # send
"""

from __future__ import annotations

from dataclasses import dataclass

_FORGET_ABOVE = 1_024  # full buckets of idle chats are dropped whenever so many more were made


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` at once, `rate` a second in the long run."""

    rate: float
    burst: int

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.burst < 1:
            raise ValueError("a limit needs a rate above 0 and a burst of at least 1")


BOT = Limit(rate=29, burst=1)
CHAT = Limit(rate=1, burst=3)
GROUP = Limit(rate=15 / 60, burst=5)


def is_group(chat: str) -> bool:
    """Whether a chat id names a group or channel: negative numbers, and `@names`, which bots can only use for those."""
    return chat.startswith(("-", "@"))


class Pacer:
    """The buckets of one bot and its chats. `now` never goes back; any clock in seconds will do."""

    def __init__(self, bot: Limit = BOT, chat: Limit = CHAT, group: Limit = GROUP) -> None:
        self._limits = {"bot": bot, "chat": chat, "group": group}
        # By bucket, the time at which it would be full again: all that a token bucket has to remember.
        self._full_at: dict[tuple[str, str], float] = {}
        self._held_until: dict[str, float] = {}
        self._forget_at = _FORGET_ABOVE

    def take(self, chat: str, now: float) -> float:
        """Return 0 and count a message to `chat`, or the seconds after which to ask again; then nothing is counted."""
        buckets = [("bot", ""), ("chat", chat)] + ([("group", chat)] if is_group(chat) else [])
        wait_s = max(self._wait(bucket, now) for bucket in buckets)
        if wait_s > 0:
            return wait_s
        for bucket in buckets:
            self._full_at[bucket] = max(self._full_at.get(bucket, now), now) + 1 / self._limits[bucket[0]].rate
        if len(self._full_at) > self._forget_at:
            self._forget(now)
        return 0.0

    def hold(self, chat: str, until: float) -> None:
        """Let nothing be sent to `chat` before `until`: Telegram said so (`retry_after`)."""
        self._held_until[chat] = max(until, self._held_until.get(chat, until))

    def held(self, chat: str, now: float) -> float:
        """Seconds for which `chat` is still held; 0 if it is not."""
        left_s = self._held_until.get(chat, now) - now
        if left_s <= 0:
            self._held_until.pop(chat, None)
        return max(left_s, 0.0)

    def _wait(self, bucket: tuple[str, str], now: float) -> float:
        limit = self._limits[bucket[0]]
        full_in_s = self._full_at.get(bucket, now) - now
        wait_s = full_in_s - (limit.burst - 1) / limit.rate
        # Below a microsecond it is rounding: without this a caller could be told to wait for nothing, again and again.
        return wait_s if wait_s > 1e-6 else 0.0

    def _forget(self, now: float) -> None:
        self._full_at = {bucket: at for bucket, at in self._full_at.items() if at > now}
        self._forget_at = len(self._full_at) + _FORGET_ABOVE

"""What the server remembers of one bot: its updates, its one long poll, its webhook. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

OTHER_POLL = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_SET = "Conflict: terminated by setWebhook request"
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
MAX_POLL_S = 50  # LONG_POLL_MAX_TIMEOUT in Client.h
NOTICE_TURNS = 4  # of the event loop, until a connection that the client has closed already is noticed
CONFLICT_PAUSE_S = 3.0  # Client::fail_query_conflict answers at most one 409 in 3 s at once, others 3 s later

_TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: OTHER_POLL,
    500: "Internal Server Error: restart",
    502: "Bad Gateway",
}


class ApiError(Exception):
    """An answer `{"ok": false, …}`; without a description it gets Telegram's usual text for the code."""

    def __init__(self, code: int, description: str | None = None, retry_after: int | None = None) -> None:
        if description is None:
            limited = f"Too Many Requests: retry after {retry_after}"
            description = limited if code == 429 else _TEXTS.get(code, f"Error {code}")
        super().__init__(description)
        self.body: Json = {"ok": False, "error_code": code, "description": description}
        self.code = code
        if retry_after is not None:
            self.body["parameters"] = {"retry_after": retry_after}


@dataclass(slots=True)
class Fault:
    """Something that goes wrong for the next `times` calls of `method` (None: any) by `bot` (None: any).

    `status` with `description` and `retry_after` is an error answer; `body` is sent as it is with `status` or 200.
    `delay_s` comes before anything else. `drop` closes the connection before the call is carried out, `lose` after it.
    Of what is a list, such as the updates, `duplicate` brings everything twice and `reorder` the newest first.
    """

    bot: int | None = None
    method: str | None = None
    times: int = 1
    status: int | None = None
    description: str | None = None
    retry_after: int | None = None
    body: str | None = None
    delay_s: float = 0.0
    drop: bool = False
    lose: bool = False
    duplicate: bool = False
    reorder: bool = False

    def __post_init__(self) -> None:
        if self.times < 1 or self.delay_s < 0:
            raise ValueError("a fault needs times of at least 1 and a delay_s of at least 0")
        self.method = self.method.lower() if self.method else None

    def hits(self, bot: int, method: str) -> bool:
        """Whether this call fails."""
        return self.bot in (None, bot) and self.method in (None, method)

    def disturbed(self, result: object) -> object:
        """What arrives in the place of a result."""
        if not isinstance(result, list):
            return result
        ordered = result[::-1] if self.reorder else result
        return [each for each in ordered for _ in range(2 if self.duplicate else 1)]


class Bot:
    """One bot. Small on purpose: a benchmark holds thousands."""

    __slots__ = (
        "allowed",
        "conflict_at",
        "conflict_pause_s",
        "connections",
        "id",
        "max_pollers",
        "message_id",
        "poll",
        "previous",
        "sent",
        "tokens",
        "unreachable",
        "update_id",
        "updates",
        "watchers",
        "webhook",
    )

    def __init__(self, bot_id: int, first_id: int, conflict_pause_s: float = CONFLICT_PAUSE_S) -> None:
        self.id = bot_id
        self.conflict_pause_s = conflict_pause_s
        self.tokens: set[str] = set()
        self.updates: list[Json] = []
        self.update_id = first_id
        self.message_id = first_id
        self.poll: asyncio.Future[None] | None = None
        self.max_pollers = 0
        self.previous: tuple[int, float] = (-1, 0.0)
        self.conflict_at = 0.0
        self.webhook = ""
        self.allowed: frozenset[str] = frozenset()
        self.connections: set[asyncio.Transport] = set()
        self.unreachable = False
        self.sent = 0
        self.watchers: list[asyncio.Future[None]] = []

    @property
    def user(self) -> Json:
        """The bot as a `User`, https://core.telegram.org/bots/api#user."""
        return {"id": self.id, "is_bot": True, "first_name": f"Bot {self.id}", "username": f"sandbox_{self.id}_bot"}

    def next_message_id(self) -> int:
        """Ids of messages count per bot."""
        self.message_id += 1
        return self.message_id - 1

    def push(self, kind: str, content: Json) -> int:
        """Queue an update of a kind such as `message` and return its id; kinds the bot did not ask for are dropped."""
        self.update_id += 1
        if not self.allowed or kind in self.allowed:
            self.updates.append({"update_id": self.update_id - 1, kind: content})
            if self.poll:
                _wake(self.poll)
        return self.update_id - 1

    async def get_updates(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Confirm what lies before `offset`, then return what waits, or wait for it.

        Raises: ApiError 409 if a later poll, a webhook or a revocation ends this one. As on the real server it is the
        older poll that is ended, and only one that really waits (Client::do_get_updates).
        """
        if self.webhook:
            raise ApiError(409, WEBHOOK_ACTIVE)
        now = asyncio.get_running_loop().time()
        offset_before, started_before = self.previous
        if offset == offset_before and now < started_before + 3:
            timeout_s = max(timeout_s, 3)  # the real server slows a client down that asks in a tight loop
            if now < started_before + 0.5:
                limit = 1
        self.previous = (offset, now)
        self._confirm(offset)
        if not self.updates and timeout_s > 0:
            await self._wait(min(timeout_s, MAX_POLL_S))
        return self.updates[:limit]

    def end_poll(self, error: ApiError) -> None:
        """Answer the waiting poll, if there is one, with `error`."""
        if self.poll and not self.poll.done():
            self.poll.set_exception(error)
        self._set_poll(None)

    async def until_polling(self, *, on: bool = True) -> None:
        """Return as soon as a poll waits, or with `on=False` as soon as none does."""
        while (self.poll is not None) is not on:
            change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.watchers.append(change)
            await change

    def _set_poll(self, poll: asyncio.Future[None] | None) -> None:
        self.poll = poll
        for watcher in self.watchers:
            _wake(watcher)
        self.watchers = []

    def _confirm(self, offset: int) -> None:
        if offset > self.update_id + 10:
            return  # "in the future", TQueueImpl::get in tdlib/td: an offset from before a restart confirms nothing
        if offset < 0:
            del self.updates[:offset]
        elif self.updates and self.updates[0]["update_id"] < offset:
            self.updates = [update for update in self.updates if update["update_id"] >= offset]

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(NOTICE_TURNS if self.poll else 0):
            await asyncio.sleep(0)
        self.max_pollers = max(self.max_pollers, 1 if self.poll is None else 2)
        self.end_poll(ApiError(409))
        mine: asyncio.Future[None] = loop.create_future()
        self._set_poll(mine)
        timer = loop.call_later(timeout_s, _wake, mine)
        try:
            await mine
        except ApiError as error:
            if error.code == 409 and loop.time() < self.conflict_at:
                await asyncio.sleep(self.conflict_pause_s)
            elif error.code == 409:
                self.conflict_at = loop.time() + self.conflict_pause_s
            raise
        finally:
            timer.cancel()
            if self.poll is mine:
                self._set_poll(None)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)

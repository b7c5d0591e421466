"""The lanes: one for each instance that something waits for, which delivers one after the other.

A lane is a task that takes what is due from the ledger, so what waits in memory is one delivery for each instance; a
target that is slow or dead keeps nobody but itself waiting. When nothing waits any more, its lane ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from yarl import URL

from mim.contracts.deliveries import DeliveryStatus
from mim.contracts.errors import NotReady
from mim.contracts.values import Webhook
from mim.runtime import metrics
from mim.runtime.secrets import SecretsUnreadable
from mim.storage.database import surely
from mim.webhooks.breaker import Breaker
from mim.webhooks.hooks import Hook, Hooks, Sealed
from mim.webhooks.ledger import Ledger, Result, Taken
from mim.webhooks.schedule import GONE, Verdict, wait_s
from mim.webhooks.target import Attempt, Target

log = structlog.get_logger()
MOST_AT_ONCE = 400
"""Requests in flight, of all lanes: each holds a socket."""
LOOK_AGAIN_S = 60.0
LAST_S = 0.8
NO_WEBHOOK = "the instance has no webhook any more"
UNREADABLE = (
    "the secrets of the webhook are not to be seen, or do not open with the key of this system: set the webhook again"
)


class Clock(Protocol):
    """The time, and how to wait for it."""

    def now(self) -> datetime:
        """The present time, UTC."""
        ...

    async def until(self, at: datetime, wake: asyncio.Event) -> None:
        """Return at a time, or earlier if `wake` is set."""
        ...


class WallClock:
    """The clock on the wall."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    async def until(self, at: datetime, wake: asyncio.Event) -> None:
        """Return at a time, but at the latest after a minute: a machine may sleep, and clocks are set."""
        left_s = min((at - self.now()).total_seconds(), LOOK_AGAIN_S)
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                await wake.wait()
        except TimeoutError:
            return


class Lanes:
    """All lanes of this process."""

    def __init__(
        self, ledger: Ledger, hooks: Hooks, target: Target, clock: Clock, chance: Callable[[], float] = random.random
    ) -> None:
        self.ledger = ledger
        self.hooks = hooks
        self.target = target
        self.clock = clock
        self.chance = chance
        self.room = asyncio.Semaphore(MOST_AT_ONCE)
        self.stopping = False
        self._lanes: dict[str, tuple[Lane, asyncio.Task[None]]] = {}
        self._crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Deliver for ever. Raises: whatever a lane raises that is not known to pass."""
        try:
            for instance_id in await surely(self.ledger.waiting):
                self.open(instance_id)
            await self._crashed
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """Let what is under way come to its end, if that does not take long."""
        self.stopping = True
        tasks = [task for _, task in self._lanes.values()]
        for lane, _ in self._lanes.values():
            lane.wake.set()
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=LAST_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def open(self, instance_id: str) -> None:
        """Something waits for an instance: look now."""
        if instance_id in self._lanes:
            self.wake(instance_id)
        else:
            lane = Lane(self, instance_id)
            task = asyncio.create_task(lane.run(), name=f"lane {instance_id}")
            self._lanes[instance_id] = lane, task
            task.add_done_callback(self._ended)

    def wake(self, instance_id: str) -> None:
        """The webhook of an instance changed: look again, if anything waits."""
        if instance_id in self._lanes:
            self._lanes[instance_id][0].wake.set()

    def close(self, instance_id: str) -> None:
        """A lane has nothing left."""
        del self._lanes[instance_id]

    def __len__(self) -> int:
        return len(self._lanes)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._crashed.done():
            self._crashed.set_exception(error)


class Lane:
    """Delivers what waits for one instance."""

    def __init__(self, lanes: Lanes, instance_id: str) -> None:
        self._lanes = lanes
        self._id = instance_id
        self._log = log.bind(instance_id=instance_id)
        self._breaker = Breaker()
        self._place: tuple[str | None, int | None] = (None, None)
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Until nothing waits, or the service stops."""
        while not self._lanes.stopping:
            self.wake.clear()
            at = await surely(self._step)
            if at is not None:
                if at > self._lanes.clock.now():
                    await self._lanes.clock.until(at, self.wake)
            elif not self.wake.is_set():
                self._lanes.close(self._id)
                return

    async def _step(self) -> datetime | None:
        """Deliver what is due, and say when to look again; None if nothing waits."""
        now = self._lanes.clock.now()
        hook = self._lanes.hooks.get(self._id)
        webhook = hook.webhook if hook else None
        if webhook is not None and not webhook.enabled:
            # Switched off: what waits is kept until it is switched on, or has waited too long.
            return now + timedelta(seconds=LOOK_AGAIN_S) if await self._lanes.ledger.next_at(self._id) else None
        if webhook is not None:
            self._meet(webhook)
            if (rests := self._breaker.rests_until(now)) is not None:
                return rests
        sealed = await self._open(hook)
        async with self._lanes.room:  # before the delivery is taken: it is held for a limited time
            taken = await self._lanes.ledger.take(self._id, now)
            if taken is None:
                return await self._lanes.ledger.next_at(self._id)
            if hook is None or webhook is None:
                await self._settle(taken, Attempt(Verdict.NEVER, error=NO_WEBHOOK, answered=True))
            elif sealed is None:
                await self._settle(taken, Attempt(Verdict.RETRY, error=UNREADABLE))
            else:
                await self._try(taken, webhook, sealed)
        return now

    async def _open(self, hook: Hook | None) -> Sealed | None:
        try:
            return None if hook is None or hook.webhook is None else await self._lanes.hooks.open(hook)
        except (SecretsUnreadable, NotReady):
            return None

    def _meet(self, webhook: Webhook) -> None:
        """Another target begins with a clean slate."""
        place = _place(webhook.url)
        if place != self._place:
            self._place, self._breaker = place, Breaker()

    async def _try(self, taken: Taken, webhook: Webhook, sealed: Sealed) -> None:
        attempt = await self._lanes.target.post(
            webhook.url, taken.body.encode(), message_id=taken.id, secret=sealed.secret, headers=sealed.headers
        )
        metrics.webhook_tried(attempt.verdict, attempt.duration_ms / 1000)
        await self._settle(taken, attempt)
        if attempt.status_code == GONE:
            await self._switch_off(webhook, f"gone/{taken.id}/{taken.tries}")

    async def _switch_off(self, webhook: Webhook, command_id: str) -> None:
        hook = self._lanes.hooks.get(self._id)
        if hook is not None and hook.webhook == webhook:  # it may have been changed meanwhile
            self._breaker = self._breaker.asked_to_wait(self._lanes.clock.now() + timedelta(seconds=LOOK_AGAIN_S))
            self._log.warning("webhook_switched_off", reason="the target answered 410")
            await surely(lambda: self._lanes.hooks.switch_off(hook, command_id))

    async def _settle(self, taken: Taken, attempt: Attempt) -> None:
        now, chance = self._lanes.clock.now(), self._lanes.chance()
        self._breaker = self._breaker.succeeded() if attempt.answered else self._breaker.failed(now, chance)
        wait = wait_s(taken.tries, chance) if attempt.verdict is Verdict.RETRY else None
        if attempt.retry_after_s is not None:
            wait = None if wait is None else max(wait, attempt.retry_after_s)
            self._breaker = self._breaker.asked_to_wait(now + timedelta(seconds=attempt.retry_after_s))
        result = _result(attempt, None if wait is None else now + timedelta(seconds=wait))
        await surely(lambda: self._lanes.ledger.settle(taken, result, now))
        if result.status is DeliveryStatus.FAILED:
            self._log.warning("delivery_failed", delivery_id=taken.id, tries=taken.tries, reason=attempt.error)


def _result(attempt: Attempt, next_at: datetime | None) -> Result:
    if attempt.verdict is Verdict.DELIVERED:
        status = DeliveryStatus.DELIVERED
    else:
        status = DeliveryStatus.FAILED if next_at is None else DeliveryStatus.PENDING
    return Result(status, next_at, attempt.status_code, attempt.error, attempt.response, attempt.duration_ms)


def _place(url: str) -> tuple[str | None, int | None]:
    try:
        parts = URL(url)
    except ValueError:
        return None, None
    return parts.host, parts.port

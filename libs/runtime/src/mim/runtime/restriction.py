"""What the messenger limits an account to: told when it begins, lifted by itself when its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from mim.contracts.values import Restriction


class Restricted:
    """The restriction of one account; `tell` publishes every change of it."""

    def __init__(
        self,
        present: Restriction | None,
        tell: Callable[[Restriction | None], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self.present = present
        self._tell = tell
        self._now = now
        self._lifting: asyncio.Task[None] | None = None

    async def change(self, restriction: Restriction | None) -> None:
        """The messenger put a limit on the account, or (None) lifted it."""
        if restriction == self.present:
            return
        self.present = restriction
        await self._tell(restriction)
        self.watch()

    def watch(self) -> None:
        """See to it that what has an end ends."""
        self.leave()
        if self.present is not None and self.present.until is not None:
            self._lifting = asyncio.create_task(self._lift(self.present.until))

    def leave(self) -> None:
        """Look after it no longer."""
        if self._lifting is not None:
            self._lifting.cancel()

    async def _lift(self, until: datetime) -> None:
        await asyncio.sleep(max(0.0, (until - self._now()).total_seconds()))
        self._lifting = None
        await self.change(None)

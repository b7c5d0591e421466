"""When a target is left in peace: after several failures in a row, or because it asks for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mim.runtime.backoff import Backoff

THRESHOLD = 5
"""So many failures in a row open the circuit."""
OPEN = Backoff(first_s=30.0, most_s=600.0, jitter=0.2, give_up_s=float("inf"))


@dataclass(frozen=True, slots=True)
class Breaker:
    """The circuit of one target. Closed lets everything through; open lets nothing through until `until`, and then one
    try decides whether it closes or opens for longer."""

    failures: int = 0
    opened: int = 0
    until: datetime | None = None

    def rests_until(self, now: datetime) -> datetime | None:
        """Until when nothing may be sent; None if something may be sent now."""
        return self.until if self.until is not None and now < self.until else None

    def succeeded(self) -> Breaker:
        """The target answered."""
        return Breaker()

    def failed(self, now: datetime, chance: float) -> Breaker:
        """The target did not answer, or could not do it; `chance` is uniform in [0, 1)."""
        failures = self.failures + 1
        if failures < THRESHOLD:
            return replace(self, failures=failures)
        opened = self.opened + 1
        wait_s = OPEN.wait_s(opened, 0.0, chance) or OPEN.most_s
        return Breaker(failures, opened, now + timedelta(seconds=wait_s))

    def asked_to_wait(self, until: datetime) -> Breaker:
        """The target named a time before which it wants nothing."""
        return replace(self, until=max(until, self.until) if self.until else until)

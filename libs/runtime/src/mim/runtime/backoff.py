"""How long to wait before trying again. Pure: attempt number and randomness come in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling waits with jitter and an end.

    `first_s` and `most_s` bound one wait, `jitter` is the fraction by which it may be shorter or longer (so that many
    instances do not come back in step), and after `give_up_s` since the first failure there are no more tries.
    """

    first_s: float = 1.0
    most_s: float = 60.0
    jitter: float = 0.2
    give_up_s: float = 86_400.0

    def __post_init__(self) -> None:
        if not (0 < self.first_s <= self.most_s and 0 <= self.jitter < 1 and self.give_up_s > 0):
            raise ValueError("need 0 < first_s <= most_s, 0 <= jitter < 1 and give_up_s > 0")

    def wait_s(self, attempt: int, failing_s: float, chance: float) -> float | None:
        """Seconds until the next try, or None to give up.

        `attempt` counts failures in a row from 1, `failing_s` is the time since the first of them, `chance` is uniform
        in [0, 1).
        """
        if failing_s >= self.give_up_s:
            return None
        plain = min(self.most_s, self.first_s * 2.0 ** min(attempt - 1, 40))
        return plain * (1 + self.jitter * (2 * chance - 1))


RECONNECT = Backoff()
BUS_RETRY = Backoff(first_s=0.1, most_s=2.0, give_up_s=float("inf"))
PORT_FREED = Backoff(first_s=0.1, most_s=1.0, give_up_s=10.0)  # a worker on this host that was silent may hold it yet

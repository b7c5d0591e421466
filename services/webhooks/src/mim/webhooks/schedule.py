"""When a delivery is tried again, and which answers mean that trying again is of no use. Pure.

The waits are those of the Standard Webhooks specification
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Retries").
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

WAITS_S = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)
"""Seconds before each try, from the end of the one before."""
JITTER = 0.1
MOST_RETRY_AFTER_S = 3600.0

# Refusals that say "not now": the same request may pass later (RFC 9110, section 15.5; RFC 8470; RFC 6585; RFC 4918).
_NOT_NOW = frozenset({408, 409, 421, 423, 424, 425, 429})
# What no later request to the same address changes: moved for good, not made for this, a version that is not spoken.
_NEVER = frozenset({301, 308, 501, 505})
ASK_AGAIN = frozenset({429, 503})
"""Answers whose `Retry-After` counts."""
GONE = 410
"""The target says that nobody shall call it any more."""


class Verdict(StrEnum):
    """What an answer means for a delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    NEVER = "never"


def judge(status: int) -> Verdict:
    """What a status means.

    A refusal of the request itself (400, 401, 403, 404, 405, 410, 413, 415, 422, …) would be repeated for every try:
    somebody has to change the webhook or the target first. Errors of the server, redirects that may be temporary and
    requests to wait pass.
    """
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status in _NEVER or (400 <= status < 500 and status not in _NOT_NOW):
        return Verdict.NEVER
    return Verdict.RETRY


def wait_s(tries: int, chance: float) -> float | None:
    """Seconds from try number `tries` to the next one, None if it was the last; `chance` is uniform in [0, 1)."""
    if tries >= len(WAITS_S):
        return None
    return WAITS_S[tries] * (1 + JITTER * (2 * chance - 1))


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, at most `MOST_RETRY_AFTER_S`; None if there is none or it makes no sense.

    Seconds or an HTTP date (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after).
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), int(MOST_RETRY_AFTER_S)))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), MOST_RETRY_AFTER_S)

"""When a consumer that the server keeps is made anew."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from nats.js.api import ConsumerConfig, ConsumerInfo, SequenceInfo

from mim.runtime.consumers import stands_still


def seen(delivered: int | None, pending: int, *, in_flight: int = 0, bound: bool = True) -> ConsumerInfo:
    return ConsumerInfo(
        name="out-1",
        created=datetime(2026, 11, 28, tzinfo=UTC),
        stream_name="OUTBOX",
        config=ConsumerConfig(),
        delivered=None if delivered is None else SequenceInfo(consumer_seq=delivered, stream_seq=delivered),
        num_pending=pending,
        num_ack_pending=in_flight,
        push_bound=bound,
    )


def test_with_somebody_there_something_pending_and_nothing_in_flight_it_stands_still() -> None:
    assert stands_still(seen(13, 1), seen(13, 18))
    assert stands_still(seen(0, 1), seen(0, 1))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, seen(13, 18)),  # looked at once
        (seen(13, 18), seen(14, 17)),  # it goes on
        (seen(13, 0), seen(13, 1)),  # what is pending came only now
        (seen(13, 18), seen(13, 0)),
        (seen(13, 18), seen(13, 18, in_flight=1)),  # it waits for an acknowledgement
        (seen(13, 18), seen(13, 18, bound=False)),  # nobody listens
        (seen(None, 18), seen(13, 18)),
        (seen(13, 18), seen(None, 18)),
    ],
)
def test_otherwise_it_does_not(before: ConsumerInfo | None, now: ConsumerInfo) -> None:
    assert not stands_still(before, now)

"""When a message is taken though its instance is not ready."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.test_machine import at

from mim.contracts.errors import ErrorCode
from mim.contracts.states import Status
from mim.contracts.values import Reason
from mim.runtime.messaging import may_wait, not_ready


def because(code: str) -> dict[str, Any]:
    return {"reason": Reason(code=code, message="m", since=at(Status.STARTING).created_at)}


@pytest.mark.parametrize(
    ("status", "logged_in", "code", "waits"),
    [
        (Status.CLIENT_READY, True, "READY", True),
        (Status.STARTING, True, "CONNECTING", True),
        (Status.AUTHENTICATED, True, "SYNCHRONISING", True),
        (Status.RECONNECTING, True, ErrorCode.NO_WORKER, True),
        (Status.RECONNECTING, True, ErrorCode.BUS_UNAVAILABLE, True),
        (Status.RECONNECTING, True, ErrorCode.MESSENGER_UNREACHABLE, False),
        (Status.STARTING, False, "CONNECTING", False),
        (Status.QR_READY, False, "SCAN_QR", False),
        (Status.STOPPED, True, ErrorCode.NO_WORKER, False),
    ],
)
def test_a_message_waits_for_an_account_that_is_only_between_two_workers(
    status: Status, logged_in: bool, code: str, waits: bool
) -> None:
    assert may_wait(at(status, logged_in=logged_in, **because(code))) is waits


def test_a_ready_instance_without_a_session_is_not_said_to_be_unready() -> None:
    assert "no session at the moment" in str(not_ready(at(Status.CLIENT_READY)).message)
    assert "is stopped, not client_ready" in str(not_ready(at(Status.STOPPED)).message)

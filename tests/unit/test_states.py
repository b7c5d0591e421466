"""The table of statuses, pair by pair, against the one that people agreed on (contract, section 2)."""

from __future__ import annotations

import pytest

from mim.contracts.states import LIVE, AuthStatus, Status, auth_status, can_move

# Written by hand, never computed: x = may be seen next.  The columns stand in the order of the rows.
TABLE = """
                  pend star qr   act  auth read reco lout stop err  del
pending           .    x    .    .    .    .    .    x    x    x    x
starting          .    x    x    x    x    x    x    x    x    x    x
qr_ready          .    x    x    x    x    .    x    x    x    x    x
action_required   .    x    x    x    x    .    x    x    x    x    x
authenticated     .    x    .    .    x    x    x    x    x    x    x
client_ready      .    x    .    .    .    x    x    x    x    x    x
reconnecting      .    x    x    x    x    x    x    x    x    x    x
logged_out        .    x    .    .    .    .    .    x    x    x    x
stopped           .    x    .    .    .    .    .    x    x    x    x
error             .    x    .    .    .    .    .    x    x    x    x
deleted           .    .    .    .    .    .    .    .    .    .    .
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]
NAMES = [row[0] for row in ROWS]
PAIRS = [(row[0], new, mark == "x") for row in ROWS for new, mark in zip(NAMES, row[1:], strict=True)]


def test_the_table_names_every_status_of_the_contract() -> None:
    assert [status.value for status in Status] == NAMES
    assert len(PAIRS) == 11 * 11


@pytest.mark.parametrize(("old", "new", "allowed"), PAIRS)
def test_a_move_is_possible_exactly_if_the_table_says_so(old: str, new: str, allowed: bool) -> None:
    assert can_move(Status(old), Status(new)) is allowed


@pytest.mark.parametrize(
    ("status", "logged_in", "logged_out"),
    [
        ("pending", "pending", "pending"),
        ("starting", "pending", "pending"),
        ("qr_ready", "qr_ready", "qr_ready"),
        ("action_required", "pending", "pending"),
        ("authenticated", "authenticated", "authenticated"),
        ("client_ready", "authenticated", "authenticated"),
        ("reconnecting", "authenticated", "authenticated"),
        ("logged_out", "disconnected", "disconnected"),
        ("stopped", "authenticated", "pending"),
        ("error", "failed", "failed"),
        ("deleted", "disconnected", "disconnected"),
    ],
)
def test_auth_status_follows_from_the_status(status: str, logged_in: str, logged_out: str) -> None:
    assert auth_status(Status(status), logged_in=True) is AuthStatus(logged_in)
    assert auth_status(Status(status), logged_in=False) is AuthStatus(logged_out)


def test_a_session_is_held_in_the_live_statuses_only() -> None:
    live = {"starting", "qr_ready", "action_required", "authenticated", "client_ready", "reconnecting"}
    assert {status.value for status in LIVE} == live
    assert {status.value for status in Status if status.is_live} == live


def test_messages_flow_in_client_ready_only() -> None:
    assert [status for status in Status if status.is_ready] == [Status.CLIENT_READY]


def test_whoever_is_deleted_stays_deleted_and_everybody_can_be() -> None:
    assert not any(can_move(Status.DELETED, status) for status in Status)
    assert all(can_move(status, Status.DELETED) for status in Status if status is not Status.DELETED)


def test_nobody_becomes_pending_again() -> None:
    assert not any(can_move(status, Status.PENDING) for status in Status)

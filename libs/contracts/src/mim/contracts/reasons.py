"""What is said beside a status when an event gives no reason of its own, and which events tell of a failure. Pure."""

from __future__ import annotations

from datetime import datetime

from mim.contracts.errors import ErrorCode
from mim.contracts.messages import InstanceEvent
from mim.contracts.states import Status, UserAction
from mim.contracts.values import Reason

# What each status always means, and what a person can do about it.
REASONS: dict[Status, tuple[str, str, UserAction]] = {
    Status.PENDING: ("ASSIGNING", "Port, key and worker are being assigned", UserAction.WAIT),
    Status.STARTING: ("CONNECTING", "A worker is connecting to the messenger", UserAction.WAIT),
    Status.QR_READY: ("QR_READY", "Scan the QR code with the phone: Linked devices, Link a device", UserAction.SCAN_QR),
    Status.ACTION_REQUIRED: ("ACTION_REQUIRED", "The messenger asks for one more step", UserAction.CONFIRM_ON_PHONE),
    Status.AUTHENTICATED: ("SYNCHRONISING", "Logged in; still synchronising", UserAction.WAIT),
    Status.CLIENT_READY: ("READY", "Messages can be sent and received", UserAction.NONE),
    Status.RECONNECTING: ("LINK_DROPPED", "The link dropped; trying again", UserAction.WAIT),
    Status.LOGGED_OUT: (
        ErrorCode.LOGGED_OUT,
        "The messenger revoked the login; start and log in again",
        UserAction.SCAN_QR,
    ),
    Status.STOPPED: (ErrorCode.REQUESTED, "Stopped on request; start it to go on", UserAction.NONE),
    Status.ERROR: ("ERROR", "Given up; start it to try again", UserAction.RESTART),
    Status.DELETED: (ErrorCode.REQUESTED, "Deleted on request", UserAction.NONE),
}


def default_reason(status: Status, since: datetime) -> Reason:
    """The reason that stands beside a status when nothing more is known."""
    code, message, action = REASONS[status]
    return Reason(code=code, message=message, user_action=action, since=since)


def turn_reason(what: str, place: int, since: datetime) -> Reason:
    """The reason of an instance that is `place`-th of those that wait `what`; 0: its turn has come."""
    if place == 0:
        return default_reason(Status.STARTING, since)
    message = f"Waiting {what}: number {place} in the queue"
    return Reason(code="QUEUED", message=message, user_action=UserAction.WAIT, since=since)


def reason_of(event: InstanceEvent, at: datetime) -> Reason:
    """Why a status event happened: its own reason, or what its status always means. The event must have a status."""
    return event.reason or default_reason(event.status or Status.PENDING, at)


def is_failure(event: InstanceEvent) -> bool:
    """Whether a status event tells that something went wrong, rather than that somebody wanted it so."""
    if event.status not in (Status.RECONNECTING, Status.LOGGED_OUT, Status.ERROR):
        return False
    return event.reason is None or event.reason.code != ErrorCode.REQUESTED

"""The rules of an instance, pure: how events fold into its record, what a command leads to, what is due next.

fold(record, event)      -> record          the read model is a fold of the events and nothing else
decide(record, command)  -> events          or Rejected with the reason
next_step(record, held)  -> Step            what lifecycle must do for wish and fact to meet
order_of(record)         -> SessionOrder    what the worker is told
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from mim.contracts.errors import ErrorCode, Rejected
from mim.contracts.messages import (
    Authenticated,
    ChangeInstance,
    ClientReady,
    CloudEvent,
    CreateInstance,
    Event,
    InstanceAllocated,
    InstanceCreated,
    InstanceDeleted,
    InstanceEvent,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    InstanceUpdated,
    MessageReceived,
    MessageSent,
    QrReady,
    Reconnecting,
    Verb,
)
from mim.contracts.records import Allocation, InstanceRecord, OrderAction, SessionOrder
from mim.contracts.states import Desired, Status, UserAction, can_move
from mim.contracts.values import MessageStats, QrCode, Reason

# What stands beside a status when the event itself gives no reason: (code, sentence, user_action).
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


# ------------------------------------------------------------------------------------------------- fold


def fold(record: InstanceRecord | None, envelope: CloudEvent[Event], seq: int) -> InstanceRecord | None:
    """The record after one more event. Events already folded, of an older epoch, or of an impossible move change no
    status; folding is idempotent and needs the events in stream order."""
    event = envelope.data
    if record is None:
        return _created(event, envelope.time, seq) if isinstance(event, InstanceCreated) else None
    if seq <= record.event_seq:
        return record
    seen = {"event_seq": seq}
    if not isinstance(event, InstanceEvent):
        return record.model_copy(update=seen | _count(record, event, envelope.time))
    seen["instance_seq"] = seq
    if isinstance(event, InstanceCreated) or record.status is Status.DELETED or 0 < event.epoch < record.epoch:
        return record.model_copy(update=seen)
    if event.status is not None and not can_move(record.status, event.status):
        return record.model_copy(update=seen)
    return record.model_copy(update=seen | _apply(record, event, envelope.time))


def _created(event: InstanceCreated, at: datetime, seq: int) -> InstanceRecord:
    return InstanceRecord(
        id=event.instance_id,
        user_id=event.user_id,
        provider=event.provider,
        type_instance=event.type_instance,
        display_name=event.display_name,
        desired=event.desired,
        status=Status.PENDING,
        reason=event.reason or default_reason(Status.PENDING, at),
        secrets=event.secrets,
        token_hint=event.token_hint,
        webhook=event.webhook,
        created_at=at,
        updated_at=at,
        event_seq=seq,
        instance_seq=seq,
    )


def _apply(record: InstanceRecord, event: InstanceEvent, at: datetime) -> dict[str, object]:
    change: dict[str, object] = {"updated_at": at, "epoch": max(event.epoch, record.epoch)}
    if event.status is not None:
        change |= {"status": event.status, "reason": event.reason or default_reason(event.status, at), "qr": None}
        if event.status is Status.LOGGED_OUT:
            change["logged_in"] = False
    elif event.reason is not None:
        change["reason"] = event.reason
    return change | _facts(event, at)


def _facts(event: InstanceEvent, at: datetime) -> dict[str, object]:
    match event:
        case InstanceAllocated():
            return {"ports": event.ports, "api_key_sha256": event.api_key_sha256}
        case InstanceStarting() if event.worker is not None:
            given = {"worker": event.worker, "boot": event.boot, "worker_epoch": event.epoch}
            return {"desired": event.desired, **given}
        case InstanceStarting() | InstanceUpdated():
            return {"desired": event.desired}
        case QrReady():
            return {"qr": QrCode(code=event.code, generated_at=at, expires_at=event.expires_at), "logged_in": False}
        case Authenticated() | ClientReady():
            return {"account": event.account, "logged_in": True, "observed_at": at, "last_seen": at}
        case InstanceDeleted():
            return {"desired": Desired.DELETED}
        case _:
            return {}


def _count(record: InstanceRecord, event: Event, at: datetime) -> dict[str, object]:
    stats = record.message_stats
    if stats.daily_reset_at is None or stats.daily_reset_at.date() != at.date():
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        stats = stats.model_copy(update={"daily_sent": 0, "daily_received": 0, "daily_reset_at": midnight})
    sent, received = int(isinstance(event, MessageSent)), int(isinstance(event, MessageReceived))
    if not sent and not received:
        return {}
    return {
        "last_seen": at,
        "message_stats": MessageStats(
            sent_count=stats.sent_count + sent,
            received_count=stats.received_count + received,
            daily_sent=stats.daily_sent + sent,
            daily_received=stats.daily_received + received,
            daily_reset_at=stats.daily_reset_at,
        ),
    }


# ---------------------------------------------------------------------------------------------- commands


def create(record: InstanceRecord | None, command: CreateInstance, secrets: tuple[str, ...]) -> list[InstanceEvent]:
    """What creating leads to: nothing if the same command was done before.

    Raises: Rejected if the id is in use for another instance.
    """
    if record is not None:
        if (record.user_id, record.provider) == (
            command.user_id,
            command.provider,
        ) and record.status is not Status.DELETED:
            return []
        raise Rejected(
            ErrorCode.ALREADY_EXISTS, f"the id {command.instance_id} is in use; choose another or leave it out"
        )
    return [
        InstanceCreated(
            instance_id=command.instance_id,
            actor=command.actor,
            user_id=command.user_id,
            provider=command.provider,
            type_instance=tuple(dict.fromkeys(command.type_instance)),
            display_name=command.name,
            desired=Desired.RUNNING if command.start else Desired.STOPPED,
            webhook=command.webhook,
            secrets=secrets,
            token_hint=command.token_hint,
        )
    ]


def decide(record: InstanceRecord | None, command: ChangeInstance) -> list[InstanceEvent]:
    """What a command to an instance leads to; repeating one is harmless.

    Raises: Rejected if there is no such instance.
    """
    if record is None or record.status is Status.DELETED:
        raise Rejected(ErrorCode.NOT_FOUND, f"there is no instance {command.instance_id}")
    match command.verb:
        case Verb.START if record.desired is Desired.RUNNING and _is_underway(record.status):
            return []
        case Verb.START | Verb.RESTART:
            return [_begin(record, command.actor)]
        case Verb.STOP:
            return _want(record, Desired.STOPPED, Status.STOPPED, command.actor)
        case Verb.LOGOUT:
            return _want(record, Desired.LOGGED_OUT, Status.LOGGED_OUT, command.actor)
        case Verb.DELETE:
            return [InstanceDeleted(instance_id=record.id, epoch=record.epoch + 1, actor=command.actor)]


def _is_underway(status: Status) -> bool:
    return status.is_live or status is Status.PENDING


def _begin(record: InstanceRecord, actor: str) -> InstanceEvent:
    if record.status is Status.PENDING:  # ports and key come first; then next_step starts it
        return InstanceUpdated(instance_id=record.id, actor=actor, desired=Desired.RUNNING)
    reason = None
    if record.reason.code == ErrorCode.PORT_TAKEN:  # stays known until there are other ports
        message = "Another program holds the instance's port; it gets another one"
        reason = record.reason.model_copy(update={"message": message, "user_action": UserAction.WAIT})
    return InstanceStarting(instance_id=record.id, actor=actor, epoch=record.epoch + 1, reason=reason)


def _want(record: InstanceRecord, desired: Desired, done: Status, actor: str) -> list[InstanceEvent]:
    if record.desired is desired and record.status is done:
        return []
    return [InstanceUpdated(instance_id=record.id, actor=actor, desired=desired)]


# ------------------------------------------------------------------------------------------------- steps


class Step(StrEnum):
    """What lifecycle has to do next for one instance."""

    NOTHING = auto()
    ALLOCATE = auto()
    """Get ports and key."""
    START = auto()
    """Give the session to a live worker."""
    SETTLE = auto()
    """Nobody holds the session of an instance that shall be stopped: say so."""
    RELEASE = auto()
    """Deleted: give back ports and secrets, remove the record."""


@dataclass(frozen=True, slots=True)
class Due:
    """A step, and the order that the worker should have meanwhile (None: none)."""

    step: Step
    order: SessionOrder | None = None


def next_step(record: InstanceRecord, *, held: bool, purged: bool = False) -> Due:
    """What is due for wish and fact to meet.

    `held` says whether the life of the worker that the record names still beats; `purged` that this worker has
    removed all traces of a deleted instance.
    """
    order = order_of(record) if held else None
    if record.status is Status.DELETED:
        return Due(Step.RELEASE) if purged or not held else Due(Step.NOTHING, order)
    if record.api_key_sha256 is None:
        return Due(Step.ALLOCATE)
    if record.desired is Desired.STOPPED and record.status in (Status.LOGGED_OUT, Status.ERROR):
        return Due(Step.SETTLE, order)  # no session is left that its worker could stop
    if record.status is Status.PENDING or not held or _is_unassigned(record):
        if record.desired is Desired.STOPPED:
            return Due(Step.NOTHING, order) if record.status is Status.STOPPED else Due(Step.SETTLE, order)
        if record.desired is Desired.LOGGED_OUT and record.status is not Status.LOGGED_OUT:
            return Due(Step.START)
        if record.desired is Desired.RUNNING and _is_underway(record.status):
            return Due(Step.START)
    return Due(Step.NOTHING, order)


def allocated(record: InstanceRecord | None, given: Allocation) -> list[InstanceEvent]:
    """What is said when ports and key are assigned; nothing if it was said already."""
    if record is None or record.status is Status.DELETED:
        return []
    if (record.ports, record.api_key_sha256) == (given.ports, given.api_key_sha256):
        return []
    return [
        InstanceAllocated(
            instance_id=record.id, actor="allocator", ports=given.ports, api_key_sha256=given.api_key_sha256
        )
    ]


def begin(record: InstanceRecord | None, given: Allocation, now: datetime, *, held: bool) -> list[InstanceEvent]:
    """What is said when a worker takes the session, or when none is alive; nothing if a start is not due (any more)."""
    if record is None or next_step(record, held=held).step is not Step.START:
        return []
    event = _started(record, given.worker, given.boot, now)
    return [] if event is None else [event]


def _started(record: InstanceRecord, worker: str | None, boot: str | None, now: datetime) -> InstanceEvent | None:
    # A start by command has raised the epoch already; every other start is one more epoch.
    epoch = record.epoch if _is_unassigned(record) else record.epoch + 1
    start = InstanceStarting(
        instance_id=record.id, epoch=epoch, actor="lifecycle", worker=worker, boot=boot, desired=record.desired
    )
    if worker is not None:
        return start
    if record.reason.code == ErrorCode.NO_WORKER:
        return None
    reason = Reason(
        code=ErrorCode.NO_WORKER,
        message=f"No {record.provider} worker is running; the instance goes on as soon as one is",
        user_action=UserAction.WAIT,
        since=now,
    )
    if record.status is Status.PENDING or _is_unassigned(record):
        return InstanceUpdated(instance_id=record.id, actor="lifecycle", desired=record.desired, reason=reason)
    if record.logged_in and can_move(record.status, Status.RECONNECTING):
        return Reconnecting(instance_id=record.id, actor="lifecycle", reason=reason)
    return start.model_copy(update={"reason": reason})


def _is_unassigned(record: InstanceRecord) -> bool:
    return record.status is Status.STARTING and record.worker_epoch < record.epoch


def order_of(record: InstanceRecord) -> SessionOrder:
    """What the worker that holds the instance is told.

    While a session may run, status and reason stay the same whatever it reports, so that the order changes only when
    the worker has to do something else.
    """
    status = Status.STARTING if record.status.is_live else record.status
    reason = default_reason(status, record.created_at) if record.status.is_live else record.reason
    return SessionOrder(
        instance_id=record.id,
        user_id=record.user_id,
        provider=record.provider,
        action=_action(record),
        boot=record.boot or "",
        epoch=record.epoch,
        ports=record.ports,
        api_key_sha256=record.api_key_sha256 or "",
        secrets=record.secrets,
        status=status,
        reason=reason,
    )


def _action(record: InstanceRecord) -> OrderAction:
    if record.status is Status.DELETED:
        return OrderAction.PURGE
    if record.desired is Desired.LOGGED_OUT and record.status is not Status.LOGGED_OUT:
        return OrderAction.LOGOUT
    if record.desired is Desired.RUNNING and record.status.is_live:
        return OrderAction.RUN
    return OrderAction.HOLD


def settled(record: InstanceRecord | None, *, held: bool) -> list[InstanceEvent]:
    """What is said of an instance that shall be stopped and that nobody holds."""
    if record is None or next_step(record, held=held).step is not Step.SETTLE:
        return []
    return [InstanceStopped(instance_id=record.id, epoch=record.epoch, actor="lifecycle")]


def refused(record: InstanceRecord, code: str, message: str, now: datetime) -> list[InstanceEvent]:
    """What is said when the allocator has nothing to give: a new instance is not kept half-made, it goes again."""
    reason = Reason(code=code, message=message, user_action=UserAction.RESTART, since=now)
    if record.status is Status.PENDING:
        return [InstanceDeleted(instance_id=record.id, epoch=record.epoch + 1, actor="lifecycle", reason=reason)]
    return [InstanceFailed(instance_id=record.id, epoch=record.epoch, actor="lifecycle", reason=reason)]

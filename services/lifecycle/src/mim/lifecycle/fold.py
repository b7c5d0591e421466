"""How events fold into the record of an instance: the read model is a fold of the events and nothing else. Pure.

Events already folded, of an older epoch, or of an impossible move change no status. Folding is idempotent and needs the
events in the order of the stream.
"""

from __future__ import annotations

from datetime import datetime

from mim.contracts.content import MessageKind
from mim.contracts.messages import (
    ActionRequired,
    ActivityReported,
    Audited,
    Authenticated,
    ClientReady,
    CloudEvent,
    Event,
    InstanceAllocated,
    InstanceCreated,
    InstanceDeleted,
    InstanceEvent,
    InstanceRestricted,
    InstanceStarting,
    InstanceUpdated,
    MessageFailed,
    MessageReceived,
    MessageSent,
    QrReady,
)
from mim.contracts.reasons import default_reason, is_failure, reason_of
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Status, can_move
from mim.contracts.values import ApiKeyUse, ErrorEntry, Figures, MessageStats, QrCode

MAX_ERRORS = 20
MAX_KEYS = 20
_ACTS = frozenset(kind.value for kind in MessageKind if not kind.is_message)


def fold(record: InstanceRecord | None, envelope: CloudEvent[Event], seq: int) -> InstanceRecord | None:
    """The record after one more event; None while there is none."""
    event = envelope.data
    if record is None:
        return _created(event, envelope.time, seq) if isinstance(event, InstanceCreated) else None
    if seq <= record.event_seq or isinstance(event, Audited):
        return record
    seen: dict[str, object] = {"event_seq": seq}
    if not isinstance(event, InstanceEvent):
        return record.model_copy(update=seen | _count(record, event, envelope))
    seen["instance_seq"] = seq
    if isinstance(event, InstanceCreated) or record.status is Status.DELETED or 0 < event.epoch < record.epoch:
        return record.model_copy(update=seen)
    if event.status is not None and not can_move(record.status, event.status):
        return record.model_copy(update=seen)
    figures = {"figures": _figures(record, event, envelope)}
    return record.model_copy(update=seen | figures | _apply(record, event, envelope.time))


def _created(event: InstanceCreated, at: datetime, seq: int) -> InstanceRecord:
    return InstanceRecord(
        id=event.instance_id,
        user_id=event.user_id,
        provider=event.provider,
        login=event.login,
        type_instance=event.type_instance,
        expose=event.expose,
        isolation=event.isolation,
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
        change |= {"status": event.status, "reason": reason_of(event, at), "qr": None, "login_step": None}
        if event.status is Status.LOGGED_OUT:
            change["logged_in"] = False
    elif event.reason is not None:
        change["reason"] = event.reason
    return change | _facts(record, event, at)


def _facts(record: InstanceRecord, event: InstanceEvent, at: datetime) -> dict[str, object]:
    match event:
        case InstanceAllocated():
            keys = _with_key(record.api_keys, event.api_key_sha256, at)
            return {"ports": event.ports, "api_key_sha256": event.api_key_sha256, "api_keys": keys}
        case InstanceStarting() if event.worker is not None:
            given = {"worker": event.worker, "boot": event.boot, "worker_epoch": event.epoch}
            return {"desired": event.desired, "resumes": record.logged_in, **given}
        case InstanceStarting():
            return {"desired": event.desired}
        case InstanceUpdated():
            return _updated(record, event, at)
        case QrReady():
            return {"qr": QrCode(code=event.code, generated_at=at, expires_at=event.expires_at), "logged_in": False}
        case ActionRequired():
            return {"login_step": event.step}
        case Authenticated() | ClientReady():
            return {"account": event.account, "logged_in": True, "observed_at": at, "last_seen": at}
        case InstanceRestricted():
            return {"restriction": event.restriction}
        case InstanceDeleted():
            return {"desired": Desired.DELETED}
        case _:
            return {}


def _updated(record: InstanceRecord, event: InstanceUpdated, at: datetime) -> dict[str, object]:
    change: dict[str, object] = {"desired": event.desired}
    if "name" in event.changed:
        change["display_name"] = event.display_name
    if "webhook" in event.changed:
        change["webhook"] = event.webhook
    if event.secrets is not None:
        change["secrets"] = event.secrets
    if event.token_hint is not None:
        change["token_hint"] = event.token_hint
    if event.api_key_sha256 is not None:
        change["api_key_sha256"] = event.api_key_sha256
        change["api_keys"] = _with_key(record.api_keys, event.api_key_sha256, at)
    return change


def _with_key(keys: tuple[ApiKeyUse, ...], sha256: str, at: datetime) -> tuple[ApiKeyUse, ...]:
    if any(key.sha256 == sha256 for key in keys):
        return keys
    return (*keys, ApiKeyUse(sha256=sha256, created_at=at))[-MAX_KEYS:]


# ---------------------------------------------------------------------------------------------- figures


def _figures(record: InstanceRecord, event: InstanceEvent, envelope: CloudEvent[Event]) -> Figures:
    figures, at = record.figures, envelope.time
    change: dict[str, object] = {}
    match event:
        case ClientReady():
            change["consecutive_failures"] = 0
            if record.status is not Status.CLIENT_READY:
                change["uptime_start"] = at
        case Authenticated():
            change["authenticated_at"] = at
        case InstanceStarting() if event.worker is not None and record.worker_epoch > 0:
            change["restart_count"] = figures.restart_count + 1
        case InstanceUpdated() if "errors" in event.changed:
            change |= {"error_count": 0, "errors": (), "errors_cleared_at": at}
    if event.status not in (None, Status.CLIENT_READY):
        change["uptime_start"] = None
    figures = figures.model_copy(update=change)
    if is_failure(event):
        reason = reason_of(event, at)
        figures = _with_error(figures, envelope, reason.code, reason.message)
        figures = figures.model_copy(update={"consecutive_failures": figures.consecutive_failures + 1})
    return figures


def _with_error(figures: Figures, envelope: CloudEvent[Event], code: str, message: str) -> Figures:
    entry = ErrorEntry(
        error_id=envelope.id, error_type=code, error_message=message, timestamp=envelope.time, source=envelope.source
    )
    errors = (*figures.errors, entry)[-MAX_ERRORS:]
    return figures.model_copy(update={"error_count": figures.error_count + 1, "errors": errors})


def _count(record: InstanceRecord, event: Event, envelope: CloudEvent[Event]) -> dict[str, object]:
    match event:
        case MessageSent() if event.type in _ACTS:
            return {"last_seen": envelope.time}
        case MessageSent() | MessageReceived():
            return {"last_seen": envelope.time, "message_stats": _stats(record.message_stats, event, envelope.time)}
        case MessageFailed():
            return {"figures": _with_error(record.figures, envelope, event.code, event.message)}
        case ActivityReported():
            return _activity(record, event)
        case _:
            return {}


def _stats(stats: MessageStats, event: MessageSent | MessageReceived, at: datetime) -> MessageStats:
    if stats.daily_reset_at is None or stats.daily_reset_at.date() != at.date():
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        stats = stats.model_copy(update={"daily_sent": 0, "daily_received": 0, "daily_reset_at": midnight})
    sent = int(isinstance(event, MessageSent))
    return MessageStats(
        sent_count=stats.sent_count + sent,
        received_count=stats.received_count + 1 - sent,
        daily_sent=stats.daily_sent + sent,
        daily_received=stats.daily_received + 1 - sent,
        daily_reset_at=stats.daily_reset_at,
    )


def _activity(record: InstanceRecord, event: ActivityReported) -> dict[str, object]:
    checks = record.figures.health_check_count + event.health_checks
    change: dict[str, object] = {"figures": record.figures.model_copy(update={"health_check_count": checks})}
    if event.observed_at is not None:
        change["observed_at"] = max(record.observed_at or event.observed_at, event.observed_at)
        change["last_seen"] = max(record.last_seen or event.observed_at, event.observed_at)
    if event.api_calls:
        change["api_keys"] = tuple(
            _used(key, event) if key.sha256 == event.api_key_sha256 else key for key in record.api_keys
        )
    return change


def _used(key: ApiKeyUse, event: ActivityReported) -> ApiKeyUse:
    return ApiKeyUse(
        sha256=key.sha256,
        created_at=key.created_at,
        usage_count=key.usage_count + event.api_calls,
        first_used_at=key.first_used_at or event.first_call_at,
        last_used_at=event.last_call_at or key.last_used_at,
    )

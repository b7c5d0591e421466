"""The rules of an instance, pure: what a command leads to, and what is due next. How events fold is in `fold`.

decide(record, command)  -> events          or Rejected with the reason
next_step(record, held)  -> Step            what lifecycle must do for wish and fact to meet
order_of(record)         -> SessionOrder    what the worker is told
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from mim.contracts.errors import ErrorCode, Rejected
from mim.contracts.login import LoginKind
from mim.contracts.messages import (
    ChangeInstance,
    CreateInstance,
    InstanceAllocated,
    InstanceCreated,
    InstanceDeleted,
    InstanceEvent,
    InstanceFailed,
    InstanceStarting,
    InstanceStopped,
    InstanceUpdated,
    Reconnecting,
    UpdateInstance,
    Verb,
)
from mim.contracts.reasons import default_reason
from mim.contracts.records import Allocation, InstanceRecord, OrderAction, SessionOrder
from mim.contracts.states import Desired, Provider, Status, UserAction, can_move
from mim.contracts.values import Reason

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
            login=_login(command),
            type_instance=tuple(dict.fromkeys(command.type_instance)),
            expose=command.expose,
            isolation=command.isolation,
            display_name=command.name,
            desired=Desired.RUNNING if command.start else Desired.STOPPED,
            webhook=command.webhook,
            secrets=secrets,
            token_hint=command.token_hint,
        )
    ]


def _login(command: CreateInstance) -> LoginKind | None:
    """How the account logs in. Raises: Rejected if its provider has no such login."""
    if command.provider is Provider.TELEGRAM:
        return command.login or LoginKind.BOT
    if command.login is not None:
        raise Rejected(ErrorCode.NOT_SUPPORTED, f"accounts of {command.provider} have no choice of login")
    return None


def decide(record: InstanceRecord | None, command: ChangeInstance) -> list[InstanceEvent]:
    """What a command to an instance leads to; repeating one is harmless.

    Raises: Rejected if there is no such instance.
    """
    record = existing(record, command.instance_id)
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


def existing(record: InstanceRecord | None, instance_id: str) -> InstanceRecord:
    """The record. Raises: Rejected if there is no such instance (any more)."""
    if record is None or record.status is Status.DELETED:
        raise Rejected(ErrorCode.NOT_FOUND, f"there is no instance {instance_id}")
    return record


def update(
    record: InstanceRecord | None, command: UpdateInstance, sealed: tuple[str, ...], api_key_sha256: str | None
) -> list[InstanceEvent]:
    """What a change of an instance's data leads to; `sealed` are the names of the secrets that are new.

    Raises: Rejected if there is no such instance.
    """
    record = existing(record, command.instance_id)
    changed = _changed(command, sealed)
    events: list[InstanceEvent] = []
    if changed:
        given = {name: None if name in command.removed else getattr(command, name) for name in ("name", "webhook")}
        events.append(
            InstanceUpdated(
                instance_id=record.id,
                actor=command.actor,
                desired=record.desired,
                changed=changed,
                display_name=given["name"],
                webhook=given["webhook"],
                secrets=secrets_after(record, command, sealed),
                token_hint=command.token_hint,
                api_key_sha256=api_key_sha256,
            )
        )
    anew = command.start or (record.desired is Desired.RUNNING and bool({"token", "proxy"} & set(changed)))
    if anew and record.status is not Status.PENDING:
        events.append(_begin(record, command.actor))
    return events


def _changed(command: UpdateInstance, sealed: tuple[str, ...]) -> tuple[str, ...]:
    given = {
        "name": command.name is not None,
        "webhook": command.webhook is not None,
        "api_key": command.rotate_api_key,
        "errors": command.clear_errors,
    }
    changed = {name for name, is_given in given.items() if is_given}
    return tuple(sorted(changed | set(command.removed) | {name for name in sealed if name != "webhook_headers"}))


def secrets_after(record: InstanceRecord, command: UpdateInstance, sealed: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the secrets that the instance has after the change. A webhook is replaced with its headers."""
    gone: set[str] = set(command.removed)
    if command.webhook is not None or "webhook" in gone:
        gone.add("webhook_headers")
    return tuple(sorted((set(record.secrets) - gone) | set(sealed)))


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
    """A step, and whose order its worker should have meanwhile (None: none)."""

    step: Step
    told: InstanceRecord | None = None
    leaves: bool = False

    @property
    def order(self) -> SessionOrder | None:
        """The order that the worker should have; made when asked for, as it costs more than the decision itself."""
        if self.told is None:
            return None
        order = order_of(self.told)
        return order.model_copy(update={"action": OrderAction.YIELD}) if self.leaves else order


def next_step(record: InstanceRecord, *, held: bool, purged: bool = False, leaves: bool = False) -> Due:
    """What is due for wish and fact to meet.

    `held` says whether the life of the worker that the record names still beats, and has not handed the instance over;
    `purged` that this worker has removed all traces of a deleted instance; `leaves` that it shall hand it over.
    """
    told = record if held else None
    if record.status is Status.DELETED:
        return Due(Step.RELEASE) if purged or not held else Due(Step.NOTHING, told)
    if record.api_key_sha256 is None:
        return Due(Step.ALLOCATE)
    if record.desired is Desired.STOPPED and record.status in (Status.LOGGED_OUT, Status.ERROR):
        return Due(Step.SETTLE, told)  # no session is left that its worker could stop
    if held and leaves:
        return Due(Step.NOTHING, told, leaves=True)
    if record.status is Status.PENDING or not held or is_unassigned(record):
        if record.desired is Desired.STOPPED:
            return Due(Step.NOTHING, told) if record.status is Status.STOPPED else Due(Step.SETTLE, told)
        if record.desired is Desired.LOGGED_OUT and record.status is not Status.LOGGED_OUT:
            return Due(Step.START)
        if record.desired is Desired.RUNNING and _is_underway(record.status):
            return Due(Step.START)
    return Due(Step.NOTHING, told)


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


def begin(
    record: InstanceRecord | None, given: Allocation, now: datetime, waiting: Reason | None = None, *, held: bool
) -> list[InstanceEvent]:
    """What is said when a worker takes the session, or when none is alive, because of `waiting` if that is known;
    nothing if a start is not due (any more)."""
    if record is None or next_step(record, held=held).step is not Step.START:
        return []
    event = _started(record, given, waiting or _no_worker(record, now))
    return [] if event is None else [event]


def _no_worker(record: InstanceRecord, now: datetime) -> Reason:
    return Reason(
        code=ErrorCode.NO_WORKER,
        message=f"No {record.provider} worker is running; the instance goes on as soon as one is",
        user_action=UserAction.WAIT,
        since=now,
    )


def _started(record: InstanceRecord, given: Allocation, waiting: Reason) -> InstanceEvent | None:
    # A start by command has raised the epoch already; every other start is one more epoch.
    epoch = record.epoch if is_unassigned(record) else record.epoch + 1
    start = InstanceStarting(
        instance_id=record.id,
        epoch=epoch,
        actor="lifecycle",
        worker=given.worker,
        boot=given.boot,
        desired=record.desired,
    )
    if given.worker is not None:
        return start
    if (record.reason.code, record.reason.message) == (waiting.code, waiting.message):
        return None
    if record.status is Status.PENDING or is_unassigned(record):
        return InstanceUpdated(instance_id=record.id, actor="lifecycle", desired=record.desired, reason=waiting)
    if record.logged_in and can_move(record.status, Status.RECONNECTING):
        return Reconnecting(instance_id=record.id, actor="lifecycle", reason=waiting)
    return start.model_copy(update={"reason": waiting})


def is_unassigned(record: InstanceRecord) -> bool:
    """Whether a new start is due that no worker has been given yet."""
    return record.status is Status.STARTING and record.worker_epoch < record.epoch


def order_of(record: InstanceRecord) -> SessionOrder:
    """What the worker that holds the instance is told.

    While a session may run, status and reason stay the same whatever it reports, so that the order changes only when
    the worker has to do something else, or when the messenger's restriction of the account changes, which the next
    worker has to know of.
    """
    status = Status.STARTING if record.status.is_live else record.status
    reason = default_reason(status, record.created_at) if record.status.is_live else record.reason
    return SessionOrder(
        instance_id=record.id,
        user_id=record.user_id,
        provider=record.provider,
        login=record.login,
        action=_action(record),
        boot=record.boot or "",
        epoch=record.epoch,
        ports=record.ports,
        api_key_sha256=record.api_key_sha256 or "",
        secrets=record.secrets,
        resumes=record.resumes,
        status=status,
        reason=reason,
        restriction=record.restriction,
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


def refused(
    record: InstanceRecord | None, asked: InstanceRecord, code: str, message: str, now: datetime, *, held: bool
) -> list[InstanceEvent]:
    """What is said when the allocator has nothing to give to what `asked`: a new instance is not kept half-made, it
    goes again. Nothing if the instance got something meanwhile, from another lifecycle, or needs nothing any more."""
    if record is None or (record.ports, record.api_key_sha256) != (asked.ports, asked.api_key_sha256):
        return []
    if next_step(record, held=held).step not in (Step.ALLOCATE, Step.START):
        return []
    reason = Reason(code=code, message=message, user_action=UserAction.RESTART, since=now)
    if record.status is Status.PENDING and record.api_key_sha256 is None:
        return [InstanceDeleted(instance_id=record.id, epoch=record.epoch + 1, actor="lifecycle", reason=reason)]
    return [InstanceFailed(instance_id=record.id, epoch=record.epoch, actor="lifecycle", reason=reason)]

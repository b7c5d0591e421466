"""Everything that travels over the bus: commands, events, session orders, allocations, heartbeats.

Commands ask and are imperative; events tell what happened and are the one source of the read model. Every event is
a CloudEvents 1.0 envelope (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) around one of the
`InstanceEvent` or `MessageEvent` models. Secrets travel only sealed.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import from_json

from mim.contracts import subjects
from mim.contracts.content import Content
from mim.contracts.errors import ErrorCode, Invalid
from mim.contracts.fields import (
    Bool,
    InstanceId,
    MessageId,
    Model,
    Name,
    Recipient,
    Time,
    UserId,
)
from mim.contracts.login import LoginKind, LoginStep
from mim.contracts.states import Desired, Expose, Interface, Isolation, Provider, Status
from mim.contracts.values import Account, Contact, IncomingMedia, IncomingMessage, Ports, Reason, Restriction, Webhook

MAX_SECRET = 16_384
SecretName = Literal["token", "proxy", "webhook_headers"]


# ---------------------------------------------------------------------------------------------- commands


class Verb(StrEnum):
    """What can be asked of an instance that exists."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    LOGOUT = "logout"
    DELETE = "delete"


class Command(Model):
    """`reply_to`, if given, is the subject that gets the `Outcome`; `actor` is who asked and `origin` from where, for
    the history."""

    instance_id: InstanceId
    actor: Name = "nats"
    origin: Name = "nats"
    reply_to: str | None = None


class CreateInstance(Command):
    """Subject `mim.cmd.instance.create`.

    The gateway sends secrets sealed. Services that hold no key send `token` (Telegram) and `proxy` as they are;
    lifecycle seals them before anything else, and a dead letter never shows them.
    """

    user_id: UserId
    provider: Provider
    login: LoginKind | None = None
    type_instance: Annotated[tuple[Interface, ...], Field(min_length=1)] = (Interface.API,)
    expose: Expose = Expose.PORT
    isolation: Isolation = Isolation.SHARED
    name: Name | None = None
    start: Bool = True
    webhook: Webhook | None = None
    sealed: Annotated[dict[SecretName, Annotated[str, Field(max_length=4 * MAX_SECRET)]], Field(max_length=8)] = {}
    token_hint: Annotated[str, Field(max_length=4)] | None = None
    token: SecretStr | None = None
    proxy: SecretStr | None = None


class ChangeInstance(Command):
    """Subject `mim.cmd.instance.<id>.<verb>`; an empty body is enough, the subject says the rest."""

    verb: Verb


UPDATE = "update"


class UpdateInstance(Command):
    """Subject `mim.cmd.instance.<id>.update`: change what is given, leave the rest.

    `removed` takes away a name, webhook or proxy. A new token or proxy begins the session anew, and so does `start`.
    Secrets go as in `CreateInstance`; a new API key is made by lifecycle and never travels.
    """

    name: Name | None = None
    webhook: Webhook | None = None
    sealed: Annotated[dict[SecretName, Annotated[str, Field(max_length=4 * MAX_SECRET)]], Field(max_length=8)] = {}
    removed: tuple[Literal["name", "webhook", "proxy"], ...] = ()
    token_hint: Annotated[str, Field(max_length=4)] | None = None
    token: SecretStr | None = None
    proxy: SecretStr | None = None
    rotate_api_key: Bool = False
    clear_errors: Bool = False
    start: Bool = False


AnyCommand = CreateInstance | UpdateInstance | ChangeInstance


def action_of(command: AnyCommand) -> str:
    """What a command does, in one word, for the audit."""
    match command:
        case CreateInstance():
            return "create"
        case UpdateInstance(rotate_api_key=True):
            return "rotate_api_key"
        case UpdateInstance(clear_errors=True):
            return "clear_errors"
        case UpdateInstance():
            return UPDATE
        case _:
            return command.verb


def command_subject(command: AnyCommand) -> str:
    """The subject that a command is published on."""
    match command:
        case CreateInstance():
            return subjects.CREATE_COMMAND
        case UpdateInstance():
            return subjects.instance_command(command.instance_id, UPDATE)
        case _:
            return subjects.instance_command(command.instance_id, command.verb)


class Outcome(Model):
    """What became of a command; published to its `reply_to`. `instance_seq` is the last status event then."""

    instance_id: str
    ok: bool
    status: Status | None = None
    instance_seq: int = 0
    code: str | None = None
    message: str


class SendMessage(Content):
    """Subject `mim.cmd.message.<provider>.<id>`: one thing to say or do, in order per instance.

    `id` goes with the message from end to end; a repeat with the same id is sent once.
    """

    id: MessageId
    instance_id: InstanceId
    provider: Provider
    to: Recipient
    expires_at: Time
    actor: Name = "nats"


# ------------------------------------------------------------------------------------------------ events


class InstanceEvent(Model):
    """Something that happened to an instance. `status` is where it stands from now on, if that changed.

    An event of an older `epoch` than the instance's never changes it; 0 means 'whatever the epoch'.
    """

    name: ClassVar[str]
    status: ClassVar[Status | None] = None

    instance_id: InstanceId
    epoch: int = 0
    actor: str
    reason: Reason | None = None


class InstanceCreated(InstanceEvent):
    """The instance exists; ports, key and worker come next."""

    name = "created"
    status = Status.PENDING

    user_id: UserId
    provider: Provider
    login: LoginKind | None = None
    type_instance: tuple[Interface, ...]
    expose: Expose = Expose.PORT
    isolation: Isolation = Isolation.SHARED
    display_name: Name | None = None
    desired: Desired
    webhook: Webhook | None = None
    secrets: tuple[str, ...] = ()
    token_hint: str | None = None


class InstanceAllocated(InstanceEvent):
    """Ports and API key are assigned. The key itself is a sealed secret; here is only its SHA-256."""

    name = "allocated"

    ports: Ports
    api_key_sha256: str


class InstanceStarting(InstanceEvent):
    """The session begins anew under a new epoch. `worker` holds it; None while one is being found."""

    name = "starting"
    status = Status.STARTING

    worker: str | None = None
    boot: str | None = None
    desired: Desired = Desired.RUNNING


class InstanceWaiting(InstanceEvent):
    """It waits for its turn to connect, or to be linked: it is `place`-th in its worker's queue; 0: its turn has come.

    Told when it has waited for some seconds, and when half of those before it are gone.
    """

    name = "waiting"

    place: Annotated[int, Field(ge=0)]


class QrReady(InstanceEvent):
    """A QR code waits to be scanned until `expires_at`; the next one follows by itself."""

    name = "qr_ready"
    status = Status.QR_READY

    code: str
    expires_at: Time


class ActionRequired(InstanceEvent):
    """A person must do one more thing; `step` says what, where the messenger's login asks for something."""

    name = "action_required"
    status = Status.ACTION_REQUIRED

    step: LoginStep | None = None


class Authenticated(InstanceEvent):
    """The messenger accepted the login."""

    name = "authenticated"
    status = Status.AUTHENTICATED

    account: Account


class ClientReady(InstanceEvent):
    """Messages can be sent and received."""

    name = "client_ready"
    status = Status.CLIENT_READY

    account: Account


class Reconnecting(InstanceEvent):
    """The link dropped; the worker tries again."""

    name = "reconnecting"
    status = Status.RECONNECTING


class LoggedOut(InstanceEvent):
    """The messenger revoked the login."""

    name = "logged_out"
    status = Status.LOGGED_OUT


class InstanceStopped(InstanceEvent):
    """The session was closed on request."""

    name = "stopped"
    status = Status.STOPPED


class InstanceFailed(InstanceEvent):
    """Given up; the reason says why and what to do."""

    name = "error"
    status = Status.ERROR


class InstanceUpdated(InstanceEvent):
    """The owner changed something; `changed` names what. A removed name or webhook is in `changed` and null."""

    name = "updated"

    desired: Desired
    changed: tuple[str, ...] = ()
    display_name: Name | None = None
    webhook: Webhook | None = None
    secrets: tuple[str, ...] | None = None
    token_hint: str | None = None
    api_key_sha256: str | None = None


class InstanceRestricted(InstanceEvent):
    """The messenger put a limit on the account; null when it is lifted or over. Messages wait for it."""

    name = "restricted"

    restriction: Restriction | None = None


class InstanceDeleted(InstanceEvent):
    """Gone; its resources are being released."""

    name = "deleted"
    status = Status.DELETED


class MessageEvent(Model):
    """Something that happened to a message of an instance."""

    name: ClassVar[str]

    instance_id: InstanceId
    provider: Provider
    epoch: int = 0


class MessageQueued(MessageEvent):
    """The message has to wait: `code` and `message` say why, `until` for how long if that is known."""

    name = "queued"

    id: MessageId
    to: str
    code: str
    message: str
    until: Time | None = None


class MessageSent(MessageEvent):
    """The messenger took the message; `messenger_id` is its own id for it.

    `type` is the kind. Where something was done to a message, `target` is that message's own id at the messenger.
    """

    name = "sent"

    id: MessageId
    to: str
    messenger_id: str
    chat_id: str | None = None
    type: str = "text"
    body: str = ""
    target: str | None = None
    reply_to: str | None = None
    media: IncomingMedia | None = None


class MessageFailed(MessageEvent):
    """The message was not sent, or (`code` UNCERTAIN) a crash left it open whether it was."""

    name = "failed"

    id: MessageId
    to: str
    code: str
    message: str


class MessageReceived(MessageEvent):
    """A message came in."""

    name = "received"

    message: IncomingMessage


class Receipt(MessageEvent):
    """What became of sent messages on the other side. `ids` are ours where they are known, in the order of
    `messenger_ids`; `contact` is whose device or app it was."""

    messenger_ids: Annotated[tuple[str, ...], Field(min_length=1)]
    ids: tuple[str | None, ...] = ()
    chat_id: str
    contact: Contact | None = None
    timestamp: Time


class MessageDelivered(Receipt):
    """Messages arrived at a device of the recipient."""

    name = "delivered"


class MessageRead(Receipt):
    """The recipient saw the messages."""

    name = "read"


class Change(MessageEvent):
    """Somebody did something to the message `messenger_id`: another person, or (`from_me`) this account elsewhere."""

    messenger_id: str
    chat_id: str
    from_me: bool = False
    is_group: bool = False
    contact: Contact | None = None
    timestamp: Time


class MessageEdited(Change):
    """The message has a new text."""

    name = "edited"

    body: str


class MessageDeleted(Change):
    """The message was taken back."""

    name = "deleted"


class MessageReaction(Change):
    """Somebody reacted to the message; an empty `emoji` takes a reaction away."""

    name = "reaction"

    emoji: str


class GroupChange(StrEnum):
    """What happened to a group."""

    CREATED = "created"
    RENAMED = "renamed"
    JOINED = "joined"
    LEFT = "left"
    PROMOTED = "promoted"
    DEMOTED = "demoted"


class GroupChanged(MessageEvent):
    """A group that the account belongs to changed: `members` joined, left or got another role, `title` is the name."""

    name = "group"

    chat_id: str
    change: GroupChange
    members: tuple[Contact, ...] = ()
    by: Contact | None = None
    title: str | None = None
    timestamp: Time


class ActivityReported(Model):
    """What an instance did since the last report: calls with its API key, and round trips to the messenger.

    Reported together now and then, so that counting costs little. It changes figures, never the status.
    """

    name: ClassVar[str] = "reported"

    instance_id: InstanceId
    epoch: int = 0
    api_key_sha256: str | None = None
    api_calls: int = 0
    first_call_at: Time | None = None
    last_call_at: Time | None = None
    health_checks: int = 0
    observed_at: Time | None = None


SYSTEM = "system"


class Audited(Model):
    """Somebody changed something, or tried to: who, what, from where, and what became of it.

    `instance_id` is the instance, or `system` for what belongs to none, such as access tokens.
    """

    name: ClassVar[str] = "recorded"

    instance_id: InstanceId | Literal["system"]
    user_id: str | None = None
    actor: str
    action: str
    origin: str
    ok: bool
    code: str | None = None
    message: str = ""


INSTANCE_EVENTS: tuple[type[InstanceEvent], ...] = (
    InstanceCreated,
    InstanceAllocated,
    InstanceStarting,
    InstanceWaiting,
    QrReady,
    ActionRequired,
    Authenticated,
    ClientReady,
    Reconnecting,
    LoggedOut,
    InstanceStopped,
    InstanceFailed,
    InstanceUpdated,
    InstanceRestricted,
    InstanceDeleted,
)
MESSAGE_EVENTS: tuple[type[MessageEvent], ...] = (
    MessageQueued,
    MessageSent,
    MessageDelivered,
    MessageRead,
    MessageFailed,
    MessageReceived,
    MessageEdited,
    MessageDeleted,
    MessageReaction,
    GroupChanged,
)
Event = InstanceEvent | MessageEvent | ActivityReported | Audited
Data = TypeVar("Data", bound=Event)


class CloudEvent(Model, Generic[Data]):
    """The envelope. `type` is `mim.<instance|message|activity|audit>.<name>.v1`, `subject` the instance id."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: Time
    datacontenttype: Literal["application/json"] = "application/json"
    data: Data


def event_type(model: type[Event]) -> str:
    """The CloudEvents `type` of an event model."""
    if issubclass(model, InstanceEvent):
        family = "instance"
    elif issubclass(model, MessageEvent):
        family = "message"
    else:
        family = "activity" if model is ActivityReported else "audit"
    return f"mim.{family}.{model.name}.v1"


EVENTS: tuple[type[Event], ...] = (*INSTANCE_EVENTS, *MESSAGE_EVENTS, ActivityReported, Audited)
_MODELS: dict[str, type[Event]] = {event_type(model): model for model in EVENTS}


@cache
def envelope_of(model: type[Event]) -> type[CloudEvent[Event]]:
    """The envelope type around one event model, as it appears on the bus."""
    return CloudEvent[model]  # type: ignore[valid-type]


def wrap(event: Event, *, id: str, source: str, time: datetime) -> CloudEvent[Event]:
    """Put an event into its envelope. `source` names the service or worker, `id` is unique for ever."""
    return envelope_of(type(event))(
        id=id,
        source=source,
        type=event_type(type(event)),
        subject=event.instance_id,
        time=time,
        data=event,
    )


def event_subject(event: Event) -> str:
    """The subject an event is published on."""
    if isinstance(event, InstanceEvent):
        return subjects.instance_event(event.instance_id, event.name)
    if isinstance(event, MessageEvent):
        return subjects.message_event(event.instance_id, event.name)
    if isinstance(event, ActivityReported):
        return subjects.activity_event(event.instance_id)
    return subjects.audit_event(event.instance_id, event.action)


class _Head(Model):
    type: str


def unwrap(payload: bytes) -> CloudEvent[Event] | None:
    """Read an envelope from the bus; None for an event of a kind that this version does not know.

    Raises: Invalid if it is no envelope or its data does not fit its type.
    """
    try:
        model = _MODELS.get(_Head.model_validate_json(payload).type)
        return None if model is None else envelope_of(model).model_validate_json(payload)
    except ValidationError as error:
        raise Invalid(ErrorCode.INVALID_MESSAGE, f"not an event: {problems(error)}") from None


def parse_command(subject: str, payload: bytes) -> AnyCommand:
    """Read a command; for `mim.cmd.instance.<id>.<verb>` the subject supplies what the body leaves out.

    Raises: Invalid with the fields that do not fit.
    """
    try:
        if subject == subjects.CREATE_COMMAND:
            return CreateInstance.model_validate_json(payload)
        body = from_json(payload or b"{}")
        if not isinstance(body, dict):
            raise Invalid(ErrorCode.INVALID_MESSAGE, "not a command: the body must be a JSON object")
        known = {"instance_id": subjects.instance_of(subject), "verb": subjects.last_token(subject)}
        return (UpdateInstance if known["verb"] == UPDATE else ChangeInstance).model_validate(body | known)
    except ValidationError as error:
        raise Invalid(ErrorCode.INVALID_MESSAGE, f"not a command: {problems(error)}") from None
    except ValueError:
        raise Invalid(ErrorCode.INVALID_MESSAGE, "not a command: the body is not valid JSON") from None


def problems(error: ValidationError) -> str:
    """A validation error in one line, without any of the input (it may hold secrets)."""
    parts = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors()]
    return "; ".join(parts[:8])

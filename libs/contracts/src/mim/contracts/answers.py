"""What REST answers. Every field that a caller may see stands here; the OpenAPI document comes from these models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mim.contracts.content import MediaKind
from mim.contracts.errors import ErrorCode
from mim.contracts.fields import Time
from mim.contracts.login import LoginKind, LoginStep
from mim.contracts.providers import ProviderDescription
from mim.contracts.records import InstanceRecord
from mim.contracts.reports import ContainersReport
from mim.contracts.states import AuthStatus, Desired, Expose, Interface, Isolation, Provider, Role, Status, auth_status
from mim.contracts.values import Account, LogLine, MessageStats, Ports, Reason, Restriction, Webhook


class Shape(BaseModel):
    """A part of an answer. Nothing but its fields is ever in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(Shape):
    """A success."""

    success: Literal[True] = True


class MessageAnswer(Answer):
    """A success that is told in a sentence."""

    message: str


class Problem(Shape):
    """What is wrong with one field."""

    field: str
    problem: str


class ErrorAnswer(Shape):
    """What went wrong, in a sentence for a person and a code for programs; `request_id` finds it in the logs.

    `details` name the fields that do not fit; the rest says where the instance or message stands, where that matters.
    """

    success: Literal[False] = False
    error: str
    code: ErrorCode
    request_id: str
    details: list[Problem] = []
    instance_id: str | None = None
    status: Status | None = None
    auth_status: AuthStatus | None = None
    reason: Reason | None = None
    id: str | None = None
    to: str | None = None


# -------------------------------------------------------------------------------------------- instances


class Instance(Shape):
    """An instance as callers see it. No secret is in it."""

    id: str
    instance_id: str
    user_id: str
    company_id: str
    name: str | None
    provider: Provider
    login: LoginKind | None
    type_instance: tuple[Interface, ...]
    expose: Expose
    isolation: Isolation
    status: Status
    auth_status: AuthStatus
    is_ready_for_messages: bool
    desired: Desired
    account: str | None
    phone_number: str | None
    whatsapp_state: str | None
    port_api: int | None
    port_mcp: int | None
    port: int | None
    ports: Ports
    worker: str | None
    epoch: int
    api_webhook_schema: Webhook | None
    token_hint: str | None
    has_proxy: bool
    message_stats: MessageStats
    reason: Reason
    restriction: Restriction | None
    observed_at: Time | None
    created_at: Time
    updated_at: Time
    last_seen: Time | None
    memory_status: Literal["active", "inactive"]


def instance_of(record: InstanceRecord) -> Instance:
    """An `instance` object of the contract."""
    account = record.account
    return Instance(
        id=record.id,
        instance_id=record.id,
        user_id=record.user_id,
        company_id=record.user_id,
        name=record.display_name,
        provider=record.provider,
        login=record.login,
        type_instance=record.type_instance,
        expose=record.expose,
        isolation=record.isolation,
        status=record.status,
        auth_status=auth_status(record.status, logged_in=record.logged_in),
        is_ready_for_messages=record.status.is_ready,
        desired=record.desired,
        account=account_name(account),
        phone_number=account.phone_number if account else None,
        whatsapp_state=whatsapp_state(record),
        port_api=record.ports.api,
        port_mcp=record.ports.mcp,
        port=record.ports.api,
        ports=record.ports,
        worker=record.worker,
        epoch=record.epoch,
        api_webhook_schema=record.webhook,
        token_hint=record.token_hint,
        has_proxy="proxy" in record.secrets,
        message_stats=record.message_stats,
        reason=record.reason,
        restriction=record.restriction,
        observed_at=record.observed_at,
        created_at=record.created_at,
        updated_at=record.updated_at,
        last_seen=record.last_seen,
        memory_status="active" if record.status.is_live else "inactive",
    )


def account_name(account: Account | None) -> str | None:
    """What an account is called."""
    return None if account is None else account.username or account.first_name or account.id


_WHATSAPP_STATES = {
    Status.CLIENT_READY: "CONNECTED",
    Status.AUTHENTICATED: "OPENING",
    Status.STARTING: "OPENING",
    Status.QR_READY: "UNPAIRED",
    Status.RECONNECTING: "TIMEOUT",
    Status.LOGGED_OUT: "UNPAIRED",
    Status.ACTION_REQUIRED: "PAIRING",
}


def whatsapp_state(record: InstanceRecord) -> str | None:
    """The connection state in the words of WhatsApp Web; None for other providers."""
    if record.provider is not Provider.WHATSAPPWEB:
        return None
    return _WHATSAPP_STATES.get(record.status, "UNLAUNCHED")


class CreationDetails(Shape):
    """What was assigned."""

    ports: Ports
    api_key: str


class ProcessResult(Shape):
    """The older place of what was assigned."""

    success: Literal[True] = True
    details: CreationDetails


class Created(Answer):
    """A new instance that has its port and API key."""

    instance_id: str
    instance: Instance
    message: str
    status: Status
    port: int | None
    api_key: str
    process_result: ProcessResult


class CreationPending(Answer):
    """A new instance whose port and key are still being assigned; look at `status_check_url`."""

    instance_id: str
    instance: Instance | None
    message: str
    status: Status
    status_check_url: str


class InstanceAnswer(Answer):
    """One instance."""

    instance: Instance


class InstanceList(Answer):
    """A page of the instances that fit; `total` is how many fit."""

    instances: list[Instance]
    total: int
    limit: int
    offset: int


class Changed(MessageAnswer):
    """What became of a change, and where the instance stands now (null: it was deleted meanwhile)."""

    instance: Instance | None


class QrData(Shape):
    """A QR code that waits to be scanned: as a picture, and the raw text in it."""

    qr_code: str
    code: str
    expires_in: int
    expires_at: Time
    auth_status: AuthStatus


class QrAnswer(QrData):
    """The QR code that waits now."""

    success: Literal[True] = True


class CurrentQr(Answer):
    """The QR code that waits now, in the older shape."""

    qr_code: str
    data: QrData


class LoginAnswer(Answer):
    """Where the login stands."""

    login_step: LoginStep
    status: Status


class PairingCode(Answer):
    """A code that is typed on the phone instead of scanning a QR code."""

    code: str
    expires_in: int
    expires_at: Time


class AuthStatusAnswer(Answer):
    """How far the login is."""

    status: Status
    auth_status: AuthStatus
    authenticated: bool
    is_ready_for_messages: bool
    account: str | None
    phone_number: str | None
    whatsapp_state: str | None
    last_seen: Time | None
    reason: Reason


# -------------------------------------------------------------------------------------- figures, history


class WhatsAppUser(Shape):
    """Who the account is; the older name is kept for every provider."""

    phone_number: str | None
    account: str | None
    authenticated_at: Time | None
    last_seen_online: Time | None


class SystemInfo(Shape):
    """How the session does."""

    restart_count: int
    health_check_count: int
    consecutive_failures: int
    uptime_start: Time | None


class ErrorItem(Shape):
    """Something that went wrong."""

    error_id: str
    error_type: str
    error_message: str
    timestamp: Time


class ErrorInfo(Shape):
    """What went wrong since the errors were last cleared."""

    error_count: int
    error_history: list[ErrorItem]


class MemoryEstimate(Shape):
    """What the session takes in memory: its worker's measured memory over the sessions it holds. An estimate; null
    while no worker holds it."""

    estimated_mb: float | None
    basis: Literal["worker memory divided by its sessions"] = "worker memory divided by its sessions"


class InstanceMemory(Shape):
    """Everything that is remembered of an instance in figures."""

    instance_id: str
    user_id: str
    provider: Provider
    type_instance: tuple[Interface, ...]
    status: Status
    auth_status: AuthStatus
    api_key_usage_count: int
    api_key_first_use: Time | None
    api_key_last_use: Time | None
    is_ready_for_messages: bool
    last_seen: Time | None
    whatsapp_user: WhatsAppUser
    message_stats: MessageStats
    system_info: SystemInfo
    error_info: ErrorInfo
    memory: MemoryEstimate
    created_at: Time
    updated_at: Time


class MemoryAnswer(Answer):
    """The figures of an instance."""

    data: InstanceMemory
    timestamp: Time


class LogsAnswer(Answer):
    """The newest log lines of an instance, oldest first; `total_lines` is how many of this level are kept."""

    logs: list[LogLine]
    total_lines: int
    tail: int


class StatusChange(Shape):
    """One change of status. `source` is the service or worker that told it, `actor` who or what caused it."""

    status: Status
    timestamp: Time
    source: str
    message: str
    code: str
    actor: str
    epoch: int


class StatusHistory(Answer):
    """Changes of status, newest first."""

    data: list[StatusChange]
    count: int
    limit: int


class QrShown(Shape):
    """A QR code that was shown; the code itself is not kept here."""

    generated_at: Time
    expires_at: Time
    source: str


class QrHistory(Answer):
    """QR codes that were shown, newest first."""

    data: list[QrShown]
    count: int
    limit: int


class ApiKeyPeriod(Shape):
    """One API key of the instance, without the key."""

    created_at: Time
    usage_count: int
    last_used_at: Time | None


class ApiKeyHistory(Answer):
    """API keys that the instance had, newest first."""

    data: list[ApiKeyPeriod]
    count: int
    limit: int


class PastError(Shape):
    """Something that went wrong."""

    error: str
    timestamp: Time
    source: str
    code: str


class ErrorHistory(Answer):
    """What went wrong since the errors were last cleared, newest first."""

    data: list[PastError]
    count: int
    limit: int


class Activity(Shape):
    """How an instance does. The score is 100 for one that works, less for each failure since, 0 for one that does
    not."""

    uptime_hours: float
    messages_sent_today: int
    messages_received_today: int
    health_score: Annotated[int, Field(ge=0, le=100)]


class ActivityAnswer(Answer):
    """How an instance does."""

    data: Activity


class Credentials(Answer):
    """How to call the instance's own port."""

    api_key: str
    api_url: str | None


class ApiKeyData(Shape):
    """The API key and how it was used."""

    api_key: str
    generated_at: Time
    last_use: Time | None
    usage_count: int


class CurrentApiKey(Answer):
    """The API key and how it was used."""

    api_key: str
    data: ApiKeyData


class BatchItem(Shape):
    """Where one instance stands."""

    id: str
    status: Status
    auth_status: AuthStatus
    is_ready_for_messages: bool


class BatchStatus(Answer):
    """Where the instances stand, in the order they were asked for; `not_found` are those that do not exist."""

    data: list[BatchItem]
    not_found: list[str]


class MemoryStats(Shape):
    """Figures over all instances of the caller. `memory_usage_mb` is what all workers measure, for operators of the
    whole system; for a user it is estimated from that by the number of sessions."""

    total_instances: int
    active_instances: int
    authenticated_instances: int
    error_instances: int
    qr_pending_instances: int
    memory_usage_mb: float
    avg_uptime_hours: float
    total_messages_today: int
    by_provider: dict[Provider, int]


class MemoryStatsAnswer(Answer):
    """Figures over all instances."""

    stats: MemoryStats


# ------------------------------------------------------------------------------------------------ system


class Health(Shape):
    """Which parts work. 503 while one is down."""

    success: bool
    status: Literal["healthy", "degraded"]
    uptime: float
    timestamp: Time
    version: str
    sandbox: bool
    services: dict[str, Literal["up", "down"]]


class PortRange(Shape):
    """From the first to the last."""

    start: int
    end: int


class PortsAnswer(Answer):
    """Ports that instances have and may get."""

    used_ports: list[int]
    available_ports: list[int]
    port_range: PortRange
    total_ports: int
    utilization_percent: float


class Performance(Shape):
    """Requests to the gateway since `lastResetTime` (its start); times in ms. `portAssignmentTime` are the newest
    assignments."""

    portAssignmentTime: list[float]
    concurrentRequests: int
    failureRate: float
    averageResponseTime: float
    peakConcurrency: int
    lastResetTime: Time


class PortAssignment(Shape):
    """Port assignments of all allocators since they started; times in ms."""

    totalRequests: int
    successfulRequests: int
    failedRequests: int
    averageTime: float
    minTime: float
    maxTime: float
    concurrentPeak: int
    currentConcurrent: int


class PortStatistics(Shape):
    """Ports in numbers. `reservedPorts` are taken by instances that do not serve them yet."""

    totalPorts: int
    usedPorts: int
    availablePorts: int
    reservedPorts: int
    portRange: PortRange
    utilizationPercent: float
    assignmentMetrics: PortAssignment


class SystemHealth(Shape):
    """Whether something needs attention, and what to do about it."""

    status: Literal["healthy", "warning", "critical"]
    issues: list[str]
    recommendations: list[str]
    portStatistics: PortStatistics


class PerformanceAnswer(Answer):
    """What the running system measures of itself."""

    performance: Performance
    portAssignment: PortAssignment
    systemHealth: SystemHealth


class SystemHealthAnswer(Answer):
    """Whether something needs attention."""

    systemHealth: SystemHealth


class Cpu(Shape):
    """Processors of the machine."""

    percent: float
    count: int
    load_average: tuple[float, float, float]


class Space(Shape):
    """Memory or disk of the machine."""

    total_mb: float
    used_mb: float
    available_mb: float
    percent: float


class ProcessItem(Shape):
    """One process of the system, with its child processes."""

    service: str
    host: str
    memory_mb: float
    cpu_percent: float
    uptime: float


class ResourcesAnswer(Answer):
    """The machine that the gateway runs on, and the system's processes. `containers` is null without an engine."""

    cpu: Cpu
    memory: Space
    disk: Space
    uptime: float
    processes: list[ProcessItem]
    containers: ContainersReport | None
    timestamp: Time


class InstancesTotal(Answer):
    """All instances."""

    instances: list[Instance]
    total: int


class ActiveProviders(Answer):
    """Providers with a live session, and the instances that have one."""

    providers: list[Provider]
    activeProviders: list[str]
    total: int


class ProviderStats(Shape):
    """The instances of one provider."""

    count: int
    ready: int
    instances: list[str]


class ProviderStatsAnswer(Answer):
    """Counts by provider; every provider is in it."""

    stats: dict[Provider, ProviderStats]
    timestamp: Time


class ProviderInfo(Shape):
    """What else is known of an instance."""

    account: Account | None
    reason: Reason
    port: int | None
    last_seen: Time | None
    is_ready_for_messages: bool


class ProviderStatus(Answer):
    """Where one instance stands; `state` in the words of its provider."""

    provider: Provider
    status: Status
    state: str
    info: ProviderInfo


class Sent(Answer):
    """The messenger took the message. `id` is ours, `messageId` the messenger's."""

    id: str
    messageId: str
    message_id: str
    to: str
    provider: Provider
    timestamp: Time


class Uploaded(Answer):
    """A file that can be sent now, as `media.upload`. The same content always has the same id."""

    upload: str
    content_type: str | None
    size_bytes: int
    expires_at: Time


class Queued(Answer):
    """The message is stored and not sent yet; an event with this `id` follows."""

    id: str
    status: Literal["queued"] = "queued"
    to: str
    provider: Provider


class ProviderItem(Shape):
    """A provider: what it asks for, what it can do, and how its instances of the caller do."""

    description: ProviderDescription
    workers: int
    instances: int
    active: int
    ready: int


class ProvidersAnswer(Answer):
    """Every provider that there is; one without workers cannot start instances now."""

    providers: list[ProviderItem]


class WorkerItem(Shape):
    """A worker that lives, and how many of how many instances it has. One that is `drained` has none and gets none: it
    may be ended. `only` is the one instance that it is for."""

    name: str
    provider: Provider
    host: str
    state: Literal["active", "draining", "drained"]
    instances: int
    capacity: int
    memory_mb: float
    only: str | None


class WorkersAnswer(Answer):
    """All workers that live."""

    workers: list[WorkerItem]
    total: int


class WorkerAnswer(Answer):
    """Where a worker stands now."""

    message: str
    worker: WorkerItem


class WebhookTest(Answer):
    """What the webhook answered to a test message. `delivered` says whether with a status of success."""

    delivered: bool
    status_code: int | None
    duration_ms: float
    error: str | None


class Session(Answer):
    """Who calls. `needs_token` says whether this gateway wants credentials at all."""

    name: str
    role: Role
    user_id: str | None
    needs_token: bool


class Token(Shape):
    """An access token, without the token."""

    id: str
    name: str
    role: Role
    user_id: str | None
    created_at: Time
    created_by: str
    expires_at: Time | None


class TokenCreated(Answer):
    """A new access token; it is shown this once."""

    token: str
    data: Token


class TokenList(Answer):
    """All access tokens, oldest first."""

    data: list[Token]
    total: int


class AuditItem(Shape):
    """Who changed what, from where, and what became of it."""

    timestamp: Time
    actor: str
    action: str
    origin: str
    instance_id: str
    user_id: str | None
    ok: bool
    code: str | None
    message: str


class AuditAnswer(Answer):
    """Changes, newest first."""

    data: list[AuditItem]
    count: int
    limit: int


# ------------------------------------------------------------------------------------------ own port


class PortHealth(Shape):
    """The instance's port answers."""

    status: Literal["healthy"] = "healthy"
    provider: Provider
    timestamp: Time


class QueueFigures(Shape):
    """What waits to be sent, and for how long the oldest has."""

    depth: int
    oldest_age_s: float


class PortStatus(Answer):
    """Where the instance stands, and since when; `queue` is null while the bus is away."""

    instance_id: str
    provider: Provider
    status: Status
    is_ready_for_messages: bool
    reason: Reason
    since: Time
    account: Account | None
    observed_at: Time | None
    restriction: Restriction | None
    queue: QueueFigures | None


class AccountInfo(Answer):
    """Who the account is."""

    id: str
    username: str | None
    first_name: str | None
    phone_number: str | None
    lid: str | None


class TelegramSent(Answer):
    """Telegram took the message. `id` is ours."""

    id: str
    messageId: str
    provider: Literal["telegram"] = "telegram"


class WhatsAppSent(Answer):
    """WhatsApp took the message. `id` is ours."""

    id: str
    messageId: str
    messageType: str
    provider: Literal["whatsappweb"] = "whatsappweb"


class StoredMedia(Shape):
    """The file of a message."""

    kind: MediaKind
    mimeType: str | None
    fileName: str | None
    sizeBytes: int | None


class StoredMessage(Shape):
    """A message that came in or went out, as it is now. `messageId` is our id of what was sent through us, `reactions`
    are by contact; the account's own is under `me`."""

    id: str
    messageId: str | None = None
    chatId: str
    fromMe: bool
    body: str
    type: str
    isGroup: bool
    timestamp: Time
    contact: str | None
    contactId: str | None = None
    status: Literal["received", "sent", "delivered", "read"] = "received"
    replyTo: str | None = None
    forwarded: bool = False
    edited: bool = False
    deleted: bool = False
    media: StoredMedia | None = None
    reactions: dict[str, str] = {}


class Chat(Shape):
    """A chat that messages came from or went to."""

    id: str
    name: str | None
    isGroup: bool
    lastMessage: str
    lastMessageAt: Time
    lastFromMe: bool = False
    unread: int = 0
    messageCount: int


class ContactItem(Shape):
    """Somebody who wrote."""

    id: str
    name: str | None
    username: str | None
    phoneNumber: str | None
    lid: str | None
    lastSeen: Time


class ChatList(Answer):
    """Chats, the latest first."""

    chats: list[Chat]
    total: int


class ContactList(Answer):
    """Contacts, the latest first."""

    contacts: list[ContactItem]
    total: int


class MessageList(Answer):
    """The newest messages of a chat, newest first."""

    messages: list[StoredMessage]
    chatId: str
    total: int


class StoredMessages(Answer):
    """A page of stored messages, newest first."""

    messages: list[StoredMessage]
    total: int
    limit: int
    offset: int


class StoredStats(Shape):
    """What is stored."""

    total: int
    sent: int
    received: int
    chats: int
    groups: int
    oldest: Time | None
    newest: Time | None


class StoredStatsAnswer(Answer):
    """What is stored."""

    stats: StoredStats


class WebhookAnswer(Answer):
    """The webhook of the instance; null while there is none."""

    webhook: Webhook | None
    has_headers: bool

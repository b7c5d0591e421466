"""What is kept in buckets and passes between our own services: read model, orders, heartbeats, allocations."""

from __future__ import annotations

from enum import StrEnum

from mim.contracts.fields import InstanceId, Model, Time
from mim.contracts.login import LoginFieldName, LoginKind, LoginStep
from mim.contracts.states import Desired, Expose, Interface, Isolation, Provider, Role, Status
from mim.contracts.values import (
    Account,
    ApiKeyUse,
    Figures,
    MessageStats,
    Ports,
    QrCode,
    Reason,
    Restriction,
    Webhook,
)


class OrderAction(StrEnum):
    """What a worker shall do for an instance."""

    RUN = "run"
    """Hold the session and serve the port."""
    HOLD = "hold"
    """No session; serve the port and say why."""
    LOGOUT = "logout"
    """Revoke the login at the messenger, forget it, then hold."""
    PURGE = "purge"
    """Revoke the login, remove all traces, close the port; then delete the order."""
    YIELD = "yield"
    """End the session and keep the login, close the port; then delete the order: another worker takes over."""


class SessionOrder(Model):
    """KV `orders`, key `<worker>.<instance>`: the one thing a worker obeys. Meant for one `boot` of that worker."""

    instance_id: InstanceId
    user_id: str
    provider: Provider
    login: LoginKind | None = None
    action: OrderAction
    boot: str
    epoch: int
    ports: Ports
    api_key_sha256: str
    secrets: tuple[str, ...] = ()
    resumes: bool = False
    """Whether the account was logged in before this run: a login that is not to be seen is looked for then."""
    status: Status
    reason: Reason
    restriction: Restriction | None = None


class WorkerHeartbeat(Model):
    """KV `workers`, key = worker name, renewed every second or so; lapses when it is not."""

    worker: str
    boot: str
    provider: Provider
    host: str
    capacity: int
    load: int
    address: str = "127.0.0.1"
    """Where its instances' ports are reached."""
    port: int = 0
    """Where all its instances are reached by their ids, `/i/{id}/…`; 0 if nowhere."""
    memory_bytes: int = 0
    """Measured, with its child processes."""
    only: str | None = None
    """The one instance that it is for."""
    draining: bool = False
    """Its instances go to other workers, and it gets none: until it is told otherwise, or ends."""


class AllocationRequest(Model):
    """Subject `mim.rpc.allocator.allocate`: ports, key and a worker for an instance. Repeating it is harmless.

    `worker` is who held it last: as long as that one is alive it stays there. `lost_ports` are ports that the
    instance could not open; they are given up for others.
    """

    instance_id: InstanceId
    user_id: str
    provider: Provider
    type_instance: tuple[Interface, ...]
    expose: Expose = Expose.PORT
    isolation: Isolation = Isolation.SHARED
    worker: str | None = None
    lost_ports: tuple[int, ...] = ()


class Allocation(Model):
    """What the allocator gave. `worker` is None while no worker of the provider is alive."""

    ports: Ports
    api_key_sha256: str
    worker: str | None = None
    boot: str | None = None


class Release(Model):
    """Subject `mim.rpc.allocator.release`: everything of an instance becomes free."""

    instance_id: InstanceId
    provider: Provider


class Lease(Model):
    """KV `ports`: who has a port, and which ports an instance has; one value for both kinds of key."""

    instance_id: str
    ports: Ports = Ports()


class Remembered(Model):
    """KV `idempotency`: what is remembered of an Idempotency-Key. `answer` is sealed. Without one the first request is
    still under way, or it failed for our reasons (then there is a `status`) and may be done again."""

    fingerprint: str
    seed: str
    status: int | None = None
    answer: str | None = None


class Reply(Model):
    """Answer of a request: an allocation, nothing, or the error."""

    allocation: Allocation | None = None
    code: str | None = None
    message: str | None = None


class DeadLetter(Model):
    """Subject `mim.dlq.<service>`: what could not be handled, whole, with the reason. `payload` is base64."""

    service: str
    subject: str
    reason: str
    code: str
    time: Time
    payload: str
    headers: dict[str, str] = {}


class InstanceRecord(Model):
    """KV `instances`: what all events of one instance come to.

    `event_seq` is the last event folded in, `instance_seq` the last status event. `worker` holds the session since
    `worker_epoch`; while that is older than `epoch`, a new start is due.
    """

    id: InstanceId
    user_id: str
    provider: Provider
    login: LoginKind | None = None
    type_instance: tuple[Interface, ...]
    expose: Expose = Expose.PORT
    isolation: Isolation = Isolation.SHARED
    display_name: str | None = None
    desired: Desired
    status: Status
    logged_in: bool = False
    resumes: bool = False
    """Whether it was logged in when its present run began."""
    epoch: int = 0
    worker: str | None = None
    boot: str | None = None
    worker_epoch: int = 0
    ports: Ports = Ports()
    api_key_sha256: str | None = None
    secrets: tuple[str, ...] = ()
    token_hint: str | None = None
    webhook: Webhook | None = None
    reason: Reason
    restriction: Restriction | None = None
    qr: QrCode | None = None
    login_step: LoginStep | None = None
    account: Account | None = None
    message_stats: MessageStats = MessageStats()
    api_keys: tuple[ApiKeyUse, ...] = ()
    figures: Figures = Figures()
    observed_at: Time | None = None
    last_seen: Time | None = None
    created_at: Time
    updated_at: Time
    event_seq: int
    instance_seq: int


class FoldPosition(Model):
    """KV `instances`, key `_fold`: every event up to `seq` is in the records that were written before."""

    seq: int = 0


class SessionCall(Model):
    """Subject `mim.rpc.worker.<worker>`: ask the worker that holds a session for a pairing code, to take the answer to
    a login step (each field sealed), or to answer when it lets callers in with a new API key."""

    instance_id: InstanceId
    phone_number: str | None = None
    login: dict[LoginFieldName, str] | None = None
    api_key_sha256: str | None = None


class SessionAnswer(Model):
    """What came of a `SessionCall`: a code and until when it is good, or the error."""

    pairing_code: str | None = None
    expires_at: Time | None = None
    code: str | None = None
    message: str | None = None


class DrainCall(Model):
    """Subject `mim.rpc.drain.<worker>`: tell a worker to be draining, or not to be any more. Its heartbeats say it."""

    draining: bool


class AccessToken(Model):
    """KV `tokens`, key = id: who may call the gateway. The token itself is kept as its SHA-256 only.

    `user_id` binds it to the instances of one user; None is for operators of the whole system.
    """

    id: str
    name: str
    role: Role
    user_id: str | None = None
    sha256: str
    created_at: Time
    created_by: str
    expires_at: Time | None = None

"""Which streams and buckets exist. Lifecycle alone makes them, when it starts; the others wait for them.

Persistence (measured, nats-server 2.15, one node): with `sync_interval: always` a publish costs about 0.45 ms more.
What lapses anyway (heartbeats, log lines) is written with `persist_mode: async` and does not pay it; a crash of the
server loses the newest of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import nats.errors
import structlog
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, BadRequestError, NotFoundError

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Unavailable
from mim.runtime.bus import Bus

log = structlog.get_logger()

DAY_S = 86_400.0
MB = 1_000_000
DEDUP_S = 600.0
KEEP_S, KEPT_S = 5.0, 20
OUTBOX_CONSUMER_PREFIX = "out-"


def _stream(name: str, *subjects: str, **config: object) -> api.StreamConfig:
    settings: dict[str, object] = {
        "storage": api.StorageType.FILE,
        "retention": api.RetentionPolicy.LIMITS,
        "discard": api.DiscardPolicy.OLD,
        "duplicate_window": DEDUP_S,
        "allow_direct": True,
        **config,
    }
    return api.StreamConfig(name=name, subjects=[*subjects], **settings)  # type: ignore[arg-type]


def _bucket(name: str, **config: object) -> api.StreamConfig:
    # As nats-py makes a bucket, and with the fields that `create_key_value` does not pass on.
    return _stream(
        f"KV_{name}",
        f"$KV.{name}.>",
        **{
            "max_msgs_per_subject": 1,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "discard": api.DiscardPolicy.NEW,
            "allow_msg_ttl": True,
            "duplicate_window": 120.0,
            "max_bytes": 512 * MB,
            **config,
        },
    )


ASYNC = {"persist_mode": api.PersistMode.ASYNC}
QUEUE = {"retention": api.RetentionPolicy.WORK_QUEUE, "discard": api.DiscardPolicy.NEW}

STREAMS: tuple[api.StreamConfig, ...] = (
    _stream(subjects.COMMANDS, subjects.INSTANCE_COMMANDS, **QUEUE, max_bytes=256 * MB, max_msg_size=MB),
    _stream(
        subjects.OUTBOX,
        subjects.MESSAGE_COMMANDS,
        subjects.OUTBOX_KEPT,
        # Without a number of its own the server takes no more than 1,000 consumers (nats-server 2.15.1, measured).
        **QUEUE | {"max_bytes": 1024 * MB, "max_msg_size": MB, "max_consumers": 100_000, "allow_msg_ttl": True},
    ),
    _stream(
        subjects.EVENTS,
        subjects.ALL_EVENTS,
        max_bytes=2048 * MB,
        max_age=30 * DAY_S,
        max_msg_size=MB,
        allow_msg_ttl=True,
    ),
    _stream(
        subjects.LOGS, subjects.ALL_LOGS, max_bytes=512 * MB, max_age=7 * DAY_S, max_msgs_per_subject=1000, **ASYNC
    ),
    _stream(subjects.DEAD, subjects.ALL_DEAD, max_bytes=256 * MB, max_age=30 * DAY_S),
    # A record has 1.5 KB, with all the errors that it keeps 6 KB: room for 300,000 of the largest.
    _bucket(subjects.INSTANCES_BUCKET, max_bytes=2048 * MB),
    _bucket(subjects.WORKERS_BUCKET, max_age=60.0, duplicate_window=60.0, max_bytes=16 * MB, **ASYNC),
    _bucket(subjects.ORDERS_BUCKET),
    _bucket(subjects.PORTS_BUCKET),
    _bucket(subjects.SECRETS_BUCKET, max_bytes=1024 * MB),  # with logins of up to 1 MB
    _bucket(subjects.TOKENS_BUCKET, max_bytes=16 * MB),
    _bucket(subjects.IDEMPOTENCY_BUCKET, max_age=DAY_S),
    # As nats-py makes an object store (ADR-20), with a bound.
    api.StreamConfig(
        name=f"OBJ_{subjects.MEDIA_STORE}",
        subjects=[f"$O.{subjects.MEDIA_STORE}.C.>", f"$O.{subjects.MEDIA_STORE}.M.>"],
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        max_age=DAY_S,
        max_bytes=4096 * MB,
        allow_rollup_hdrs=True,
        allow_direct=True,
    ),
)

MADE_ANEW = frozenset(config.name for config in STREAMS if config.persist_mode is api.PersistMode.ASYNC)
"""What begins empty when everything comes to be kept on several servers."""

COMMAND_CONSUMER = api.ConsumerConfig(
    durable_name=subjects.LIFECYCLE_DURABLE,
    deliver_subject=subjects.LIFECYCLE_INBOX,
    deliver_group=subjects.LIFECYCLE_DURABLE,
    filter_subject=subjects.INSTANCE_COMMANDS,
    ack_policy=api.AckPolicy.EXPLICIT,
    ack_wait=10.0,
    max_ack_pending=256,
)


async def provision(js: JetStreamContext, replicas: int = 1) -> None:
    """Make every stream, bucket and shared consumer, or bring an older one up to date.

    Raises: nats.errors.Error if the server cannot be reached or refuses.
    """
    for wanted in _on(replicas):
        try:
            await js.add_stream(wanted)
        except BadRequestError as error:
            if error.err_code != 10058:  # the name is in use with another configuration
                raise
            await _bring_up_to_date(js, wanted)
    await js.add_consumer(subjects.COMMANDS, COMMAND_CONSUMER)


def _on(replicas: int) -> Iterator[api.StreamConfig]:
    # The event stream last: who finds it finds everything.
    for config in sorted(STREAMS, key=lambda config: config.name == subjects.EVENTS):
        wanted = config.evolve(num_replicas=replicas)
        # Async persistence is for single replicas only.
        yield wanted.evolve(persist_mode=None) if replicas > 1 else wanted


async def _bring_up_to_date(js: JetStreamContext, wanted: api.StreamConfig) -> None:
    try:
        await js.update_stream(wanted)
    except APIError as error:
        if error.err_code != 10052 or wanted.name not in MADE_ANEW:
            raise
        # What is written asynchronously lives on one server and cannot be moved to several; it lapses anyway.
        await js.delete_stream(wanted.name or "")
        await js.add_stream(wanted)


async def provisioned(js: JetStreamContext) -> bool:
    """Whether everything is there. Raises: nats.errors.Error if the server cannot be reached."""
    try:
        await js.stream_info(subjects.EVENTS)
    except NotFoundError:
        return False
    return True


async def attend(bus: Bus, replicas: int) -> None:
    """See to it that all streams are there, and that the outbox is never empty, for ever.

    nats-server (2.15.1) removes a stream that it cannot read, or write to, when it starts: an empty one if the disk is
    full (`setupStore` in its server/stream.go). When the last message of a stream goes it removes its file and makes
    another one, with a key of its own, and writing to a new file takes longer (`removeMsgBlock` in its
    server/filestore.go).
    """
    returned = asyncio.Event()
    bus.on_reconnect(returned.set)
    while True:
        with suppress(Unavailable):
            await bus.publish(subjects.OUTBOX_KEPT, b"", headers={"Nats-TTL": f"{KEPT_S}s"})
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEP_S):
                await returned.wait()
        if returned.is_set():
            returned.clear()
            await bus.surely(lambda: _make_missing(bus.js, replicas))


async def _make_missing(js: JetStreamContext, replicas: int) -> None:
    try:
        for wanted in _on(replicas):
            with suppress(NotFoundError):
                await js.stream_info(wanted.name or "")
                continue
            log.error("stream_lost", stream=wanted.name, action="it is made again, empty")
            await js.add_stream(wanted)
    except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
        raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot make the streams again: {error}") from error


def outbox_consumer(instance_id: str, subject: str, inbox: str) -> api.ConsumerConfig:
    """The consumer that delivers the messages of one instance to the worker that holds it, one at a time.

    One small push consumer an instance: order is kept by `max_ack_pending=1`, an instance that waits delays no
    other, and an idle one costs no polling.
    """
    return api.ConsumerConfig(
        # Named as well, so that the subject of the request says what is consumed, and permissions can hold it to that.
        name=OUTBOX_CONSUMER_PREFIX + instance_id,
        durable_name=OUTBOX_CONSUMER_PREFIX + instance_id,
        deliver_subject=inbox,
        filter_subject=subject,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=10.0,
        max_ack_pending=1,
    )

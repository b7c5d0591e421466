"""The one connection of a service to NATS: publishing that is durable, and following that does not go blind.

FastStream owns the connection and carries commands and requests. What goes through here directly is what facts about
nats-py 2.16 demand: its ordered consumers are blind for up to 19 s after a server restart and cannot be kept to a part
of a stream by permissions, so `follow` makes its own, a fresh one whenever the connection comes back or something is
missing; and a closed connection never comes back, so `closed` ends the process.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import nats.errors
import structlog
from faststream import BaseMiddleware
from faststream.nats import NatsBroker
from faststream.nats.security import NatsNKey, NatsSecurity, NatsUserPassword
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from mim.contracts.errors import ErrorCode, Unavailable
from mim.contracts.messages import ActivityReported, Event, event_subject, wrap
from mim.contracts.permissions import inbox_of
from mim.contracts.reports import Figure
from mim.runtime import metrics, tracing
from mim.runtime.backoff import BUS_RETRY
from mim.runtime.flow import HEARTBEAT_S, Entry, Flow, is_tombstone
from mim.runtime.logs import CORRELATION, correlation
from mim.runtime.process_figures import ProcessFigures
from mim.runtime.settings import Settings

log = structlog.get_logger()
Result = TypeVar("Result")

PUBLISH_TIMEOUT_S = 2.0
WRONG_LAST_SEQUENCE = 10071
ACTIVITY_LIFE_S = 3600
"""Reports of activity are folded within a second and are no history: they shall not push it out of the stream. Of
100,000 instances there are 333 a second, 0.8 GB an hour."""
STORAGE_ERRORS = frozenset({10023, 10047, 10077})  # insufficient resources, no storage, maximum bytes of the stream


STORAGE_FULL = "nothing can be stored: the disk is full; free space in the data folder"
SILENT = "the message bus does not answer; try again in a moment"
FULL_BYTES = 4_000_000


def disk_is_full(folder: Path, least_bytes: int = FULL_BYTES) -> bool:
    """Whether the disk of a folder has less room; by default practically none."""
    try:
        return shutil.disk_usage(folder).free < least_bytes
    except FileNotFoundError:
        return False


class Conflict(Exception):
    """Compare-and-set failed: something newer is stored."""


class Bus:
    """Made by `connect`. `source` names this service or worker in the events it publishes.

    `figures` is what the service tells of itself in its health answers, `process` what its process uses. `dropped`
    counts messages that this process did not take in time, at `dropped_at` (monotonic) the last one.
    """

    def __init__(self, broker: NatsBroker, source: str, folder: Path) -> None:
        self.broker = broker
        self._folder = folder
        self.source = source
        self.closed = asyncio.Event()
        self.reconnects = 0
        self.dropped, self.dropped_at = 0, -math.inf
        self.figures: Callable[[], Mapping[str, Figure]] = dict
        self.process = ProcessFigures()
        self._wakers: set[Callable[[], None]] = set()
        self.nc: Client
        self.js: JetStreamContext

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        return self.nc.is_connected

    def now(self) -> datetime:
        """The present time, UTC."""
        return datetime.now(UTC)

    def on_reconnect(self, act: Callable[[], None]) -> None:
        """Call `act` whenever the connection has come back."""
        self._wakers.add(act)

    # ------------------------------------------------------------------------------------------ publishing

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        msg_id: str | None = None,
        expect: tuple[str, int] | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Store a message in its stream and return its sequence.

        `msg_id` makes a repeat harmless; `expect` is (subject filter, last sequence) for compare-and-set.

        Raises: Conflict if `expect` does not hold, Unavailable if the bus is away or its disk is full.
        """
        head = _correlated(headers)
        if msg_id:
            head["Nats-Msg-Id"] = msg_id
        if expect:
            head["Nats-Expected-Last-Subject-Sequence-Subject"] = expect[0]
            head["Nats-Expected-Last-Subject-Sequence"] = str(expect[1])
        if disk_is_full(self._folder):
            # A stream that meets a full disk refuses every write until its server is restarted: do not let it.
            raise Unavailable(ErrorCode.STORAGE_FULL, STORAGE_FULL, 30.0)
        if not self.connected:
            # Publishing would wait in the client's buffer and the caller would wait with it.
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, "the message bus is away; try again in a moment")
        with tracing.publishing(subject, head):
            try:
                return (await self.js.publish(subject, payload, timeout=PUBLISH_TIMEOUT_S, headers=head or None)).seq
            except APIError as error:
                raise _translate(error) from None
            except (nats.errors.Error, TimeoutError, OSError) as error:
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error

    async def emit(self, event: Event, *, id: str | None = None, expect: tuple[str, int] | None = None) -> int:
        """Publish an event in its envelope and return its sequence in the stream.

        Raises: Conflict, Unavailable as `publish` does.
        """
        event_id = id or str(uuid4())
        envelope = wrap(event, id=event_id, source=self.source, time=self.now())
        payload = envelope.model_dump_json().encode()
        headers = {"Nats-TTL": f"{ACTIVITY_LIFE_S}s"} if isinstance(event, ActivityReported) else None
        seq = await self.publish(event_subject(event), payload, msg_id=event_id, expect=expect, headers=headers)
        metrics.event_published(event.name)
        return seq

    async def emit_surely(self, event: Event, *, id: str | None = None) -> int:
        """`emit`, however long the bus is away: what has happened must be told. The same id makes repeats harmless."""
        event_id = id or str(uuid4())
        return await self.surely(lambda: self.emit(event, id=event_id))

    async def surely(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat an act that is harmless to repeat until the bus takes it."""
        attempt = 0
        while True:
            try:
                return await act()
            except Unavailable as error:
                attempt += 1
                if self.closed.is_set():
                    raise
                if attempt == 1:
                    log.warning("bus_unavailable", code=error.code, message=error.message)
                await asyncio.sleep(BUS_RETRY.wait_s(attempt, 0, random.random()) or 2)  # noqa: S311

    async def last(self, stream: str, subject: str, *, of_leader: bool = False) -> tuple[bytes | None, int]:
        """The newest message of a subject and its sequence; (None, sequence or 0) if there is none or it was deleted.

        Any server of a cluster answers, and may lag behind; only the one that leads the stream does if `of_leader`.

        Raises: Unavailable if the bus does not answer.
        """
        try:
            msg = await self.js.get_last_msg(stream, subject, direct=not of_leader)
        except NotFoundError:
            return None, 0
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, SILENT) from error
        return (None if is_tombstone(msg.headers) else msg.data or b""), msg.seq or 0

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask a service and return its answer.

        Raises: Unavailable if nobody answers in time.
        """
        head = _correlated()
        with tracing.publishing(subject, head, asks=True):
            try:
                return (await self.nc.request(subject, payload, timeout=timeout_s, headers=head or None)).data
            except nats.errors.NoRespondersError as error:
                message = f"nobody listens on {subject}: the service is starting, or down"
                raise Unavailable(ErrorCode.BUS_UNAVAILABLE, message) from error
            except (nats.errors.Error, TimeoutError, OSError) as error:
                raise Unavailable(ErrorCode.TIMEOUT, f"no answer on {subject} within {timeout_s:g} s") from error

    # ------------------------------------------------------------------------------------------- following

    async def follow(self, stream: str, subject: str, *, after: int | None) -> AsyncIterator[list[Entry]]:
        """Yield what is stored and what comes, in order, in batches; an empty batch says 'you are up to date'.

        `after` is the last sequence already seen; None begins with the newest message of each subject (a bucket).
        Never ends by itself; survives server restarts and consumers that were deleted.
        """
        last = after
        newest_at: datetime | None = None
        while True:
            flow = Flow()
            self._wakers.add(flow.interrupt)
            start = last, newest_at
            try:
                is_empty = await self.surely(lambda start=start, flow=flow: self._open(flow, stream, subject, *start))  # type: ignore[misc]
                if is_empty:
                    yield []
                async for entries, pending in flow.batches():
                    if entries:
                        last = entries[-1].seq
                        newest_at = None if after is None else entries[-1].stored_at
                        yield entries
                        if pending == 0:
                            yield []
            finally:
                self._wakers.discard(flow.interrupt)
                with suppress(Exception):
                    await flow.close()

    async def follow_bucket(self, bucket: str, keys: str = ">") -> AsyncIterator[list[Entry]]:
        """`follow` for the keys of a bucket, first as they are and then as they change; subjects are bare keys."""
        prefix = f"$KV.{bucket}."
        async for batch in self.follow(f"KV_{bucket}", prefix + keys, after=None):
            yield [Entry(entry.seq, entry.subject.removeprefix(prefix), entry.data) for entry in batch]

    async def _open(self, flow: Flow, stream: str, subject: str, after: int | None, newest_at: datetime | None) -> bool:
        """Let a stream flow from behind `after`; whether nothing of the subject is there yet. Raises: Unavailable."""
        await flow.close()
        inbox = self.nc.new_inbox()
        config = api.ConsumerConfig(
            # Named, so that the subject of the request says what is read, and permissions can hold it to that.
            name=uuid4().hex,
            deliver_subject=inbox,
            filter_subject=subject,
            deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT,
            ack_policy=api.AckPolicy.NONE,
            max_deliver=1,
            mem_storage=True,
            num_replicas=1,
            idle_heartbeat=HEARTBEAT_S,
            flow_control=True,
            inactive_threshold=4 * HEARTBEAT_S,
        )
        try:
            if after is not None and (await self.js.stream_info(stream)).state.last_seq >= after:
                begin = {"deliver_policy": api.DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": after + 1}
                config = config.evolve(**begin)
            elif newest_at is not None:
                # A stream with asynchronous persistence is shorter after a crash of its server, and counts on from
                # there.
                later = newest_at + timedelta(microseconds=1)
                config = config.evolve(deliver_policy=api.DeliverPolicy.BY_START_TIME, opt_start_time=later)
            flow.subscription = await self.nc.subscribe(inbox, cb=flow.arrive)
            info = await self.js.add_consumer(stream, config)
        except (nats.errors.Error, APIError, TimeoutError, OSError) as error:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, f"cannot follow {stream}") from error
        return (info.num_pending or 0) + (info.delivered.consumer_seq if info.delivered else 0) == 0

    async def lost(self) -> None:
        """The connection is away; the client tries to get it back by itself, unless we have closed it."""
        if not self.nc.is_closed:
            log.warning("bus_disconnected")

    async def returned(self) -> None:
        """The connection is back."""
        self.reconnects += 1
        metrics.bus_reconnected()
        log.info("bus_reconnected")
        for waker in list(self._wakers):
            waker()

    async def complain(self, error: Exception) -> None:
        """An error that belongs to no call."""
        # A refused publish and a slow consumer show here and nowhere else.
        if not isinstance(error, nats.errors.SlowConsumerError):
            log.warning("bus_error", error=type(error).__name__, message=str(error))
            return
        self.dropped += 1
        metrics.message_dropped()
        if time.monotonic() - self.dropped_at > 1:  # each dropped message comes here
            log.error("slow_consumer", subject=error.subject, dropped=self.dropped)
        self.dropped_at = time.monotonic()


def _tell_closed_as_lost(connection: Client) -> None:
    """A connection that has closed a moment ago is away, as one that the client has noticed: uvloop has an error of its
    own for what is written to it then."""
    flush = connection._flush_pending  # noqa: SLF001 - everything that is written passes here

    async def flush_pending(force_flush: bool = False) -> Any:
        try:
            return await flush(force_flush)
        except RuntimeError as error:
            raise ConnectionResetError(str(error)) from error

    connection._flush_pending = flush_pending  # type: ignore[method-assign]  # noqa: SLF001


def _correlated(headers: dict[str, str] | None = None) -> dict[str, str]:
    found = correlation()
    return {**(headers or {}), CORRELATION: found} if found else dict(headers or {})


def _translate(error: APIError) -> Exception:
    if error.err_code == WRONG_LAST_SEQUENCE:
        return Conflict()
    text = (error.description or "").lower()
    if error.err_code in STORAGE_ERRORS or "no space" in text or "insufficient" in text or "maximum bytes" in text:
        return Unavailable(ErrorCode.STORAGE_FULL, STORAGE_FULL, 30.0)
    return Unavailable(
        ErrorCode.BUS_UNAVAILABLE, f"the message bus refused: {error.description}; try again in a moment"
    )


def _security(settings: Settings) -> NatsSecurity:
    """How to prove who we are, and to see who the server is.

    As arguments, not in the URL: cluster peers that are discovered later do not get the URL's credentials.
    """
    trusted = None if settings.nats_ca_file is None else ssl.create_default_context(cafile=settings.nats_ca_file)
    if settings.nats_nkey_file is not None:
        return NatsNKey(settings.nats_nkey_file, ssl_context=trusted)
    if settings.nats_user and settings.nats_password:
        password = settings.nats_password.get_secret_value()
        return NatsUserPassword(settings.nats_user, password, ssl_context=trusted)
    return NatsSecurity(ssl_context=trusted)


@asynccontextmanager
async def connect(
    settings: Settings, source: str, middlewares: Sequence[type[BaseMiddleware[Any, Any]]] = ()
) -> AsyncIterator[Bus]:
    """Connect, waiting as long as the server takes to appear, and close cleanly at the end."""
    bus: Bus

    # nats-py wants coroutine functions, and wants them before there is a bus.
    async def disconnected() -> None:
        await bus.lost()

    async def reconnected() -> None:
        await bus.returned()

    async def closed() -> None:
        bus.closed.set()

    async def failed(error: Exception) -> None:
        await bus.complain(error)

    broker = NatsBroker(
        settings.nats_url.split(","),
        name=source,
        security=_security(settings),
        inbox_prefix=inbox_of(source),
        logger=None,
        middlewares=middlewares,
        graceful_timeout=5.0,
        connect_timeout=2,
        reconnect_time_wait=1,
        max_reconnect_attempts=-1,
        ping_interval=2,  # a server that is cut off is left after 6 s
        max_outstanding_pings=2,
        disconnected_cb=disconnected,
        reconnected_cb=reconnected,
        closed_cb=closed,
        error_cb=failed,
    )
    bus = Bus(broker, source, settings.data_dir)
    bus.nc = await broker.connect()
    _tell_closed_as_lost(bus.nc)
    bus.js = bus.nc.jetstream(timeout=PUBLISH_TIMEOUT_S)
    try:
        yield bus
    finally:
        with suppress(Exception):
            await asyncio.wait_for(broker.stop(), 5.0)

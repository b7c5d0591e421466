"""The routes that tell how instances do: figures counted from events, histories read back, log lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from mim.contracts import subjects
from mim.contracts.answers import (
    Activity,
    ActivityAnswer,
    ApiKeyHistory,
    ApiKeyPeriod,
    ErrorHistory,
    ErrorInfo,
    ErrorItem,
    InstanceMemory,
    LogsAnswer,
    MemoryAnswer,
    MemoryEstimate,
    MemoryStats,
    MemoryStatsAnswer,
    PastError,
    QrHistory,
    QrShown,
    StatusChange,
    StatusHistory,
    SystemInfo,
    WhatsAppUser,
    account_name,
)
from mim.contracts.api import HistoryQuery, LogsQuery
from mim.contracts.errors import ErrorCode, Invalid
from mim.contracts.messages import (
    CloudEvent,
    Event,
    InstanceCreated,
    InstanceEvent,
    InstanceStarting,
    InstanceUpdated,
    MessageFailed,
    QrReady,
    unwrap,
)
from mim.contracts.reasons import is_failure, reason_of
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Provider, Status, auth_status
from mim.contracts.values import LogLevel, LogLine, MessageStats
from mim.gateway.access import Access
from mim.gateway.sse import Streams, last_event_id, pinged
from mim.gateway.workers import Workers
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.flow import Entry
from mim.runtime.history import newest
from mim.runtime.routing import Call, Handler

MB = 1_000_000
MOST_EVENTS = 5000
MOST_LINES = 1000
"""What the stream keeps of one instance."""
_LEVELS = list(LogLevel)


@dataclass(frozen=True, slots=True)
class Figures:
    """Handlers for figures, histories and log lines."""

    bus: Bus
    access: Access
    workers: Workers
    streams: Streams

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "memory": self.memory,
            "memory_stats": self.memory_stats,
            "activity_stats": self.activity,
            "status_history": self.status_history,
            "qr_history": self.qr_history,
            "api_key_history": self.api_key_history,
            "errors": self.errors,
            "logs": self.logs,
        }

    # --------------------------------------------------------------------------------------------- figures

    async def memory(self, call: Call) -> web.StreamResponse:
        """The figures of an instance."""
        now = self.bus.now()
        record = self.access.find(call)
        return http.answer(MemoryAnswer(data=self._memory(record, now), timestamp=now))

    def _memory(self, record: InstanceRecord, now: datetime) -> InstanceMemory:
        figures, keys = record.figures, record.api_keys
        last_use = [key.last_used_at for key in keys if key.last_used_at]
        first_use = [key.first_used_at for key in keys if key.first_used_at]
        history = [
            ErrorItem(**entry.model_dump(include={"error_id", "error_type", "error_message", "timestamp"}))
            for entry in figures.errors
        ]
        estimate = self.workers.estimate_bytes(record) if record.status.is_live else None
        return InstanceMemory(
            instance_id=record.id,
            user_id=record.user_id,
            provider=record.provider,
            type_instance=record.type_instance,
            status=record.status,
            auth_status=auth_status(record.status, logged_in=record.logged_in),
            api_key_usage_count=sum(key.usage_count for key in keys),
            api_key_first_use=min(first_use, default=None),
            api_key_last_use=max(last_use, default=None),
            is_ready_for_messages=record.status.is_ready,
            last_seen=record.last_seen,
            whatsapp_user=WhatsAppUser(
                phone_number=record.account.phone_number if record.account else None,
                account=account_name(record.account),
                authenticated_at=figures.authenticated_at,
                last_seen_online=record.observed_at,
            ),
            message_stats=today(record, now),
            system_info=SystemInfo(
                restart_count=figures.restart_count,
                health_check_count=figures.health_check_count,
                consecutive_failures=figures.consecutive_failures,
                uptime_start=figures.uptime_start,
            ),
            error_info=ErrorInfo(error_count=figures.error_count, error_history=history),
            memory=MemoryEstimate(estimated_mb=None if estimate is None else round(estimate / MB, 3)),
            created_at=record.created_at,
            updated_at=record.updated_at,
        )

    async def memory_stats(self, call: Call) -> web.StreamResponse:
        """Figures over all instances of the caller."""
        now = self.bus.now()
        records = self.access.records(call.caller)
        stats = [today(record, now) for record in records]
        uptimes = [uptime_hours(record, now) for record in records if record.figures.uptime_start]
        if call.caller.user_id is None:
            memory = self.workers.memory_bytes()
        else:
            memory = sum(self.workers.estimate_bytes(record) or 0.0 for record in records if record.status.is_live)
        return http.answer(
            MemoryStatsAnswer(
                stats=MemoryStats(
                    total_instances=len(records),
                    active_instances=sum(record.status.is_live for record in records),
                    authenticated_instances=sum(record.logged_in for record in records),
                    error_instances=sum(record.status is Status.ERROR for record in records),
                    qr_pending_instances=sum(record.status is Status.QR_READY for record in records),
                    memory_usage_mb=round(memory / MB, 3),
                    avg_uptime_hours=round(sum(uptimes) / len(uptimes), 4) if uptimes else 0.0,
                    total_messages_today=sum(item.daily_sent + item.daily_received for item in stats),
                    by_provider={
                        provider: sum(record.provider is provider for record in records) for provider in Provider
                    },
                )
            )
        )

    async def activity(self, call: Call) -> web.StreamResponse:
        """How an instance does."""
        now = self.bus.now()
        record = self.access.find(call)
        stats = today(record, now)
        return http.answer(
            ActivityAnswer(
                data=Activity(
                    uptime_hours=round(uptime_hours(record, now), 4),
                    messages_sent_today=stats.daily_sent,
                    messages_received_today=stats.daily_received,
                    health_score=health_score(record),
                )
            )
        )

    # ------------------------------------------------------------------------------------------- histories

    async def status_history(self, call: Call) -> web.StreamResponse:
        """Changes of status, newest first, with cause and actor."""
        record = self.access.find(call)
        limit = http.read_query(call.request, HistoryQuery).limit
        events = await self._events(subjects.instance_events(record.id), MOST_EVENTS)
        data = status_changes(events)[-limit:][::-1]
        return http.answer(StatusHistory(data=data, count=len(data), limit=limit))

    async def qr_history(self, call: Call) -> web.StreamResponse:
        """QR codes that were shown, newest first."""
        record = self.access.find(call)
        limit = http.read_query(call.request, HistoryQuery).limit
        events = await self._events(subjects.instance_event(record.id, QrReady.name), limit)
        data = [
            QrShown(generated_at=event.time, expires_at=event.data.expires_at, source=event.source)
            for event in reversed(events)
            if isinstance(event.data, QrReady)
        ]
        return http.answer(QrHistory(data=data, count=len(data), limit=limit))

    async def api_key_history(self, call: Call) -> web.StreamResponse:
        """API keys that the instance had, newest first."""
        record = self.access.find(call)
        limit = http.read_query(call.request, HistoryQuery).limit
        data = [
            ApiKeyPeriod(created_at=key.created_at, usage_count=key.usage_count, last_used_at=key.last_used_at)
            for key in reversed(record.api_keys[-limit:])
        ]
        return http.answer(ApiKeyHistory(data=data, count=len(data), limit=limit))

    async def errors(self, call: Call) -> web.StreamResponse:
        """What went wrong since the errors were last cleared, newest first."""
        record = self.access.find(call)
        limit = http.read_query(call.request, HistoryQuery).limit
        since = record.figures.errors_cleared_at
        events = await self._events(subjects.instance_events(record.id), MOST_EVENTS, since)
        events += await self._events(subjects.message_event(record.id, MessageFailed.name), limit, since)
        data = [error for event in sorted(events, key=lambda event: event.time) if (error := past_error(event))]
        data = data[-limit:][::-1]
        return http.answer(ErrorHistory(data=data, count=len(data), limit=limit))

    async def _events(self, subject: str, limit: int, since: datetime | None = None) -> list[CloudEvent[Event]]:
        entries, _ = await newest(self.bus, subjects.EVENTS, subject, limit, since=since)
        return list(_readable(entries))

    # ------------------------------------------------------------------------------------------- log lines

    async def logs(self, call: Call) -> web.StreamResponse:
        """The newest log lines, or these and all that follow."""
        record = self.access.find(call)
        query = http.read_query(call.request, LogsQuery)
        least = _LEVELS.index(query.level) if query.level else 0
        entries, _ = await newest(self.bus, subjects.LOGS, subjects.log_line(record.id), MOST_LINES)
        lines = [(entry.seq, line) for entry in entries if (line := _line(entry, least))]
        if not query.follow:
            kept = [line for _, line in lines[-query.tail :]]
            return http.answer(LogsAnswer(logs=kept, total_lines=len(lines), tail=query.tail))
        resume = last_event_id(call.request)
        first = lines[-query.tail :] if resume is None else [(seq, line) for seq, line in lines if seq > resume]
        source = self._follow(record.id, first, entries[-1].seq if entries else 0, least)
        return await self.streams.serve(call.request, pinged(source), lambda: self.access.still_admits(call.caller))

    async def _follow(
        self, instance_id: str, lines: list[tuple[int, LogLine]], after: int, least: int
    ) -> AsyncGenerator[bytes]:
        yield b"".join(_frame(seq, line) for seq, line in lines)
        async for batch in self.bus.follow(subjects.LOGS, subjects.log_line(instance_id), after=after):
            yield b"".join(_frame(entry.seq, line) for entry in batch if (line := _line(entry, least)))


def _frame(seq: int, line: LogLine) -> bytes:
    return b"id: %d\nevent: log\ndata: %b\n\n" % (seq, line.model_dump_json().encode())


def _line(entry: Entry, least: int) -> LogLine | None:
    with suppress(ValueError):
        line = LogLine.model_validate_json(entry.data or b"")
        return line if _LEVELS.index(line.level) >= least else None
    return None


def _readable(entries: Iterable[Entry]) -> Iterable[CloudEvent[Event]]:
    for entry in entries:
        with suppress(Invalid):
            if (envelope := unwrap(entry.data or b"")) is not None:
                yield envelope


# --------------------------------------------------------------------------------------------------- rules


def status_changes(events: Iterable[CloudEvent[Event]]) -> list[StatusChange]:
    """The changes of status among an instance's events, in their order.

    Who asked for a stop or logout is whoever changed the wish last; the worker only carries it out.
    """
    found: list[StatusChange] = []
    epoch, wish, asked = 0, Desired.RUNNING, ""
    for envelope in events:
        event = envelope.data
        if not isinstance(event, InstanceEvent) or 0 < event.epoch < epoch:
            continue
        epoch = max(epoch, event.epoch)
        if isinstance(event, InstanceCreated | InstanceStarting | InstanceUpdated) and event.desired is not wish:
            wish, asked = event.desired, event.actor
        if event.status is None:
            continue
        reason = reason_of(event, envelope.time)
        on_request = reason.code == ErrorCode.REQUESTED and event.status is not Status.DELETED
        found.append(
            StatusChange(
                status=event.status,
                timestamp=envelope.time,
                source=envelope.source,
                message=reason.message,
                code=reason.code,
                actor=asked or event.actor if on_request else event.actor,
                epoch=event.epoch,
            )
        )
    return found


def past_error(envelope: CloudEvent[Event]) -> PastError | None:
    """What an event tells of a failure; None if it tells of none."""
    event = envelope.data
    if isinstance(event, MessageFailed):
        return PastError(error=event.message, timestamp=envelope.time, source=envelope.source, code=event.code)
    if isinstance(event, InstanceEvent) and is_failure(event):
        reason = reason_of(event, envelope.time)
        return PastError(error=reason.message, timestamp=envelope.time, source=envelope.source, code=reason.code)
    return None


def today(record: InstanceRecord, now: datetime) -> MessageStats:
    """The message counts, with those of the day at 0 where nothing happened today (UTC)."""
    stats = record.message_stats
    if stats.daily_reset_at is not None and stats.daily_reset_at.date() != now.date():
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return stats.model_copy(update={"daily_sent": 0, "daily_received": 0, "daily_reset_at": midnight})
    return stats


def uptime_hours(record: InstanceRecord, now: datetime) -> float:
    """For how long the instance has been ready without a break."""
    start = record.figures.uptime_start
    return 0.0 if start is None else max(0.0, (now - start).total_seconds() / 3600)


def health_score(record: InstanceRecord) -> int:
    """How well an instance does, from 0 to 100: ready ones lose 2 for each error since these were cleared, at most 40;
    ones that are on their way begin at 60 and lose 10 for each failure in a row; a person who is waited for is 40."""
    figures = record.figures
    match record.status:
        case Status.CLIENT_READY:
            return 100 - min(40, 2 * figures.error_count)
        case Status.PENDING | Status.STARTING | Status.AUTHENTICATED | Status.RECONNECTING:
            return max(10, 60 - 10 * figures.consecutive_failures)
        case Status.QR_READY | Status.ACTION_REQUIRED:
            return 40
        case _:
            return 0

"""What can be seen of a running service: health, metrics, log lines of instances, traces."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from faststream import AckPolicy
from faststream.nats import JStream
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.conftest import free_port
from tests.e2e import warm
from tests.services import probe
from tests.services.probe import ID, TOKEN

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Rejected, Unavailable
from mim.contracts.messages import InstanceUpdated
from mim.contracts.reports import ServiceReport
from mim.contracts.states import Desired
from mim.contracts.values import LogLine
from mim.runtime import bus as buses
from mim.runtime import logs, metrics, otel, streams, tracing
from mim.runtime.bus import Bus
from mim.runtime.flow import Entry
from mim.runtime.http import need_credentials
from mim.runtime.settings import Settings
from mim.runtime.streams import COMMAND_CONSUMER

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer
    from tests.services.conftest import Background, Eventually, Story

    Entries = Callable[[str, str], Story[Entry]]

DEADLINE_S = 20.0
PROGRAM_S = 60.0
"""A program may take any time to start on a busy machine; how long it takes is measured by the benchmark `start`."""


# ------------------------------------------------------------------------------------------- a real service


class Program:
    """The probe as a process."""

    def __init__(self, process: warm.Process) -> None:
        self.process = process

    async def ready(self) -> None:
        await self.says(b"service_ready")

    async def says(self, event: bytes) -> None:
        async for line in self.process.stdout:
            if event in line:
                return
        pytest.fail(f"it ended without {event.decode()}")

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def running(settings: Settings, name: str = "probe", **more: str) -> AsyncIterator[Program]:
    env = {"MIM_NATS_URL": settings.nats_url, "MIM_DATA_DIR": str(settings.data_dir), "MIM_LOG_FORMAT": "json"}
    process = await warm.start(name, env=os.environ | env | more, main=probe.main)
    try:
        async with asyncio.timeout(PROGRAM_S):
            yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_service_that_waits_for_a_bus_ends_when_it_is_told_to(settings: Settings) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and not listening
        async with running(settings, MIM_NATS_URL=f"nats://127.0.0.1:{nobody.getsockname()[1]}") as program:
            await program.says(b"bus_error")
            assert await program.end() == 0


async def test_a_service_answers_how_it_is(bus: Bus, settings: Settings, eventually: Eventually) -> None:
    async def ask() -> ServiceReport:
        return ServiceReport.model_validate_json(await bus.request(subjects.HEALTH, b"", 5))

    async def has_measured() -> bool:
        return (await ask()).memory_bytes > 0

    async with running(settings, MIM_HOST_NAME="desk") as program:
        await program.ready()
        await eventually(has_measured)
        one, two = await ask(), await ask()
    assert (one.service, one.host, one.up) == ("probe", "desk", True)
    assert one.boot == two.boot
    assert 0 < one.uptime_s <= two.uptime_s
    assert one.memory_bytes > 10_000_000
    assert one.figures == {"traces": 0, "load": [0.5, 0.25]}  # without an endpoint OpenTelemetry is not imported


async def test_a_service_answers_with_its_metrics(bus: Bus, settings: Settings) -> None:
    async with running(settings) as program:
        await program.ready()
        text = (await bus.request(subjects.metrics_of("probe"), b"", 5)).decode()
    assert 'mim_build_info{service="probe"' in text
    assert "process_resident_memory_bytes" in text


async def test_log_lines_of_an_instance_reach_the_bus_the_last_ones_too(settings: Settings, entries: Entries) -> None:
    story = entries(subjects.LOGS, subjects.ALL_LOGS)
    async with running(settings) as program:
        await program.ready()
        assert await program.end() == 0
    found = await story.until(lambda items: len(items) >= 3)
    assert {entry.subject for entry in found} == {subjects.log_line(ID)}
    lines = [LogLine.model_validate_json(entry.data or b"") for entry in found]
    assert [line.message for line in lines] == ["began token=[redacted]", "careful with [redacted]", "ended"]
    assert [line.level for line in lines] == ["info", "warning", "info"]
    assert {line.source for line in lines} == {"probe"}


async def test_lines_that_the_console_leaves_out_still_reach_the_bus(settings: Settings, entries: Entries) -> None:
    story = entries(subjects.LOGS, subjects.ALL_LOGS)
    async with running(settings, MIM_LOG_LEVEL="error") as program:
        await story.until(lambda items: len(items) >= 2, PROGRAM_S)
        await program.end()
        assert await program.process.stdout.read() == b""


async def status_is(client: aiohttp.ClientSession, status: int) -> bool:
    async with client.get("/health") as response:
        return response.status == status


async def provisioned(settings: Settings) -> None:
    """Have everything on the bus, which services wait for."""
    async with buses.connect(settings, "lifecycle") as bus:
        await streams.provision(bus.js)


async def test_a_port_shows_metrics_to_the_bearer_only(
    nats_server: NatsServer, settings: Settings, eventually: Eventually
) -> None:
    await provisioned(settings)
    port = free_port()
    more = {"MIM_METRICS_PORT": str(port), "MIM_METRICS_HOST": "0.0.0.0", "MIM_ADMIN_TOKEN": "long and random"}
    async with running(settings, **more) as program, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        await program.ready()
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert (await client.get("/metrics", headers=headers)).status == 401
        answer = await client.get("/metrics", headers={"Authorization": "Bearer long and random"})
        assert (answer.status, answer.headers["Content-Type"]) == (200, metrics.CONTENT_TYPE)
        assert "mim_build_info" in await answer.text()
        health = await client.get("/health")
        assert (health.status, await health.json()) == (200, {"status": "healthy", "service": "probe"})
        await nats_server.stop()
        await eventually(lambda: status_is(client, 503))


async def test_a_port_for_strangers_needs_credentials(settings: Settings) -> None:
    async with running(settings, MIM_METRICS_PORT=str(free_port()), MIM_METRICS_HOST="0.0.0.0") as program:
        said = await program.process.stdout.read()
        assert await program.process.wait() == 1
    with pytest.raises(SystemExit) as refused:
        need_credentials("0.0.0.0", has_token=False)
    assert str(refused.value) in said.decode()


async def test_a_port_that_is_taken_is_said(settings: Settings) -> None:
    await provisioned(settings)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        async with running(settings, MIM_METRICS_PORT=str(port)) as program:
            said = (await program.process.stdout.read()).decode()
            assert await program.process.wait() == 1
    assert (
        said
        == f"cannot listen on port {port} of 127.0.0.1: Address already in use; choose another with MIM_METRICS_PORT\n"
    )


async def test_the_gateway_opens_no_second_port(settings: Settings) -> None:
    await provisioned(settings)
    port = free_port()
    async with running(settings, "gateway", MIM_METRICS_PORT=str(port), MIM_METRICS_HOST="0.0.0.0") as program:
        await program.ready()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


# ------------------------------------------------------------------------------------- lines in an outage


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A logger whose lines wait in `logs.LINES`."""
    handler = logs.Output(io.StringIO(), "probe", logging.INFO, pretty=False, lines=logs.LINES)
    logger = logging.getLogger("probe")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    while logs.LINES.take() is not None:
        pass


async def test_lines_wait_for_a_bus_that_is_away(
    bus: Bus, nats_server: NatsServer, library: logging.Logger, background: Background, entries: Entries
) -> None:
    background(logs.ship(bus))
    story = entries(subjects.LOGS, subjects.log_line(ID))
    with logs.of_instance(ID):
        library.info("before")
        await story.until(lambda items: len(items) == 1)
        lost = asyncio.Event()
        told = bus.lost

        async def lose() -> None:
            await told()
            lost.set()

        bus.lost = lose  # type: ignore[method-assign]
        await nats_server.stop()
        async with asyncio.timeout(DEADLINE_S):
            await lost.wait()
        before = metrics.REGISTRY.get_sample_value("mim_log_lines_dropped_total") or 0
        for number in range(logs.MOST_LINES + 10):
            library.info("line %d", number)
        assert metrics.REGISTRY.get_sample_value("mim_log_lines_dropped_total") == before + 10
    await nats_server.start()
    # The stream keeps the last thousand.
    found = await story.until(lambda items: items[-1].data is not None and b"line 2009" in items[-1].data)
    texts = [LogLine.model_validate_json(entry.data or b"").message for entry in found]
    assert texts[-3:] == ["line 2007", "line 2008", "line 2009"]


async def test_lines_from_other_threads_come_too(
    bus: Bus, library: logging.Logger, background: Background, entries: Entries
) -> None:
    background(logs.ship(bus))
    story = entries(subjects.LOGS, subjects.log_line(ID))
    with logs.of_instance(ID):
        await asyncio.to_thread(library.info, "from a thread")
    [entry] = await story.until(lambda items: len(items) == 1)
    assert b"from a thread" in (entry.data or b"")


# --------------------------------------------------------------------------------- counting at the bus


def sample(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def take_commands(bus: Bus, act: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    @bus.broker.subscriber(
        subjects.INSTANCE_COMMANDS,
        queue=subjects.LIFECYCLE_DURABLE,
        stream=JStream(subjects.COMMANDS, declare=False),
        config=COMMAND_CONSUMER,
        ack_policy=AckPolicy.ACK,
        no_reply=True,
    )
    async def obey(command: dict[str, Any]) -> None:
        await act(command)


async def test_events_commands_without_an_outcome_and_dead_letters_are_counted(bus: Bus, entries: Entries) -> None:
    errors: list[Exception] = [
        Unavailable(ErrorCode.BUS_UNAVAILABLE, "later"),
        Rejected(ErrorCode.NOT_READY, "never"),
        RuntimeError("a bug"),
    ]

    async def fail(_command: dict[str, Any]) -> None:
        if errors:
            raise errors.pop(0)

    names = [("start", "retried"), ("start", "NOT_READY"), ("other", "INTERNAL")]
    before = [sample("mim_commands_total", verb=verb, outcome=outcome) for verb, outcome in names]
    dead_before = sample("mim_dead_letters_total", code="NOT_READY")
    events_before = sample("mim_events_published_total", event="updated")
    take_commands(bus, fail)
    await bus.broker.start()
    story = entries(subjects.DEAD, subjects.ALL_DEAD)
    await bus.publish(subjects.instance_command(ID, "start"), b"{}")
    await story.until(lambda items: len(items) == 1)
    await bus.publish(subjects.instance_command(ID, "no-such-verb"), b"{}")
    await story.until(lambda items: len(items) == 2)
    await bus.emit(InstanceUpdated(instance_id=ID, actor="test", desired=Desired.RUNNING))
    after = [sample("mim_commands_total", verb=verb, outcome=outcome) for verb, outcome in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]
    assert sample("mim_dead_letters_total", code="NOT_READY") == dead_before + 1
    assert sample("mim_events_published_total", event="updated") == events_before + 1


async def test_a_bus_that_comes_back_is_counted(bus: Bus, nats_server: NatsServer) -> None:
    before = sample("mim_bus_reconnects_total")
    back = asyncio.Event()
    bus.on_reconnect(back.set)
    await nats_server.stop()
    await nats_server.start()
    async with asyncio.timeout(DEADLINE_S):
        await back.wait()
    assert sample("mim_bus_reconnects_total") == before + 1


# ------------------------------------------------------------------------------------------------- traces


class Collector:
    """A receiver of OTLP over HTTP; keeps the spans that came."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()

    async def take(self, request: web.Request) -> web.Response:
        export = ExportTraceServiceRequest.FromString(await request.read())
        for resource in export.resource_spans:
            found = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.services.add(found["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> Span:
        [found] = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
async def collector(settings: Settings) -> AsyncIterator[Collector]:
    """A collector, and traces that are on and go there; `await tracing.stop()` sends what there is."""
    made, port = Collector(), free_port()
    app = web.Application()
    app.add_routes([web.post("/v1/traces", made.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    tracing.start(settings.model_copy(update={"otel_endpoint": f"http://127.0.0.1:{port}/"}), "probe")
    yield made
    await tracing.stop()
    await runner.cleanup()


def attributes(span: Span) -> dict[str, str]:
    return {item.key: item.value.string_value or str(item.value.int_value) for item in span.attributes}


TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_one_trace_goes_from_a_request_through_all_services(
    collector: Collector, connect_bus: ConnectBus, background: Background
) -> None:
    gateway, lifecycle, allocator, worker = [await connect_bus(name) for name in ("a", "b", "c", "d")]
    done = asyncio.Event()

    async def obey(_command: dict[str, Any]) -> None:
        await lifecycle.request(subjects.ALLOCATE, b"{}", 5)
        await lifecycle.emit(InstanceUpdated(instance_id=ID, actor="test", desired=Desired.RUNNING))

    @allocator.broker.subscriber(subjects.ALLOCATE)
    async def allocate(_request: dict[str, Any]) -> dict[str, Any]:
        await allocator.publish(f"$KV.{subjects.PORTS_BUCKET}.{subjects.port_key('desk', 3001)}", b"taken")
        return {}

    async def work() -> None:
        async for batch in worker.follow(subjects.EVENTS, subjects.ALL_EVENTS, after=0):
            for entry in batch:
                with tracing.resumed("obey order", subjects.instance_of(entry.subject)):
                    await worker.publish(subjects.message_command("telegram", ID), b"a private text")
                done.set()

    take_commands(lifecycle, obey)
    background(work())
    await lifecycle.broker.start()
    await allocator.broker.start()
    came = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01", "authorization": "Bearer x"}
    with tracing.request_span("POST", "/api/v1/instances/{id}/start", came) as span:
        await gateway.publish(subjects.instance_command(ID, "start"), b"{}")
        span.answered(202)
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
    await tracing.stop(5)
    chain = [
        ("POST /api/v1/instances/{id}/start", Span.SPAN_KIND_SERVER),
        ("publish mim.cmd.instance.{id}.start", Span.SPAN_KIND_PRODUCER),
        ("process mim.cmd.instance.{id}.start", Span.SPAN_KIND_CONSUMER),
        ("request mim.rpc.allocator.allocate", Span.SPAN_KIND_CLIENT),
        ("process mim.rpc.allocator.allocate", Span.SPAN_KIND_CONSUMER),
        ("publish $KV.ports", Span.SPAN_KIND_PRODUCER),
    ]
    parent = "00f067aa0ba902b7"
    for name, kind in chain:
        span_found = collector.named(name)
        assert (span_found.parent_span_id.hex(), span_found.kind) == (parent, kind)
        parent = span_found.span_id.hex()
    event = collector.named("publish mim.evt.instance.{id}.updated")
    assert event.parent_span_id == collector.named("process mim.cmd.instance.{id}.start").span_id
    assert collector.named("obey order").parent_span_id == event.span_id
    assert collector.named("publish mim.cmd.message.telegram.{id}").parent_span_id == (
        collector.named("obey order").span_id
    )
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE_ID}
    assert len(collector.spans) == len(chain) + 3
    assert collector.services == {"probe"}
    assert attributes(collector.named(chain[0][0])) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/instances/{id}/start",
        "http.response.status_code": "202",
    }
    allowed = {"messaging.system", "messaging.destination.template", "mim.instance_id"}
    assert all(attributes(span).keys() <= allowed for span in collector.spans if not span.name.startswith("POST"))


async def test_an_error_is_told_by_its_code_and_not_by_its_text(collector: Collector, bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await bus.request(subjects.ALLOCATE, b"{}", 1)
    with pytest.raises(RuntimeError), tracing.consuming(subjects.ALLOCATE, None):
        raise RuntimeError(f"a text with {TOKEN}")
    await tracing.stop(5)
    assert [attributes(span)["error.type"] for span in collector.spans] == ["BUS_UNAVAILABLE", "RuntimeError"]
    assert all(span.status.code == 2 and not span.events for span in collector.spans)
    assert not any(TOKEN in str(span) or "nobody listens" in str(span) for span in collector.spans)


async def test_heartbeats_and_probes_make_no_traces(collector: Collector, bus: Bus) -> None:
    with tracing.request_span("GET", "/health", {}) as span:
        span.answered(200)
    await bus.publish(f"$KV.{subjects.WORKERS_BUCKET}.telegram-desk", b"{}")
    await bus.publish(subjects.activity_event(ID), b"{}")
    with tracing.resumed("sweep", ID):
        pass
    await tracing.stop(5)
    assert collector.spans == []


async def test_what_a_session_says_months_later_is_a_trace_of_its_own(
    collector: Collector, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = asyncio.Event()

    async def session() -> None:
        await later.wait()
        await bus.emit(InstanceUpdated(instance_id=ID, actor="test", desired=Desired.RUNNING))

    with tracing.consuming(subjects.ALLOCATE, {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}):
        task = asyncio.create_task(session())
    monkeypatch.setattr(otel, "FRESH_S", 0.0)
    later.set()
    await task
    await tracing.stop(5)
    first, late = collector.spans
    assert (first.trace_id.hex(), late.trace_id.hex() == TRACE_ID) == (TRACE_ID, False)
    assert [link.span_id for link in late.links] == [first.span_id]


async def test_a_collector_that_is_away_disturbs_nobody(bus: Bus, settings: Settings) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    tracing.start(settings.model_copy(update={"otel_endpoint": away}), "probe")
    for number in range(3000):  # more than wait to be sent
        with tracing.consuming(subjects.ALLOCATE, {}):
            if number % 100 == 0:
                await bus.publish(subjects.instance_event(ID, "updated"), orjson.dumps({"number": number}))
    began = time.monotonic()
    await tracing.stop(0.5)
    assert time.monotonic() - began < 2.0
    assert tracing.consuming(subjects.ALLOCATE, {}) is tracing.OFF

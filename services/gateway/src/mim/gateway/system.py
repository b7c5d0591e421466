"""The routes of the system itself: health, ports, performance, machine, metrics, documents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path

import orjson
import psutil
from aiohttp import web
from nats.aio.msg import Msg

from mim.contracts import answers as a
from mim.contracts import asyncapi, openapi, subjects
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.reports import ContainersReport, ServiceReport
from mim.gateway import docs_page
from mim.gateway.model import ReadModel
from mim.runtime import http, metrics
from mim.runtime.bus import Bus
from mim.runtime.routing import Call, Handler
from mim.runtime.settings import Settings
from mim.runtime.traffic import Traffic

MB = 1_000_000
SERVICES = ("allocator", "lifecycle", "message-store", "telegram-adapter", "webhooks", "whatsapp-adapter")
ASK_S = 1.0
SILENT_S = 3.0
METRICS_S = 2.0
CONTAINERS_S = 3.0
WARN_PERCENT = 90.0
SLOW_S = 600.0
"""From here on a resource is worth a warning."""


class Reports:
    """What each process said of itself last. Asked in the background, so that routes answer from memory."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._clock = clock
        self._seen: dict[str, tuple[ServiceReport, float]] = {}
        self.began = clock()

    async def run(self) -> None:
        """Ask all services once a second."""
        inbox = self._bus.nc.new_inbox()
        await self._bus.nc.subscribe(inbox, cb=self._answer)
        while True:
            if self._bus.connected:
                await self._bus.nc.publish(subjects.HEALTH, b"", reply=inbox)
            await asyncio.sleep(ASK_S if self.down() == [] else 0.1)

    async def _answer(self, msg: Msg) -> None:
        if not msg.data:
            return  # the server itself says that nobody listens yet
        report = ServiceReport.model_validate_json(msg.data)
        now = self._clock()
        self._seen = {boot: seen for boot, seen in self._seen.items() if now - seen[1] < 60}
        self._seen[report.boot] = (report, now)

    def fresh(self) -> list[ServiceReport]:
        """The reports of the processes that answer now."""
        now = self._clock()
        return [report for report, at in self._seen.values() if now - at < SILENT_S]

    def down(self) -> list[str]:
        """Services of which no process answers."""
        up = {report.service for report in self.fresh()}
        return [name for name in SERVICES if name not in up]


@dataclass(frozen=True, slots=True)
class System:
    """Handlers about the system."""

    bus: Bus
    settings: Settings
    model: ReadModel
    reports: Reports
    traffic: Traffic

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "health": self.health,
            "resources": self.resources,
            "ports": self.ports,
            "performance": self.performance,
            "resources_health": self.system_health,
            "metrics": self.metrics,
            "service_metrics": self.service_metrics,
            "openapi": _document(lambda: orjson.dumps(_openapi()), "application/json"),
            "asyncapi": _document(lambda: orjson.dumps(_asyncapi()), "application/json"),
            "docs": _document(lambda: docs_page.page(_openapi()).encode(), "text/html"),
            "docs_events": _document(lambda: docs_page.page(_asyncapi()).encode(), "text/html"),
        }

    async def health(self, _call: Call) -> web.StreamResponse:
        """200 while everything is up, 503 otherwise; says which service is down."""
        down = self.reports.down()
        services = {"gateway": "up", "nats": "up" if self.bus.connected else "down"}
        services |= {name: "down" if name in down else "up" for name in SERVICES}
        healthy = "down" not in services.values()
        body = a.Health(
            success=healthy,
            status="healthy" if healthy else "degraded",
            uptime=round(time.monotonic() - self.reports.began, 3),
            timestamp=self.bus.now(),
            version=version("mim-gateway"),
            sandbox=self.settings.sandbox,
            services=services,
        )
        return http.answer(body, 200 if healthy else 503, None if healthy else {"Retry-After": "2"})

    # ------------------------------------------------------------------------------------------- resources

    async def ports(self, _call: Call) -> web.StreamResponse:
        """Ports that instances have and may get."""
        used, every = self.model.ports(), self.settings.port_range()
        taken = set(used)
        return http.answer(
            a.PortsAnswer(
                used_ports=used,
                available_ports=[port for port in every if port not in taken],
                port_range=a.PortRange(start=every[0], end=every[-1]),
                total_ports=len(every),
                utilization_percent=round(100 * len(used) / len(every), 2),
            )
        )

    async def performance(self, _call: Call) -> web.StreamResponse:
        """What the running system measures of itself."""
        traffic = self.traffic
        return http.answer(
            a.PerformanceAnswer(
                performance=a.Performance(
                    portAssignmentTime=self._assignment_times(),
                    concurrentRequests=traffic.concurrent,
                    failureRate=round(traffic.failure_rate, 6),
                    averageResponseTime=round(traffic.average_ms, 3),
                    peakConcurrency=traffic.peak,
                    lastResetTime=traffic.since,
                ),
                portAssignment=self._assignments(),
                systemHealth=self._health(),
            )
        )

    async def system_health(self, _call: Call) -> web.StreamResponse:
        """Whether something needs attention."""
        return http.answer(a.SystemHealthAnswer(systemHealth=self._health()))

    def _allocators(self) -> list[ServiceReport]:
        return [report for report in self.reports.fresh() if report.service == "allocator"]

    def _assignment_times(self) -> list[float]:
        found: list[float] = []
        for report in self._allocators():
            times = report.figures.get("times_ms", [])
            found += times if isinstance(times, list) else []
        return found

    def _assignments(self) -> a.PortAssignment:
        figures = [report.figures for report in self._allocators()]

        def each(name: str) -> list[float]:
            return [value for item in figures if isinstance(value := item.get(name), (int, float))]

        done = sum(each("successful"))
        least = [value for value in each("least_ms") if value > 0]
        return a.PortAssignment(
            totalRequests=int(sum(each("total"))),
            successfulRequests=int(done),
            failedRequests=int(sum(each("failed"))),
            averageTime=round(sum(each("sum_ms")) / done, 3) if done else 0.0,
            minTime=min(least, default=0.0),
            maxTime=max(each("most_ms"), default=0.0),
            concurrentPeak=int(max(each("peak"), default=0)),
            currentConcurrent=int(sum(each("current"))),
        )

    def _health(self) -> a.SystemHealth:
        used, every = self.model.ports(), self.settings.port_range()
        serving = {port for record in self.model.records() if record.status.is_live for port in record.ports.numbers()}
        percent = round(100 * len(used) / len(every), 2)
        statistics = a.PortStatistics(
            totalPorts=len(every),
            usedPorts=len(used),
            availablePorts=max(0, len(every) - len(used)),
            reservedPorts=len(set(used) - serving),
            portRange=a.PortRange(start=every[0], end=every[-1]),
            utilizationPercent=percent,
            assignmentMetrics=self._assignments(),
        )
        down = [] if self.bus.connected else ["nats"]
        down += self.reports.down()
        slow = [report.service for report in self.reports.fresh() if is_slow(report)]
        return system_health(down, slow, _percentages(self.settings.data_dir) | {"ports": percent}, statistics)

    async def resources(self, _call: Call) -> web.StreamResponse:
        """The machine and the processes."""
        found = await asyncio.to_thread(_machine, self.settings.data_dir)
        own = self.bus.process
        gateway = a.ProcessItem(
            service="gateway",
            host=self.settings.host_name,
            memory_mb=round(own.memory_bytes / MB, 3),
            cpu_percent=own.cpu_percent,
            uptime=round(time.monotonic() - self.reports.began, 3),
        )
        others = [
            a.ProcessItem(
                service=report.service,
                host=report.host,
                memory_mb=round(report.memory_bytes / MB, 3),
                cpu_percent=report.cpu_percent,
                uptime=round(report.uptime_s, 3),
            )
            for report in self.reports.fresh()
            if report.service != "gateway"
        ]
        processes = [gateway, *sorted(others, key=lambda item: (item.service, item.host))]
        return http.answer(
            a.ResourcesAnswer(
                **found,
                processes=processes,
                containers=await self._containers(),
                timestamp=self.bus.now(),
            )
        )

    async def _containers(self) -> ContainersReport | None:
        try:
            told = await self.bus.request(subjects.CONTAINERS, b"", CONTAINERS_S)
        except Unavailable as error:
            return ContainersReport(error=error.message)
        report = ContainersReport.model_validate_json(told)
        return report if report.engine else None

    # --------------------------------------------------------------------------------------------- metrics

    async def metrics(self, _call: Call) -> web.StreamResponse:
        """Metrics of the gateway."""
        return _exposition(metrics.render())

    async def service_metrics(self, call: Call) -> web.StreamResponse:
        """Metrics of another service, asked for over the bus."""
        name = call.request.match_info["service"]
        if name not in SERVICES:
            raise MimError(ErrorCode.NOT_FOUND, f"there is no service {name[:40]!r}; choose {', '.join(SERVICES)}")
        return _exposition(await self.bus.request(subjects.metrics_of(name), b"", METRICS_S))


def _exposition(text: bytes) -> web.Response:
    return web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})


@cache
def _openapi() -> dict[str, object]:
    return openapi.document(version("mim-gateway"))


@cache
def _asyncapi() -> dict[str, object]:
    return asyncapi.document(version("mim-gateway"))


def _document(make: Callable[[], bytes], content_type: str) -> Handler:
    """A handler of something that never changes, made when it is first asked for."""
    made = cache(make)

    async def serve(_call: Call) -> web.StreamResponse:
        charset = "utf-8" if content_type.startswith("text/") else None
        headers = {"Content-Security-Policy": docs_page.CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
        return web.Response(body=made(), content_type=content_type, charset=charset, headers=headers)

    return serve


def _percentages(folder: Path) -> dict[str, float]:
    disk = psutil.disk_usage(str(folder if folder.exists() else "/"))
    return {"memory": psutil.virtual_memory().percent, "disk": disk.percent}


def _machine(folder: Path) -> dict[str, object]:
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(folder if folder.exists() else "/"))
    return {
        "cpu": a.Cpu(percent=psutil.cpu_percent(0.1), count=psutil.cpu_count() or 1, load_average=psutil.getloadavg()),
        "memory": _space(memory.total, memory.total - memory.available, memory.available),
        "disk": _space(disk.total, disk.used, disk.free),
        "uptime": round(timedelta(seconds=time.time() - psutil.boot_time()).total_seconds(), 0),
    }


def _space(total: int, used: int, available: int) -> a.Space:
    return a.Space(
        total_mb=round(total / MB, 1),
        used_mb=round(used / MB, 1),
        available_mb=round(available / MB, 1),
        percent=round(100 * used / total, 1) if total else 0.0,
    )


_ADVICE = {
    "memory": "stop instances that nobody uses, or move some to another machine",
    "disk": "free some space in the data folder; nothing can be stored on a full disk",
    "ports": "delete instances or widen MIM_INSTANCE_PORTS",
}


def is_slow(report: ServiceReport) -> bool:
    """Whether a service has dropped messages of the bus lately."""
    ago_s = report.figures.get("dropped_ago_s")
    return isinstance(ago_s, int | float) and ago_s < SLOW_S


def system_health(
    down: list[str], slow: list[str], percentages: dict[str, float], statistics: a.PortStatistics
) -> a.SystemHealth:
    """What needs attention: services that are down are critical, those that cannot keep up and a resource that runs out
    are a warning. Pure."""
    issues = [f"{name} does not answer" for name in down]
    recommendations = [f"look at the log of {name}; the supervisor starts it again" for name in down]
    issues += [f"{name} does not keep up: it dropped messages of the bus" for name in slow]
    recommendations += [
        f"give {name} more processor time; its log (slow_consumer) says what it dropped" for name in slow
    ]
    for name, percent in percentages.items():
        if percent >= WARN_PERCENT:
            issues.append(f"{name}: {percent:g} % are used")
            recommendations.append(_ADVICE[name])
    status = "critical" if down else "warning" if issues else "healthy"
    return a.SystemHealth(status=status, issues=issues, recommendations=recommendations, portStatistics=statistics)

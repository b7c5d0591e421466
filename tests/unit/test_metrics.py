"""Every metric says what it is, holds nothing private, and is shown on the dashboard."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mim.cli.services import SERVICES
from mim.runtime import metrics
from mim.runtime.process_figures import ProcessFigures

GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
# Metrics that the dashboard leaves out, and why.
NOT_SHOWN = {"process_virtual_memory_bytes": "address space that nobody pays for"}
MEMORY_BYTES = 60_000_000
Act = Callable[[], None]


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def family_names() -> set[str]:
    """As queries name them; a histogram's without `_bucket`."""
    ends = {"counter": "_total", "info": "_info"}
    return {family.name + ends.get(family.type, "") for family in metrics.REGISTRY.collect()}


COUNTED: list[tuple[Act, str, dict[str, str]]] = [
    (
        lambda: metrics.request_done("/api/v1/instances/{id}", "GET", 200, 0.004),
        "mim_http_requests_total",
        {"route": "/api/v1/instances/{id}", "method": "GET", "status": "200"},
    ),
    (
        lambda: metrics.request_done("/x", "BREW", 405, 0.004),
        "mim_http_requests_total",
        {"route": "/x", "method": "other", "status": "405"},
    ),
    (
        lambda: metrics.request_done("/x", "GET", 200, 0.3),
        "mim_http_request_seconds_bucket",
        {"route": "/x", "le": "0.5"},
    ),
    (metrics.rate_limited, "mim_rate_limit_refusals_total", {}),
    (lambda: metrics.command_done("start", "ok"), "mim_commands_total", {"verb": "start", "outcome": "ok"}),
    (lambda: metrics.event_published("qr_ready"), "mim_events_published_total", {"event": "qr_ready"}),
    (lambda: metrics.dead_letter("INTERNAL"), "mim_dead_letters_total", {"code": "INTERNAL"}),
    (metrics.bus_reconnected, "mim_bus_reconnects_total", {}),
    (metrics.message_dropped, "mim_bus_messages_dropped_total", {}),
    (lambda: metrics.subscribers(1), "mim_subscribers", {}),
    (metrics.subscriber_let_go, "mim_subscribers_let_go_total", {}),
    (metrics.log_line_dropped, "mim_log_lines_dropped_total", {}),
    (
        lambda: metrics.send_done("telegram", "sent", 0.2),
        "mim_sends_total",
        {"provider": "telegram", "outcome": "sent"},
    ),
    (lambda: metrics.send_done("telegram", "sent", 0.2), "mim_send_seconds_count", {"provider": "telegram"}),
]


@pytest.mark.parametrize(("act", "name", "labels"), COUNTED, ids=[name for _, name, _ in COUNTED])
def test_what_happens_is_counted(act: Act, name: str, labels: dict[str, str]) -> None:
    before = value(name, **labels)
    act()
    assert value(name, **labels) == before + 1


def test_requests_in_flight_come_and_go() -> None:
    before = value("mim_http_requests_in_flight")
    metrics.request_began()
    assert value("mim_http_requests_in_flight") == before + 1
    metrics.request_done("/x", "GET", 200, 0.001)
    assert value("mim_http_requests_in_flight") == before


def test_a_status_that_no_instance_has_any_more_has_none() -> None:
    metrics.sessions("telegram", {"client_ready": 3, "starting": 1})
    metrics.sessions("telegram", {"client_ready": 4})
    metrics.waiting("telegram", 7)
    assert value("mim_sessions_waiting", provider="telegram") == 7
    assert value("mim_sessions", provider="telegram", status="client_ready") == 4
    assert metrics.REGISTRY.get_sample_value("mim_sessions", {"provider": "telegram", "status": "starting"}) == 0


def test_figures_of_now_replace_those_of_before() -> None:
    for number in (7, 2):
        metrics.queue("whatsappweb", number, number / 2)
        metrics.lag(number, number / 4)
        metrics.process_tree(number, number / 8)
    assert value("mim_outbox_messages", provider="whatsappweb") == 2
    assert value("mim_outbox_oldest_age_seconds", provider="whatsappweb") == 1.0
    assert (value("mim_fold_lag_events"), value("mim_fold_lag_seconds")) == (2, 0.5)
    assert (value("mim_process_tree_memory_bytes"), value("mim_process_tree_cpu_ratio")) == (2, 0.25)


def test_the_text_can_be_read_and_every_metric_says_what_it_is() -> None:
    metrics.service("probe")
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert {family.name for family in families} >= {"mim_build_info", "process_resident_memory_bytes", "mim_sessions"}
    for family in families:
        assert family.documentation, family.name
        if family.name.startswith("mim_"):
            assert family.documentation.endswith("."), family.name
    assert not any(family.name.endswith("_created") for family in families)


def test_labels_are_words_and_never_somebody() -> None:
    for act, _, _ in COUNTED:
        act()
    labels = {label for family in metrics.REGISTRY.collect() for sample in family.samples for label in sample.labels}
    known = {"route", "method", "status", "verb", "outcome", "event", "code", "provider", "service", "version", "le"}
    assert labels <= known


def test_the_librarys_own_registry_stays_empty_of_ours() -> None:
    program = """
import prometheus_client
before = [family.name for family in prometheus_client.REGISTRY.collect()]
from mim.runtime import metrics
print([family.name for family in prometheus_client.REGISTRY.collect()] == before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"


# ---------------------------------------------------------------------------------------------- processes


def test_memory_and_processor_time_are_those_of_children_too() -> None:
    clock = iter([0.0, 10.0])
    figures = ProcessFigures(clock=lambda: next(clock))
    figures.measure()
    alone, idle = figures.memory_bytes, figures.cpu_percent
    program = f"kept = b'x' * {MEMORY_BYTES}; sum(range(3_000_000)); print('kept', flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "kept\n"
        figures.measure()
        child.communicate("end\n", timeout=20)
    assert alone > 0
    assert idle == 0.0
    assert figures.memory_bytes > alone + MEMORY_BYTES * 0.8
    assert 0 < figures.cpu_percent < 200
    assert value("mim_process_tree_memory_bytes") == figures.memory_bytes


# ---------------------------------------------------------------------------------------------- dashboard


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GRAFANA / "mim.json").read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queried(text: str) -> Iterator[str]:
    for name in re.findall(r"\b(?:mim|process)_[a-z_]+\b", text):
        yield re.sub(r"_(?:bucket|sum|count)$", "", name)


def test_every_metric_of_the_dashboard_exists() -> None:
    asked = {name for panel in panels() for target in panel["targets"] for name in queried(target["expr"])}
    asked |= {name for variable in dashboard()["templating"]["list"] for name in queried(json.dumps(variable))}
    assert asked <= family_names()


def test_every_metric_is_on_the_dashboard() -> None:
    asked = {name for panel in panels() for target in panel["targets"] for name in queried(target["expr"])}
    assert family_names() - asked == set(NOT_SHOWN)


def test_the_dashboard_has_its_rows_and_asks_the_source_that_is_chosen() -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 39
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "service"}
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == ["Traffic", "Commands, events and lag", "Sessions", "Sends and queues", "Webhooks", "Processes"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells), panel["title"]
        taken |= cells


def test_the_example_scrapes_every_service_with_a_bearer() -> None:
    yaml = import_module("yaml")  # it comes without types
    [job] = yaml.safe_load((GRAFANA / "prometheus.yml").read_text())["scrape_configs"]
    assert job["authorization"]["type"] == "Bearer"
    paths = {target["labels"]["service"]: target["labels"]["__metrics_path__"] for target in job["static_configs"]}
    assert paths == {name: "/metrics" if name == "gateway" else f"/metrics/{name}" for name in SERVICES}

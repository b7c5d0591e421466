"""The documents that a running system serves, and that what travels through it is really checked against them."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest
from tests.e2e import validation

from mim.contracts import asyncapi, openapi, subjects

if TYPE_CHECKING:
    from tests.e2e.conftest import System

Json = dict[str, Any]
ERROR: Json = {"success": False, "error": "there is none", "code": "NOT_FOUND", "request_id": "r"}


@pytest.mark.parametrize(("path", "make"), [("/openapi.json", openapi.document), ("/asyncapi.json", asyncapi.document)])
async def test_a_document_is_served_with_the_version_of_the_gateway(system: System, path: str, make: Any) -> None:
    status, headers, raw = await system.raw("GET", path)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(raw) == json.loads(json.dumps(make(version("mim-gateway"))))


@pytest.mark.parametrize("path", ["/docs", "/docs/events"])
async def test_a_page_works_without_a_network_and_its_links_lead_somewhere(system: System, path: str) -> None:
    status, headers, raw = await system.raw("GET", path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    text = raw.decode()
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    for target in set(re.findall(r'href="(/[^"]*)"', text)):
        status, _, _ = await system.raw("GET", target)
        assert status == 200, target


# ------------------------------------------------------------------------------------ what is seen is checked


@pytest.mark.parametrize(
    ("method", "path", "status", "media", "body", "problem"),
    [
        ("GET", "/api/v1/instances/x", 404, "application/json", ERROR, None),
        ("GET", "/api/v1/instances/x", 418, "application/json", ERROR, "the status is not documented"),
        ("GET", "/api/v1/instances/x", 404, "text/plain", ERROR, "the content type 'text/plain' is not documented"),
        ("GET", "/api/v1/instances/x", 404, "application/json", ERROR | {"hint": "x"}, "'hint' was unexpected"),
        ("GET", "/api/v1/instances/x", 404, "application/json", ERROR | {"code": "NO_WORKER"}, "NO_WORKER"),
        ("GET", "/api/v1/instances/x", 404, "application/json", {"success": False}, '"error" is a required property'),
        ("GET", "/api/v1/instances/x", 200, "application/json", {"success": True}, '"instance" is a required property'),
        ("GET", "/api/v1/instances?limit=1", 200, "application/json", {"success": True}, "required property"),
        ("GET", "/3001/api/v1/health", 200, "application/json", {"status": "well"}, '"healthy" was expected'),
        ("GET", "/nothing", 404, "application/json", ERROR | {"code": "ROUTE_NOT_FOUND"}, None),
        ("GET", "/nothing", 200, "application/json", ERROR, "it is no route, so 404 was expected"),
        ("PUT", "/health", 404, "application/json", ERROR, "it is no route, so 405 was expected"),
    ],
)
def test_an_answer_that_is_not_as_documented_is_told(
    method: str, path: str, status: int, media: str, body: Json, problem: str | None
) -> None:
    found = validation.REST.problems(method, path, status, media, json.dumps(body).encode())
    assert (problem or "") in "\n".join(found)
    assert bool(found) == (problem is not None)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"to": "15550002222", "message": "hello"}, True),
        ({"to": 15550002222, "message": "hello"}, True),
        ({"to": " 1" + " " * 200, "message": "hello"}, True),
        ({"to": "1", "message": 7}, False),
        ({"to": "1"}, False),
        (b"{}", False),
        (None, False),
    ],
)
def test_a_body_fits_however_its_ids_are_written(body: Any, fits: bool) -> None:
    assert validation.REST.takes("send_message", body) == fits


BUS = validation.Bus()
ID = "5f0c1d3e-0000-4000-8000-000000000042"
OUTCOME = {"instance_id": ID, "ok": True, "status": "stopped", "instance_seq": 7, "code": None, "message": "done"}
LINE = {"timestamp": "2026-11-24T12:00:00.000Z", "level": "info", "message": "m", "source": "s"}
COMMAND_HEADERS = {asyncapi.CORRELATION: "c"}


@pytest.mark.parametrize(
    ("subject", "headers", "payload", "problem"),
    [
        (subjects.log_line(ID), {}, LINE, None),
        (subjects.log_line(ID), {}, LINE | {"colour": "red"}, "'colour' was unexpected"),
        (subjects.log_line(ID), {}, LINE | {"timestamp": "yesterday"}, "date-time"),
        (subjects.log_line("not-a-uuid"), {}, LINE, "no documented channel"),
        ("mim.evt.instance.x.danced", {}, {}, "no documented channel"),
        ("mim.reply.a.b", {}, OUTCOME, None),
        ("mim.reply.a.b", {}, OUTCOME | {"secret": "x"}, "'secret' was unexpected"),
        (subjects.instance_command(ID, "stop"), COMMAND_HEADERS, {}, None),
        (subjects.instance_command(ID, "stop"), COMMAND_HEADERS, {"force": True}, "'force' was unexpected"),
        (subjects.instance_command(ID, "stop"), {}, {"force": True}, None),
        (subjects.bucket_subject(subjects.INSTANCES_BUCKET, "_fold"), {}, {"seq": 7}, None),
        (subjects.bucket_subject(subjects.INSTANCES_BUCKET, "_fold"), {}, {"seq": "7"}, "integer"),
        (subjects.bucket_subject(subjects.INSTANCES_BUCKET, ID), {"KV-Operation": "PURGE"}, {}, None),
        (subjects.bucket_subject(subjects.SECRETS_BUCKET, f"telegram.{ID}.token"), {}, {}, None),
        (subjects.bucket_subject(subjects.SECRETS_BUCKET, "telegram.x.token"), {}, {}, "no documented channel"),
        (subjects.bucket_subject("caches", "x"), {}, {}, "no documented channel"),
    ],
)
def test_a_message_that_is_not_as_documented_is_told(
    subject: str, headers: dict[str, str], payload: Json, problem: str | None
) -> None:
    found = BUS.problems(subject, headers, json.dumps(payload).encode())
    assert (problem or "") in "\n".join(found)
    assert bool(found) == (problem is not None)


def test_an_undocumented_command_without_a_dead_letter_is_told() -> None:
    bus, command = validation.Bus(), subjects.instance_command(ID, "stop")
    letter = {"service": "lifecycle", "subject": command, "reason": "r", "code": "INVALID_COMMAND",
              "time": "2026-11-24T12:00:00.000Z", "payload": "e30=", "headers": {}}  # fmt: skip
    assert bus.problems(command, {}, b'{"force": true}') == []
    assert bus.unparked() == [f"{command} got an undocumented command, and no dead letter"]
    assert bus.problems(subjects.dead_letter("lifecycle"), {}, json.dumps(letter).encode()) == []
    assert bus.unparked() == []


def test_an_event_that_is_not_as_documented_is_told() -> None:
    assert BUS.event("danced", {}) == ["the event 'danced' is not documented"]
    assert "required property" in "\n".join(BUS.event("message.sent", {}))


def test_violations_are_counted_and_only_the_first_are_kept() -> None:
    found = validation.Violations(most=2)
    for problem in ("a", "b", "a", "c"):
        found.add(problem)
    assert found.take() == ["a (2 times)", "b"]
    assert found.take() == []


async def test_what_travels_over_the_bus_is_heard(system: System) -> None:
    validation.BUS.seen.clear()
    made = await system.ready_telegram()
    body = {"chatId": "15550002222", "message": "hello"}
    status, _ = await system.port_call(made["port"], "POST", "/api/v1/telegram/send", body, made["api_key"])
    assert status == 200
    # The gateway hears outcomes where nobody else may listen; a program chooses where it hears its own.
    stop = {"reply_to": "mim.reply.documents"}
    client = await system.bus()
    await client.publish(f"mim.cmd.instance.{made['instance_id']}.stop", json.dumps(stop).encode())
    await client.close()
    await system.until(made["instance_id"], "stopped")
    await system.heard()
    wanted = {"create", "stop", "Outcome", "send", "message.sent", "instance.created", "instance.client_ready"}
    wanted |= {"instance.stopped", "bucket.instances", "bucket.orders"}
    assert wanted <= validation.BUS.seen.keys()


async def test_the_streams_begin_at_once_and_show_documented_events(system: System) -> None:
    made = await system.ready_telegram()
    async with aiohttp.ClientSession(system.url) as session, asyncio.timeout(20):
        query = {"instance_id": made["instance_id"], "last_event_id": "0"}
        async with session.ws_connect("/api/v1/ws", params=query) as socket:
            for name in ("created", "allocated", "starting"):
                told = await socket.receive_json()
                assert told.keys() == {"id", "event", "data"}
                assert told["event"] == name
                assert validation.BUS.event(name, told["data"]) == []
        path = f"/api/v1/instances/{made['instance_id']}/logs"
        async with session.get(path, params={"follow": "true"}) as response:
            assert (response.status, response.content_type) == (200, "text/event-stream")
            assert re.fullmatch(rb"retry: [1-4][0-9]{3}\n", await response.content.readline())


async def test_requests_between_services_are_answered_as_documented(system: System) -> None:
    client = await system.bus()
    document = asyncapi.document("0")
    documented = validation.Documented(document)
    report = await client.request(subjects.HEALTH, b"", timeout=5)
    schema = document["components"]["messages"]["ServiceReport"]["payload"]
    assert documented.problems("report", schema, json.loads(report.data)) == []
    text = (await client.request(subjects.metrics_of("lifecycle"), b"", timeout=5)).data.decode()
    assert "# TYPE " in text
    gone = json.dumps({"instance_id": str(uuid4()), "provider": "telegram"}).encode()
    reply = await client.request(subjects.RELEASE, gone, timeout=5)
    schema = document["components"]["messages"]["Reply"]["payload"]
    assert documented.problems("reply", schema, json.loads(reply.data)) == []
    await client.close()

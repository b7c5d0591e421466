"""The HTTP floor of gateway and instance ports, tried with the real middlewares over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import Field

from mim.contracts.errors import HTTP_STATUS, ErrorCode, Fatal, MimError, Unavailable
from mim.contracts.fields import Bool, Model, Name
from mim.runtime import http
from mim.runtime.http import HttpError
from mim.runtime.traffic import Traffic

Client = TestClient[web.Request, web.Application]


class Body(Model):
    name: Name
    count: Annotated[int, Field(ge=0)] = 0
    flag: Bool = False


RAISES: dict[str, Exception] = {
    "not-found": MimError(ErrorCode.NOT_FOUND, "there is no instance 'x'"),
    "away": Unavailable(ErrorCode.BUS_UNAVAILABLE, "the message bus is away", 1.2),
    "slow": Unavailable(ErrorCode.TIMEOUT, "no answer", 2),
    "fields": HttpError(ErrorCode.QR_NOT_AVAILABLE, "no QR code", status="client_ready"),
    "refused": MimError(ErrorCode.RECIPIENT_UNKNOWN, "nobody has this number"),
    "session": Fatal(ErrorCode.TOKEN_REJECTED, "the token is not valid"),
    "bug": RuntimeError("password=hunter2"),
}


async def echo(request: web.Request) -> web.StreamResponse:
    return http.json_answer({"success": True, "body": (await http.read_body(request, Body)).model_dump()})


async def fail(request: web.Request) -> web.StreamResponse:
    raise RAISES[request.match_info["kind"]]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    guard = http.guard(["Desk.example.com"], ["https://desk.example.org/"])
    app = http.application(guard, traffic=Traffic())
    app.add_routes([web.post("/echo", echo), web.get("/fail/{kind}", fail)])
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_link_on_another_site_may_be_followed_but_nothing_else_is_done_from_there(client: Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    async with client.get("/fail/not-found", headers=link) as answer:
        assert answer.status == 404  # it got through the guard
    for method, headers in (
        ("POST", link),
        ("GET", link | {"Sec-Fetch-Dest": "iframe"}),
        ("GET", link | {"Sec-Fetch-Mode": "no-cors"}),
        ("GET", link | {"Origin": "https://evil.example"}),
    ):
        path = "/echo" if method == "POST" else "/fail/not-found"
        assert (await error_of(client, method, path, 403, headers=headers))["code"] == "FORBIDDEN_ORIGIN"


async def error_of(client: Client, method: str, path: str, status: int, **options: Any) -> dict[str, Any]:
    """The error answer, checked for what all of them have."""
    async with client.request(method, path, **options) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
        body: dict[str, Any] = await answer.json()
        assert body["success"] is False
        assert body["error"]
        assert body["code"] in list(ErrorCode)
        assert body["request_id"] == answer.headers["X-Request-Id"]
        return body | {"headers": answer.headers}


# ---------------------------------------------------------------------------------------------------- guard


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:3000", "127.0.0.1", "127.0.0.1:3000", "[::1]", "[::1]:3000", "desk.example.com:80"]
)
async def test_loopback_names_and_allowed_names_are_answered(client: Client, host: str) -> None:
    async with client.post("/echo", json={"name": "a"}, headers={"Host": host}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:3000", "192.168.1.2:3000", "[::2]:3000"]
)
async def test_a_foreign_host_name_is_refused(client: Client, host: str) -> None:
    refused = await error_of(client, "POST", "/echo", 403, json={"name": "a"}, headers={"Host": host})
    assert refused["code"] == "FORBIDDEN_ORIGIN"
    assert "MIM_ALLOWED_HOSTS" in refused["error"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://localhost.evil.example", "null", "http://localhost:9"]
)
async def test_pages_of_other_sites_are_refused(client: Client, origin: str) -> None:
    headers = {"Host": "localhost:3000", "Origin": origin}
    refused = await error_of(client, "POST", "/echo", 403, json={"name": "a"}, headers=headers)
    assert "MIM_ALLOWED_ORIGINS" in refused["error"]


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://desk.example.org", "HTTPS://DESK.example.org/"])
async def test_own_pages_and_allowed_sites_may_call(client: Client, origin: str) -> None:
    headers = {"Host": "localhost:3000", "Origin": origin}
    async with client.post("/echo", json={"name": "a"}, headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
async def test_what_a_browser_marks_as_another_sites_is_refused(client: Client, site: str, status: int) -> None:
    async with client.post("/echo", json={"name": "a"}, headers={"Sec-Fetch-Site": site}) as answer:
        assert answer.status == status


async def test_a_listener_for_everybody_takes_any_host_but_no_foreign_origin() -> None:
    app = http.application(http.guard([], [], any_host=True), traffic=Traffic())
    app.add_routes([web.post("/echo", echo)])
    async with TestClient(TestServer(app)) as client:
        async with client.post("/echo", json={"name": "a"}, headers={"Host": "anything.example"}) as answer:
            assert answer.status == 200
        headers = {"Host": "anything.example", "Origin": "http://evil.example"}
        await error_of(client, "POST", "/echo", 403, json={"name": "a"}, headers=headers)


# ------------------------------------------------------------------------------------------------- the end


async def test_what_is_not_answered_when_the_server_ends_is_told_to_come_again() -> None:
    begun = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    app = http.application(traffic=Traffic())
    app.add_routes([web.post("/never", never)])
    async with TestClient(TestServer(app)) as client:
        asked = asyncio.create_task(error_of(client, "POST", "/never", 503))
        await begun.wait()
        await client.server.close()
        assert (await asked)["code"] == "SHUTTING_DOWN"


async def test_what_is_answered_within_the_grace_is_and_a_stream_just_ends() -> None:
    begun, ending = asyncio.Event(), asyncio.Event()

    async def soon(_request: web.Request) -> web.StreamResponse:
        await ending.wait()
        return http.json_answer({"success": True})

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a line\n")
        begun.set()
        await asyncio.Event().wait()
        return response

    async def end(_app: web.Application) -> None:
        ending.set()

    app = http.application(traffic=Traffic())
    app.on_shutdown.insert(0, end)
    app.add_routes([web.get("/soon", soon), web.get("/stream", stream)])
    async with TestClient(TestServer(app)) as client, client.get("/stream") as streaming:
        asked = asyncio.create_task(client.get("/soon"))
        await begun.wait()
        await client.get("/nothing")  # the request before it is being handled by then
        await client.server.close()
        assert (await asked).status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await streaming.read()


# --------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("not-found", 404, "NOT_FOUND"),
        ("away", 503, "BUS_UNAVAILABLE"),
        ("slow", 504, "TIMEOUT"),
        ("fields", 404, "QR_NOT_AVAILABLE"),
        ("refused", 502, "RECIPIENT_UNKNOWN"),
        ("session", 502, "TOKEN_REJECTED"),
        ("bug", 500, "INTERNAL"),
    ],
)
async def test_every_error_has_one_shape_and_the_right_status(
    client: Client, kind: str, status: int, code: str
) -> None:
    assert (await error_of(client, "GET", f"/fail/{kind}", status))["code"] == code


async def test_what_broke_inside_does_not_show(client: Client) -> None:
    answer = await error_of(client, "GET", "/fail/bug", 500)
    assert "hunter2" not in str(answer)
    assert answer["request_id"] in answer["error"]


async def test_what_is_away_says_when_to_come_back_in_whole_seconds(client: Client) -> None:
    assert (await error_of(client, "GET", "/fail/away", 503))["headers"]["Retry-After"] == "2"


async def test_an_error_may_carry_fields_of_its_own(client: Client) -> None:
    assert (await error_of(client, "GET", "/fail/fields", 404))["status"] == "client_ready"


async def test_an_unknown_route_and_a_wrong_method_are_told_apart(client: Client) -> None:
    assert (await error_of(client, "GET", "/nowhere", 404))["code"] == "ROUTE_NOT_FOUND"
    wrong = await error_of(client, "PUT", "/echo", 405)
    assert (wrong["code"], wrong["headers"]["Allow"]) == ("METHOD_NOT_ALLOWED", "POST")


def test_every_error_code_that_names_no_messenger_has_a_status() -> None:
    assert all(400 <= status < 600 for status in HTTP_STATUS.values())
    assert set(HTTP_STATUS) <= set(ErrorCode)


# ---------------------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_json_is_read_whatever_the_content_type_says(client: Client, content_type: str) -> None:
    data = orjson.dumps({"name": "Пётр 🎉", "unknown": 1})
    async with client.post("/echo", data=data, headers={"Content-Type": content_type}) as answer:
        assert await answer.json() == {"success": True, "body": {"name": "Пётр 🎉", "count": 0, "flag": False}}


@pytest.mark.parametrize("raw", [b"", b"{", b"name=a", b"\xff\xfe", b'{"name": "a"', b"NaN}", b'{"name":"\\ud800"}'])
async def test_what_is_no_json_is_a_400(client: Client, raw: bytes) -> None:
    assert (await error_of(client, "POST", "/echo", 400, data=raw))["code"] == "BAD_JSON"


@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"1", b"null", b"true"])
async def test_json_that_is_no_object_is_a_400_that_says_so(client: Client, raw: bytes) -> None:
    assert "must be a JSON object" in (await error_of(client, "POST", "/echo", 400, data=raw))["error"]


async def test_every_field_that_does_not_fit_is_named(client: Client) -> None:
    refused = await error_of(client, "POST", "/echo", 422, json={"name": "a\nb", "count": -1, "flag": "yes"})
    assert refused["code"] == "INVALID_FIELDS"
    assert [item["field"] for item in refused["details"]] == ["name", "count", "flag"]
    assert all(item["problem"] for item in refused["details"])
    assert refused["details"][0]["problem"] == "must be one line"


async def test_too_large_a_body_is_a_413(client: Client) -> None:
    raw = b'{"name": "' + b"a" * http.MAX_BODY_BYTES + b'"}'
    assert (await error_of(client, "POST", "/echo", 413, data=raw))["code"] == "TOO_LARGE"


# ----------------------------------------------------------------------------------------------- credentials


@pytest.mark.parametrize("given", ["a", "", "expected2", "Expected", "\ud800", "expecte\u0434"])
def test_a_wrong_secret_is_not_the_same(given: str) -> None:
    assert http.same("expected", "expected")
    assert not http.same(given, "expected")


def test_a_listener_for_everybody_needs_credentials() -> None:
    http.need_credentials("127.0.0.1", has_token=False)
    http.need_credentials("0.0.0.0", has_token=True)
    with pytest.raises(SystemExit, match="MIM_ADMIN_TOKEN"):
        http.need_credentials("0.0.0.0", has_token=False)

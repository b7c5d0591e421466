"""What people get wrong: every answer says what, and what to do."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from conftest import System

INSTANCES = "/api/v1/instances"
GOOD: dict[str, Any] = {"user_id": "test", "provider": "whatsappweb", "type_instance": ["api"], "start": False}


def is_error(answer: dict[str, Any], code: str) -> bool:
    """Whether an answer has the error shape with this code."""
    return (
        answer["success"] is False
        and answer["code"] == code
        and len(answer["error"]) > 10
        and bool(answer["request_id"])
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user_id": None}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": ["a"]}, "user_id"),
        ({"user_id": "a\nb"}, "user_id"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"provider": "icq"}, "provider"),
        ({"provider": 7}, "provider"),
        ({"type_instance": []}, "type_instance"),
        ({"type_instance": "api"}, "type_instance"),
        ({"type_instance": ["ftp"]}, "type_instance.0"),
        ({"start": "yes"}, "start"),
        ({"name": "x" * 200}, "name"),
        ({"provider": "telegram"}, "token"),
        ({"provider": "telegram", "token": "hello"}, "token"),
        ({"provider": "telegram", "token": 12}, "token"),
        ({"proxy": "ftp://x"}, "proxy"),
        ({"api_webhook_schema": {"url": "javascript:1"}}, "api_webhook_schema.url"),
        ({"api_webhook_schema": {"url": "http://a", "headers": {"a b": "c"}}}, "api_webhook_schema.headers"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(system: System, change: dict[str, Any], field: str) -> None:
    body = {key: value for key, value in (GOOD | change).items() if value is not None}
    status, answer = await system.call("POST", INSTANCES, body)
    assert status == 422, answer
    assert is_error(answer, "INVALID_FIELDS")
    assert field in [item["field"] for item in answer["details"]]
    assert all(item["problem"] for item in answer["details"])


async def test_every_wrong_field_is_named_at_once(system: System) -> None:
    status, answer = await system.call("POST", INSTANCES, {"provider": "icq"})
    assert status == 422
    assert {item["field"] for item in answer["details"]} == {"user_id", "provider", "type_instance"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"x"', b"null", b"user_id=test", b"\xff\xfe", b'{"user_id": "\\ud800"}']
)
async def test_what_is_no_json_object_is_a_400(system: System, body: bytes) -> None:
    status, answer = await system.call("POST", INSTANCES, body)
    assert status == 400, answer
    assert is_error(answer, "BAD_JSON")


async def test_a_body_of_two_megabytes_is_a_413(system: System) -> None:
    status, answer = await system.call("POST", INSTANCES, b'{"x": "' + b"a" * 2_000_000 + b'"}')
    assert status == 413
    assert is_error(answer, "TOO_LARGE")


@pytest.mark.parametrize("path", ["", "/start", "/stop", "/restart", "/logout", "/qr", "/current-qr", "/auth-status"])
@pytest.mark.parametrize("given", ["nonsense", "*", "%3E", "a.b", "x" * 5000, "../../etc", str(uuid4())])
async def test_an_id_that_is_none_is_a_404(system: System, path: str, given: str) -> None:
    method = "POST" if path in ("/start", "/stop", "/restart", "/logout") else "GET"
    status, answer = await system.call(method, f"{INSTANCES}/{given}{path}")
    assert status == 404, answer
    assert answer["success"] is False


async def test_unknown_routes_and_methods_answer_in_the_error_shape(system: System) -> None:
    status, answer = await system.call("GET", "/api/v1/nothing")
    assert status == 404
    assert is_error(answer, "ROUTE_NOT_FOUND")
    status, headers, raw = await system.raw("PUT", INSTANCES)
    assert (status, headers["Allow"]) == (405, "GET,HEAD,POST".replace(",", ", "))
    assert is_error(json.loads(raw), "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=-1", "limit=99999", "offset=-1", "provider=icq", "status=good"]
)
async def test_a_filter_that_does_not_fit_is_a_422(system: System, query: str) -> None:
    status, answer = await system.call("GET", f"{INSTANCES}?{query}")
    assert status == 422
    assert answer["details"][0]["field"] == query.partition("=")[0]


async def test_cyrillic_and_emoji_are_at_home_in_every_text(system: System) -> None:
    made = await system.create("whatsappweb", user_id="Иван 🦊", name="Магазин «Ёж» 🦔", start=False)
    shown = await system.get(made["instance_id"])
    assert (shown["user_id"], shown["company_id"], shown["name"]) == ("Иван 🦊", "Иван 🦊", "Магазин «Ёж» 🦔")
    _, found = await system.call(
        "GET", f"{INSTANCES}?search=%D1%91%D0%B6&user_id=%D0%98%D0%B2%D0%B0%D0%BD%20%F0%9F%A6%8A"
    )
    assert [item["id"] for item in found["instances"]] == [made["instance_id"]]
    assert found["total"] == 1


async def test_company_id_and_config_bot_token_are_other_names(system: System) -> None:
    body = {"company_id": "acme", "provider": "telegram", "type_instance": ["api"], "start": False}
    token = "987654321:AAEzyxwvutsrqponmlkjihgfedcba987654"
    status, made = await system.call("POST", INSTANCES, body | {"config": {"bot_token": token}})
    assert status == 201, made
    assert made["instance"]["user_id"] == "acme"
    assert made["instance"]["token_hint"] == token[-4:]
    assert token not in json.dumps(made)


async def test_the_same_idempotency_key_makes_one_instance(system: System) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    user = f"idem-{uuid4()}"
    answers = await asyncio.gather(
        *(system.call("POST", INSTANCES, GOOD | {"user_id": user}, headers=headers) for _ in range(8))
    )
    assert {status for status, _ in answers} == {201}
    assert len({answer["instance_id"] for _, answer in answers}) == 1
    assert len({answer["api_key"] for _, answer in answers}) == 1
    _, listed = await system.call("GET", f"{INSTANCES}?user_id={user}")
    assert listed["total"] == 1
    status, answer = await system.call("POST", INSTANCES, GOOD, headers=headers)
    assert status == 409
    assert is_error(answer, "IDEMPOTENCY_CONFLICT")


async def test_sending_needs_a_ready_instance_its_key_and_a_fitting_body(system: System) -> None:
    made = await system.create("whatsappweb")
    await system.until(made["instance_id"], "qr_ready")
    path = f"/api/v1/multi-provider/instances/whatsappweb/{made['instance_id']}/send-message"
    status, answer = await system.call("POST", path, {"to": "15552220009", "message": "x"})
    assert status == 409
    assert is_error(answer, "NOT_READY")
    assert (answer["status"], answer["reason"]["user_action"]) == ("qr_ready", "scan_qr")
    status, answer = await system.call("POST", path, {"to": "", "message": ""})
    assert status == 422
    assert {item["field"] for item in answer["details"]} == {"to", "message"}
    wrong = {"Authorization": f"Bearer {made['instance_id']}"}
    status, answer = await system.call("POST", path, {"to": "1", "message": "x"}, headers=wrong)
    assert status == 401
    assert is_error(answer, "UNAUTHORIZED")
    for key in (None, "nonsense", made["instance_id"]):
        status, answer = await system.port_call(
            made["port"], "POST", "/api/v1/send", {"number": "1", "message": "x"}, key
        )
        assert status == 401
        assert is_error(answer, "UNAUTHORIZED")


async def test_the_messengers_refusal_is_told(system: System) -> None:
    made = await system.ready_telegram()
    await system.control(
        "telegram",
        "fault",
        method="sendMessage",
        status=403,
        description="Forbidden: bot was blocked by the user",
        times=1,
    )
    status, answer = await system.port_call(
        made["port"], "POST", "/api/v1/telegram/send", {"chatId": 77, "message": "x"}, made["api_key"]
    )
    assert status == 502
    assert is_error(answer, "RECIPIENT_BLOCKED")
    assert (await system.get(made["instance_id"]))["status"] == "client_ready"


async def test_a_bad_token_says_what_to_do_and_a_revoked_one_too(system: System) -> None:
    made = await system.create("telegram")
    bot = int((await system.until(made["instance_id"], "client_ready"))["account"].split("_", 2)[1])
    await system.control("telegram", "revoke", bot=bot)
    failed = await system.until(made["instance_id"], "error")
    assert failed["reason"]["code"] == "TOKEN_REJECTED"
    assert failed["reason"]["user_action"] == "new_token"
    assert failed["auth_status"] == "failed"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:3000"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_web_page_of_another_site_is_refused(system: System, headers: dict[str, str]) -> None:
    for method, path, body in (("GET", "/health", None), ("GET", INSTANCES, None), ("POST", INSTANCES, GOOD)):
        status, answer = await system.call(method, path, body, headers=headers)
        assert status == 403
        assert is_error(answer, "FORBIDDEN_ORIGIN")


async def test_no_secret_shows_in_any_answer_event_or_log_line(system: System) -> None:
    token, header = "555555555:AAESECRETSECRETSECRETSECRETSECRET12", "hunter2-header"
    hook = {"url": "https://hooks.example/x", "headers": {"X-Auth": header}}
    body = {"user_id": "careful", "provider": "telegram", "type_instance": ["api"], "token": token}
    _, made = await system.call("POST", INSTANCES, body | {"api_webhook_schema": hook})
    await system.until(made["instance_id"], "client_ready")
    await system.control("telegram", "revoke", bot=555555555)
    await system.until(made["instance_id"], "error")
    _, shown = await system.call("GET", f"{INSTANCES}/{made['instance_id']}")
    seen = json.dumps(shown) + system.output
    async with asyncio.timeout(20), system.events(f"?instance_id={made['instance_id']}&last_event_id=0") as events:
        for _ in range(6):
            seen += json.dumps((await anext(events))[2])
    for secret in (token, token.partition(":")[2], header, made["api_key"]):
        assert secret not in seen
    stored = b"".join(path.read_bytes() for path in system.folder.rglob("*") if path.is_file())
    for secret in (token, header, made["api_key"]):
        assert secret.encode() not in stored

"""What callers may send to create an instance, and what they get to see of one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from mim.contracts.answers import instance_of
from mim.contracts.api import CreateInstanceBody, SendMessageBody, TelegramSendBody, WhatsAppSendBody
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Status
from mim.contracts.values import Account, Ports, Webhook
from mim.lifecycle.machine import default_reason

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
TELEGRAM: dict[str, Any] = {"user_id": "u", "provider": "telegram", "type_instance": ["api"], "token": TOKEN}
WHATSAPP: dict[str, Any] = {"user_id": "u", "provider": "whatsappweb", "type_instance": ["api", "mcp"]}


def read(body: dict[str, Any]) -> CreateInstanceBody:
    return CreateInstanceBody.model_validate_json(json.dumps(body))


def problems_of(body: dict[str, Any]) -> dict[str, str]:
    """Field → problem."""
    with pytest.raises(ValidationError) as refused:
        read(body)
    assert TOKEN not in str(refused.value)
    return {".".join(map(str, item["loc"])): item["msg"] for item in refused.value.errors(include_input=False)}


def test_the_two_names_of_the_owner_and_the_two_places_of_the_token_mean_the_same() -> None:
    older = {"company_id": "u", "provider": "telegram", "type_instance": ["api"], "config": {"bot_token": TOKEN}}
    assert read(older).user_id == read(TELEGRAM).user_id == "u"
    assert read(older).bot_token() == read(TELEGRAM).bot_token() == TOKEN
    assert read(TELEGRAM | {"token": f"  {TOKEN}\n"}).bot_token() == TOKEN


def test_owners_given_as_numbers_and_fields_of_later_versions_are_taken() -> None:
    assert read(WHATSAPP | {"user_id": 7, "later": {"x": 1}}).user_id == "7"


def test_every_missing_field_is_named() -> None:
    assert set(problems_of({})) == {"user_id", "provider", "type_instance"}


def view_of(shown: InstanceRecord) -> dict[str, Any]:
    return instance_of(shown).model_dump(mode="json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", ""),
        ("user_id", "   "),
        ("user_id", None),
        ("user_id", True),
        ("user_id", "a\nb"),
        ("user_id", "a\0b"),
        ("user_id", "x" * 129),
        ("provider", "icq"),
        ("provider", 1),
        ("type_instance", []),
        ("type_instance", "api"),
        ("name", ""),
        ("name", "a\x1b[31mb"),
        ("start", "yes"),
        ("token", 5),
        ("token", "x" * 20_000),
        ("proxy", "ftp://x"),
        ("proxy", "http://"),
        ("api_webhook_schema", "http://x"),
    ],
)
def test_a_field_that_does_not_fit_is_named(field: str, value: object) -> None:
    assert set(problems_of(WHATSAPP | {field: value})) == {field}


def test_several_wrong_fields_are_named_together() -> None:
    wrong = {"user_id": "", "provider": "icq", "type_instance": ["api", "smoke"], "start": 1}
    assert set(problems_of(wrong)) == {"user_id", "provider", "type_instance.1", "start"}


@pytest.mark.parametrize("token", [None, "", "123:short", "abc:" + "x" * 35, TOKEN + "\n\nHost: x", TOKEN * 2])
def test_telegram_needs_a_token_as_botfather_gives_it(token: str | None) -> None:
    ((field, message),) = problems_of(TELEGRAM | {"token": token}).items()
    assert field == "token"
    assert "BotFather" in message


@pytest.mark.parametrize(
    ("body", "schemes"), [(TELEGRAM, {"http"}), (WHATSAPP, {"http", "https", "socks5"})], ids=["telegram", "whatsapp"]
)
def test_a_proxy_is_a_url_of_a_kind_that_the_messenger_s_library_can_use(
    body: dict[str, Any], schemes: set[str]
) -> None:
    for scheme in ("http", "https", "socks5", "socks4", "ftp", ""):
        wanted = body | {"proxy": f"{scheme}://me:hunter2@proxy:1080"}
        if scheme in schemes:
            assert read(wanted).proxy is not None
        else:
            assert set(problems_of(wanted)) == {"proxy"}


@pytest.mark.parametrize("text", ["Пётр Фёдоров", "商店 🏪", "👩‍👩‍👧‍👦", "Zoë", "שלום"])
def test_names_in_any_script_are_taken(text: str) -> None:
    assert read(WHATSAPP | {"name": text, "user_id": text}).name == text


def test_half_a_surrogate_pair_is_refused_wherever_it_stands() -> None:
    for field in ("user_id", "name"):
        with pytest.raises(ValidationError):
            CreateInstanceBody.model_validate(WHATSAPP | {field: "a\ud800"})
    with pytest.raises(ValidationError):
        SendMessageBody.model_validate({"to": "1", "message": "a\ud800"})


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://example.com/hook", True),
        ("http://127.0.0.1:8080", True),
        ("ftp://example.com", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https://me:secret@example.com", False),
        ("https://example.com/" + "x" * 2048, False),
        ("http://[::1", False),
    ],
)
def test_a_webhook_is_an_http_url_without_credentials(url: str, fits: bool) -> None:
    body = WHATSAPP | {"api_webhook_schema": {"url": url}}
    if fits:
        assert read(body).api_webhook_schema is not None
    else:
        assert set(problems_of(body)) == {"api_webhook_schema.url"}


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"": "x"}, {"a": "x\r\nb: c"}, {"a:": "x"}, {"a": "x\0"}])
def test_webhook_headers_cannot_smuggle_other_headers(headers: dict[str, str]) -> None:
    body = WHATSAPP | {"api_webhook_schema": {"url": "https://x.example", "headers": headers}}
    assert set(problems_of(body)) == {"api_webhook_schema.headers"}


def test_secrets_do_not_show_in_what_was_read() -> None:
    assert TOKEN not in repr(read(TELEGRAM))
    assert "hunter2" not in repr(read(WHATSAPP | {"proxy": "http://u:hunter2@p:1"}))


def test_a_message_may_be_long_but_telegram_takes_4096_characters() -> None:
    assert SendMessageBody(to=-100123, message="x" * 65_536).to == "-100123"  # type: ignore[arg-type]
    assert TelegramSendBody.model_validate({"chatId": 1, "message": "x" * 4096}).chat_id == "1"
    assert WhatsAppSendBody.model_validate({"number": "49170", "message": "x", "mediaType": "text"}).number == "49170"
    with pytest.raises(ValidationError):
        TelegramSendBody.model_validate({"chatId": 1, "message": "x" * 4097})
    with pytest.raises(ValidationError):
        WhatsAppSendBody.model_validate({"number": "49170", "message": "x", "mediaType": "image"})


# ------------------------------------------------------------------------------------------------- the view

FIELDS = {
    "id",
    "instance_id",
    "user_id",
    "company_id",
    "name",
    "provider",
    "type_instance",
    "status",
    "auth_status",
    "is_ready_for_messages",
    "account",
    "phone_number",
    "whatsapp_state",
    "port_api",
    "port_mcp",
    "port",
    "ports",
    "worker",
    "epoch",
    "api_webhook_schema",
    "message_stats",
    "reason",
    "restriction",
    "observed_at",
    "created_at",
    "updated_at",
    "last_seen",
    "memory_status",
    "token_hint",
}


def record(status: Status = Status.CLIENT_READY, **more: Any) -> InstanceRecord:
    plain: dict[str, Any] = {
        "id": "5f0c1d3e-0000-4000-8000-000000000042",
        "user_id": "u",
        "provider": "telegram",
        "type_instance": ("api", "mcp"),
        "desired": "running",
        "status": status,
        "reason": default_reason(status, NOW),
        "ports": Ports(api=3001, mcp=3002),
        "api_key_sha256": "c0ffee" * 10,
        "secrets": ("token", "webhook_headers"),
        "token_hint": "Dsaw",
        "webhook": Webhook(url="https://example.com"),
        "account": Account(id="42", username="bot", phone_number="+49170"),
        **dict.fromkeys(("created_at", "updated_at"), NOW),
        **dict.fromkeys(("event_seq", "instance_seq"), 1),
    }
    return InstanceRecord(**plain | more)


def test_an_instance_has_the_fields_of_the_contract() -> None:
    view = view_of(record())
    assert set(view) >= FIELDS
    assert view["id"] == view["instance_id"]
    assert view["user_id"] == view["company_id"]
    assert (view["port"], view["port_api"], view["port_mcp"]) == (3001, 3001, 3002)
    assert view["ports"] == {"api": 3001, "mcp": 3002}
    assert view["api_webhook_schema"]["filters"] == {"allowGroups": True, "allowPrivate": True, "events": []}
    json.dumps(view)


def test_no_secret_nor_where_it_lies_is_in_the_view() -> None:
    text = json.dumps(view_of(record()))
    assert "c0ffee" not in text
    assert "api_key" not in text
    assert "webhook_headers" not in text
    assert "secrets" not in view_of(record())


@pytest.mark.parametrize(
    ("status", "auth", "ready", "memory", "whatsapp"),
    [
        ("pending", "pending", False, "inactive", "UNLAUNCHED"),
        ("starting", "pending", False, "active", "OPENING"),
        ("qr_ready", "qr_ready", False, "active", "UNPAIRED"),
        ("action_required", "pending", False, "active", "PAIRING"),
        ("authenticated", "authenticated", False, "active", "OPENING"),
        ("client_ready", "authenticated", True, "active", "CONNECTED"),
        ("reconnecting", "authenticated", False, "active", "TIMEOUT"),
        ("logged_out", "disconnected", False, "inactive", "UNPAIRED"),
        ("stopped", "pending", False, "inactive", "UNLAUNCHED"),
        ("error", "failed", False, "inactive", "UNLAUNCHED"),
    ],
)
def test_what_follows_from_the_status_follows(status: str, auth: str, ready: bool, memory: str, whatsapp: str) -> None:
    view = view_of(record(Status(status), provider="whatsappweb"))
    assert (view["status"], view["auth_status"], view["is_ready_for_messages"]) == (status, auth, ready)
    assert (view["memory_status"], view["whatsapp_state"]) == (memory, whatsapp)
    assert view_of(record(Status(status)))["whatsapp_state"] is None


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        (None, None),
        (Account(id="42"), "42"),
        (Account(id="42", first_name="Имя"), "Имя"),
        (Account(id="42", first_name="Имя", username="bot"), "bot"),
    ],
)
def test_an_account_is_shown_by_the_name_people_know(account: Account | None, shown: str | None) -> None:
    assert view_of(record(account=account))["account"] == shown

"""Programs of the owner's that command and watch over NATS, in plain nats-py."""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from nats.js import api
from tests.e2e import validation

if TYPE_CHECKING:
    from nats.aio.client import Client
    from tests.e2e.conftest import System

TOKEN = "777777777:AAEbusbusbusbusbusbusbusbusbusbus77"
OTHER_TOKEN = "888888888:AAEotherotherotherotherotherothe88"


async def outcome_of(client: Client, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    """Publish a command durably and wait for its outcome."""
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox, max_msgs=1)
    await client.flush()
    await client.jetstream().publish(subject, json.dumps(body).encode(), headers={"Mim-Reply-To": inbox})
    outcome = (await replies.next_msg(timeout=10)).data
    assert not validation.BUS.problems("mim.reply.outcome", {}, outcome)
    return dict(json.loads(outcome))


async def test_a_service_commands_and_a_subscriber_sees_every_status_once_and_in_order(system: System) -> None:
    client = await system.bus()
    instance_id = str(uuid4())
    seen: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def watch(msg: Any) -> None:
        event = json.loads(msg.data)
        if event["subject"] == instance_id:
            seen.put_nowait((msg.subject, event))

    await client.subscribe("mim.evt.instance.*.*", cb=watch)
    await client.flush()
    create = {
        "instance_id": instance_id,
        "user_id": "robot",
        "provider": "telegram",
        "token": TOKEN,
        "actor": "billing",
    }
    made = await outcome_of(client, "mim.cmd.instance.create", create)
    assert made["ok"] is True
    again = await outcome_of(client, "mim.cmd.instance.create", create)
    assert again["ok"] is True  # a repeat is harmless
    names = []
    async with asyncio.timeout(20):
        while not names or names[-1] != "client_ready":
            subject, event = await seen.get()
            names.append(subject.rpartition(".")[2])
            assert event["specversion"] == "1.0"
            assert event["type"] == f"mim.instance.{names[-1]}.v1"
            assert event["data"]["instance_id"] == instance_id
            assert TOKEN not in json.dumps(event)
    assert names == ["created", "allocated", "starting", "authenticated", "client_ready"]

    stopped = await outcome_of(client, f"mim.cmd.instance.{instance_id}.stop", {})
    assert stopped["ok"] is True
    await system.until(instance_id, "stopped")
    deleted = await outcome_of(client, f"mim.cmd.instance.{instance_id}.delete", {"actor": "billing"})
    assert deleted["ok"] is True
    missing = await outcome_of(client, f"mim.cmd.instance.{instance_id}.start", {})
    assert (missing["ok"], missing["code"]) == (False, "NOT_FOUND")

    # Who joins late replays the same from the stream.
    replayed = []
    js = client.jetstream()
    late = await js.subscribe(
        f"mim.evt.instance.{instance_id}.*",
        ordered_consumer=True,
        config=api.ConsumerConfig(deliver_policy=api.DeliverPolicy.ALL),
    )
    while not replayed or replayed[-1] != "deleted":
        replayed.append((await late.next_msg(timeout=5)).subject.rpartition(".")[2])
    assert replayed == [*names, "updated", "stopped", "deleted"]
    await client.close()


async def test_a_message_is_sent_by_command_once(system: System) -> None:
    made = await system.ready_telegram()
    client = await system.bus()
    sent = await client.subscribe(f"mim.evt.message.{made['instance_id']}.*")
    await client.flush()
    chat = "998877"
    body = {
        "id": "order-4711",
        "instance_id": made["instance_id"],
        "provider": "telegram",
        "to": chat,
        "text": "your order is on its way",
        "expires_at": "2099-01-01T00:00:00Z",
    }
    subject = f"mim.cmd.message.telegram.{made['instance_id']}"
    for _ in range(3):
        await client.jetstream().publish(
            subject, json.dumps(body).encode(), headers={"Nats-Msg-Id": f"{made['instance_id']}/order-4711"}
        )
    event = json.loads((await sent.next_msg(timeout=10)).data)
    assert event["type"] == "mim.message.sent.v1"
    assert event["data"]["id"] == "order-4711"
    second = body | {"id": "order-4712", "text": "second"}
    await client.jetstream().publish(subject, json.dumps(second).encode())
    assert json.loads((await sent.next_msg(timeout=10)).data)["data"]["id"] == "order-4712"
    inbox = (await system.control("telegram", "inbox", chat=chat))["messages"]
    assert [item["text"] for item in inbox] == ["your order is on its way", "second"]
    await client.close()


async def test_an_instance_is_updated_by_command(system: System) -> None:
    made = await system.ready_telegram(name="before", api_webhook_schema={"url": "https://example.com/a"})
    instance_id = made["instance_id"]
    client = await system.bus()
    heard = await client.subscribe(f"mim.evt.instance.{instance_id}.*")
    await client.flush()
    update = f"mim.cmd.instance.{instance_id}.update"

    hook = {"url": "https://example.com/b", "filters": {"allowGroups": False}}
    outcome = await outcome_of(client, update, {"name": "Стойка 1", "webhook": hook, "actor": "billing"})
    assert (outcome["ok"], outcome["status"]) == (True, "client_ready")
    now = await shown_with(system, instance_id, name="Стойка 1")
    assert now["api_webhook_schema"]["url"] == hook["url"]
    assert now["api_webhook_schema"]["filters"] == {"allowGroups": False, "allowPrivate": True, "events": []}

    assert (await outcome_of(client, update, {"removed": ["name", "webhook"]}))["ok"]
    await shown_with(system, instance_id, name=None, api_webhook_schema=None)

    assert (await outcome_of(client, update, {"rotate_api_key": True}))["ok"]
    _, shown = await system.call("GET", f"/api/v1/instances/{instance_id}/credentials")
    for key, expected in ((made["api_key"], 401), (shown["api_key"], 200)):
        async with asyncio.timeout(5):  # its worker hears of it in a moment
            while (await system.port_call(made["port"], "GET", "/api/v1/status", key=key))[0] != expected:
                pass
    assert (await outcome_of(client, update, {"clear_errors": True}))["ok"]
    assert (await outcome_of(client, update, {}))["ok"]

    assert (await outcome_of(client, update, {"token": OTHER_TOKEN, "token_hint": OTHER_TOKEN[-4:]}))["ok"]
    seen = b""
    async with asyncio.timeout(20):
        while b"mim.instance.client_ready.v1" not in seen:
            seen += (await heard.next_msg(timeout=20)).data
    await shown_with(system, instance_id, token_hint=OTHER_TOKEN[-4:])
    assert OTHER_TOKEN.encode() not in seen
    assert shown["api_key"].encode() not in seen

    refused = await outcome_of(client, f"mim.cmd.instance.{uuid4()}.update", {"name": "nobody"})
    assert (refused["ok"], refused["code"]) == (False, "NOT_FOUND")
    phone = await system.create("whatsappweb", start=False)
    refused = await outcome_of(client, f"mim.cmd.instance.{phone['instance_id']}.update", {"token": OTHER_TOKEN})
    assert (refused["ok"], refused["code"]) == (False, "NOT_SUPPORTED")
    await client.close()


async def shown_with(system: System, instance_id: str, **wanted: Any) -> dict[str, Any]:
    """The instance as REST shows it, as soon as it has these values."""
    async with asyncio.timeout(20), system.events(f"?instance_id={instance_id}&last_event_id=0") as events:
        while True:
            now = await system.get(instance_id)
            if all(now[name] == value for name, value in wanted.items()):
                return now
            await anext(events)


async def test_log_lines_activity_and_audit_are_there_to_be_read(system: System) -> None:
    made = await system.ready_telegram()
    instance_id = made["instance_id"]
    client = await system.bus()
    await system.port_call(made["port"], "GET", "/api/v1/status", key=made["api_key"])
    await outcome_of(client, f"mim.cmd.instance.{instance_id}.stop", {"actor": "night shift"})

    activity = await replay(client, f"mim.evt.activity.{instance_id}.reported", "EVENTS")
    report = json.loads((await activity.next_msg(timeout=10)).data)["data"]
    assert (report["api_calls"], report["instance_id"]) == (1, instance_id)
    assert report["api_key_sha256"] == hashlib.sha256(made["api_key"].encode()).hexdigest()

    audit = await replay(client, f"mim.evt.audit.{instance_id}.*", "EVENTS")
    told = [json.loads((await audit.next_msg(timeout=10)).data)["data"] for _ in range(2)]
    assert [(item["action"], item["actor"], item["ok"]) for item in told] == [
        ("create", "local", True),
        ("stop", "night shift", True),
    ]
    assert [item["origin"].split()[0] for item in told] == ["rest", "nats"]

    lines = await replay(client, f"mim.log.{instance_id}", "LOGS")
    async with asyncio.timeout(20):
        while "client_ready" not in (line := json.loads((await lines.next_msg(timeout=20)).data))["message"]:
            assert set(line) == {"timestamp", "level", "message", "source"}
    assert (line["level"], line["source"]) == ("info", "telegram-adapter")
    await client.close()


async def replay(client: Client, subject: str, stream: str) -> Any:
    config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.ALL)
    return await client.jetstream().subscribe(subject, stream=stream, ordered_consumer=True, config=config)


async def test_the_read_model_can_be_watched(system: System) -> None:
    made = await system.ready_telegram()
    client = await system.bus()
    watcher = await (await client.jetstream().key_value("instances")).watch(made["instance_id"])
    first = await watcher.updates(timeout=5)
    record = json.loads(first.value)
    assert (record["status"], record["user_id"]) == ("client_ready", "test")
    assert made["api_key"] not in first.value.decode()
    assert await watcher.updates(timeout=5) is None
    await outcome_of(client, f"mim.cmd.instance.{made['instance_id']}.delete", {})
    async with asyncio.timeout(20):
        while (entry := await watcher.updates(timeout=20)).value:
            record = json.loads(entry.value)
    assert record["status"] == "deleted"
    await client.close()


MARK = "Mark"
SECRET = "hunter2-hunter2-hunter2"
CREATE = "mim.cmd.instance.create"


@dataclass(frozen=True)
class Letter:
    """A message that cannot be handled, and what its dead letter says."""

    subject: str
    payload: bytes
    reason: str
    code: str = "INVALID_MESSAGE"
    reply_to: str | None = None


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "case",
    [
        Letter(CREATE, b'not json, "token": "%s"' % TOKEN.encode(), "JSON"),
        Letter(CREATE, b'{"user_id": "x", "token": "%s' % TOKEN.encode(), "JSON"),
        Letter(CREATE, b"\xff\xfe", "JSON"),
        Letter(CREATE, b"[]", "object"),
        Letter(CREATE, _json(user_id="x", provider="icq", token=TOKEN, webhook={"headers": {"a": SECRET}}), "provider"),
        Letter(CREATE, _json(instance_id="A B", user_id="x", provider="telegram", proxy=SECRET), "instance_id"),
        Letter(f"mim.cmd.instance.{uuid4()}.dance", b"{}", "verb"),
        Letter(f"mim.cmd.instance.{uuid4()}.stop", b"7", "object"),
        Letter(f"mim.cmd.instance.{uuid4()}.update", _json(removed=["token"], token=TOKEN), "removed"),
        Letter("mim.cmd.instance.NOT-AN-ID.stop", b'{"actor": 7}', "instance_id"),
        Letter(f"mim.cmd.instance.{uuid4()}.stop", b"{}", "reply subject", "INVALID_ID", reply_to="mim.cmd.instance.x"),
    ],
    ids=lambda case: case.subject.rpartition(".")[2] + " " + case.reason,
)
async def test_a_command_that_cannot_be_handled_is_a_dead_letter_without_secrets(system: System, case: Letter) -> None:
    client = await system.bus()
    parked = await client.subscribe("mim.dlq.lifecycle")
    await client.flush()
    mark = str(uuid4())
    headers = {MARK: mark} | ({"Mim-Reply-To": case.reply_to} if case.reply_to else {})
    await client.jetstream().publish(case.subject, case.payload, headers=headers)
    letter = await letter_of(parked, mark)
    assert (letter["subject"], letter["service"], letter["code"]) == (case.subject, "lifecycle", case.code)
    assert case.reason in letter["reason"]
    whole = base64.b64decode(letter["payload"])
    for secret in (TOKEN, SECRET):
        assert secret not in json.dumps(letter)
        assert secret.encode() not in whole
    async with asyncio.timeout(20):
        while (await client.jetstream().stream_info("COMMANDS")).state.messages:
            pass
    assert await letter_of(await replay(client, "mim.dlq.lifecycle", "DEAD"), mark) == letter
    await client.close()


async def letter_of(letters: Any, mark: str) -> dict[str, Any]:
    """The dead letter of a message with this mark."""
    async with asyncio.timeout(20):
        while True:
            letter = json.loads((await letters.next_msg(timeout=20)).data)
            if letter["headers"].get(MARK) == mark:
                return dict(letter)


async def test_a_message_that_cannot_be_read_is_a_dead_letter_and_holds_up_no_other(system: System) -> None:
    made = await system.ready_telegram()
    client = await system.bus()
    parked = await client.subscribe("mim.dlq.telegram-adapter")
    sent = await client.subscribe(f"mim.evt.message.{made['instance_id']}.sent")
    await client.flush()
    subject = f"mim.cmd.message.telegram.{made['instance_id']}"
    for payload, reason in ((b'{"id": "x"}', "instance_id"), (b"not json", "JSON"), (b"", "JSON")):
        mark = str(uuid4())
        await client.jetstream().publish(subject, payload, headers={MARK: mark})
        letter = await letter_of(parked, mark)
        assert reason in letter["reason"]
        assert letter["code"] == "INVALID_MESSAGE"
    good = {"id": "after-all", "instance_id": made["instance_id"], "provider": "telegram", "to": "4", "text": "hi"}
    await client.jetstream().publish(subject, json.dumps(good | {"expires_at": "2099-01-01T00:00:00Z"}).encode())
    assert json.loads((await sent.next_msg(timeout=10)).data)["data"]["id"] == "after-all"
    await client.close()


async def test_a_refused_command_is_told_in_outcome_and_audit_and_is_no_dead_letter(system: System) -> None:
    client = await system.bus()
    nobody = str(uuid4())
    mark = len(await letters_about(client, nobody))
    outcome = await outcome_of(client, f"mim.cmd.instance.{nobody}.start", {"actor": "billing"})
    assert (outcome["ok"], outcome["code"]) == (False, "NOT_FOUND")
    audit = await replay(client, f"mim.evt.audit.{nobody}.start", "EVENTS")
    told = json.loads((await audit.next_msg(timeout=10)).data)["data"]
    assert (told["actor"], told["ok"], told["code"]) == ("billing", False, "NOT_FOUND")
    assert len(await letters_about(client, nobody)) == mark == 0
    await client.close()


async def letters_about(client: Client, instance_id: str) -> list[bytes]:
    """All dead letters that name an instance."""
    js = client.jetstream()
    state = (await js.stream_info("DEAD")).state
    found = [(await js.get_msg("DEAD", seq)).data or b"" for seq in range(state.first_seq, state.last_seq + 1)]
    return [letter for letter in found if instance_id.encode() in letter]


GUIDE = Path(__file__).resolve().parents[2] / "docs" / "bus.md"


async def test_the_programs_of_the_guide_work(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """Each goes on with what those before it made; those that watch are ended when they have printed something."""
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 11
    shown = (await system.create("whatsappweb", start=False))["instance_id"]
    known: dict[str, Any] = {"bot_token": "135791357:AAEguideguideguideguideguideguide7"}
    for block in blocks:
        source = block.replace("…/nats", str(system.folder / "nats"))
        running = asyncio.ensure_future(eval(compile(source, "bus.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), known))
        said = ""
        async with asyncio.timeout(20):
            while not running.done() and not said:
                # Something has to happen for those that hear only what comes.
                await system.call("PATCH", f"/api/v1/instances/{shown}", {"name": str(uuid4())})
                said += capsys.readouterr().out
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled() or running.exception() is None, source
        assert said or capsys.readouterr().out or "client = await" in source, source
    await known["client"].close()

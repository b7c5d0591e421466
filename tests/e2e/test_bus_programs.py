"""Programs of the owner's that command and watch over NATS, in plain nats-py."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from nats.js import api

if TYPE_CHECKING:
    from conftest import System
    from nats.aio.client import Client

TOKEN = "777777777:AAEbusbusbusbusbusbusbusbusbusbus77"


async def outcome_of(client: Client, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    """Publish a command durably and wait for its outcome."""
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox, max_msgs=1)
    await client.flush()
    await client.jetstream().publish(subject, json.dumps(body).encode(), headers={"Mim-Reply-To": inbox})
    return dict(json.loads((await replies.next_msg(timeout=10)).data))


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


async def test_what_cannot_be_done_is_parked_whole_with_the_reason_and_without_secrets(system: System) -> None:
    client = await system.bus()
    parked = await client.subscribe("mim.dlq.>")
    await client.flush()
    js = client.jetstream()
    cases = {
        b"not json": "mim.cmd.instance.create",
        json.dumps({"user_id": "x", "provider": "icq", "token": TOKEN}).encode(): "mim.cmd.instance.create",
        b"{}": f"mim.cmd.instance.{uuid4()}.dance",
        b'{"actor": 7}': "mim.cmd.instance.NOT-AN-ID.stop",
    }
    for payload, subject in cases.items():
        await js.publish(subject, payload)
        letter = json.loads((await parked.next_msg(timeout=10)).data)
        assert letter["subject"] == subject
        assert letter["reason"]
        assert letter["code"] == "INVALID_MESSAGE"
        whole = base64.b64decode(letter["payload"])
        assert TOKEN.encode() not in whole
        assert b"icq" not in payload or b"icq" in whole
    made = await system.ready_telegram()
    await js.publish(f"mim.cmd.message.telegram.{made['instance_id']}", b'{"id": "x"}')
    letter = json.loads((await parked.next_msg(timeout=10)).data)
    assert "text" in letter["reason"]
    await client.close()

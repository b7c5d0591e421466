"""A person's Telegram account through the whole system: logged in step by step, used, restarted, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.conftest import System

Json = dict[str, Any]
OWN, BOB = "+15559990001", "+15559990002"
ACCOUNT = {"user_id": "test", "provider": "telegram", "login": "user", "type_instance": ["api"]}


async def answer(system: System, instance_id: str, **fields: str) -> tuple[int, Json]:
    status, said = await system.call("POST", f"/api/v1/instances/{instance_id}/login", fields)
    return status, said


async def test_an_account_logs_in_step_by_step_sends_hears_and_survives_a_restart(system: System) -> None:
    await system.control("mtproto", "person", phone=OWN, name="Own", username="own_e2e", password="correct horse")
    await system.control("mtproto", "person", phone=BOB, name="Bob", username="bob_e2e")
    status, made = await system.call("POST", "/api/v1/instances", ACCOUNT)
    assert status == 201, made
    instance_id = made["instance_id"]
    assert made["instance"]["login"] == "user"
    await system.until(instance_id, "qr_ready")
    _, qr = await system.call("GET", f"/api/v1/instances/{instance_id}/qr")
    assert qr["code"].startswith("tg://login?token=")

    status, said = await answer(system, instance_id, phone_number="+1 555 999 0001")
    assert (status, said["login_step"]["type"]) == (200, "input_code")
    status, said = await answer(system, instance_id, code="00000")
    assert (status, said["code"]) == (422, "INVALID_FIELDS"), said
    assert "PHONE_CODE_INVALID" in said["error"]
    code = (await system.control("mtproto", "code", phone=OWN))["code"]
    status, said = await answer(system, instance_id, code=code)
    assert (status, said["login_step"]["type"]) == (200, "input_password"), said
    assert said["status"] == "action_required"
    shown = await system.get(instance_id)
    assert (shown["reason"]["code"], shown["reason"]["user_action"]) == ("PASSWORD_REQUIRED", "enter_password")
    status, said = await answer(system, instance_id, password="correct horse")
    assert status == 200, said
    now = await system.until(instance_id, "client_ready")
    assert (now["account"], now["phone_number"]) == ("own_e2e", OWN.removeprefix("+"))
    _, said = await system.call("GET", f"/api/v1/instances/{instance_id}/login")
    assert said["login_step"]["type"] == "done"

    body = {"to": "@bob_e2e", "text": "hello, Bob"}
    status, sent = await system.call("POST", f"/api/v1/instances/{instance_id}/messages", body)
    assert status == 200, sent
    inbox = (await system.control("mtproto", "inbox", phone=BOB))["messages"]
    assert [message["text"] for message in inbox] == ["hello, Bob"]
    async with system.events(f"?instance_id={instance_id}&types=message.received") as events:
        await system.control("mtproto", "say", sender=BOB, to=OWN, text="hello back")
        _, _, event = await anext(events)
    assert event["data"]["message"]["body"] == "hello back"

    await system.call("POST", f"/api/v1/instances/{instance_id}/restart")
    async with system.events(f"?instance_id={instance_id}&last_event_id=0&types=client_ready") as events:
        while (await anext(events))[2]["data"]["epoch"] < 2:
            pass
    status, sent = await system.call("POST", f"/api/v1/instances/{instance_id}/messages", body | {"text": "again"})
    assert status == 200, sent
    logins = await system.control("mtproto", "devices", phone=OWN)
    assert len(logins["devices"]) == 1

    await system.call("DELETE", f"/api/v1/instances/{instance_id}")
    await system.says("instance_released", instance_id)
    assert (await system.control("mtproto", "devices", phone=OWN))["devices"] == []


async def test_what_is_asked_for_and_what_is_not(system: System) -> None:
    status, said = await system.call("POST", "/api/v1/instances", ACCOUNT | {"token": "123456789:" + "A" * 35})
    assert (status, [each["field"] for each in said["details"]]) == (422, ["token"])
    body = {"user_id": "test", "provider": "whatsappweb", "login": "user", "type_instance": ["api"]}
    status, said = await system.call("POST", "/api/v1/instances", body)
    assert (status, [each["field"] for each in said["details"]]) == (422, ["login"])
    _, made = await system.call("POST", "/api/v1/instances", ACCOUNT)
    await system.until(made["instance_id"], "qr_ready")
    status, said = await answer(system, made["instance_id"], code="12345")
    assert (status, [each["field"] for each in said["details"]]) == (422, ["phone_number"])
    bot = await system.create("telegram")
    status, said = await system.call(
        "POST", f"/api/v1/instances/{bot['instance_id']}/messages", {"to": "1", "kind": "read", "target": {"id": "1"}}
    )
    assert (status, said["code"]) == (422, "NOT_SUPPORTED")

"""The commands that talk to a running system, as a person types them."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import StartSystem, System

NEW_TOKEN = "123123123:AAEnewnewnewnewnewnewnewnewnewnew77"


async def lines_of(process: asyncio.subprocess.Process, wanted: str) -> str:
    """What a command prints up to a line that holds `wanted`."""
    assert process.stdout is not None
    seen = ""
    async with asyncio.timeout(30):
        while wanted not in seen:
            line = await process.stdout.readline()
            assert line, seen
            seen += line.decode()
    return seen


async def test_access_tokens_are_made_used_and_revoked(
    own_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIM_ADMIN_TOKEN", "the-admin-token-of-this-test")
    system = await own_system()
    assert "no access tokens yet" in await system.cli("tokens", "ls")
    told = await system.cli(
        "tokens", "create", "--name", "watcher", "--role", "viewer", "--user", "anna", "--days", "7"
    )
    found = re.search(r"^mimt_[\w-]{43}$", told, re.MULTILINE)
    assert found is not None, told
    token = found[0]
    assert "MIM_TOKEN" in told
    token_id = re.search(r"mim tokens revoke (\w+)", told)
    assert token_id is not None
    listed = await system.cli("tokens", "ls")
    assert all(word in listed for word in (token_id[1], "watcher", "viewer", "anna"))
    assert token not in listed
    made = await system.cli("instances", "create", "whatsappweb", "--user", "bert")
    foreign = re.search(r'"instance_id": "([\w-]+)"', made)
    assert foreign is not None

    monkeypatch.setenv("MIM_TOKEN", token)  # goes before the admin token
    assert "no instances yet" in await system.cli("instances", "ls")
    assert "there is no instance" in await system.cli("history", foreign[1], code=1)
    assert "role" in await system.cli("instances", "create", "whatsappweb", "--user", "anna", code=1)
    assert "whole system" in await system.cli("tokens", "ls", code=1)
    monkeypatch.delenv("MIM_TOKEN")
    assert "revoked" in await system.cli("tokens", "revoke", token_id[1])
    monkeypatch.setenv("MIM_TOKEN", token)
    assert "not valid" in await system.cli("instances", "ls", code=1)
    monkeypatch.delenv("MIM_TOKEN")
    assert "no access token" in await system.cli("tokens", "revoke", token_id[1], code=1)
    audit = await system.cli("audit")
    assert "create_token" in audit
    assert "revoke_token" in audit
    assert token not in audit + system.output
    monkeypatch.setenv("MIM_ADMIN_TOKEN", "")
    assert "access token" in await system.cli("instances", "ls", code=1)


async def test_a_role_that_does_not_exist_is_refused_before_anything_is_sent(system: System) -> None:
    assert "viewer" in await system.cli("tokens", "create", "--name", "x", "--role", "king", code=2)


async def test_credentials_are_shown_and_rotated(system: System) -> None:
    made = await system.ready_telegram()
    instance_id = made["instance_id"]
    shown = await system.cli("credentials", instance_id)
    assert made["api_key"] in shown
    assert str(made["port"]) in shown
    rotated = re.search(r'"api_key": "(mim_[\w-]+)"', await system.cli("rotate-key", instance_id))
    assert rotated is not None
    assert rotated[1] != made["api_key"]
    assert rotated[1] in await system.cli("credentials", instance_id)
    for key, expected in ((made["api_key"], 401), (rotated[1], 200)):
        status, _ = await system.port_call(made["port"], "GET", "/api/v1/status", key=key)
        assert status == expected
    audit = await system.cli("audit", "--instance", instance_id, "--hours", "1")
    assert all(word in audit for word in ("credentials", "rotate_api_key", "create"))
    assert rotated[1] not in audit


async def test_history_and_log_lines_are_told(system: System) -> None:
    made = await system.ready_telegram()
    history = await system.cli("history", made["instance_id"][:13])
    order = [history.index(status) for status in ("client_ready", "authenticated", "starting", "pending")]
    assert order == sorted(order)  # newest first
    follower = await system.cli_process("logs", made["instance_id"], "--follow", "--tail", "1000")
    seen = await lines_of(follower, "client_ready")
    assert "telegram-adapter" in seen
    assert "stopped" not in seen
    await system.cli("instances", "stop", made["instance_id"])
    assert "info" in await lines_of(follower, "stopped")
    follower.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(follower.wait(), 10) == 0
    lines = (await system.cli("logs", made["instance_id"], "--tail", "2")).strip().splitlines()
    assert len(lines) == 2 + sum("SANDBOX" in line for line in lines)
    assert "info" not in await system.cli("logs", made["instance_id"], "--level", "critical")
    assert "level" in await system.cli("logs", made["instance_id"], "--level", "loud", code=1)


async def test_a_login_by_phone_number_is_answered_with_a_code(system: System) -> None:
    made = await system.create("whatsappweb")
    await system.until(made["instance_id"], "qr_ready")
    step = await system.cli("login", made["instance_id"])
    assert "mim qr" in step
    assert "--phone NUMBER" in step
    answered = await system.cli("login", made["instance_id"], "--phone", "15551113101")
    code = re.search(r"^([A-Z0-9]{4}-?[A-Z0-9]{4})$", answered, re.MULTILINE)
    assert code is not None, answered
    await system.cli("sandbox", "code", code[1], "--phone", "15551113101")
    await system.until(made["instance_id"], "client_ready")
    assert "client_ready" in await system.cli("login", made["instance_id"])
    assert "nothing can be entered" in await system.cli("login", made["instance_id"], "--phone", "15551113101", code=1)


async def test_a_bot_whose_token_was_revoked_gets_a_new_one(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await system.ready_telegram()
    path = f"/api/v1/multi-provider/instances/telegram/{made['instance_id']}/status"
    _, status = await system.call("GET", path)
    await system.control("telegram", "revoke", bot=int(status["info"]["account"]["id"]))
    await system.until(made["instance_id"], "logged_out", "action_required", "error")
    assert "--token" in await system.cli("login", made["instance_id"])
    monkeypatch.setenv("MIM_BOT_TOKEN", "no token at all")
    refused = await system.cli("login", made["instance_id"], "--token", code=1)
    assert "BotFather" in refused
    monkeypatch.setenv("MIM_BOT_TOKEN", NEW_TOKEN)
    told = await system.cli("login", made["instance_id"], "--token")
    assert NEW_TOKEN not in told
    await system.until(made["instance_id"], "client_ready")

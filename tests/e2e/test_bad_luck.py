"""What goes wrong by itself: the system says so, loses nothing and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors
import pytest
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from tests.e2e.conftest import StartSystem

from tests.conftest import NatsServer
from tests.e2e.conftest import BOT_TOKEN, System

from mim.cli import stores
from mim.contracts import subjects
from mim.runtime.settings import Settings

SERVICES = ("gateway", "lifecycle", "allocator", "telegram-adapter", "webhooks", "whatsapp-adapter")


@pytest.mark.parametrize("service", [*SERVICES, "nats-server"])
async def test_a_service_killed_in_the_middle_of_creates_loses_nothing(own_system: StartSystem, service: str) -> None:
    system = await own_system()
    client = await system.bus()
    wanted = []
    for number in range(6):
        instance_id = f"00000000-0000-4000-8000-00000000000{number}"
        token = f"90000000{number}:AAEabcdefghijklmnopqrstuvwxyz0123456"
        provider = "telegram" if number % 2 else "whatsappweb"
        body = {"instance_id": instance_id, "user_id": "u", "provider": provider, "token": token}
        await _accepted(client, "mim.cmd.instance.create", json.dumps(body).encode(), instance_id)
        wanted.append((instance_id, "client_ready" if number % 2 else "qr_ready"))
        if number == 2:
            system.kill(service)
    await client.close()
    seen = []
    async with asyncio.timeout(60):
        for instance_id, status in wanted:
            now = await _until(system, instance_id, status)
            seen.append(now["port"])
    assert len(set(seen)) == 6  # no port twice
    status, _ = await system.call("GET", "/health")
    assert status in (200, 503)  # the restarted one may still be loading
    _, listed = await system.call("GET", "/api/v1/instances")
    assert listed["total"] == 6


async def _accepted(client: Client, subject: str, payload: bytes, msg_id: str) -> None:
    """Publish until the stream acknowledges it; the same id makes the repeats one command."""
    while True:
        with suppress(nats.errors.Error, nats.js.errors.Error, OSError):
            await client.jetstream(timeout=1).publish(subject, payload, headers={"Nats-Msg-Id": msg_id})
            return
        await asyncio.to_thread(_a_moment)


async def _until(system: System, instance_id: str, status: str) -> dict[str, object]:
    """As `System.until`, but the gateway may be the one that was killed."""
    while True:
        with suppress(OSError, AssertionError, asyncio.IncompleteReadError):
            return await system.until(instance_id, status, timeout_s=50)
        await _answers(system)


async def _answers(system: System) -> None:
    """Return when the gateway accepts connections again."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", system.port)
            writer.close()
            return
        await asyncio.to_thread(_a_moment)


def _a_moment() -> None:
    """Wait for a hundredth of a second, as only polling a closed port can."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.listen()
        nobody.settimeout(0.01)
        with suppress(TimeoutError):
            nobody.accept()


async def test_everything_is_there_again_after_a_restart_and_no_qr_is_asked_for(own_system: StartSystem) -> None:
    system = await own_system()
    whatsapp, telegram = await system.ready_whatsapp("15551119001"), await system.ready_telegram()
    stopped = await system.create("whatsappweb", start=False)
    before = descendants_of(system)
    began = time.monotonic()
    assert await system.stop() == 0
    assert time.monotonic() - began < 5
    assert not [pid for pid in before if _alive(pid)]
    assert "bus_disconnected" not in system.output

    await system.start()
    for made in (whatsapp, telegram):
        now = await system.until(made["instance_id"], "client_ready", epoch=2)  # until it is told, it is as it was
        assert (now["port"], now["epoch"]) == (made["port"], 2)
    assert (await system.get(stopped["instance_id"]))["status"] == "stopped"
    body = {"number": "15552229001", "message": "again"}
    status, _ = await system.port_call(whatsapp["port"], "POST", "/api/v1/send", body, whatsapp["api_key"])
    assert status == 200
    qr_codes = 0
    async with asyncio.timeout(20), system.events(f"?instance_id={whatsapp['instance_id']}&last_event_id=0") as events:
        name, epoch = "", 0
        while (name, epoch) != ("client_ready", 2):
            _, name, event = await anext(events)
            epoch = event["data"]["epoch"]
            qr_codes += name == "qr_ready"
    assert qr_codes == 1


def descendants_of(system: System) -> list[int]:
    return [system.pid, *system.processes().values()]


def _alive(pid: int) -> bool:
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_all_ports_taken_is_a_503_that_says_what_to_do(own_system: StartSystem) -> None:
    system = await own_system(ports=40)
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", system.instance_ports[0]))
        foreign.listen()
        made = [await system.create("whatsappweb", start=False) for _ in range(39)]
        assert system.instance_ports[0] not in [item["port"] for item in made]
        assert f'"port": {system.instance_ports[0]}' in system.output  # the foreign one is reported
        body = {"user_id": "u", "provider": "whatsappweb", "type_instance": ["api"]}
        status, answer = await system.call("POST", "/api/v1/instances", body)
        assert (status, answer["code"]) == (503, "PORTS_EXHAUSTED")
        assert "--instance-ports" in answer["error"]
    _, listed = await system.call("GET", "/api/v1/instances?limit=100")
    assert listed["total"] == 39
    await system.call("DELETE", f"/api/v1/instances/{made[0]['instance_id']}")
    status, _ = await system.call("POST", "/api/v1/instances", body)
    assert status == 201


async def test_telegram_unreachable_is_reconnecting_and_heals_by_itself(own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_telegram()
    bot = int((await system.get(made["instance_id"]))["account"].split("_")[1])
    await system.control("telegram", "unreachable", bot=bot)
    now = await system.until(made["instance_id"], "reconnecting")
    assert now["reason"]["code"] == "MESSENGER_UNREACHABLE"
    assert now["reason"]["user_action"] == "wait"
    await system.control("telegram", "unreachable", bot=bot, on=False)
    await system.until(made["instance_id"], "client_ready")


async def test_the_bus_away_for_ten_seconds_is_a_503_and_what_was_accepted_is_done(
    own_system: StartSystem, tmp_path: Path
) -> None:
    nats = NatsServer(tmp_path / "nats")
    await nats.start()
    system = await own_system("--nats", nats.url)
    ready = await system.ready_telegram()
    body = {"user_id": "u", "provider": "whatsappweb", "type_instance": ["api"]}
    await nats.stop()
    began = time.monotonic()
    status, headers, raw = await system.raw("POST", "/api/v1/instances", body)
    assert (status, json.loads(raw)["code"]) == (503, "BUS_UNAVAILABLE")
    assert int(headers["Retry-After"]) > 0
    assert time.monotonic() - began < 5
    assert (await system.get(ready["instance_id"]))["id"] == ready["instance_id"]  # reading goes on from memory
    async with asyncio.timeout(12):
        with suppress(TimeoutError), socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            nobody.listen()
            nobody.settimeout(10 - (time.monotonic() - began))
            await asyncio.to_thread(nobody.accept)  # ten seconds without the bus
    await nats.start()
    async with asyncio.timeout(30):
        while True:
            status, answer = await system.call("POST", "/api/v1/instances", body)
            if status in (201, 202):
                break
            await asyncio.to_thread(_a_moment)
    await system.until(answer["instance_id"], "qr_ready")
    await system.until(ready["instance_id"], "client_ready")
    sent = {"chatId": "1", "message": "after"}
    async with asyncio.timeout(30):
        while True:  # the worker closed its session meanwhile, so that no other could hold it as well
            status, _ = await system.port_call(ready["port"], "POST", "/api/v1/telegram/send", sent, ready["api_key"])
            if status != 409:
                break
            await asyncio.to_thread(_a_moment)
    assert status == 200
    await system.stop()
    await nats.stop()


async def test_a_second_up_on_the_same_folder_says_who_holds_it(system: System) -> None:
    code, said = _up(system.folder, "--port", "29999")
    assert code == 1
    assert f"process {system.pid}" in said
    assert system.url in said


async def test_a_folder_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "version.json").write_text('{"layout": 999}')
    code, said = _up(tmp_path, "--port", "29998")
    assert code == 1
    assert "newer version" in said
    assert "--data-dir" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "version.json"]


async def test_a_listener_for_strangers_is_refused_without_credentials(tmp_path: Path) -> None:
    code, said = _up(tmp_path, "--host", "0.0.0.0")
    assert code == 1
    assert "MIM_ADMIN_TOKEN" in said


async def test_a_taken_gateway_port_and_bad_settings_are_said(system: System, tmp_path: Path) -> None:
    code, said = _up(tmp_path, "--port", str(system.port))
    assert code == 1
    assert f"port {system.port} is in use" in said
    code, said = _up(tmp_path, "--instance-ports", "40000-50000")
    assert code == 2
    assert "MIM_INSTANCE_PORTS" in said


async def test_a_bus_that_does_not_start_is_said(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = stores.find(settings, stores.vault_of(settings))
    (store.folder / "jetstream").write_text("no folder")
    code, said = await asyncio.to_thread(_up, tmp_path)
    assert code == 1
    assert said == f"mim up: nats-server did not start; {tmp_path / 'nats' / 'nats.log'} says why\n"


async def test_a_port_that_another_program_takes_while_the_system_starts_is_waited_for(tmp_path: Path) -> None:
    bus = NatsServer(tmp_path / "bus")
    system = System(tmp_path / "data", sandbox=False, env={"MIM_NATS_URL": bus.url})
    starting = asyncio.create_task(system.start())
    await _becomes_true((system.folder / "up.json").exists)  # it has found its port free
    other = web.AppRunner(web.Application(middlewares=[_answer_of_another_program]))
    await other.setup()
    try:
        await web.TCPSite(other, "127.0.0.1", system.port).start()
        await bus.start()
        said = f"cannot listen on port {system.port} of 127.0.0.1: Address already in use; choose another with MIM_PORT"
        await _becomes_true(lambda: said in system.output)
        await other.cleanup()
        await starting
        assert "Traceback" not in system.output
        assert (await system.call("GET", "/health"))[0] == 200
    finally:
        await other.cleanup()
        await system.close()
        await bus.stop()


async def _becomes_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.to_thread(_a_moment)


@web.middleware
async def _answer_of_another_program(_request: web.Request, _handler: object) -> web.Response:
    return web.json_response({"message": "no such page"}, status=404)


def _up(folder: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mim.cli", "up", "--data-dir", str(folder), *more],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"MIM_LOG_FORMAT": "json"},
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_the_supervisor_and_nats_killed_leave_nothing_behind(own_system: StartSystem) -> None:
    system = await own_system()
    await system.ready_whatsapp("15551119002")
    before = descendants_of(system)
    os.kill(system.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while any(_alive(pid) for pid in before):
            await asyncio.to_thread(_a_moment)


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A disk of 120 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        why = f"needs the right to mount a small disk: {mounted.stderr.decode().strip()}"
        (pytest.fail if "CI" in os.environ else pytest.skip)(why)
    return folder


async def test_a_full_disk_is_said_and_heals_when_there_is_room(own_system: StartSystem, small_disk: Path) -> None:
    try:
        system = await own_system(folder=small_disk / "data")
        made = await system.ready_telegram()
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 65_536)
                file.flush()
        body = {"user_id": "u", "provider": "whatsappweb", "type_instance": ["api"]}
        status, answer = await system.call("POST", "/api/v1/instances", body)
        assert (status, answer["code"]) == (503, "STORAGE_FULL")
        assert "free space" in answer["error"]
        before = system.kill("nats-server")  # one that starts now would remove the streams that are empty
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while system.processes().get("nats-server", before) == before:
                    await asyncio.to_thread(_a_moment)
        assert system.processes().get("nats-server", before) == before, "it was started on a full disk"
        filler.unlink()
        async with asyncio.timeout(60):
            while True:
                status, answer = await system.call("POST", "/api/v1/instances", body)
                if status == 201:
                    break
                await asyncio.to_thread(_a_moment)
        await system.until(answer["instance_id"], "qr_ready")
        await system.until(made["instance_id"], "client_ready")
        assert "stream_lost" not in system.output
        await system.stop()
    finally:
        subprocess.run(["umount", "-l", str(small_disk)], check=False)


async def test_consumers_that_somebody_deletes_are_made_again(own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_telegram()
    send = {"chat_id": "4711", "message": "before"}
    path = "/api/v1/telegram/send"
    assert (await system.port_call(made["port"], "POST", path, send, made["api_key"]))[0] == 200
    client = await system.bus()
    stream = client.jetstream(timeout=5)
    gone = []
    for name in (subjects.COMMANDS, subjects.OUTBOX, subjects.EVENTS):
        for consumer in await stream.consumers_info(name):
            gone.append((name, consumer.name))
            assert await stream.delete_consumer(name, consumer.name)
    assert len(gone) >= 5  # commands, the bot's outbox, message-store, webhooks, followers of the events
    await client.close()
    body = {"user_id": "u", "provider": "telegram", "type_instance": ["api"], "token": BOT_TOKEN.format(77)}
    status, other = await system.call("POST", "/api/v1/instances", body)
    assert status in (201, 202), other
    async with asyncio.timeout(30), system.events(f"?instance_id={other['instance_id']}&last_event_id=0") as events:
        while (await anext(events))[1] != "client_ready":
            pass
    status, sent = await system.port_call(made["port"], "POST", path, send | {"message": "after"}, made["api_key"])
    assert status == 200, sent
    inbox = await system.control("telegram", "inbox", chat=4711)
    assert [message["text"] for message in inbox["messages"]] == ["before", "after"]

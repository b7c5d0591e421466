"""The key that seals secrets is replaced while everything runs: nothing is lost, and the old key opens nothing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
import pytest
from nats.aio.client import Client
from nats.js import api
from nats.js.errors import KeyNotFoundError
from pydantic import SecretStr
from tests.e2e.conftest import descendants

from mim.cli import rotation, stores
from mim.cli.processes import NatsServer, Store
from mim.contracts import subjects
from mim.contracts.errors import Unavailable
from mim.runtime import bus as buses
from mim.runtime import streams
from mim.runtime.secrets import SecretsUnreadable, Vault, key_file, key_of, load_vault
from mim.runtime.settings import Settings

if TYPE_CHECKING:
    from tests.e2e.conftest import StartSystem, System

Json = dict[str, Any]


async def sealed_texts(system: System) -> dict[str, str]:
    """What is sealed in the bucket, by key."""
    client = await system.bus()
    bucket = await client.jetstream().key_value(subjects.SECRETS_BUCKET)
    # Not nats-py's `keys`, which ends before the first one now and then.
    held = (await client.jetstream().stream_info(f"KV_{subjects.SECRETS_BUCKET}", subjects_filter=">")).state.subjects
    found = {}
    for subject in held or {}:
        key = subject.removeprefix(f"$KV.{subjects.SECRETS_BUCKET}.")
        with suppress(KeyNotFoundError):  # it was removed
            found[key] = ((await bucket.get(key)).value or b"").decode()
    await client.close()
    return found


async def ready_anew(system: System, made: Json, epoch: int) -> None:
    """Return when an instance is ready in a later epoch."""
    async with (
        asyncio.timeout(40),
        system.events(f"?instance_id={made['instance_id']}&last_event_id=0&types=client_ready") as events,
    ):
        while (await anext(events))[2]["data"]["epoch"] <= epoch:
            pass


async def works(system: System, bot: Json, phone: Json) -> None:
    """Both instances send, with the keys that they were given."""
    body = {"chatId": "4242", "message": "still here"}
    status, answer = await system.port_call(bot["port"], "POST", "/api/v1/telegram/send", body, bot["api_key"])
    assert status == 200, answer
    body = {"number": "15552227001", "message": "still here"}
    status, answer = await system.port_call(phone["port"], "POST", "/api/v1/send", body, phone["api_key"])
    assert status == 200, answer
    for made in (bot, phone):
        _, answer = await system.call("GET", f"/api/v1/instances/{made['instance_id']}/credentials")
        assert answer["api_key"] == made["api_key"]


BOT = {"user_id": "test", "provider": "telegram", "type_instance": ["api"], "token": "987654321:" + "A" * 35}
HOOK = {"api_webhook_schema": {"url": "https://example.com/hook", "headers": {"X-Secret": "hook-secret"}}}


async def make_bot(system: System) -> Json:
    """A bot with secrets of every kind; called again, the remembered answer."""
    _, made = await system.call("POST", "/api/v1/instances", BOT | HOOK, headers={"Idempotency-Key": "made-once"})
    return made


async def restart(system: System, *instances: Json) -> None:
    """Restart the whole system; returns when the instances are ready."""
    epochs = [(await system.get(made["instance_id"]))["epoch"] for made in instances]
    await system.stop()
    await system.start()
    for made, epoch in zip(instances, epochs, strict=True):
        await ready_anew(system, made, epoch)


async def key_ids_in_use(system: System) -> set[str | None]:
    """Which keys the stored secrets name."""
    return {key_of(text) for text in (await sealed_texts(system)).values()}


@pytest.mark.timeout(300)
async def test_the_key_is_replaced_while_the_system_runs_and_then_the_old_one_opens_nothing(
    own_system: StartSystem,
) -> None:
    system = await own_system()
    settings = Settings(data_dir=system.folder)
    file = key_file(settings)
    bot, phone = await make_bot(system), await system.ready_whatsapp("15551117001")
    await system.until(bot["instance_id"], "client_ready")
    (old,) = file.read()
    count = len(await sealed_texts(system))
    assert await key_ids_in_use(system) == {Vault(old).key_ids[0]}
    assert "nothing to finish" in await system.cli("secrets", "rotate", "--finish", code=1)

    told = await system.cli("secrets", "rotate")
    new, previous = file.read()
    assert previous == old
    assert f"secrets: {count} sealed anew, 0 were already" in told
    assert "remembered answers: 1 sealed anew" in told
    assert "restart mim up" in told
    assert f"secrets: 0 sealed anew, {count} were already" in await system.cli("secrets", "rotate")
    assert file.read() == (new, old)
    await works(system, bot, phone)
    # A session that begins anew reads its token; a service that seals uses the new key by itself.
    for made in (bot, phone):
        await system.call("POST", f"/api/v1/instances/{made['instance_id']}/restart")
        await ready_anew(system, made, 1)
    _, rotated = await system.call("POST", f"/api/v1/instances/{phone['instance_id']}/api-key/rotate")
    phone["api_key"] = rotated["api_key"]
    async with asyncio.timeout(5):  # its worker hears of it in a moment
        while (await system.port_call(phone["port"], "GET", "/api/v1/status", key=phone["api_key"]))[0] != 200:
            pass
    assert await key_ids_in_use(system) == {Vault(new).key_ids[0]}
    await works(system, bot, phone)
    assert (await make_bot(system))["api_key"] == bot["api_key"]
    assert "restart mim up first" in await system.cli("secrets", "rotate", "--finish", code=1)

    await restart(system, bot, phone)
    assert [path.name for path in stores.stores(settings)] == [f"store-{Vault(new).key_ids[0]}"]
    await works(system, bot, phone)
    assert "previous key is gone" in await system.cli("secrets", "rotate", "--finish")
    assert file.read() == (new,)
    assert file.path.stat().st_mode & 0o777 == 0o600
    await works(system, bot, phone)

    await restart(system, bot, phone)
    await works(system, bot, phone)
    assert (await make_bot(system))["api_key"] == bot["api_key"]
    _, history = await system.call("GET", f"/api/v1/instances/{phone['instance_id']}/status-history?limit=1000")
    assert history["data"][-1]["status"] == "pending"  # the events from before the rotation are all there
    assert "rotate_secret_key" in await system.cli("audit")
    only_opens_with(new, old, await sealed_texts(system))
    await system.stop()
    await nothing_opens_the_streams(settings, stores.stores(settings)[0], Vault(old).derived(stores.PURPOSE))


def only_opens_with(new: bytes, old: bytes, sealed: dict[str, str]) -> None:
    for key, text in sealed.items():
        _, instance_id, name = key.split(".")
        with pytest.raises(SecretsUnreadable):
            Vault(old).open(text, "test", instance_id, name)
        assert Vault(new).open(text, "test", instance_id, name)


async def nothing_opens_the_streams(settings: Settings, folder: Path, key: str) -> None:
    """A server with this key finds no stream in the folder; it gets a copy, for it may spoil it."""
    copy = settings.data_dir / "copy"
    shutil.copytree(folder, copy)
    async with serving(settings, Store(copy, key)) as client:
        assert await client.jetstream().streams_info() == []


async def test_a_value_that_changes_meanwhile_is_not_lost(own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_telegram()
    settings = Settings(data_dir=system.folder)
    key = f"telegram.{made['instance_id']}.api_key"
    subject = subjects.bucket_subject(subjects.SECRETS_BUCKET, key)
    file = key_file(settings)
    file.replace((os.urandom(32), *file.read()))
    vault = load_vault(settings)
    newer = Vault(file.read()[1]).seal("newer", "test", made["instance_id"], "api_key").encode()
    async with buses.connect(rotation.with_access(settings), "test") as bus:
        read = bus.last
        meanwhile = [newer]

        async def last(stream: str, wanted: str) -> tuple[bytes | None, int]:
            found = await read(stream, wanted)
            if wanted == subject and meanwhile:
                await bus.publish(subject, meanwhile.pop())
            return found

        bus.last = last  # type: ignore[method-assign]
        report = await rotation.reseal(bus, vault, settings)
        stored, _ = await read(f"KV_{subjects.SECRETS_BUCKET}", subject)
    assert report.secrets.anew == 2  # token and API key
    assert stored is not None
    assert vault.is_current(stored.decode())
    assert vault.open(stored.decode(), "test", made["instance_id"], "api_key") == "newer"


async def test_a_rotation_that_breaks_off_harms_nothing_and_goes_on_when_called_again(
    own_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = await own_system()
    bots = [await system.ready_telegram() for _ in range(3)]
    settings = Settings(data_dir=system.folder)
    file = key_file(settings)
    renew, done = rotation._renew, 0

    async def break_off(*given: Any) -> None:
        nonlocal done
        if done == 2:
            raise ConnectionError("the line is cut")
        await renew(*given)
        done += 1

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_renew", break_off)
        with pytest.raises(ConnectionError):
            await rotation.rotate(settings)
    keys = file.read()
    assert len(keys) == 2
    assert await key_ids_in_use(system) == {Vault(key).key_ids[0] for key in keys}
    for made in bots:
        await system.call("POST", f"/api/v1/instances/{made['instance_id']}/restart")
        await ready_anew(system, made, 1)
    with rotation._alone(system.folder), pytest.raises(rotation.CannotRotate, match="another rotation"):
        await rotation.rotate(settings)
    report = await rotation.rotate(settings)
    assert (report.secrets.anew, report.secrets.already) == (4, 2)
    assert file.read() == keys
    assert await key_ids_in_use(system) == {Vault(keys[0]).key_ids[0]}


async def test_what_belongs_to_no_instance_or_does_not_open_is_told_and_left_alone(own_system: StartSystem) -> None:
    system = await own_system()
    made = await system.ready_telegram()
    settings = Settings(data_dir=system.folder)
    (old,) = key_file(settings).read()
    client = await system.bus()
    bucket = await client.jetstream().key_value(subjects.SECRETS_BUCKET)
    nobody = "00000000-0000-4000-8000-000000000001"
    orphan, damaged = f"telegram.{nobody}.token", f"telegram.{made['instance_id']}.proxy"
    left = {orphan: Vault(old).seal("x", "nobody", nobody, "token"), damaged: Vault(old).seal("x", "elsewhere")}
    for key, text in left.items():
        await bucket.put(key, text.encode())
    told = await system.cli("secrets", "rotate")
    assert f"of no instance, left as they are: {orphan}" in told
    assert f"that no key opens, left as they are: {damaged}" in told
    for key, text in left.items():
        assert ((await bucket.get(key)).value or b"").decode() == text
    await client.close()
    await system.stop()
    await system.start()
    refused = await system.cli("secrets", "rotate", "--finish", code=1)
    assert orphan in refused
    assert "--leave-orphans" in refused
    assert len(key_file(settings).read()) == 2
    assert "previous key is gone" in await system.cli("secrets", "rotate", "--finish", "--leave-orphans")
    await system.until(made["instance_id"], "client_ready")


async def test_a_key_in_variables_is_replaced_by_restarts(own_system: StartSystem, tmp_path: Path) -> None:
    first, second = os.urandom(32).hex(), os.urandom(32).hex()
    folder = tmp_path / "data"
    system = await own_system(folder=folder, MIM_SECRET_KEY=first)
    made = await system.ready_telegram()
    settings = Settings(data_dir=folder, secret_key=SecretStr(first))
    with pytest.raises(rotation.CannotRotate, match="MIM_SECRET_KEY_PREVIOUS"):
        await rotation.rotate(settings)
    await system.stop()
    system = await own_system(folder=folder, MIM_SECRET_KEY=second, MIM_SECRET_KEY_PREVIOUS=first)
    both = Settings(data_dir=folder, secret_key=SecretStr(second), secret_key_previous=SecretStr(first))
    report = await rotation.rotate(both)
    assert (report.secrets.anew, report.old_stores) == (2, [])
    await rotation.finish(both)
    await system.stop()
    assert not (folder / "secret.key").exists()
    system = await own_system(folder=folder, MIM_SECRET_KEY=second)
    await system.until(made["instance_id"], "client_ready")
    _, answer = await system.call("GET", f"/api/v1/instances/{made['instance_id']}/credentials")
    assert answer["api_key"] == made["api_key"]


async def test_rotating_without_a_system_says_what_is_missing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(rotation.CannotRotate, match="no key in"):
        await rotation.rotate(settings)
    load_vault(settings)
    with pytest.raises(rotation.CannotRotate, match="start the system"):
        await rotation.rotate(settings)
    nobody = Settings(data_dir=tmp_path, nats_url="nats://127.0.0.1:9")
    with pytest.raises((rotation.CannotRotate, Unavailable)):
        await rotation.rotate(nobody)
    with pytest.raises(rotation.CannotRotate, match="cannot be used"):
        await rotation.rotate(Settings(data_dir=tmp_path / "nothing"))
    assert len(key_file(settings).read()) == 1


# ---------------------------------------------------------------------------------------------- streams and keys


@asynccontextmanager
async def serving(settings: Settings, store: Store, *, killed: bool = True) -> AsyncIterator[Client]:
    """A connection to a server of a store; the server is killed at the end, or writes down what it has not yet."""
    server = NatsServer(settings, settings.data_dir / "served", store)
    await server.start()
    client = await nats.connect(server.env()["MIM_NATS_URL"], user=server.user, password=server.password)
    try:
        yield client
    finally:
        await client.close()
        pid = server.child.pid
        assert pid is not None
        if killed:
            os.kill(pid, signal.SIGKILL)
        await server.child.stop(5)


SUBJECT = "mim.cmd.message.telegram.one"
BIG = b"x" * 50_000


async def fill(client: Client) -> None:
    """Everything that is easily lost: streams without messages, a queue that was emptied, a message in doubt."""
    js = client.jetstream()
    await streams.provision(js)
    for number in range(200):
        await js.publish("mim.evt.instance.one.created", b"%d " % number + BIG)
    for _ in range(3):
        await js.publish("mim.cmd.instance.one.start", b"{}")
    await js.purge_stream(subjects.COMMANDS)
    await js.add_consumer(subjects.OUTBOX, streams.outbox_consumer("one", SUBJECT, "mim.deliver.test"))
    delivered = await client.subscribe("mim.deliver.test")
    await js.publish(SUBJECT, b"in doubt", headers={"Nats-Msg-Id": "one/1"})
    assert (await delivered.next_msg(5)).metadata.num_delivered == 1
    await js.publish("$KV.secrets.telegram.one.token", b"sealed")


async def check(client: Client) -> None:
    """All that `fill` did is there."""
    js = client.jetstream()
    infos = {stream.config.name: stream.state for stream in await js.streams_info()}
    assert set(infos) == {config.name for config in streams.STREAMS}
    assert (infos["EVENTS"].messages, infos["EVENTS"].last_seq) == (200, 200)
    assert (await js.get_msg("EVENTS", 137)).data == b"136 " + BIG
    assert (infos["COMMANDS"].messages, infos["COMMANDS"].last_seq) == (0, 3)
    assert (await js.consumer_info("COMMANDS", "lifecycle")).config.filter_subject == subjects.INSTANCE_COMMANDS
    assert (await js.get_last_msg("KV_secrets", "$KV.secrets.telegram.one.token")).data == b"sealed"
    assert (await js.publish(SUBJECT, b"in doubt", headers={"Nats-Msg-Id": "one/1"})).duplicate
    outbox = await js.consumer_info("OUTBOX", "out-one")
    assert (outbox.num_ack_pending, outbox.delivered and outbox.delivered.consumer_seq) >= (1, 1)


RENEWER = """
import asyncio, pathlib, sys
from mim.cli import stores
from mim.runtime.secrets import load_vault
from mim.runtime.settings import Settings
copy = stores._copy
async def told(source, target, name):
    await copy(source, target, name)
    print("copied", flush=True)
    sys.stdin.readline()  # held here until it is told to go on, or killed
stores._copy = told
settings = Settings(data_dir=pathlib.Path(sys.argv[1]), sync_interval="2m")
vault = load_vault(settings)
store = stores.find(settings, vault)
print("store", asyncio.run(stores.renewed(settings, vault, store, asyncio.Event())).folder.name, flush=True)
"""


async def ended(pid: int) -> None:
    """Return when a process is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, gone.set)
    try:
        await asyncio.wait_for(gone.wait(), 10)
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


async def renew(folder: Path, kill_after: int | None = None) -> list[str]:
    """Renew the store in a process of its own, which may be killed after some copies; what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RENEWER, str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(60):
        while line := (await process.stdout.readline()).decode().strip():
            said.append(line)
            if line != "copied":
                continue  # what it logs waits for no answer: one would let it go on after the next copy
            if said.count("copied") == kill_after:
                servers = descendants(process.pid)
                assert len(servers) == 2
                process.kill()
                await asyncio.gather(*map(ended, servers))
                break
            process.stdin.write(b"go on\n")
        await process.wait()
    return said


def fingerprint(folder: Path) -> str:
    """What the keys of all streams in a store are: different after every change of the key."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.rglob("meta.key")))).hexdigest()


async def test_streams_get_the_new_key_whenever_it_is_killed_and_nothing_of_them_is_lost(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, sync_interval="2m")
    vault = load_vault(settings)
    old = stores.find(settings, vault)
    async with serving(settings, old, killed=False) as client:
        await fill(client)
    file = key_file(settings)
    file.replace((os.urandom(32), *file.read()))
    new = stores.store_of(settings, vault, vault.key_ids[0])
    before = fingerprint(old.folder)
    for copies in (1, 7, len(streams.STREAMS)):
        said = await renew(tmp_path, kill_after=copies)
        assert said.count("copied") >= copies
        if copies < len(streams.STREAMS):
            assert fingerprint(old.folder) == before
            async with serving(settings, old) as client:
                await check(client)
    said = await renew(tmp_path)
    assert said[-1] == f"store {new.folder.name}"
    assert stores.stores(settings) == [new.folder]
    assert not (tmp_path / "nats" / "renewing").exists()
    async with serving(settings, new) as client:
        await check(client)
    await nothing_opens_the_streams(settings, new.folder, old.key)


async def test_streams_keep_their_key_while_there_is_no_room_or_it_shall_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, sync_interval="2m")
    vault = load_vault(settings)
    old = stores.find(settings, vault)
    async with serving(settings, old) as client:
        await client.jetstream().add_stream(api.StreamConfig(name="KEPT", subjects=["kept"]))
    file = key_file(settings)
    file.replace((os.urandom(32), *file.read()))
    stop = asyncio.Event()
    with monkeypatch.context() as patch:
        patch.setattr(stores, "SPARE_BYTES", 1 << 60)
        assert await stores.renewed(settings, vault, old, stop) == old
    stop.set()
    assert await stores.renewed(settings, vault, old, stop) == old
    assert not (tmp_path / "nats" / "renewing").exists()
    async with serving(settings, old) as client:
        assert [stream.config.name for stream in await client.jetstream().streams_info()] == ["KEPT"]

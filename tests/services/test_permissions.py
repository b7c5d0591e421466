"""Who may say and hear what on the bus, asked of a real server with the configuration that ships."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client as Connection
from tests.conftest import NatsServer

from mim.cli import credentials, nats_conf
from mim.contracts import subjects
from mim.contracts.messages import INSTANCE_EVENTS, LoggedOut, SendMessage
from mim.contracts.permissions import EVENTS_OF_SESSIONS, OUTSIDE, Client, inbox_of, permissions_of
from mim.contracts.records import SessionOrder
from mim.contracts.states import Provider
from mim.runtime import bus as buses
from mim.runtime import streams
from mim.runtime.bus import Bus
from mim.runtime.history import newest
from mim.runtime.secrets import Vault
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets, Store

ID = "5f0c1d3e-0000-4000-8000-000000000042"
SERVICES = [client for client in Client if client not in OUTSIDE]
DENIED_S = 1.0


class Server:
    """A nats-server with the shipped configuration, but for its places, and with what `mim secrets make` makes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secrets = folder, folder / "secrets"
        self._conf, own = folder / "nats.conf", self.secrets / credentials.SERVER
        credentials.make(self.secrets, "bus.example.com")
        variables = dict(
            line.split("=") for name in ("public.env", "store.env") for line in (own / name).read_text().splitlines()
        )
        self._server = NatsServer(folder / "data", "-c", str(self._conf), env=variables | {"NATS_SERVER_NAME": "test"})
        text = nats_conf.deployed()
        for shipped, ours in {
            "127.0.0.1:8222": "127.0.0.1:-1",
            "/etc/nats/tls": str(own),
            'store_dir: "/data"': "",
        }.items():
            assert shipped in text
            text = text.replace(shipped, ours)
        self._conf.write_text(text)
        self.start, self.stop = self._server.start, self._server.stop

    @property
    def url(self) -> str:
        return f"tls://localhost:{self._server.port}"

    def seed(self, client: Client) -> Path:
        """The file with a client's key."""
        return self.secrets / client / "nats.nk"

    def settings(self, client: Client) -> Settings:
        """Of a service."""
        own = self.secrets / client
        return Settings(
            nats_url=self.url,
            nats_nkey_file=self.seed(client),
            nats_ca_file=own / "ca.crt",
            data_dir=self.folder / "none",
        )


class World:
    """Connections to the server by client, each with what it was denied."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self.server = server
        self._stack = stack
        self._buses: dict[Client, Bus] = {}
        self.denied: asyncio.Queue[str] = asyncio.Queue()

    async def bus(self, client: Client) -> Bus:
        if client not in self._buses:
            bus = await self._stack.enter_async_context(buses.connect(self.server.settings(client), client))

            async def complain(error: Exception) -> None:
                self.denied.put_nowait(str(error).lower())

            bus.nc._error_cb = complain
            self._buses[client] = bus
        return self._buses[client]

    async def connection(self, client: Client) -> Connection:
        return (await self.bus(client)).nc

    async def is_denied(self, act: Awaitable[object], what: str = "") -> None:
        """What is done is refused by the server, which says so."""
        running = asyncio.ensure_future(act)
        told = await asyncio.wait_for(self.denied.get(), 5)
        assert "violation" in told
        assert what.lower() in told
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def is_allowed(self, client: Client, *acts: Callable[[Bus], Awaitable[object]]) -> None:
        """What is done is done, and the server complains of nothing."""
        bus = await self.bus(client)
        for act in acts:
            await act(bus)
        await bus.nc.flush()
        assert self.denied.empty(), self.denied.get_nowait()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    server = Server(tmp_path)
    await server.start()
    try:
        async with AsyncExitStack() as stack:
            world = World(server, stack)
            await streams.provision((await world.bus(Client.LIFECYCLE)).js)
            yield world
    finally:
        await server.stop()


# ------------------------------------------------------------------------------------------------ the table


def test_the_shipped_configuration_is_that_of_the_table() -> None:
    shipped = Path(__file__).parents[2] / "deploy" / "nats.conf"
    assert shipped.read_text() == nats_conf.deployed(), "run: mim bus conf > deploy/nats.conf"


def test_every_status_event_is_either_a_sessions_or_lifecycles_own() -> None:
    assert set(EVENTS_OF_SESSIONS) <= {event.name for event in INSTANCE_EVENTS}
    assert {"created", "allocated", "starting", "updated", "deleted"} == {
        event.name for event in INSTANCE_EVENTS if event.name not in EVENTS_OF_SESSIONS
    }


def test_nobody_outside_may_publish_events_or_hear_anothers_answers() -> None:
    for client in Client:
        allowed = permissions_of(client)
        inboxes = [subject for subject in allowed.subscribe if subject.startswith("_INBOX")]
        assert inboxes == [f"{inbox_of(client)}.>"]
        assert not {">", "*", "$JS.>", "$JS.API.>", "mim.>"} & {*allowed.publish, *allowed.subscribe}
    for client in OUTSIDE:
        assert not [subject for subject in permissions_of(client).publish if subject.startswith(("mim.evt", "$KV"))]


# ------------------------------------------------------------------------------------------------ the server


async def test_an_intruder_gets_nothing(world: World) -> None:
    context = ssl.create_default_context(cafile=world.server.settings(Client.GATEWAY).nats_ca_file)
    seed = world.server.folder / "intruder.nk"
    nats_conf.make_keys(world.server.folder / "others")
    (world.server.folder / "others" / "gateway.nk").rename(seed)
    for how in ({}, {"user": "mim", "password": "mim"}, {"nkeys_seed": str(seed)}):
        with pytest.raises(nats.errors.Error):
            await nats.connect(world.server.url, tls=context, allow_reconnect=False, max_reconnect_attempts=1, **how)
    with pytest.raises(ssl.SSLError):
        await nats.connect(world.server.url, allow_reconnect=False, nkeys_seed=str(world.server.seed(Client.GATEWAY)))


async def test_a_watcher_follows_everything_and_publishes_nothing(world: World) -> None:
    event = LoggedOut(instance_id=ID, actor="w")
    await world.is_allowed(Client.TELEGRAM_ADAPTER, lambda bus: bus.emit(event))
    watcher = await world.connection(Client.WATCHER)
    js = watcher.jetstream(timeout=DENIED_S)
    found = await js.subscribe(subjects.ALL_INSTANCE_EVENTS, stream=subjects.EVENTS, ordered_consumer=True)
    assert (await found.next_msg(5)).subject == subjects.instance_event(ID, "logged_out")
    durable = await js.subscribe(subjects.ALL_EVENTS, durable="mine", stream=subjects.EVENTS)
    await (await durable.next_msg(5)).ack()
    await watcher.flush()
    assert world.denied.empty()
    for subject in (
        *(subjects.instance_event(ID, "deleted"), subjects.message_event(ID, "sent"), subjects.CREATE_COMMAND),
        *(subjects.message_command("telegram", ID), subjects.dead_letter("x"), f"$KV.instances.{ID}", "mim.anything"),
    ):
        await world.is_denied(watcher.publish(subject, b"{}"), subject)
    for stream in (subjects.COMMANDS, subjects.OUTBOX, "KV_secrets", "KV_tokens", "KV_orders"):
        await world.is_denied(js.get_last_msg(stream, ">", direct=True), stream)


async def test_a_commander_commands_and_reads_nothing(world: World) -> None:
    commander = await world.connection(Client.COMMANDER)
    js = commander.jetstream(timeout=DENIED_S)
    text = SendMessage(id="m", instance_id=ID, provider=Provider.TELEGRAM, to="1", text="x", expires_at=_soon())
    for subject in (subjects.CREATE_COMMAND, subjects.instance_command(ID, "stop")):
        assert (await js.publish(subject, b"{}")).stream == subjects.COMMANDS
    await js.publish(subjects.message_command("telegram", ID), text.model_dump_json().encode())
    assert world.denied.empty()
    await world.is_denied(commander.publish(subjects.instance_event(ID, "deleted"), b"{}"))
    await world.is_denied(commander.subscribe(subjects.ALL_EVENTS))
    await world.is_denied(js.get_last_msg(subjects.COMMANDS, subjects.CREATE_COMMAND, direct=True))


async def test_an_adapter_reads_its_own_orders_and_secrets_only(world: World) -> None:
    lifecycle, telegram = await world.bus(Client.LIFECYCLE), await world.bus(Client.TELEGRAM_ADAPTER)
    vault = Vault(bytes(32))
    for provider in Provider:
        await Secrets(lifecycle, vault).put(provider, ID, "token", "sealed")
    telegram.js._timeout = telegram.js._jsm._timeout = DENIED_S
    mine, theirs = (subjects.secret_key(provider, ID, "token") for provider in ("telegram", "whatsappweb"))
    assert (await telegram.last("KV_secrets", f"$KV.secrets.{mine}"))[0] == b"sealed"
    await world.is_denied(telegram.last("KV_secrets", f"$KV.secrets.{theirs}"), "whatsappweb")
    await world.is_denied(telegram.js.get_msg("KV_secrets", 1), "KV_secrets")
    await world.is_denied(newest(telegram, "KV_secrets", "$KV.secrets.>", 1), "KV_secrets")
    await world.is_denied(telegram.publish(f"$KV.secrets.{mine}", b"mine"), "secrets")
    orders = Store(telegram, subjects.ORDERS_BUCKET, SessionOrder)
    async for batch in orders.follow(subjects.orders_of("telegram", "telegram-1")):
        assert batch == []
        break
    for keys in (subjects.orders_of("whatsappweb", "whatsappweb-1"), ">", subjects.ALL_ORDERS):
        await world.is_denied(anext(orders.follow(keys)), "KV_orders")
    for consumer in (
        streams.outbox_consumer(ID, subjects.message_command("whatsappweb", ID), "mim.deliver.w.b"),
        streams.outbox_consumer(ID, subjects.MESSAGE_COMMANDS, "mim.deliver.w.b"),
    ):
        await world.is_denied(telegram.js.add_consumer(subjects.OUTBOX, consumer), "OUTBOX")


async def test_no_service_can_take_the_part_of_lifecycle_or_hear_another(world: World) -> None:
    for client in SERVICES:
        if client is Client.LIFECYCLE:
            continue
        connection = await world.connection(client)
        for subject in (
            *(subjects.instance_event(ID, "deleted"), f"$KV.instances.{ID}", "$JS.API.STREAM.DELETE.EVENTS"),
            *("$JS.API.STREAM.CREATE.MINE", "$JS.API.STREAM.PURGE.EVENTS", subjects.dead_letter("other")),
        ):
            await world.is_denied(connection.publish(subject, b""), subject)
        for heard in ("_INBOX.>", ">", "mim.reply.>", subjects.INSTANCE_COMMANDS, subjects.LIFECYCLE_INBOX):
            await world.is_denied(connection.subscribe(heard), heard)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)

"""The service of webhooks against a real bus, real databases and a real target; only the time is the tests'."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from sqlalchemy import text as sql
from standardwebhooks import Webhook as Verifier
from tests.conftest import known
from tests.services.conftest import DEADLINE_S, Story
from tests.services.databases import ENGINES, fresh

from mim.contracts import subjects
from mim.contracts.deliveries import WEBHOOK_SECRET, Delivery, DeliveryCall, DeliveryReply, DeliveryStatus
from mim.contracts.messages import InstanceDeleted, InstanceUpdated, MessageReceived, UpdateInstance, wrap
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Interface, Provider, Status
from mim.contracts.values import Contact, IncomingMessage, Reason, Webhook, WebhookFilters
from mim.runtime.bus import Bus
from mim.runtime.secrets import Vault
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets, Store
from mim.storage.database import Database, open_database
from mim.webhooks.app import serve
from mim.webhooks.hooks import Hooks
from mim.webhooks.lanes import UNREADABLE, Lanes
from mim.webhooks.ledger import LEASE_S, Keeping, Ledger, Recorded, Result, delivery_id
from mim.webhooks.schedule import WAITS_S
from mim.webhooks.target import ANSWER_S, EXCERPT, PRIVATE, Target

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer

ONE, OTHER = (f"00000000-0000-4000-8000-{number:012d}" for number in (1, 2))
USER = "user"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def received(text: str, instance_id: str = ONE, *, group: bool = False) -> MessageReceived:
    message = IncomingMessage(
        id=text,
        chat_id="-7" if group else "7",
        body=text,
        is_group=group,
        timestamp=datetime.now(UTC),
        contact=Contact(id="5", name="Anna"),
    )
    return MessageReceived(instance_id=instance_id, provider=Provider.TELEGRAM, message=message)


class Clock:
    """The time, which goes on when a test says so."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._moved = asyncio.Event()
        self.sleepers: Story[datetime] = Story()

    def now(self) -> datetime:
        return self._now

    async def until(self, at: datetime, wake: asyncio.Event) -> None:
        self.sleepers.add(at)
        while self._now < at and not wake.is_set():
            waits = [asyncio.ensure_future(event.wait()) for event in (self._moved, wake)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        self.sleepers.items.remove(at)

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._moved.set()
        self._moved = asyncio.Event()

    async def skip(self) -> float:
        """Wait until a lane sleeps, and go on to when it wants to wake up; returns the seconds between."""
        at = min(await self.sleepers.until(lambda items: any(at > self._now for at in items)))
        seconds = (at - self._now).total_seconds()
        self.move(seconds)
        return seconds


class Receiver:
    """A target: answers by its script, then with 204; everything that came is its story."""

    def __init__(self) -> None:
        self.script: list[int | Answer] = []
        self.requests: Story[tuple[dict[str, str], bytes]] = Story()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=private"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.add(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        step = self.script.pop(0) if self.script else 204
        return web.Response(status=step) if isinstance(step, int) else await step(request)

    async def texts(self, number: int) -> list[str]:
        """The texts of the messages that came, once there are so many."""
        found = await self.requests.until(lambda items: len(items) >= number)
        return [orjson.loads(body)["message"]["body"] for _, body in found]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


class System:
    """The bus with a read model that the test writes, a database, and the service as often as it is started."""

    def __init__(self, bus: Bus, connect: ConnectBus, database: Database, settings: Settings) -> None:
        self.bus, self.connect, self.settings = bus, connect, settings
        self.ledger = Ledger(database)
        self.secrets = Secrets(bus, Vault(bytes(32)))
        self.clock = Clock()
        self._seq = 0
        self._records = Store(bus, subjects.INSTANCES_BUCKET, InstanceRecord)

    @asynccontextmanager
    async def running(self, *, allow_private: bool = True) -> AsyncIterator[Lanes]:
        bus = await self.connect("webhooks")
        hooks = Hooks(bus, Secrets(bus, Vault(bytes(32))))
        async with (
            Target(allow_private=allow_private, now=self.clock.now) as target,
            serve(bus, self.ledger, hooks, target, self.clock) as lanes,
        ):
            await bus.broker.start()
            await known(bus.nc)
            yield lanes
            assert not bus.closed.is_set(), "a task crashed"

    async def set_webhook(
        self, instance_id: str, webhook: Webhook | None, headers: dict[str, str] | None = None
    ) -> int:
        """As the owner does it: the read model shows it, and then the event is in the stream."""
        event = InstanceUpdated(
            instance_id=instance_id, actor="test", desired=Desired.RUNNING, changed=("webhook",), webhook=webhook
        )
        seq = await self.bus.emit(event)
        if headers:
            sealed = self.secrets.seal(USER, instance_id, "webhook_headers", orjson.dumps(headers).decode())
            await self.secrets.put("telegram", instance_id, "webhook_headers", sealed)
        record = InstanceRecord(
            id=instance_id,
            user_id=USER,
            provider=Provider.TELEGRAM,
            type_instance=(Interface.API,),
            desired=Desired.RUNNING,
            status=Status.CLIENT_READY,
            secrets=("webhook_headers",) if headers else (),
            webhook=webhook,
            reason=Reason(code="OK", message="ready", since=self.bus.now()),
            created_at=self.bus.now(),
            updated_at=self.bus.now(),
            event_seq=seq,
            instance_seq=seq,
        )
        await self._records.save(instance_id, record)
        return seq

    async def receive(self, text: str, instance_id: str = ONE, *, group: bool = False) -> str:
        """A message comes in; returns the id of its event."""
        event_id = f"{instance_id}/{text}"
        await self.bus.emit(received(text, instance_id, group=group), id=event_id)
        return event_id

    async def taken_in(self) -> None:
        """Return when everything that happened was looked at."""
        last = (await self.bus.js.stream_info(subjects.EVENTS)).state.last_seq
        async with asyncio.timeout(DEADLINE_S):
            while True:
                info = await self.bus.js.consumer_info(subjects.EVENTS, subjects.WEBHOOKS_DURABLE)
                if info.ack_floor is not None and (info.ack_floor.stream_seq or 0) >= last:
                    return

    async def ask(self, verb: str, instance_id: str = ONE, **more: Any) -> DeliveryReply:
        call = DeliveryCall(instance_id=instance_id, **more)
        raw = await self.bus.request(subjects.webhooks_call(verb), call.model_dump_json().encode(), 5.0)
        return DeliveryReply.model_validate_json(raw)

    async def until(self, instance_id: str, done: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        """The deliveries of an instance, the oldest first, once they are as they should be."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found, _ = await self.ledger.page(instance_id, None, 1000, 0)
                if found and done(found):
                    return found[::-1]

    async def until_status(self, *statuses: str, instance_id: str = ONE) -> list[Delivery]:
        return await self.until(
            instance_id, lambda items: [item.status.value for item in items] == list(reversed(statuses))
        )


@pytest.fixture(params=ENGINES)
async def system(
    request: pytest.FixtureRequest, bus: Bus, connect_bus: ConnectBus, nats_server: NatsServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with fresh(request.param, tmp_path, nats_url=nats_server.url) as settings:
        async with open_database(settings, "webhooks") as database:
            yield System(bus, connect_bus, database, settings)


@pytest.fixture
async def on_sqlite(
    bus: Bus, connect_bus: ConnectBus, nats_server: NatsServer, tmp_path: Path
) -> AsyncIterator[System]:
    async with fresh("sqlite", tmp_path, nats_url=nats_server.url) as settings:
        async with open_database(settings, "webhooks") as database:
            yield System(bus, connect_bus, database, settings)


# ------------------------------------------------------------------------------------------------ delivering


async def test_a_message_is_delivered_signed_and_in_order(system: System, receiver: Receiver) -> None:
    await system.set_webhook(ONE, Webhook(url=receiver.url), {"X-Shop": "secret", "Content-Length": "1", "Host": "x"})
    async with system.running():
        event_ids = [await system.receive(f"text {number}") for number in range(20)]
        assert await receiver.texts(20) == [f"text {number}" for number in range(20)]
        secret = await system.secrets.open(USER, "telegram", ONE, WEBHOOK_SECRET)
        assert secret is not None
        assert secret.startswith("whsec_")
        for event_id, (headers, body) in zip(event_ids, receiver.requests.items, strict=True):
            assert Verifier(secret).verify(body, headers)["instance_id"] == ONE
            assert headers["webhook-id"] == delivery_id(ONE, event_id)
            assert headers["x-shop"] == "secret"
            assert headers["content-type"] == "application/json"
            assert headers["host"] == f"127.0.0.1:{receiver.port}"
        found = await system.until_status(*["delivered"] * 20)
    assert {item.tries for item in found} == {1}
    assert {item.status_code for item in found} == {204}
    assert [item.event_id for item in found] == event_ids


async def test_what_fails_is_tried_again_by_the_schedule_until_it_succeeds(system: System, receiver: Receiver) -> None:
    receiver.script = [500, 502, 200]
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        waits = [await system.clock.skip() for _ in range(2)]
        (item,) = await system.until_status("delivered")
    assert waits == [pytest.approx(WAITS_S[1], rel=0.11), pytest.approx(WAITS_S[2], rel=0.11)]
    assert item.tries == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.requests.items}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.requests.items}) == 3


async def test_nothing_is_delivered_without_the_headers_it_needs(on_sqlite: System, receiver: Receiver) -> None:
    system = on_sqlite
    await system.set_webhook(ONE, Webhook(url=receiver.url), {"X-Shop": "s"})
    sealed = await system.secrets.load(USER, "telegram", ONE, "webhook_headers")
    await system.secrets.remove_all("telegram", ONE, ("webhook_headers",))
    async with system.running():
        await system.receive("a")
        (item,) = await system.until(ONE, lambda items: items[0].error is not None)
        assert (item.status, item.error, receiver.requests.items) == (DeliveryStatus.PENDING, UNREADABLE, [])
        assert sealed[0] is not None
        await system.secrets.put(
            "telegram", ONE, "webhook_headers", system.secrets.seal(USER, ONE, "webhook_headers", sealed[0])
        )
        await system.clock.skip()
        await system.until_status("delivered")
    assert [headers["x-shop"] for headers, _ in receiver.requests.items] == ["s"]


async def test_a_kept_connection_that_breaks_off_is_replaced_at_once(on_sqlite: System, receiver: Receiver) -> None:
    ports: list[int] = []

    def noting(breaks: bool) -> Answer:
        async def step(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            ports.append(request.transport.get_extra_info("peername")[1])
            if breaks:
                request.transport.abort()
            return web.Response(status=204)

        return step

    system = on_sqlite
    receiver.script = [noting(breaks) for breaks in (False, False, True, False)]
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        for text in "abc":
            await system.receive(text)
        found = await system.until_status("delivered", "delivered", "delivered")
    assert {item.tries for item in found} == {1}
    assert await receiver.texts(4) == ["a", "b", "c", "c"]
    assert ports[0] == ports[1] == ports[2] != ports[3]


async def test_after_the_last_try_it_has_failed_and_is_kept(on_sqlite: System, receiver: Receiver) -> None:
    system, receiver.script = on_sqlite, [503] * 20
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        while not (await system.ask("list", status="failed")).deliveries:
            await system.clock.skip()
            # Either the next try, or nothing for the lane to do any more.
            await system.until(ONE, lambda items: (items[0].next_at or system.clock.now()) >= system.clock.now())
        (item,) = (await system.ask("list")).deliveries
    assert item.tries == len(WAITS_S) == len(receiver.requests.items)
    assert (item.status_code, item.error) == (503, "the target answered 503")


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_an_answer_that_means_never_is_not_asked_twice(
    on_sqlite: System, receiver: Receiver, status: int
) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        shown = f"\x1b[31mno\x00 {request.headers['X-Shop']} " + "x" * 10_000
        return web.Response(status=status, body=shown.encode() + b"\xff")

    system, receiver.script = on_sqlite, [refuse]
    await system.set_webhook(ONE, Webhook(url=receiver.url), {"X-Shop": "hush-hush"})
    async with system.running():
        await system.receive("a")
        await system.receive("b")
        item, _ = await system.until_status("failed", "delivered")
    assert (item.tries, item.status_code) == (1, status)
    assert item.response is not None
    assert item.response.startswith("no [redacted] xxx")
    assert len(item.response) <= EXCERPT


async def test_a_target_that_is_gone_is_switched_off(on_sqlite: System, receiver: Receiver) -> None:
    system, receiver.script = on_sqlite, [410]
    webhook = Webhook(url=receiver.url, filters=WebhookFilters(allow_groups=False))
    await system.set_webhook(ONE, webhook, {"X-Shop": "s"})
    async with system.running():
        await system.receive("a")
        await system.receive("b")
        await system.until_status("failed", "pending")
        async with asyncio.timeout(DEADLINE_S):
            data = None
            while data is None:
                data, _ = await system.bus.last(subjects.COMMANDS, subjects.instance_command(ONE, "update"))
        command = UpdateInstance.model_validate_json(data)
        assert command.webhook == webhook.model_copy(update={"enabled": False})
        headers = system.secrets.unseal(USER, ONE, "webhook_headers", command.sealed["webhook_headers"])
        assert orjson.loads(headers) == {"X-Shop": "s"}
        await system.set_webhook(ONE, command.webhook, {"X-Shop": "s"})
        await system.clock.sleepers.until(lambda items: len(items) > 0)
        assert len(receiver.requests.items) == 1
        await system.set_webhook(ONE, webhook)  # switched on again: what waited goes
        await system.clock.skip()
        assert await receiver.texts(2) == ["a", "b"]


async def test_a_target_that_asks_to_wait_is_obeyed(on_sqlite: System, receiver: Receiver) -> None:
    async def wait(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "77"})

    system, receiver.script = on_sqlite, [wait]
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        await system.clock.sleepers.until(lambda items: len(items) > 0)
        await system.receive("b")
        assert await system.clock.skip() == pytest.approx(77)
        assert sorted(await receiver.texts(3)) == ["a", "a", "b"]
        await system.until_status("delivered", "delivered")


async def test_a_dead_target_delays_no_other_and_is_left_in_peace(on_sqlite: System, receiver: Receiver) -> None:
    release = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response(status=204)

    system = on_sqlite
    async with receiving() as dead, system.running():
        dead.script = [hang]
        await system.set_webhook(ONE, Webhook(url=dead.url))
        await system.set_webhook(OTHER, Webhook(url=receiver.url))
        for number in range(30):
            await system.receive(f"{number}", ONE)
            await system.receive(f"{number}", OTHER)
        assert await receiver.texts(30) == [f"{number}" for number in range(30)]
        assert len(dead.requests.items) == 1
        dead.script = [500] * 100
        release.set()
        await system.clock.sleepers.until(lambda items: any(at > system.clock.now() for at in items))
        counts = (await system.ask("list")).counts
        assert counts == {"delivered": 1, "pending": 29}
        assert len(dead.requests.items) == 6, "one delivered, five failures, and then the circuit is open"
        assert await system.clock.skip() == pytest.approx(30, rel=0.21)
        await dead.requests.until(lambda items: len(items) == 7)


async def test_a_private_address_is_refused_unless_it_is_allowed(on_sqlite: System, receiver: Receiver) -> None:
    system = on_sqlite
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running(allow_private=False):
        await system.receive("a")
        (item,) = await system.until_status("failed")
        test = (await system.ask("test")).test
    assert (item.error, item.tries, item.status_code) == (PRIVATE, 1, None)
    assert test is not None
    assert (test.delivered, test.error) == (False, PRIVATE)
    assert receiver.requests.items == []


@pytest.mark.parametrize(
    ("url", "status", "error"),
    [
        ("http://127.0.0.1:9/x?key=private", "pending", "the target cannot be reached (ClientConnectorError)"),
        ("http://nobody.invalid/x", "pending", "there is no such host: check the address of the webhook"),
        ("http://[::1/x", "failed", "the address of the webhook cannot be used: check it"),
        ("ftp://127.0.0.1/x", "failed", "the address of the webhook cannot be used: check it"),
        ("nonsense", "failed", "the address of the webhook cannot be used: check it"),
    ],
)
async def test_a_target_that_cannot_be_reached_is_told_in_words(
    on_sqlite: System, url: str, status: str, error: str
) -> None:
    await on_sqlite.set_webhook(ONE, Webhook(url=url))
    async with on_sqlite.running():
        await on_sqlite.receive("a")
        (item,) = await on_sqlite.until(ONE, lambda items: items[0].error is not None)
    assert (item.status.value, item.error) == (status, error)


async def test_redirects_are_not_followed(on_sqlite: System, receiver: Receiver) -> None:
    async def redirect(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/hook"})

    receiver.script = [redirect]
    await on_sqlite.set_webhook(ONE, Webhook(url=receiver.url))
    async with on_sqlite.running():
        await on_sqlite.receive("a")
        (item,) = await on_sqlite.until(ONE, lambda items: items[0].status_code == 307)
    assert len(receiver.requests.items) == 1
    assert item.status is DeliveryStatus.PENDING


# ---------------------------------------------------------------------------------------------------- intake


async def test_filters_say_what_is_delivered(on_sqlite: System, receiver: Receiver) -> None:
    system = on_sqlite
    async with system.running():
        await system.set_webhook(ONE, Webhook(url=receiver.url, filters=WebhookFilters(allow_groups=False)))
        await system.receive("group 1", group=True)
        await system.receive("private 1")
        await system.taken_in()
        await system.set_webhook(ONE, Webhook(url=receiver.url, filters=WebhookFilters(allow_private=False)))
        await system.receive("group 2", group=True)
        await system.receive("private 2")
        await system.taken_in()
        await system.set_webhook(ONE, Webhook(url=receiver.url, enabled=False))
        await system.receive("nothing")
        await system.receive("no webhook", OTHER)
        await system.taken_in()
        await system.set_webhook(ONE, Webhook(url=receiver.url))
        await system.receive("last")
        assert await receiver.texts(3) == ["private 1", "group 2", "last"]


async def test_an_event_that_comes_again_is_one_delivery(system: System, receiver: Receiver) -> None:
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        for text in ("a", "a", "b"):
            # Without the id for the stream: its own window for repeats is ten minutes.
            envelope = wrap(received(text), id=f"event/{text}", source="test", time=system.bus.now())
            await system.bus.publish(subjects.message_event(ONE, "received"), envelope.model_dump_json().encode())
        assert await receiver.texts(2) == ["a", "b"]
        await system.until_status("delivered", "delivered")


async def test_what_cannot_be_read_is_parked_and_stops_nothing(on_sqlite: System, receiver: Receiver) -> None:
    system = on_sqlite
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.bus.publish(subjects.message_event(ONE, "received"), b"no json")
        await system.receive("a")
        assert await receiver.texts(1) == ["a"]
        data, _ = await system.bus.last(subjects.DEAD, subjects.dead_letter("webhooks"))
    assert b"INVALID_MESSAGE" in (data or b"")


async def test_what_was_written_before_a_crash_is_sent_after_it(system: System, receiver: Receiver) -> None:
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running() as lanes:
        lanes.open = lambda _instance_id: None  # type: ignore[method-assign] # it dies before it sends
        await system.receive("a")
        await system.until_status("pending")
    assert receiver.requests.items == []
    await system.receive("while it was away")
    async with system.running():
        assert sorted(await receiver.texts(2)) == ["a", "while it was away"]


async def test_what_was_being_sent_at_a_crash_is_sent_again(system: System, receiver: Receiver) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    receiver.script = [hang]
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        await receiver.texts(1)
    assert LEASE_S > 2 * ANSWER_S
    async with system.running():
        assert await system.clock.skip() == pytest.approx(LEASE_S)
        assert await receiver.texts(2) == ["a", "a"]
        (item,) = await system.until_status("delivered")
    assert item.tries == 2


async def test_two_processes_share_the_work_and_deliver_each_once(system: System, receiver: Receiver) -> None:
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running(), system.running():
        for number in range(40):
            await system.receive(f"{number}")
        await system.until_status(*["delivered"] * 40)
        ids = [headers["webhook-id"] for headers, _ in receiver.requests.items]
        assert len(ids) == len(set(ids)) == 40


async def test_what_is_being_sent_when_the_service_stops_comes_to_its_end(
    on_sqlite: System, receiver: Receiver
) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return web.Response(status=204)

    system, receiver.script = on_sqlite, [slow]
    await system.set_webhook(ONE, Webhook(url=receiver.url))

    async def serve_until_asked() -> None:
        async with system.running():
            await system.receive("a")
            await asked.wait()
            asyncio.get_running_loop().call_later(0.05, release.set)

    await asyncio.wait_for(serve_until_asked(), DEADLINE_S)
    await system.until_status("delivered")


async def test_it_goes_on_after_its_connections_to_the_database_were_cut(
    receiver: Receiver, bus: Bus, connect_bus: ConnectBus, tmp_path: Path
) -> None:
    async with fresh("postgresql", tmp_path) as settings, open_database(settings, "webhooks") as database:
        system = System(bus, connect_bus, database, settings)
        await system.set_webhook(ONE, Webhook(url=receiver.url))
        async with system.running():
            for text in "abc":
                await system.receive(text)
                await receiver.texts(1)
                async with open_database(settings, "webhooks") as other, other.read() as connection:
                    await connection.execute(
                        sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE datname = current_database() AND pid <> pg_backend_pid()")
                    )  # fmt: skip
            assert sorted(set(await receiver.texts(3))) == ["a", "b", "c"]
            await system.until_status("delivered", "delivered", "delivered")


async def test_a_consumer_that_was_deleted_is_made_anew_without_a_gap(
    on_sqlite: System, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mim.runtime.intake.KEEP_S", 0.05)
    system = on_sqlite
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        await receiver.texts(1)
        await system.bus.js.delete_consumer(subjects.EVENTS, subjects.WEBHOOKS_DURABLE)
        await system.receive("b")
        assert await receiver.texts(2) == ["a", "b"]


async def test_it_goes_on_after_a_crash_of_the_bus(
    on_sqlite: System, receiver: Receiver, nats_server: NatsServer
) -> None:
    system = on_sqlite
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        await receiver.texts(1)
        await nats_server.stop()
        await nats_server.start()
        await system.bus.surely(lambda: system.receive("b"))
        assert (await receiver.texts(2))[:2] == ["a", "b"]


async def test_nothing_is_left_of_an_instance_that_was_deleted(on_sqlite: System, receiver: Receiver) -> None:
    system, receiver.script = on_sqlite, [500]
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        await system.receive("a")
        await receiver.texts(1)
        await system.bus.emit(InstanceDeleted(instance_id=ONE, actor="test"))
        await Store(system.bus, subjects.INSTANCES_BUCKET, InstanceRecord).remove(ONE)
        async with asyncio.timeout(DEADLINE_S):
            while await system.secrets.open(USER, "telegram", ONE, WEBHOOK_SECRET) or await system.ledger.waiting():
                pass


# ------------------------------------------------------------------------------------------------- asking


async def test_deliveries_are_listed_shown_and_redelivered(system: System, receiver: Receiver) -> None:
    receiver.script = [400, 400, 204]
    await system.set_webhook(ONE, Webhook(url=receiver.url))
    async with system.running():
        for text in "abc":
            await system.receive(text)
        await system.until_status("failed", "failed", "delivered")
        page = await system.ask("list", limit=1, offset=1)
        assert [item.event_id for item in page.deliveries] == [f"{ONE}/b"]
        assert page.counts == {"failed": 2, "delivered": 1}
        failed = (await system.ask("list", status="failed")).deliveries
        shown = await system.ask("get", delivery_id=failed[0].id)
        assert shown.body is not None
        assert shown.body["message"]["body"] == "b"
        assert (await system.ask("redeliver", delivery_id=failed[0].id)).redelivered == 1
        assert await receiver.texts(4) == ["a", "b", "c", "b"]
        await system.until_status("failed", "delivered", "delivered")
        assert (await system.ask("redeliver")).redelivered == 1
        await system.until_status("delivered", "delivered", "delivered")
        assert (await system.ask("redeliver")).redelivered == 0
        for verb in ("get", "redeliver"):
            assert (await system.ask(verb, OTHER, delivery_id=failed[0].id)).code == "NOT_FOUND"


async def test_a_test_message_goes_out_like_a_real_one(on_sqlite: System, receiver: Receiver) -> None:
    system = on_sqlite
    async with system.running():
        assert (await system.ask("test")).code == "NOT_FOUND"
        assert (await system.ask("test", instance_seq=await system.set_webhook(ONE, None))).code == "NOT_READY"
        seq = await system.set_webhook(ONE, Webhook(url=receiver.url, enabled=False), {"X-Shop": "s"})
        answer = await system.ask("test", instance_seq=seq, test_id="t1")
        secret = await system.secrets.open(USER, "telegram", ONE, WEBHOOK_SECRET)
        assert await system.ledger.waiting() == []
    assert answer.test is not None
    assert (answer.test.delivered, answer.test.status_code, answer.test.error) == (True, 204, None)
    ((headers, body),) = receiver.requests.items
    assert Verifier(secret or "").verify(body, headers)["message"]["id"] == "test-t1"
    assert headers["x-shop"] == "s"


async def test_the_secret_that_signs_is_made_once_and_replaced_when_asked(
    on_sqlite: System, receiver: Receiver
) -> None:
    async def secret() -> str | None:
        return await system.secrets.open(USER, "telegram", ONE, WEBHOOK_SECRET)

    system = on_sqlite
    async with system.running():
        seq = await system.set_webhook(ONE, Webhook(url=receiver.url))
        assert await secret() is None
        made = []
        for verb in ("secret", "secret", "rotate"):
            assert (await system.ask(verb, instance_seq=seq)).code is None
            made.append(await secret())
        assert made[0] == made[1] != made[2]
        await system.receive("a")
        await receiver.texts(1)
        ((headers, body),) = receiver.requests.items
        Verifier(made[2] or "").verify(body, headers)


async def test_where_there_is_nothing_the_answer_says_so(on_sqlite: System) -> None:
    async with on_sqlite.running():
        assert (await on_sqlite.ask("get", delivery_id=OTHER)).code == "NOT_FOUND"
        assert (await on_sqlite.ask("list")).deliveries == ()


# ------------------------------------------------------------------------------------------------ retention


def recorded(number: int, instance_id: str = ONE) -> Recorded:
    return Recorded(instance_id, f"e{number}", "message.received", number, "{}")


def done(status: str) -> Result:
    return Result(DeliveryStatus(status), None, 200, None, None, 1.0)


async def test_what_is_done_is_kept_by_age_and_count(system: System) -> None:
    ledger, now = system.ledger, system.clock.now()
    for day, status in ((40, "delivered"), (10, "delivered"), (40, "failed"), (10, "failed"), (1, "delivered")):
        at = now - timedelta(days=day)
        await ledger.add([recorded(100 * day + (status == "failed"))], at)
        taken = await ledger.take(ONE, at)
        assert taken is not None
        await ledger.settle(taken, done(status), at)
    await ledger.add([recorded(number, OTHER) for number in range(20)], now)
    for _ in range(15):
        taken = await ledger.take(OTHER, now)
        assert taken is not None
        await ledger.settle(taken, done("delivered"), now)
    await ledger.trim(Keeping(most_done=10, most_waiting=3), now)
    found, counts = await ledger.page(ONE, None, 100, 0)
    assert [item.event_id for item in found] == ["e1001", "e100"]
    found, counts = await ledger.page(OTHER, None, 100, 0)
    assert counts == {"delivered": 10, "pending": 3, "failed": 2}
    assert [item.event_id for item in found if item.status is DeliveryStatus.FAILED] == ["e16", "e15"]
    assert "more than 3 wait" in (next(item for item in found if item.status is DeliveryStatus.FAILED).error or "")


async def test_what_waits_for_too_long_has_failed_and_can_wait_once_more(system: System) -> None:
    ledger, now = system.ledger, system.clock.now()
    await ledger.add([recorded(1), recorded(2)], now - timedelta(days=4))
    await ledger.trim(Keeping(), now)
    assert (await ledger.page(ONE, None, 100, 0))[1] == {"failed": 2}
    assert await ledger.all_again(ONE, now) == 2
    await ledger.trim(Keeping(), now)
    assert (await ledger.page(ONE, None, 100, 0))[1] == {"pending": 2}


async def test_two_processes_never_hold_the_same_delivery(system: System) -> None:
    ledger, now = system.ledger, system.clock.now()
    await ledger.add([recorded(number) for number in range(10)], now)
    taken = await asyncio.gather(*(ledger.take(ONE, now) for _ in range(12)))
    ids = [each.id for each in taken if each is not None]
    assert len(ids) == len(set(ids)) == 10
    later = now + timedelta(seconds=LEASE_S)
    again = await ledger.take(ONE, later)
    assert again is not None
    first = next(each for each in taken if each is not None and each.id == again.id)
    await ledger.settle(first, done("failed"), later)  # too late: another has it
    await ledger.settle(again, done("delivered"), later)
    assert (await ledger.page(ONE, None, 100, 0))[1] == {"delivered": 1, "pending": 9}

"""A worker on a real bus with scripted sessions: orders, failures, the outbox, the fence, its ports."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from tests.conftest import known

from mim.contracts import subjects
from mim.contracts.answers import TelegramSent
from mim.contracts.api import TelegramSendBody
from mim.contracts.errors import ErrorCode, Fatal, NeedsUser, NotReady, Refused, SessionEnded
from mim.contracts.login import LoginKind
from mim.contracts.messages import CloudEvent, Event, MessageFailed, MessageSent, SendMessage
from mim.contracts.records import DrainCall, OrderAction, Reply, SessionOrder, WorkerHeartbeat
from mim.contracts.routes import TELEGRAM_PORT
from mim.contracts.states import Provider, Status, UserAction
from mim.contracts.values import Account, Ports, Reason
from mim.runtime.backoff import Backoff
from mim.runtime.bus import Bus
from mim.runtime.instance_port import InstancePorts, SendRoute
from mim.runtime.proof import newest
from mim.runtime.runner import Runner
from mim.runtime.session import SentMessage, SessionContext
from mim.runtime.settings import Settings
from mim.runtime.store import Store
from mim.runtime.streams import OUTBOX_CONSUMER_PREFIX
from mim.runtime.worker import FENCE_S, Worker

if TYPE_CHECKING:
    from tests.conftest import ConnectBus, NatsServer
    from tests.services.conftest import Background, Eventually, Story

ID = "5f0c1d3e-0000-4000-8000-000000000042"
ME = Account(id="42")


class World:
    """The messenger in the test's hands. `plan` says how the next sessions end; without a plan they stay ready."""

    def __init__(self) -> None:
        self.plan: deque[SessionEnded | Exception] = deque()
        self.open = 0
        self.most_open = 0
        self.runs = 0
        self.logouts = 0
        self.sent: list[str] = []
        self.files: dict[str, bytes] = {}
        self.answers: deque[Exception] = deque()
        self.hold: asyncio.Event | None = None
        self.breaks: NotReady | None = None
        self.moved = asyncio.Condition()

    async def tell(self) -> None:
        async with self.moved:
            self.moved.notify_all()

    async def until(self, done: Callable[[], bool], timeout_s: float = 15.0) -> None:
        async with asyncio.timeout(timeout_s), self.moved:
            await self.moved.wait_for(done)


class ScriptedSession:
    """One link to the world."""

    def __init__(self, world: World, context: SessionContext) -> None:
        self._world, self._context = world, context

    async def run(self) -> None:
        world = self._world
        world.runs += 1
        world.open += 1
        world.most_open = max(world.most_open, world.open)
        try:
            await world.tell()
            (self._context.data_dir / "login").write_text("yes")
            if world.plan:
                raise world.plan.popleft()
            await self._context.client_ready(ME)
            await asyncio.Event().wait()
        finally:
            world.open -= 1
            await asyncio.shield(asyncio.create_task(world.tell()))

    async def send(self, message: SendMessage) -> SentMessage:
        world = self._world
        if world.answers:
            raise world.answers.popleft()
        world.sent.append(message.id)
        await world.tell()
        if world.hold is not None:
            await world.hold.wait()
        if world.breaks is not None:
            raise world.breaks
        return SentMessage(messenger_id=f"m-{message.id}")

    async def download(self, reference: str, path: Path, most_bytes: int) -> None:
        content = self._world.files.pop(reference)
        assert len(content) <= most_bytes
        path.write_bytes(content)

    async def pairing_code(self, phone_number: str) -> tuple[str, datetime]:
        raise Refused(ErrorCode.INVALID_FIELDS, f"no phone has the number {phone_number}")

    async def logout(self) -> None:
        self._world.logouts += 1


def answer(sent: MessageSent) -> TelegramSent:
    return TelegramSent(id=sent.id, messageId=sent.messenger_id)


SENDING = {
    route.path: SendRoute(TelegramSendBody, lambda body: {"to": body.chat_id, "text": body.message}, answer)
    for route in TELEGRAM_PORT
    if route.body is not None and route.path.startswith("/api/v1/telegram/")
}


class Rig:
    """A worker, and what lifecycle and callers would do to it."""

    def __init__(self, bus: Bus, settings: Settings, story: Story[CloudEvent[Event]], port: int) -> None:
        self.bus, self.settings, self.story, self.port = bus, settings, story, port
        self.world = World()
        self.orders = Store(bus, subjects.ORDERS_BUCKET, SessionOrder)
        self.worker: Worker

    async def start(self, bus: Bus, background: Background) -> list[asyncio.Task[None]]:
        """A new life of the worker, on its own connection."""
        world = self.world
        self.worker = Worker(
            bus, self.settings, Provider.TELEGRAM, lambda context: ScriptedSession(world, context), SENDING
        )
        await self.worker.start()
        await known(bus.nc)
        # As the service does. The last one finds what was published in the moment in which the outbox was opened.
        return [background(work()) for work in (self.worker.beat, self.worker.follow_orders, self.worker.gauge)]

    async def order(self, action: OrderAction = OrderAction.RUN, epoch: int = 1, **more: Any) -> None:
        reason = Reason(code="CONNECTING", message="m", since=self.bus.now())
        plain: dict[str, Any] = {
            "instance_id": ID,
            "user_id": "u",
            "provider": Provider.TELEGRAM,
            "action": action,
            "boot": self.worker.boot,
            "epoch": epoch,
            "ports": Ports(api=self.port),
            "api_key_sha256": "hash",
            "status": Status.STARTING,
            "reason": reason,
        }
        await self.orders.save(subjects.order_key("telegram", self.worker.name, ID), SessionOrder(**plain | more))

    async def send(self, *ids: str, life_s: float = 60, **more: Any) -> None:
        for message_id in ids:
            base: dict[str, Any] = {
                "instance_id": ID,
                "provider": Provider.TELEGRAM,
                "to": "1",
                "text": f"text {message_id}",
            }
            until = self.bus.now() + timedelta(seconds=life_s)
            body = SendMessage(**{"id": message_id, "expires_at": until} | base | more).model_dump_json().encode()
            await self.bus.publish(subjects.message_command("telegram", ID), body)

    async def said(self, *names: str, timeout_s: float = 15.0) -> CloudEvent[Event]:
        """Wait until exactly these events were said, in order; returns the last one."""
        items = await self.story.until(lambda told: len(told) >= len(names), timeout_s)
        assert [told.data.name for told in items] == list(names)
        return items[-1]

    async def outcomes(self, count: int) -> dict[str, str]:
        """What became of the messages: id → sent, or the code of the failure; each was told once."""

        def told(items: list[CloudEvent[Event]]) -> list[MessageSent | MessageFailed]:
            return [item.data for item in items if isinstance(item.data, MessageSent | MessageFailed)]

        found = told(await self.story.until(lambda items: len(told(items)) >= count))
        assert len({outcome.id for outcome in found}) == len(found)
        return {outcome.id: getattr(outcome, "code", "sent") for outcome in found}


@pytest.fixture
async def rig(
    bus: Bus, connect_bus: ConnectBus, settings: Settings, background: Background, events: Any
) -> AsyncIterator[Rig]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rig = Rig(bus, settings, events, port)
    await rig.start(await connect_bus("telegram-1"), background)
    yield rig
    await rig.worker.end()
    assert rig.world.open == 0, "sessions outlive their worker"
    assert rig.world.most_open <= 1, "an account was connected twice"


# --------------------------------------------------------------------------------------------------- orders


async def test_run_connects_once_and_a_higher_epoch_connects_anew(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.order(reason=Reason(code="X", message="another reason", since=rig.bus.now()))
    await rig.order(epoch=2)
    ready = await rig.said("client_ready", "client_ready")
    assert (ready.data.epoch, rig.world.runs) == (2, 2)


async def test_hold_ends_the_session_and_says_stopped_once(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.order(OrderAction.HOLD)
    await rig.said("client_ready", "stopped")
    assert rig.world.open == 0
    await rig.order(OrderAction.HOLD, status=Status.STOPPED)
    await rig.order(epoch=2)
    await rig.said("client_ready", "stopped", "client_ready")
    assert (rig.settings.data_dir / "sessions" / "telegram" / ID / "login").exists()


async def test_who_was_told_of_a_stop_finds_the_worker_stopped(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.order(OrderAction.HOLD)
    await rig.said("client_ready", "stopped")
    await rig.send("late", life_s=0.1)  # no order came that says what the worker itself told
    assert await rig.outcomes(1) == {"late": "NOT_READY"}
    failed = rig.story.items[-1].data
    assert isinstance(failed, MessageFailed)
    assert "the instance is stopped" in failed.message


async def test_logout_revokes_the_login_and_forgets_it(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.order(OrderAction.LOGOUT)
    out = await rig.said("client_ready", "logged_out")
    assert (out.data.reason.code, rig.world.logouts, rig.world.open) == ("REQUESTED", 1, 0)  # type: ignore[union-attr]
    assert not (rig.settings.data_dir / "sessions" / "telegram" / ID).exists()


async def test_an_instance_is_handed_over_with_its_login_once_its_session_has_ended(
    rig: Rig, eventually: Eventually
) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.order(OrderAction.YIELD)
    key = subjects.order_key("telegram", rig.worker.name, ID)

    async def given_away() -> bool:
        return (await rig.orders.load(key))[0] is None

    await eventually(given_away)
    assert (rig.world.open, rig.world.logouts) == (0, 0)
    assert (rig.settings.data_dir / "sessions" / "telegram" / ID / "login").exists()
    with pytest.raises(aiohttp.ClientConnectionError):
        await health(rig.port)
    await rig.order()  # it was called off, and nobody else has it: the same epoch goes on
    await rig.said("client_ready", "client_ready")


async def test_a_hand_over_that_was_called_off_does_not_delete_the_newer_order(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    for _ in range(5):
        await rig.order(OrderAction.YIELD)
        await rig.order()
    await rig.order(epoch=2)
    await rig.story.until(lambda items: items[-1].data.epoch == 2)  # type: ignore[union-attr]
    order, _ = await rig.orders.load(subjects.order_key("telegram", rig.worker.name, ID))
    assert order is not None
    assert (order.action, order.epoch) == (OrderAction.RUN, 2)
    assert rig.world.open == 1


async def test_a_worker_says_that_it_is_draining_until_it_is_told_otherwise(rig: Rig, eventually: Eventually) -> None:
    beats = Store(rig.bus, subjects.WORKERS_BUCKET, WorkerHeartbeat)

    async def tell(body: bytes) -> Reply:
        subject = subjects.drain_call(rig.worker.name)
        # The server may not have heard yet that the worker listens.
        return Reply.model_validate_json(await rig.bus.surely(lambda: rig.bus.request(subject, body, 2)))

    for draining in (True, False):
        assert await tell(DrainCall(draining=draining).model_dump_json().encode()) == Reply()

        async def said(wanted: bool = draining) -> bool:
            beat, _ = await beats.load(rig.worker.name)
            return beat is not None and beat.draining is wanted

        await eventually(said)
    assert (await tell(b"{}")).code == ErrorCode.INVALID_MESSAGE


async def test_purge_removes_everything_and_then_its_order(rig: Rig, eventually: Eventually) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.order(OrderAction.PURGE, status=Status.DELETED)

    async def gone() -> bool:
        return (await rig.orders.load(subjects.order_key("telegram", rig.worker.name, ID)))[0] is None

    await eventually(gone)
    assert (rig.world.logouts, rig.world.open) == (1, 0)
    assert not (rig.settings.data_dir / "sessions" / "telegram" / ID).exists()
    with pytest.raises(aiohttp.ClientConnectionError):
        await health(rig.port)
    await rig.said("client_ready")


async def test_an_order_for_an_earlier_life_is_not_obeyed(rig: Rig) -> None:
    await rig.order(boot="an-earlier-one")
    await rig.order(epoch=2)
    assert (await rig.said("client_ready")).data.epoch == 2
    assert rig.world.runs == 1


async def test_when_the_order_is_taken_away_the_session_ends_without_a_word(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    await rig.orders.remove(subjects.order_key("telegram", rig.worker.name, ID))
    await rig.world.until(lambda: rig.world.open == 0)
    await rig.said("client_ready")


# ------------------------------------------------------------------------------------------------- failures


async def test_not_ready_is_reconnecting_with_a_wait_and_then_ready(rig: Rig) -> None:
    rig.world.plan.append(NotReady(ErrorCode.MESSENGER_UNREACHABLE, "no route"))
    began = time.monotonic()
    await rig.order()
    lost = (await rig.said("reconnecting")).data
    assert (lost.reason.code, lost.reason.user_action) == ("MESSENGER_UNREACHABLE", "wait")  # type: ignore[union-attr]
    await rig.said("reconnecting", "client_ready")
    assert time.monotonic() - began > 0.8


async def test_a_session_that_breaks_unexpectedly_is_tried_again(rig: Rig) -> None:
    rig.world.plan.append(RuntimeError("a bug"))
    await rig.order()
    ready = await rig.said("reconnecting", "client_ready")
    crashed = rig.story.items[0].data
    assert crashed.reason.code == "SESSION_CRASHED"  # type: ignore[union-attr]
    assert "a bug" not in crashed.reason.message  # type: ignore[union-attr]
    assert ready.data.epoch == 1


@pytest.mark.parametrize(
    ("status", "name"), [(Status.LOGGED_OUT, "logged_out"), (Status.ACTION_REQUIRED, "action_required")]
)
async def test_needs_user_becomes_its_status_and_waits_for_the_next_start(rig: Rig, status: Status, name: str) -> None:
    needs = NeedsUser(ErrorCode.LOGGED_OUT, "log in again", status=status, user_action=UserAction.SCAN_QR)
    rig.world.plan.append(needs)
    await rig.order()
    told = (await rig.said(name)).data
    assert (told.reason.message, told.reason.user_action) == ("log in again", "scan_qr")  # type: ignore[union-attr]
    kept = (rig.settings.data_dir / "sessions" / "telegram" / ID).exists()
    assert kept is (status is not Status.LOGGED_OUT)
    await rig.order(epoch=2)
    await rig.said(name, "client_ready")


async def test_fatal_is_error_and_waits_for_the_next_start(rig: Rig) -> None:
    rig.world.plan.append(Fatal(ErrorCode.TOKEN_MISSING, "no token"))
    await rig.order()
    told = (await rig.said("error")).data
    assert (told.reason.code, told.reason.user_action) == ("TOKEN_MISSING", "restart")  # type: ignore[union-attr]
    await rig.order(epoch=2)
    await rig.said("error", "client_ready")


# --------------------------------------------------------------------------------------------------- outbox


async def test_messages_are_sent_in_order_and_each_once(rig: Rig) -> None:
    await rig.order()
    ids = [f"id-{number}" for number in range(30)]
    await rig.send(*ids)
    assert await rig.outcomes(30) == dict.fromkeys(ids, "sent")
    assert rig.world.sent == ids


async def test_a_message_waits_for_its_session_and_is_sent_then(rig: Rig) -> None:
    rig.world.plan.append(NotReady(ErrorCode.MESSENGER_UNREACHABLE, "no route"))
    await rig.send("early")
    await rig.order()
    assert await rig.outcomes(1) == {"early": "sent"}


async def test_a_message_that_waited_too_long_fails_and_says_why(rig: Rig) -> None:
    rig.world.plan.append(Fatal(ErrorCode.TOKEN_MISSING, "no token"))
    await rig.order()
    await rig.said("error")
    await rig.send("late", life_s=0.1)
    assert await rig.outcomes(1) == {"late": "NOT_READY"}


@pytest.mark.parametrize(
    ("answer", "outcome", "sent"),
    [
        (Refused(ErrorCode.RECIPIENT_UNKNOWN, "nobody"), "RECIPIENT_UNKNOWN", []),
        (NotReady(ErrorCode.RATE_LIMITED, "slower", retry_after_s=0.05), "sent", ["x"]),
        (NotReady(ErrorCode.RATE_LIMITED, "much slower", retry_after_s=1e6), "RATE_LIMITED", []),
        (ConnectionResetError(), "UNCERTAIN", []),
    ],
    ids=["refused", "slow down", "come back next week", "nobody knows"],
)
async def test_what_the_messenger_answers_decides(rig: Rig, answer: Exception, outcome: str, sent: list[str]) -> None:
    await rig.order()
    rig.world.answers.append(answer)
    await rig.send("x", "next")
    assert await rig.outcomes(2) == {"x": outcome, "next": "sent"}
    assert rig.world.sent == [*sent, "next"]


async def test_a_malformed_message_is_parked_and_delays_nobody(rig: Rig, entries: Any) -> None:
    await rig.order()
    dead = entries(subjects.DEAD, subjects.ALL_DEAD)
    await rig.bus.publish(subjects.message_command("telegram", ID), b'{"id": "x"')
    await rig.send("other", instance_id="00000000-0000-4000-8000-000000000001")
    await rig.send("good")
    assert await rig.outcomes(1) == {"good": "sent"}
    await dead.until(lambda items: len(items) == 2)


async def test_a_stop_in_the_middle_of_a_send_leaves_it_sent_or_uncertain_and_the_rest_waits(rig: Rig) -> None:
    rig.world.hold = asyncio.Event()
    await rig.order()
    await rig.send("one", "two")
    await rig.world.until(lambda: rig.world.sent == ["one"])
    await rig.order(OrderAction.HOLD)
    assert await rig.outcomes(1) == {"one": "UNCERTAIN"}
    rig.world.hold.set()
    await rig.order(epoch=2)
    assert await rig.outcomes(2) == {"one": "UNCERTAIN", "two": "sent"}
    assert rig.world.sent == ["one", "two"]


async def test_a_session_that_breaks_while_it_is_closed_keeps_nobody_waiting_and_its_message_is_sent_by_the_next(
    rig: Rig,
) -> None:
    world = rig.world
    world.hold = asyncio.Event()
    await rig.order()
    await rig.send("one")
    await world.until(lambda: world.sent == ["one"])
    closing = asyncio.create_task(rig.worker._outbox.close(ID))
    for _ in range(5):
        await asyncio.sleep(0)  # until what is being sent has heard of it
    world.breaks = NotReady(ErrorCode.NOT_READY, "not connected any more")
    world.hold.set()
    async with asyncio.timeout(5):
        await closing
    world.breaks = None
    await rig.order(epoch=2)
    assert await rig.outcomes(1) == {"one": "sent"}
    assert world.sent == ["one", "one"]


@pytest.mark.parametrize("forgotten", ["nothing", "what the server counted", "what the worker noted"])
async def test_after_a_crash_in_the_middle_of_a_send_the_message_is_uncertain_and_never_sent_again(
    rig: Rig, connect_bus: ConnectBus, background: Background, forgotten: str
) -> None:
    doomed, crashing = await connect_bus("crashing"), World()
    await rig.worker.end()  # its place is taken by one that will crash
    healthy, rig.world = rig.world, crashing
    crashing.hold = asyncio.Event()
    life = await rig.start(doomed, background)
    crashed = rig.worker
    await rig.order()
    await rig.send("one", "two")
    await crashing.until(lambda: crashing.sent == ["one"])
    await doomed.nc.close()  # as if the process were gone: nothing more is heard of it
    for task in life:
        task.cancel()
    if forgotten == "what the server counted":
        await rig.bus.js.delete_consumer(subjects.OUTBOX, OUTBOX_CONSUMER_PREFIX + ID)
    if forgotten == "what the worker noted":
        (rig.settings.data_dir / "sessions" / "telegram" / ID / "tried").unlink()
    rig.world = healthy
    await crashed._ports.stop()  # the kernel closes the listeners of a dead process
    await rig.start(await connect_bus("telegram-1-again"), background)
    await rig.order(epoch=2)
    assert await rig.outcomes(2) == {"one": "UNCERTAIN", "two": "sent"}
    assert (crashing.sent, healthy.sent) == (["one"], ["two"])


# ---------------------------------------------------------------------------------------------------- fence


async def test_without_the_bus_for_too_long_the_session_is_closed_and_comes_back_with_it(
    rig: Rig, nats_server: NatsServer
) -> None:
    await rig.order()
    await rig.said("client_ready")
    await nats_server.stop()
    began = time.monotonic()
    await rig.world.until(lambda: rig.world.open == 0, FENCE_S + 5)
    assert FENCE_S - 1.5 < time.monotonic() - began < FENCE_S + 3
    await nats_server.start()
    await rig.world.until(lambda: rig.world.open == 1)
    await rig.said("client_ready", "reconnecting", "client_ready")


@pytest.mark.parametrize("about", [ID, ID.replace("0", "1")], ids=["about it", "about another"])
async def test_an_order_that_comes_while_a_worker_asks_what_stands_after_a_fence_is_obeyed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, eventually: Eventually, about: str
) -> None:
    async def is_there() -> bool:
        await rig.bus.nc.flush()
        return ID in rig.worker._wanted

    async def slowly(*asked: Any) -> SessionOrder | None:
        found = await newest(*asked)
        await rig.order()
        await eventually(is_there)
        return found

    monkeypatch.setattr("mim.runtime.worker.newest", slowly)
    rig.worker._interrupted.add(about)
    await rig.worker._fence()
    await rig.said("client_ready")


async def test_a_short_outage_leaves_the_session_alone_and_what_it_said_is_told_afterwards(
    rig: Rig, nats_server: NatsServer
) -> None:
    await nats_server.stop()
    await nats_server.start()
    await rig.bus.surely(rig.order)
    await rig.said("client_ready")
    await rig.bus.surely(lambda: rig.send("x"))
    assert await rig.outcomes(1) == {"x": "sent"}
    assert rig.world.runs == 1


# ---------------------------------------------------------------------------------------------------- ports


async def health(port: int) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/api/v1/health") as answer:
        return answer.status


async def test_the_instance_answers_on_its_port_and_moves_with_its_order(rig: Rig) -> None:
    await rig.order()
    await rig.said("client_ready")
    assert await health(rig.port) == 200
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        other = probe.getsockname()[1]
    await rig.order(epoch=2, ports=Ports(api=other))
    await rig.said("client_ready", "client_ready")
    assert await health(other) == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await health(rig.port)


async def test_a_send_waits_while_the_login_is_read_unless_the_account_has_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, told = asyncio.Event(), asyncio.Event()

    async def slow(*_about: str) -> tuple[str | None, int]:
        asked.set()
        await told.wait()
        return "1:a login", 1

    monkeypatch.setattr("mim.runtime.store.Secrets.load", slow)
    order = {"login": LoginKind.USER, "api_key_sha256": hashlib.sha256(b"key").hexdigest()}

    async def send() -> int:
        url, body = f"http://127.0.0.1:{rig.port}/api/v1/telegram/send", {"chatId": "1", "message": "hi"}
        headers = {"Authorization": "Bearer key"}
        async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
            return answer.status

    queued = await rig.bus.nc.subscribe(subjects.message_command("telegram", ID))
    await known(rig.bus.nc)
    for epoch, resumes in ((1, False), (2, True)):
        asked.clear()
        await rig.order(epoch=epoch, resumes=resumes, **order)
        await asked.wait()
        sending = asyncio.create_task(send())
        if resumes:
            await queued.next_msg(timeout=5)
            told.set()
        assert await sending == (200 if resumes else 409)
    assert len(rig.world.sent) == 1


async def test_a_port_that_another_program_holds_is_an_error_that_says_restart(rig: Rig) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", rig.port))
        other.listen()
        await rig.order()
        told = (await rig.said("error")).data
        assert (told.reason.code, told.reason.user_action) == ("PORT_TAKEN", "restart")  # type: ignore[union-attr]
        assert str(rig.port) in told.reason.message  # type: ignore[union-attr]
        assert rig.world.runs == 0
    await rig.order(epoch=2)
    await rig.said("error", "client_ready")


async def test_a_port_that_another_program_holds_is_told_by_a_worker_too_that_was_cut_off_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes its orders back to prove them, and hears that: they are no newer ones."""
    monkeypatch.setattr("mim.runtime.worker.PORT_FREED", Backoff(first_s=0.1, most_s=0.1, give_up_s=1.0))
    await rig.worker._fence()
    with socket.create_server(("127.0.0.1", rig.port)):
        await rig.order()
        told = (await rig.said("error")).data
        assert told.reason.code == "PORT_TAKEN"  # type: ignore[union-attr]


async def test_a_port_that_the_worker_before_gives_up_late_is_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = socket.create_server(("127.0.0.1", rig.port))
    tries = port_tries(monkeypatch, lambda tried: holder.close() if tried == 3 else None)
    await rig.order()
    await rig.said("client_ready")
    assert tries.total() == 3
    assert await health(rig.port) == 200


async def test_who_waits_for_a_port_stops_when_told_to(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mim.runtime.worker.PORT_FREED", Backoff(give_up_s=600.0))
    waits = asyncio.Event()
    port_tries(monkeypatch, lambda _: waits.set())
    with socket.create_server(("127.0.0.1", rig.port)):
        await rig.order()
        await waits.wait()
        await rig.order(OrderAction.HOLD, epoch=2)
        await rig.said("stopped")
        assert rig.world.runs == 0


def port_tries(monkeypatch: pytest.MonkeyPatch, tried: Callable[[int], None]) -> Counter[int]:
    """How often each port was to be opened; `tried` gets the number before each try."""
    tries, opened = Counter[int](), InstancePorts.open

    async def open_port(self: InstancePorts, port: int, runner: Runner) -> None:
        tries[port] += 1
        tried(tries[port])
        await opened(self, port, runner)

    monkeypatch.setattr(InstancePorts, "open", open_port)
    return tries


@pytest.mark.parametrize(
    ("action", "told"),
    [(OrderAction.HOLD, "stopped"), (OrderAction.LOGOUT, "logged_out")],
    ids=str,
)
async def test_a_port_that_another_program_holds_does_not_keep_an_instance_from_ending(
    rig: Rig, action: OrderAction, told: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", rig.port))
        other.listen()
        await rig.order(action)
        await rig.said(told)


async def test_what_a_deleted_instance_left_is_swept_at_the_next_start_and_nothing_else(
    rig: Rig, connect_bus: ConnectBus, background: Background, bus: Bus
) -> None:
    root: Path = rig.settings.data_dir / "sessions" / "telegram"
    for name in (ID, "00000000-0000-4000-8000-000000000001", "not an id"):
        (root / name).mkdir(parents=True)
    await bus.publish(subjects.instance_event(ID, "deleted"), b"{}")
    await rig.start(await connect_bus("telegram-1-again"), background)
    assert sorted(entry.name for entry in root.iterdir()) == ["00000000-0000-4000-8000-000000000001", "not an id"]


async def test_what_an_instance_left_that_nobody_has_goes_as_it_is_deleted(rig: Rig, eventually: Eventually) -> None:
    folder: Path = rig.settings.data_dir / "sessions" / "telegram" / "00000000-0000-4000-8000-000000000001"
    folder.mkdir(parents=True)
    await rig.bus.publish(subjects.instance_event(folder.name, "deleted"), b"{}")

    async def is_gone() -> bool:
        return not await asyncio.to_thread(folder.exists)

    await eventually(is_gone)


async def test_the_folder_of_an_instance_that_was_deleted_elsewhere_goes_with_its_order(
    rig: Rig, eventually: Eventually
) -> None:
    folder: Path = rig.settings.data_dir / "sessions" / "telegram" / ID
    await rig.order()
    await rig.said("client_ready")
    await rig.bus.publish(subjects.instance_event(ID, "deleted"), b"{}")
    await rig.orders.remove(subjects.order_key("telegram", rig.worker.name, ID))

    async def is_gone() -> bool:
        return not await asyncio.to_thread(folder.exists)

    await eventually(is_gone)


async def test_of_two_workers_with_one_name_the_older_ends_and_says_how_to_name_them(
    connect_bus: ConnectBus, settings: Settings, background: Background, eventually: Eventually
) -> None:
    def named(bus: Bus) -> Worker:
        return Worker(bus, settings, Provider.TELEGRAM, lambda context: ScriptedSession(World(), context), SENDING)

    older_bus = await connect_bus("older")
    older, beats = named(older_bus), Store(older_bus, subjects.WORKERS_BUCKET, WorkerHeartbeat)
    beating = background(older.beat())

    async def older_beats() -> bool:
        return (await beats.load(older.name))[0] is not None

    await eventually(older_beats)
    background(named(await connect_bus("newer")).beat())
    with pytest.raises(RuntimeError, match="MIM_WORKER"):
        await asyncio.wait_for(beating, 10)

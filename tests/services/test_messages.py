"""What a worker does with messages beyond sending them: waits that are told, repeats, receipts, limits, login steps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.services.test_worker import ID, Rig, rig  # noqa: F401 - a fixture

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, NotReady, Refused, Rejected
from mim.contracts.login import LoginKind, LoginStep
from mim.contracts.messages import (
    ActionRequired,
    InstanceRestricted,
    MessageDelivered,
    MessageEdited,
    MessageFailed,
    MessageQueued,
    MessageReceived,
    MessageSent,
    SendMessage,
)
from mim.contracts.records import OrderAction, SessionAnswer, SessionCall
from mim.contracts.states import Provider, Status
from mim.contracts.values import Contact, IncomingMedia, IncomingMessage, Restriction
from mim.runtime.media import MediaStore, incoming_name
from mim.runtime.recent import OVERTAKEN_S, Recent
from mim.runtime.secrets import LOGIN, load_vault, login_secret
from mim.runtime.sending import Sender
from mim.runtime.session import SessionContext
from mim.runtime.store import Secrets

if TYPE_CHECKING:
    from tests.services.conftest import Eventually

    from mim.runtime.bus import Bus

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANNA = Contact(id="7", name="Anna")


def incoming(identity: str, **more: Any) -> IncomingMessage:
    return IncomingMessage(id=identity, chat_id="1", body=f"text {identity}", timestamp=NOW, contact=ANNA, **more)


@pytest.fixture
async def ready(rig: Rig) -> tuple[Rig, SessionContext]:  # noqa: F811
    """A rig whose session is ready, and what that session may say."""
    await rig.order(login=LoginKind.USER)
    await rig.said("client_ready")
    runner = rig.worker._runners[ID]
    session = cast("Any", runner.session)
    return rig, session._context


async def of(rig: Rig, kind: type[Any], count: int = 1) -> list[Any]:  # noqa: F811
    """The events of a kind, once there are so many."""
    found = await rig.story.until(lambda items: sum(isinstance(item.data, kind) for item in items) >= count)
    return [item.data for item in found if isinstance(item.data, kind)]


# -------------------------------------------------------------------------------------------------- waiting


async def test_who_repeats_a_request_that_had_no_answer_gets_the_outcome_that_was_told_before(
    ready: tuple[Rig, SessionContext],
) -> None:
    rig, _ = ready  # noqa: F811
    until = rig.bus.now() + timedelta(minutes=1)
    message = SendMessage(id="a", instance_id=ID, provider=Provider.TELEGRAM, to="1", text="hi", expires_at=until)
    await Sender(rig.bus).queue(message)
    await of(rig, MessageSent)
    outcome = await Sender(rig.bus).send(message, 10)
    assert isinstance(outcome, MessageSent)
    assert (outcome.id, rig.world.sent) == ("a", ["a"])


async def test_a_message_that_has_to_wait_says_why_once_and_until_when(ready: tuple[Rig, SessionContext]) -> None:
    rig, _ = ready  # noqa: F811
    rig.world.answers += [NotReady(ErrorCode.RATE_LIMITED, "slower", retry_after_s=3600)]
    await rig.send("a", life_s=7200)
    (queued,) = await of(rig, MessageQueued)
    assert (queued.id, queued.code, queued.message) == ("a", "RATE_LIMITED", "slower")
    assert timedelta(seconds=3500) < queued.until - rig.bus.now() <= timedelta(seconds=3600)


async def test_what_waits_while_the_instance_is_stopped_says_so_and_fails_in_its_time(
    ready: tuple[Rig, SessionContext],
) -> None:
    rig, _ = ready  # noqa: F811
    await rig.order(OrderAction.HOLD)
    await rig.said("client_ready", "stopped")
    await rig.order(OrderAction.HOLD, status=Status.STOPPED)
    await rig.send("a", life_s=0.5)
    (queued,) = await of(rig, MessageQueued)
    assert (queued.code, queued.until) == ("NOT_READY", None)
    (failed,) = await of(rig, MessageFailed)
    assert failed.code == "NOT_READY"
    assert "it waited too long: the instance is stopped" in failed.message


async def test_what_waits_when_an_instance_is_deleted_fails_and_nothing_is_left_over(
    ready: tuple[Rig, SessionContext], eventually: Eventually
) -> None:
    rig, _ = ready  # noqa: F811

    async def nothing_is_left() -> bool:  # a message goes when it was told, so a moment later
        data, _ = await rig.bus.last(subjects.OUTBOX, subjects.message_command("telegram", ID))
        return data is None

    await rig.order(OrderAction.HOLD)
    await rig.said("client_ready", "stopped")
    await rig.send("a", "b", "c", life_s=3600)
    await of(rig, MessageQueued)
    await rig.order(OrderAction.PURGE, status=Status.DELETED)
    failed = await of(rig, MessageFailed, 3)
    assert [(each.id, each.code) for each in failed] == [(name, "NOT_FOUND") for name in "abc"]
    await eventually(nothing_is_left)


async def test_what_a_provider_cannot_do_fails_without_asking_its_session(ready: tuple[Rig, SessionContext]) -> None:
    rig, _ = ready  # noqa: F811
    await rig.order(epoch=2, login=LoginKind.BOT)
    await rig.said("client_ready", "client_ready")
    await rig.send("a", kind="read", text="", target={"id": "7"})
    (failed,) = await of(rig, MessageFailed)
    assert (failed.code, rig.world.sent) == ("NOT_SUPPORTED", [])


# ------------------------------------------------------------------------------------------------- hearing


async def test_a_message_that_comes_again_is_stored_once_also_after_a_restart(
    ready: tuple[Rig, SessionContext], bus: Bus
) -> None:
    rig, context = ready  # noqa: F811
    await context.received(incoming("a"))
    await context.received(incoming("a"))
    await context.received(incoming("b"))
    assert [event.message.id for event in await of(rig, MessageReceived, 2)] == ["a", "b"]
    later = Recent(bus, ID)  # as another worker would have it
    assert await later.is_repeat(incoming("a"))
    assert not await later.is_repeat(incoming("c"))


async def test_a_receipt_names_our_own_ids(ready: tuple[Rig, SessionContext], bus: Bus) -> None:
    rig, context = ready  # noqa: F811
    await rig.send("a")
    await of(rig, MessageSent)
    at = rig.bus.now()
    await context.happened(MessageDelivered, at=at, messenger_ids=("m-a", "m-x"), chat_id="1", contact=ANNA)
    (delivered,) = await of(rig, MessageDelivered)
    assert (delivered.messenger_ids, delivered.ids) == (("m-a", "m-x"), ("a", None))
    assert await Recent(bus, ID).ids_of(["m-a", "m-b"]) == ["a", None]


async def test_a_receipt_that_overtakes_the_answer_to_its_message_is_told_after_it(
    ready: tuple[Rig, SessionContext],
) -> None:
    rig, context = ready  # noqa: F811
    recent = rig.worker._runners[ID].recent
    assert await recent.ids_of([]) == []  # from here on it knows what was sent before
    gate = rig.world.hold = asyncio.Event()
    await rig.send("a")
    await rig.world.until(lambda: rig.world.sent == ["a"])
    receipt = context.happened(MessageDelivered, at=rig.bus.now(), messenger_ids=("m-a",), chat_id="1")
    arriving = asyncio.create_task(receipt)
    await asyncio.sleep(0)
    gate.set()
    await arriving
    await of(rig, MessageDelivered)
    told = [item.data for item in rig.story.items if isinstance(item.data, MessageSent | MessageDelivered)]
    assert [type(each) for each in told] == [MessageSent, MessageDelivered]
    assert told[1].ids == ("a",)


async def test_receipts_of_strangers_hold_nothing_up(bus: Bus) -> None:
    recent = Recent(bus, ID)
    recent.sending()
    began = asyncio.get_running_loop().time()
    for _ in range(5):
        assert await recent.ids_of(["unknown"]) == [None]
    assert asyncio.get_running_loop().time() - began < 2 * OVERTAKEN_S


async def test_what_is_told_again_is_one_event(ready: tuple[Rig, SessionContext]) -> None:
    rig, context = ready  # noqa: F811
    for body in ("one", "one", "two"):
        await context.happened(MessageEdited, at=NOW, messenger_id="a", chat_id="1", contact=ANNA, body=body)
    assert [event.body for event in await of(rig, MessageEdited, 2)] == ["one", "two"]


async def test_what_gets_a_file_travels_sealed(ready: tuple[Rig, SessionContext]) -> None:
    rig, context = ready  # noqa: F811
    media = IncomingMedia(kind="image", reference="the key to the file")
    await context.received(incoming("a", media=media))
    (event,) = await of(rig, MessageReceived)
    sealed = event.message.media.reference
    assert "the key" not in sealed
    secrets = Secrets(rig.bus, load_vault(rig.settings))
    assert secrets.unseal("u", ID, "media", sealed) == "the key to the file"


# -------------------------------------------------------------------------------------------------- limits


async def test_files_are_fetched_at_once_if_that_is_set(
    ready: tuple[Rig, SessionContext], tmp_path: Path, eventually: Eventually
) -> None:
    rig, context = ready  # noqa: F811
    rig.world.files = {"early": b"an early file", "late": b"a late file"}
    store, runner = MediaStore(rig.bus), rig.worker._runners[ID]

    async def is_kept(message_id: str) -> bool:
        try:
            async with store.get(incoming_name(ID, "1", message_id), tmp_path):
                return True
        except Refused:
            return False

    await context.received(incoming("late", media=IncomingMedia(kind="image", reference="late")))
    runner._settings = dict(runner._settings) | {"media_download": "at_once"}
    await context.received(incoming("early", media=IncomingMedia(kind="image", reference="early")))
    await context.received(incoming("huge", media=IncomingMedia(kind="video", reference="huge", size_bytes=1 << 40)))
    await eventually(lambda: is_kept("early"))
    assert set(rig.world.files) == {"late"}
    assert not await is_kept("late")
    sealed = (await of(rig, MessageReceived, 2))[1].message.media.reference
    async with runner.incoming_file("1", "early", sealed) as path:
        assert path.read_bytes() == b"an early file"


async def test_a_restriction_is_told_and_lifted_when_it_is_over(ready: tuple[Rig, SessionContext]) -> None:
    rig, context = ready  # noqa: F811
    until = rig.bus.now() + timedelta(seconds=0.3)
    limit = Restriction(kind="flood_wait", scope="account", until=until)
    await context.restricted(limit)
    await context.restricted(limit)
    told = await of(rig, InstanceRestricted, 2)
    assert [event.restriction is None for event in told] == [False, True]
    assert rig.bus.now() >= until


# ------------------------------------------------------------------------------------------------ logging in


async def test_a_login_step_is_a_status_with_its_fields_and_an_answer_reaches_the_session(
    ready: tuple[Rig, SessionContext],
) -> None:
    rig, context = ready  # noqa: F811
    await context.login_step(LoginStep(type="input_password", instructions="enter it"))
    (asked,) = await of(rig, ActionRequired)
    assert (asked.step.type, asked.reason.code, asked.reason.user_action) == (
        "input_password",
        "PASSWORD_REQUIRED",
        "enter_password",
    )
    taken: list[Any] = []

    async def answer_login(fields: Any) -> None:
        taken.append(fields)
        if fields["password"] != "right":
            raise Rejected(ErrorCode.INVALID_FIELDS, "wrong")

    cast("Any", rig.worker._runners[ID].session).answer_login = answer_login
    secrets = Secrets(rig.bus, load_vault(rig.settings))
    for password, code in (("wrong", "INVALID_FIELDS"), ("right", None)):
        sealed = secrets.seal("u", ID, login_secret("password"), password)
        call = SessionCall(instance_id=ID, login={"password": sealed}).model_dump_json().encode()
        raw = await rig.bus.request(subjects.session_call(rig.worker.name), call, 5)
        assert SessionAnswer.model_validate_json(raw).code == code
    assert taken == [{"password": "wrong"}, {"password": "right"}]


async def test_a_login_is_kept_sealed_for_whoever_holds_the_session_next_and_forgotten_at_logout(
    ready: tuple[Rig, SessionContext],
) -> None:
    rig, context = ready  # noqa: F811
    secrets = Secrets(rig.bus, load_vault(rig.settings))
    await context.keep_login("the login")
    assert await secrets.open("u", Provider.TELEGRAM, ID, LOGIN) == "1:the login"
    await rig.order(epoch=2, login=LoginKind.USER)
    await rig.story.until(lambda items: len(items) >= 2)
    following = cast("Any", rig.worker._runners[ID].session)._context
    assert (following.secrets["login"], following.login_epoch, following.epoch) == ("the login", 1, 2)
    await rig.order(OrderAction.LOGOUT, epoch=2, login=LoginKind.USER)
    await rig.story.until(lambda items: items[-1].data.name == "logged_out")
    assert await secrets.open("u", Provider.TELEGRAM, ID, LOGIN) is None

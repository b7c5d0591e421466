"""Message events become what the account knows: on both engines, whatever comes twice or out of its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.msg import Msg
from tests.conftest import known
from tests.services.databases import ENGINES, Engine, fresh

from mim.contracts import subjects
from mim.contracts.bulk import BulkCall, BulkItemStatus, BulkVerb
from mim.contracts.content import MediaKind
from mim.contracts.errors import MimError
from mim.contracts.messages import (
    Event,
    GroupChanged,
    InstanceDeleted,
    MessageDeleted,
    MessageDelivered,
    MessageEdited,
    MessageFailed,
    MessageReaction,
    MessageRead,
    MessageReceived,
    MessageSent,
    SendMessage,
    wrap,
)
from mim.contracts.states import Provider
from mim.contracts.stored import StoredCall, StoredReply, StoredVerb
from mim.contracts.values import Contact, IncomingMedia, IncomingMessage
from mim.message_store.app import MOST_BYTES, ask, message_store
from mim.message_store.bulk import Bulks, item_of, message_id
from mim.message_store.changes import change_of, searched
from mim.message_store.store import MessageStore
from mim.runtime.bus import Bus
from mim.runtime.settings import Settings
from mim.storage.database import open_database

if TYPE_CHECKING:
    from tests.conftest import ConnectBus
    from tests.services.conftest import Background, Eventually

ID = "5f0c1d3e-0000-4000-8000-000000000042"
OTHER = "5f0c1d3e-0000-4000-8000-000000000043"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANNA = Contact(id="15550002222", name="Anna", phone_number="15550002222", lid="77")
CHAT = "15550002222@s.whatsapp.net"
COMMON: dict[str, Any] = {"provider": Provider.WHATSAPPWEB}


def said(
    identity: str, text: str, *, second: int = 0, chat: str = CHAT, by: Contact = ANNA, of: str = ID, **more: Any
) -> MessageReceived:
    at = NOW + timedelta(seconds=second)
    message = IncomingMessage(id=identity, chat_id=chat, body=text, timestamp=at, contact=by, **more)
    return MessageReceived(instance_id=of, message=message, **COMMON)


def sent(identity: str, text: str, **more: Any) -> MessageSent:
    given = {"id": f"m-{identity}", "to": CHAT, "messenger_id": identity, "chat_id": CHAT, "body": text}
    return MessageSent(instance_id=ID, **COMMON | given | more)


def about(kind: type[Any], identity: str, **more: Any) -> Any:
    return kind(instance_id=ID, messenger_id=identity, chat_id=CHAT, timestamp=NOW, **COMMON | more)


def receipt(kind: type[Any], *identities: str) -> Any:
    return kind(instance_id=ID, messenger_ids=identities, chat_id=CHAT, timestamp=NOW, **COMMON)


async def write(store: MessageStore, *events: Event, first_seq: int = 1, at: datetime = NOW) -> None:
    changes = []
    for seq, event in enumerate(events, first_seq):
        envelope = wrap(event, id=str(seq), source="test", time=at + timedelta(seconds=seq))
        if (change := change_of(envelope, seq)) is not None:
            changes.append(change)
    await store.apply(changes)


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MessageStore]:
    engine: Engine = request.param
    async with fresh(engine, tmp_path) as settings, open_database(settings, "messages") as database:
        yield MessageStore(database)


async def messages(store: MessageStore, **which: Any) -> StoredReply:
    return await ask(store, StoredVerb.MESSAGES, StoredCall(instance_id=ID, **which))


async def test_a_conversation_is_there_with_everything_that_became_of_it(store: MessageStore) -> None:
    events = (
        said("a", "Привет, как дела?"),
        sent("b", "fine"),
        receipt(MessageRead, "b"),
        receipt(MessageDelivered, "b"),  # late: it takes nothing back
        about(MessageEdited, "a", body="Привет!", contact=ANNA),
        about(MessageReaction, "b", emoji="👍", contact=ANNA),
        sent("", "❤", type="reaction", target="a"),
        said("c", "", type="image", media=IncomingMedia(kind=MediaKind.IMAGE, mime_type="image/png", reference="v1.x")),
        about(MessageDeleted, "c"),
        sent("", "all fine", type="edit", target="b"),
        sent("", "", type="typing"),
    )
    for _ in range(2):  # what comes again changes nothing
        await write(store, *events)
    found = {message.id: message for message in (await messages(store)).messages}
    assert set(found) == {"a", "b", "c"}
    assert (found["a"].body, found["a"].edited, found["a"].reactions) == ("Привет!", True, {"me": "❤"})
    assert (found["a"].contact, found["a"].contactId, found["a"].status) == ("Anna", ANNA.id, "received")
    assert (found["b"].body, found["b"].status, found["b"].messageId) == ("all fine", "read", "m-b")
    assert found["b"].reactions == {ANNA.id: "👍"}
    assert (found["c"].deleted, found["c"].body, found["c"].media) == (True, "", None)
    (chat,) = (await ask(store, StoredVerb.CHATS, StoredCall(instance_id=ID))).chats
    assert (chat.id, chat.name, chat.messageCount, chat.isGroup) == (CHAT, "Anna", 3, False)
    (contact,) = (await ask(store, StoredVerb.CONTACTS, StoredCall(instance_id=ID))).contacts
    assert (contact.id, contact.phoneNumber, contact.lid) == (ANNA.id, ANNA.phone_number, ANNA.lid)


async def test_within_a_second_the_order_is_that_of_the_events(store: MessageStore) -> None:
    """Messengers tell whole seconds, our own messages have the time of their event."""
    at = NOW + timedelta(milliseconds=300)
    media = IncomingMedia(kind=MediaKind.DOCUMENT, file_name="list.pdf", size_bytes=9, reference="v1.y")
    await write(store, sent("own", "first"), said("theirs", "second", second=1), at=at)
    await write(store, sent("copy", "third", type="forward", media=media), first_seq=3, at=at - timedelta(seconds=2))
    found = (await messages(store)).messages
    assert [message.id for message in found] == ["copy", "theirs", "own"]
    assert (found[0].type, found[0].forwarded, found[0].media.fileName) == ("document", True, "list.pdf")


async def test_lists_are_newest_first_in_pages_and_know_their_total(store: MessageStore) -> None:
    await write(store, *(said(f"m{number}", f"text {number}", second=number) for number in range(5)))
    page = await messages(store, limit=2, offset=1)
    assert [message.id for message in page.messages] == ["m3", "m2"]
    assert page.total == 5


async def test_messages_are_found_by_chat_kind_and_text_in_any_script(store: MessageStore) -> None:
    group, bob = "123@g.us", Contact(id="15550003333", name="Боб_1%")
    await write(
        store,
        said("a", "ЖЁЛТЫЙ  дом"),
        said("b", "100 % sure", second=1, chat=group, by=bob, is_group=True),
        said("c", "for another", of=OTHER),
    )
    for which, wanted in (
        ({"search": "жёлтый дом"}, {"a"}),
        ({"search": "0 %"}, {"b"}),
        ({"search": "1%"}, set()),
        ({"is_group": True}, {"b"}),
        ({"is_group": False}, {"a"}),
        ({"chat_id": group}, {"b"}),
        ({"chat_id": "nobody"}, set()),
    ):
        found = await messages(store, **which)
        assert ({message.id for message in found.messages}, found.total) == (wanted, len(wanted)), which
    found = await ask(store, StoredVerb.CONTACTS, StoredCall(instance_id=ID, search="_1%"))
    assert [contact.id for contact in found.contacts] == [bob.id]
    found = await ask(store, StoredVerb.CHATS, StoredCall(instance_id=ID, search="anna"))
    assert [chat.id for chat in found.chats] == [CHAT]


async def test_unread_counts_what_came_since_the_chat_was_read_and_a_group_has_its_name(store: MessageStore) -> None:
    group = "123@g.us"
    await write(store, said("a", "1", chat=group, is_group=True), said("b", "2", second=1, chat=group, is_group=True))
    renamed = GroupChanged(instance_id=ID, chat_id=group, change="renamed", title="Дом", timestamp=NOW, **COMMON)
    await write(store, renamed, first_seq=3)

    async def chat() -> Any:
        return (await ask(store, StoredVerb.CHATS, StoredCall(instance_id=ID))).chats[0]

    assert ((await chat()).unread, (await chat()).name, (await chat()).lastMessage) == (2, "Дом", "2")
    await write(store, sent("", "", type="read", chat_id=group, target="b"), first_seq=4)
    assert (await chat()).unread == 0
    await write(store, said("d", "3", second=9, chat=group, is_group=True), first_seq=5)
    assert ((await chat()).unread, (await chat()).name) == (1, "Дом")


async def test_what_comes_twice_at_once_counts_once(store: MessageStore) -> None:
    await write(store, said("a", "one"), said("a", "one"), said("b", "two", second=1), said("a", "one"))
    await write(store, said("b", "two", second=1), said("c", "three", second=2), first_seq=5)
    assert [message.id for message in (await messages(store)).messages] == ["c", "b", "a"]
    chat = (await ask(store, StoredVerb.CHATS, StoredCall(instance_id=ID))).chats[0]
    assert (chat.unread, chat.messageCount, chat.lastMessage) == (3, 3, "three")


async def test_an_older_message_that_comes_late_is_not_the_last_of_its_chat(store: MessageStore) -> None:
    await write(store, said("b", "new", second=60), said("a", "old", by=Contact(id=ANNA.id, name="Ann")))
    (chat,) = (await ask(store, StoredVerb.CHATS, StoredCall(instance_id=ID))).chats
    assert (chat.lastMessage, chat.name) == ("new", "Anna")


async def test_what_is_too_old_or_too_much_goes_and_so_does_a_deleted_instance(store: MessageStore) -> None:
    await write(store, *(said(f"m{day}", "x", second=-86_400 * day) for day in range(10)))
    await write(store, said("o", "x", of=OTHER))
    await store.trim(NOW, days=7.5, most=1_000)
    assert (await messages(store)).total == 8
    await store.trim(NOW, days=7.5, most=3)
    assert [message.id for message in (await messages(store)).messages] == ["m0", "m1", "m2"]
    stats = (await ask(store, StoredVerb.STATS, StoredCall(instance_id=ID))).stats
    assert stats is not None
    assert (stats.total, stats.received, stats.sent, stats.chats, stats.groups) == (3, 3, 0, 1, 0)
    assert (stats.newest, stats.oldest) == (NOW, NOW - timedelta(days=2))
    await write(store, InstanceDeleted(instance_id=ID, actor="test"))
    for verb in StoredVerb:
        assert (await ask(store, verb, StoredCall(instance_id=ID))).total == 0
    assert (await ask(store, StoredVerb.MESSAGES, StoredCall(instance_id=OTHER))).total == 1


async def test_an_answer_is_never_more_than_the_bus_can_carry(store: MessageStore) -> None:
    await write(store, *(said(f"m{number}", "я" * 60_000, second=number) for number in range(12)))
    found = await messages(store, limit=1000)
    assert found.total == 12
    assert 1 <= len(found.messages) < 12
    assert len(found.model_dump_json().encode()) < MOST_BYTES + 100_000


# ------------------------------------------------------------------------------------------ messages to many

BULK = "0123456789abcdef0123456789abcdef"


@pytest.fixture(params=ENGINES)
async def bulks(request: pytest.FixtureRequest, tmp_path: Path, bus: Bus) -> AsyncIterator[Bulks]:
    engine: Engine = request.param
    async with fresh(engine, tmp_path) as settings, open_database(settings, "messages") as database:
        yield Bulks(bus, database)


def about_bulk(**more: Any) -> BulkCall:
    return BulkCall(instance_id=ID, provider=Provider.TELEGRAM, bulk_id=BULK, **more)


async def begin(bulks: Bulks, bus: Bus, count: int, per_minute: int = 600) -> None:
    message = SendMessage(id="x", instance_id=ID, provider="telegram", to="0", text="hello", expires_at=bus.now())
    recipients = (*(str(number) for number in range(count)), "0")  # one of them twice
    call = about_bulk(message=message, recipients=recipients, per_minute=per_minute)
    for _ in range(2):  # asked for once more, it is still one
        reply = await bulks.ask(BulkVerb.CREATE, call)
    assert (reply.bulks[0].total, reply.bulks[0].counts) == (count, {"waiting": count})


async def outbox(bus: Bus) -> asyncio.Queue[SendMessage]:
    """What is put into the outbox from now on."""
    found: asyncio.Queue[SendMessage] = asyncio.Queue()

    async def arrive(msg: Msg) -> None:
        found.put_nowait(SendMessage.model_validate_json(msg.data))

    await bus.nc.subscribe(subjects.messages_of("telegram"), cb=arrive)
    await known(bus.nc)
    return found


async def test_one_message_goes_to_many_in_order_and_each_outcome_is_counted(
    bulks: Bulks, bus: Bus, background: Background, eventually: Eventually
) -> None:
    queue = await outbox(bus)
    await begin(bulks, bus, 3)
    background(bulks.run())
    async with asyncio.timeout(10):
        sent = [await queue.get() for _ in range(3)]
    assert [(message.to, message.text) for message in sent] == [("0", "hello"), ("1", "hello"), ("2", "hello")]
    outcome = {"instance_id": ID, "provider": Provider.TELEGRAM}
    ends: list[Any] = [MessageSent(id=message.id, to=message.to, messenger_id="9", **outcome) for message in sent[:2]]
    ends.append(MessageFailed(id=sent[2].id, to="2", code="RECIPIENT_UNKNOWN", message="nobody", **outcome))
    ends.append(MessageSent(id="of-nobody", to="7", messenger_id="9", **outcome))
    await bulks.ended(ends)

    async def done() -> bool:
        return (await bulks.ask(BulkVerb.GET, about_bulk())).bulks[0].status == "done"

    await eventually(done)
    reply = await bulks.ask(BulkVerb.GET, about_bulk())
    assert reply.bulks[0].counts == {"sent": 2, "failed": 1}
    assert [(item.to, item.status, item.code) for item in reply.items] == [
        ("0", "sent", None),
        ("1", "sent", None),
        ("2", "failed", "RECIPIENT_UNKNOWN"),
    ]
    failed = await bulks.ask(BulkVerb.GET, about_bulk(status="failed"))
    assert (failed.total, [item.position for item in failed.items]) == (1, [2])
    assert (await bulks.ask(BulkVerb.LIST, about_bulk())).total == 1


async def test_what_is_cancelled_sends_no_more_and_its_pace_is_kept(
    bulks: Bulks, bus: Bus, background: Background
) -> None:
    queue = await outbox(bus)
    await begin(bulks, bus, 100, per_minute=6)
    background(bulks.run())
    async with asyncio.timeout(10):
        await queue.get()
    reply = await bulks.ask(BulkVerb.CANCEL, about_bulk())
    assert reply.bulks[0].status == "cancelled"
    assert reply.bulks[0].counts[BulkItemStatus.CANCELLED] >= 97  # at six a minute no more than the first ones are out
    again = await bulks.ask(BulkVerb.CANCEL, about_bulk())
    assert again.bulks[0].status == "cancelled"
    with pytest.raises(MimError, match="no bulk message"):
        await bulks.ask(BulkVerb.GET, BulkCall(instance_id=OTHER, provider=Provider.TELEGRAM, bulk_id=BULK))


@given(st.text(max_size=70))
def test_only_ids_of_bulk_messages_are_taken_for_them(text: str) -> None:
    assert item_of(message_id(BULK, 4711)) == (BULK, 4711)
    found = item_of(text)
    assert found is None or message_id(*found) == text or text.rpartition("-")[2].startswith("0")


@asynccontextmanager
async def running(bus: Bus, settings: Settings) -> AsyncIterator[None]:
    async with message_store(bus, settings):
        await bus.broker.start()
        await known(bus.nc)
        yield


async def test_the_service_takes_in_the_whole_stream_and_goes_on_where_it_stood(
    bus: Bus, connect_bus: ConnectBus, settings: Settings
) -> None:
    await bus.emit(said("a", "before it ran"))

    async def found(count: int) -> StoredReply:
        call = StoredCall(instance_id=ID).model_dump_json().encode()
        async with asyncio.timeout(10):
            while True:
                raw = await bus.request(subjects.messages_call(StoredVerb.MESSAGES), call, 2)
                reply = StoredReply.model_validate_json(raw)
                if reply.total == len(reply.messages) == count:
                    return reply

    first = await connect_bus("message-store")
    async with running(first, settings):
        await bus.emit(sent("b", "while it ran"))
        assert {message.id for message in (await found(2)).messages} == {"a", "b"}
        await bus.publish(subjects.message_event(ID, "received"), b"not an event")
        await bus.emit(said("c", "behind a broken one"))
        await found(3)
    await first.broker.stop()
    await bus.emit(said("d", "while it was away"))
    second = await connect_bus("message-store")
    async with running(second, settings):
        await found(4)
    parked, _ = await bus.last(subjects.DEAD, subjects.dead_letter("message-store"))
    assert parked is not None


@given(st.text(max_size=50), st.text(max_size=50))
def test_searching_knows_no_breaks_and_finds_every_part_of_a_text(one: str, other: str) -> None:
    assert searched(f"{one}\n\t{other}") == searched(f"{one} {other}")
    assert searched(one) in searched(f"{other} {one} {other}")

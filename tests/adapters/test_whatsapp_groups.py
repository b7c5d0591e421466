"""Groups with the real client library, in real child processes, against the emulated server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.test_whatsapp_emulator import call
from tests.adapters.test_whatsapp_session import ALICE, BOB, Recorder, link, running, text, until

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused
from mim.contracts.groups import ParticipantChange
from mim.contracts.values import IncomingMessage
from mim.emulators.whatsapp import WhatsAppEmulator, serve
from mim.emulators.whatsapp.groups import Group
from mim.emulators.whatsapp.nodes import Jid
from mim.emulators.whatsapp.phones import Phone
from mim.emulators.whatsapp.reading import address_of
from mim.whatsapp_adapter.groups import group_address, group_failure
from mim.whatsapp_adapter.session import WhatsAppSession

CAROL = "15550003333"


class Scene:
    """Alice's session and three phones."""

    def __init__(self, emulator: WhatsAppEmulator, session: WhatsAppSession, recorder: Recorder) -> None:
        self.emulator, self.session, self.recorder = emulator, session, recorder
        self.alice = emulator.phones.get(ALICE)
        self.bob, self.carol = emulator.phones.get(BOB, "Bob"), emulator.phones.get(CAROL, "Carol")

    async def changed(self) -> Mapping[str, Any]:
        """What was told next about a group."""
        told = await self.recorder.next("group")
        assert isinstance(told, dict)
        return told

    async def group_of_bob(self) -> Group:
        """A group that Bob has made, after the account heard of it."""
        group = await self.emulator.group_changes.create("Bob's", self.bob, [self.alice, self.carol])
        await self.changed()
        return group

    async def heard(self, sender: Phone, group: Group, body: str) -> IncomingMessage:
        """A message to a group as the account hears it."""
        await self.emulator.messages.to_group(sender, group, {"text": body})
        return await self.recorder.message()

    def group(self, group_id: str) -> Group:
        return self.emulator.groups.get(Jid(group_id.partition("@")[0], "g.us"))


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of an emulator and of a session that is linked to it: linking takes longer than any test here."""

    async def link_once() -> None:
        async with serve(folder / "whatsapp") as emulator, running(emulator, folder / "a") as (_, recorder, _):
            await link(emulator, recorder)

    folder = tmp_path_factory.mktemp("linked")
    asyncio.run(link_once())
    return folder


@pytest.fixture
async def scene(linked: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    shutil.copytree(linked, tmp_path, dirs_exist_ok=True)
    async with serve(tmp_path / "whatsapp") as emulator, running(emulator, tmp_path / "a") as (session, recorder, _):
        await recorder.next("client_ready")
        yield Scene(emulator, session, recorder)


def texts(phone: Phone) -> list[str]:
    return [message.text for message in phone.inbox]


def numbers(told: Mapping[str, Any]) -> list[str | None]:
    return [member["phone_number"] for member in told["members"]]


async def test_the_account_makes_a_group_and_everybody_reads_it(scene: Scene) -> None:
    made = await scene.session.create_group("Picnic", ["+1 555 000 2222", CAROL])
    assert (made.title, made.owner) == ("Picnic", ALICE)
    assert made.id.endswith("@g.us")
    assert made.created_at is not None
    assert abs(datetime.now(UTC) - made.created_at) < timedelta(minutes=2)
    assert [(each.id, each.lid, each.is_admin) for each in made.participants] == [
        (ALICE, scene.alice.lid.user, True),
        (BOB, scene.bob.lid.user, False),
        (CAROL, scene.carol.lid.user, False),
    ]
    assert await scene.session.groups() == (made,)
    assert await scene.session.group(made.id) == made
    told = await scene.changed()
    assert (told["change"], told["title"], told["chat_id"]) == ("created", "Picnic", made.id)

    sent = await scene.session.send(text(made.id, "Who brings bread?"))
    for phone in (scene.bob, scene.carol, scene.alice):
        assert [(each.id, each.sender, each.to) for each in phone.inbox] == [(sent.messenger_id, ALICE, made.id)]
        assert texts(phone) == ["Who brings bread?"]
    readers = [await scene.recorder.next("read") for _ in range(2)]
    assert {each["contact"]["phone_number"] for each in readers if isinstance(each, dict)} == {BOB, CAROL}
    assert {each["chat_id"] for each in readers if isinstance(each, dict)} == {made.id}


async def test_what_members_write_is_heard_with_both_names_of_the_sender(scene: Scene) -> None:
    group = await scene.group_of_bob()
    for sender, body in ((scene.bob, "one"), (scene.bob, "two"), (scene.carol, "three")):
        message = await scene.heard(sender, group, body)
        assert (message.body, message.type, message.is_group, message.from_me) == (body, "text", True, False)
        assert message.chat_id == str(group.jid)
        contact = message.contact
        assert (contact.phone_number, contact.lid, contact.name) == (sender.number, sender.lid.user, sender.name)
    assert texts(scene.carol) == ["one", "two"]
    assert texts(scene.bob) == ["three"]
    assert scene.recorder.reports.count("received") == 3


async def test_changes_of_a_group_are_heard(scene: Scene) -> None:
    group, changes = await scene.group_of_bob(), scene.emulator.group_changes
    dave = scene.emulator.phones.get("15550004444", "Dave")
    await changes.join(group, dave)
    await changes.change("promote", group, scene.bob, [scene.carol])
    await changes.change("demote", group, scene.bob, [scene.carol])
    await changes.rename(group, scene.carol, "Ours")
    await changes.change("remove", group, dave, [dave])
    await changes.change("remove", group, scene.bob, [scene.alice])
    told = [await scene.changed() for _ in range(6)]
    assert [each["change"] for each in told] == ["joined", "promoted", "demoted", "renamed", "left", "left"]
    assert [each["by"]["phone_number"] for each in told] == [dave.number, BOB, BOB, CAROL, dave.number, BOB]
    assert [numbers(each) for each in told[:3]] == [[dave.number], [CAROL], [CAROL]]
    assert [numbers(each) for each in told[4:]] == [[dave.number], [ALICE]]
    assert told[3]["title"] == "Ours"
    assert {each["chat_id"] for each in told} == {str(group.jid)}
    assert all(abs(datetime.now(UTC) - each["at"]) < timedelta(minutes=1) for each in told)


async def test_the_account_hears_that_it_was_taken_in_and_what_was_written_while_it_was_away(scene: Scene) -> None:
    changes, messages = scene.emulator.group_changes, scene.emulator.messages
    group = await changes.create("Bob's", scene.bob, [scene.carol])
    await messages.to_group(scene.bob, group, {"text": "before"})
    await changes.change("add", group, scene.bob, [scene.alice])
    told = await scene.changed()
    assert (told["change"], told["title"], told["chat_id"]) == ("joined", "Bob's", str(group.jid))
    assert (numbers(told), told["by"]["phone_number"]) == ([ALICE], BOB)

    scene.emulator.drop(scene.alice, 1)
    _, delivered = await messages.to_group(scene.bob, group, {"text": "while away"})
    await changes.rename(group, scene.bob, "Ours")
    assert delivered == 0
    message = await scene.recorder.message()
    assert (message.body, message.chat_id) == ("while away", str(group.jid))
    assert (await scene.changed())["title"] == "Ours"
    assert texts(scene.carol) == ["before", "while away"]

    await changes.change("remove", group, scene.alice, [scene.alice])
    left = await scene.changed()
    assert (left["change"], numbers(left), left["by"]["phone_number"]) == ("left", [ALICE], ALICE)


async def test_who_is_removed_reads_nothing_more(scene: Scene) -> None:
    made = await scene.session.create_group("Picnic", [BOB, CAROL])
    await scene.session.send(text(made.id, "to all"))
    await scene.heard(scene.bob, scene.group(made.id), "from Bob")
    (gone,) = await scene.session.change_participants(made.id, ParticipantChange.REMOVE, [CAROL])
    assert (gone.id, gone.problem) == (CAROL, None)
    await scene.session.send(text(made.id, "to the rest"))
    await scene.heard(scene.bob, scene.group(made.id), "from Bob, later")
    assert texts(scene.carol) == ["to all", "from Bob"]
    assert texts(scene.bob) == ["to all", "to the rest"]

    await scene.emulator.group_changes.change("promote", scene.group(made.id), scene.alice, [scene.bob])
    await scene.emulator.group_changes.change("remove", scene.group(made.id), scene.bob, [scene.alice])
    while (await scene.changed())["members"][0]["phone_number"] != ALICE:
        pass
    assert await scene.session.groups() == ()
    with pytest.raises(Refused) as refused:
        await scene.session.group(made.id)
    assert refused.value.code is ErrorCode.NOT_FOUND


async def test_people_are_added_and_promoted_and_invited(scene: Scene) -> None:
    made = await scene.session.create_group("Picnic", [BOB])
    change = scene.session.change_participants
    added = await change(made.id, ParticipantChange.ADD, [CAROL, BOB, "+1 999 888 7777"])
    assert [(each.id, each.problem) for each in added] == [
        (CAROL, None),
        (BOB, "already_there"),
        ("19998887777", "not_found"),
    ]
    await scene.session.send(text(made.id, "welcome"))
    assert texts(scene.carol) == ["welcome"]
    assert [each.is_admin for each in await change(made.id, ParticipantChange.PROMOTE, [CAROL])] == [True]
    assert [each.id for each in (await scene.session.group(made.id)).participants if each.is_admin] == [ALICE, CAROL]
    await change(made.id, ParticipantChange.DEMOTE, [CAROL])
    assert [each.id for each in (await scene.session.group(made.id)).participants if each.is_admin] == [ALICE]

    invite = await scene.session.invite_link(made.id, renew=False)
    assert invite == f"https://chat.whatsapp.com/{scene.group(made.id).code}"
    assert await scene.session.invite_link(made.id, renew=False) == invite
    assert await scene.session.invite_link(made.id, renew=True) != invite


async def test_what_only_admins_may_do_is_refused_to_others(scene: Scene) -> None:
    group = await scene.group_of_bob()
    with pytest.raises(Refused) as kept:
        await scene.session.change_participants(str(group.jid), ParticipantChange.REMOVE, [CAROL])
    with pytest.raises(Refused) as untold:
        await scene.session.invite_link(str(group.jid), renew=False)
    assert kept.value.code is untold.value.code is ErrorCode.MESSENGER_REFUSED
    with pytest.raises(Refused) as unnamed:
        await scene.session.create_group("x" * 101, [BOB])
    assert unnamed.value.code is ErrorCode.INVALID_FIELDS
    with pytest.raises(Refused) as nowhere:
        await scene.session.send(text("120363000000000000@g.us", "anybody?"))
    assert nowhere.value.code is ErrorCode.RECIPIENT_UNKNOWN
    assert not [line for line in scene.recorder.lines if CAROL in repr(line) or "Bob's" in repr(line)]


async def test_a_device_that_lacks_the_key_of_a_member_gets_it_with_the_next_message(scene: Scene) -> None:
    group = await scene.group_of_bob()
    key = scene.bob.party.groups.sending(group.id)
    key.told.add(address_of(scene.alice, 1))
    await scene.emulator.messages.to_group(scene.bob, group, {"text": "sealed"})
    await until(lambda: address_of(scene.alice, 1) not in key.told)
    assert (await scene.heard(scene.bob, group, "readable")).body == "readable"


async def test_what_is_done_to_messages_of_a_group_is_heard_and_seen(scene: Scene) -> None:
    group = await scene.group_of_bob()
    sent = await scene.session.send(text(str(group.jid), "mine"))
    reaction = {"target": sent.messenger_id, "reaction": "👍"}
    await scene.emulator.messages.to_group(scene.bob, group, reaction)
    told = await scene.recorder.next("reaction")
    assert isinstance(told, dict)
    assert (told["messenger_id"], told["emoji"], told["is_group"]) == (sent.messenger_id, "👍", True)
    assert (told["chat_id"], told["contact"]["phone_number"]) == (str(group.jid), BOB)
    assert [message.more for message in scene.carol.inbox] == [{"reaction": "👍"}]


async def test_groups_and_their_keys_outlive_the_session_and_the_server(linked: Path, tmp_path: Path) -> None:
    shutil.copytree(linked, tmp_path, dirs_exist_ok=True)
    made = None
    for body in ("before", "after"):
        async with (
            serve(tmp_path / "whatsapp") as emulator,
            running(emulator, tmp_path / "a") as (session, recorder, _),
        ):
            await recorder.next("client_ready")
            scene = Scene(emulator, session, recorder)
            made = made or await session.create_group("Picnic", [BOB])
            await session.send(text(made.id, body))
            assert (await scene.heard(scene.bob, scene.group(made.id), f"{body} too")).body == f"{body} too"
            assert await session.groups() == (made,)
    async with serve(tmp_path / "whatsapp") as emulator:
        assert texts(emulator.phones.get(BOB)) == ["before", "after"]


async def test_a_group_is_played_from_outside(scene: Scene) -> None:
    port = scene.emulator.ports.control
    _, made = await call(port, "group", title="Bob's", creator=BOB, members=["+1 555 000 1111"])
    group = {"group": made["group"]}
    said = {"from": CAROL, "text": "hi"}
    assert await call(port, "incoming", **group, **said) == (400, {"error": f"{CAROL} is not a member of the group"})
    assert await call(port, "join", **group, phone=CAROL) == (200, {})
    assert (await call(port, "incoming", **group, **said))[1]["delivered"] == 1
    assert await call(port, "rename", **group, title="Ours", by=CAROL) == (200, {})
    assert await call(port, "leave", **group, phone=CAROL, by=BOB) == (200, {})
    assert await call(port, "join", **group, phone=CAROL, by=BOB) == (200, {})
    assert await call(port, "leave", **group, phone=CAROL) == (200, {})
    status, refused = await call(port, "rename", group="1@g.us", title="None", by=BOB)
    assert (status, refused) == (400, {"error": "there is no group 1@g.us"})
    _, inbox = await call(port, "inbox", phone=BOB)
    assert [(each["to"], each["text"]) for each in inbox["messages"]] == [(made["group"], "hi")]
    assert (await scene.recorder.message()).body == "hi"
    told = [(await scene.changed())["change"] for _ in range(6)]
    assert told == ["created", "joined", "renamed", "left", "joined", "left"]


@pytest.mark.parametrize("written", ["120363025246125486", " 120363025246125486@g.us ", "491511234567-1612345678@g.us"])
def test_a_group_is_named_by_its_id(written: str) -> None:
    assert group_address(written) == f"{written.strip().removesuffix('@g.us')}@g.us"


@pytest.mark.parametrize("written", ["", "Picnic", "15550002222@s.whatsapp.net", "1@g.us@g.us"])
def test_what_names_no_group_is_refused_before_anything_is_asked(written: str) -> None:
    with pytest.raises(Refused) as refused:
        group_address(written)
    assert refused.value.code is ErrorCode.INVALID_FIELDS


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("you're not participating in that group", Refused, ErrorCode.NOT_FOUND),
        ("that group does not exist", Refused, ErrorCode.NOT_FOUND),
        ("you don't have the permission to get the group's invite link", Refused, ErrorCode.MESSENGER_REFUSED),
        ("info query returned status 403: forbidden", Refused, ErrorCode.MESSENGER_REFUSED),
        ("info query returned status 404: item-not-found", Refused, ErrorCode.NOT_FOUND),
        ("info query returned status 406: not-acceptable", Refused, ErrorCode.INVALID_FIELDS),
        ("info query returned status 429: rate-overlimit", NotReady, ErrorCode.RATE_LIMITED),
        ("info query returned status 419: resource-limit", Refused, ErrorCode.MESSENGER_REFUSED),
        ("info query timed out", NotReady, ErrorCode.MESSENGER_UNREACHABLE),
    ],
)
def test_refusals_of_whatsapp_are_told_in_our_words(said: str, kind: type[MimError], code: ErrorCode) -> None:
    failure = group_failure(said)
    assert type(failure) is kind
    assert failure.code is code

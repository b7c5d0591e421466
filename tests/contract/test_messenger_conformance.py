"""The same scenarios over every provider: what its capabilities promise is so, what they lack is refused by name."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.messengers import ACCOUNTS, Kind, connected, until

from mim.contracts.content import Content, Media, MediaKind, MessageKind, MessageRef
from mim.contracts.errors import ErrorCode, Refused, Rejected
from mim.contracts.groups import Group, ParticipantChange
from mim.contracts.login import LoginKind
from mim.contracts.providers import PROVIDERS, check_supported
from mim.contracts.states import Provider

if TYPE_CHECKING:
    from tests.conftest import Files
    from tests.contract.messengers import Messenger

FILES: dict[MediaKind, tuple[str, bytes, str]] = {
    MediaKind.IMAGE: ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, "image/png"),
    MediaKind.DOCUMENT: ("отчёт.pdf", b"%PDF-1.7" + b"\0\n" * 5_000, "application/pdf"),
    MediaKind.AUDIO: ("song.mp3", b"ID3\x04" + bytes(7_001), "audio/mpeg"),
    MediaKind.VOICE: ("voice.ogg", b"OggS\0\x02" + bytes(7_001), "audio/ogg; codecs=opus"),
    MediaKind.VIDEO: ("clip.mp4", b"\0\0\0\x20ftypisom" + bytes(9_000), "video/mp4"),
    MediaKind.STICKER: ("sticker.webp", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(900), "image/webp"),
}
PLACE = {"latitude": 59.9386, "longitude": 30.3141}
POLL = {"question": "Tea or coffee?", "options": ["tea", "coffee"]}
CONTENT: dict[MessageKind, dict[str, Any]] = {
    MessageKind.TEXT: {"text": "hello 👋🏽"},
    MessageKind.LOCATION: {"location": PLACE},
    MessageKind.CONTACT: {"contact": {"name": "Zoë; the, one", "phone_number": "+1 555 000 3333"}},
    MessageKind.POLL: {"poll": POLL},
    MessageKind.TYPING: {"kind": "typing"},
}
DEEDS = ("forward", "edit", "delete", "reaction", "read")
SIDE = MessageRef(id="1")


@pytest.fixture(params=ACCOUNTS)
async def messenger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Messenger]:
    async with connected(ACCOUNTS[request.param], tmp_path) as found:
        yield found


async def test_what_an_account_says_and_does_is_what_the_person_sees(
    messenger: Messenger, files: Files, tmp_path: Path
) -> None:
    await says_every_kind(messenger)
    await sends_every_file(messenger, files, tmp_path / "file")
    await forwards_a_file(messenger, files)
    await does_things_to_messages(messenger)
    await answers_and_shows_that_it_read(messenger)


async def says_every_kind(messenger: Messenger) -> None:
    for kind, content in CONTENT.items():
        assert messenger.can(kind)
        sent = await messenger.send(**content)
        if kind is MessageKind.TYPING:
            await until(lambda: messenger.saw(MessageKind.TYPING))
            continue
        shown = messenger.shown(sent)
        match kind:
            case MessageKind.TEXT:
                assert shown.text == content["text"]
            case MessageKind.LOCATION:
                assert shown.location == pytest.approx((PLACE["latitude"], PLACE["longitude"]))
            case MessageKind.CONTACT:
                assert shown.contact == "Zoë; the, one"
            case MessageKind.POLL:
                assert shown.options == ["tea", "coffee"]


async def sends_every_file(messenger: Messenger, files: Files, path: Path) -> None:
    for kind, (name, content, content_type) in FILES.items():
        assert messenger.can(kind)
        media = Media(kind=kind, source=files.add(name, content), file_name=name)
        sent = await messenger.send(media=media, text=f"a {kind}")
        shown = messenger.shown(sent)
        assert shown.media is not None
        assert sent.media is not None
        assert (sent.media.kind, sent.media.size_bytes) == (kind, len(content))
        await messenger.session.download(sent.media.reference, path, 1 << 20)
        assert path.read_bytes() == content
        wanted = {"kind": kind.value, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert wanted.items() <= shown.media.items()
        if kind in (MediaKind.IMAGE, MediaKind.DOCUMENT, MediaKind.VIDEO):
            assert shown.text == f"a {kind}"
        assert shown.media.get("content_type", content_type) == content_type


async def forwards_a_file(messenger: Messenger, files: Files) -> None:
    if not messenger.can("forward"):
        return
    name, content, _ = FILES[MediaKind.DOCUMENT]
    media = Media(kind=MediaKind.DOCUMENT, source=files.add(name, content), file_name=name)
    sent = await messenger.send(media=media, text="the list")
    messenger.recorder.keep(sent, "the list")
    forwarded = await messenger.send(kind="forward", target=MessageRef(id=sent.messenger_id, from_me=True))
    copy = messenger.shown(forwarded)
    assert (copy.text, copy.forwarded, forwarded.media.kind) == ("the list", True, "document")
    assert copy.media["sha256"] == hashlib.sha256(content).hexdigest()


async def does_things_to_messages(messenger: Messenger) -> None:
    sent = await messenger.send(text="frist")
    target = MessageRef(id=sent.messenger_id, from_me=True)
    if messenger.can("edit"):
        edited = await messenger.send(kind="edit", text="first", target=target)
        assert edited.messenger_id == sent.messenger_id
        assert (messenger.shown(sent).text, messenger.shown(sent).edited) == ("first", True)
    if messenger.can("reaction"):
        await messenger.send(kind="reaction", emoji="👍", target=target)
        assert messenger.shown(sent).reaction == "👍"
        await messenger.send(kind="reaction", emoji="", target=target)
        assert messenger.shown(sent).reaction == ""
    if messenger.can("forward"):
        messenger.recorder.keep(sent, "first")
        forwarded = await messenger.send(kind="forward", target=target)
        copy = messenger.shown(forwarded)
        assert (copy.text, copy.forwarded, forwarded.body) == ("first", True, "first")
    if messenger.can("delete"):
        await messenger.send(kind="delete", target=target)
        assert messenger.shown(sent).deleted


async def answers_and_shows_that_it_read(messenger: Messenger) -> None:
    said = await messenger.says(text="a question")
    await messenger.hears("received")
    if messenger.can("reply"):
        answer = await messenger.send(text="an answer", reply_to=MessageRef(id=said))
        assert (messenger.shown(answer).text, messenger.shown(answer).reply_to) == ("an answer", said)
    if messenger.can("read"):
        await messenger.send(kind="read", target=MessageRef(id=said))
        await until(lambda: messenger.saw(MessageKind.READ, said))


async def test_what_a_person_says_and_does_is_what_the_account_hears(messenger: Messenger) -> None:
    said = await messenger.says(text="hello")
    first = await messenger.hears("received")
    assert (first.id, first.body, first.type, first.from_me, first.is_group) == (said, "hello", "text", False, False)
    assert first.contact.name
    await hears_every_kind(messenger, said, first.contact.id)
    await hears_what_is_done_to_messages(messenger, said, first.chat_id)
    if messenger.can("receipts"):
        sent = await messenger.send(text="seen?")
        for name in await messenger.reads():
            receipt = await messenger.hears(name)
            assert (receipt.messenger_ids, receipt.chat_id) == ((sent.messenger_id,), first.chat_id)
            assert receipt.contact.id == first.contact.id


async def hears_every_kind(messenger: Messenger, said: str, contact: str) -> None:
    for kind, (name, content, content_type) in FILES.items():
        media = {"kind": kind.value, "content": content, "content_type": content_type.partition(";")[0], "name": name}
        await messenger.says(media=media, text="" if kind in ("sticker", "audio", "voice") else "look")
        heard = await messenger.hears("received")
        assert (heard.type, heard.media.kind) == (kind, kind)
        path = messenger.recorder.data_dir / "downloaded"
        await messenger.session.download(heard.media.reference, path, 1 << 20)
        assert path.read_bytes() == content
        with pytest.raises(Refused) as refused:
            await messenger.session.download(heard.media.reference, path, 100)
        assert refused.value.code is ErrorCode.MEDIA_REFUSED
        assert heard.media.mime_type is not None
        assert heard.contact.id == contact
    await messenger.says(location=PLACE)
    spot = (await messenger.hears("received")).location
    assert (spot.latitude, spot.longitude) == pytest.approx((PLACE["latitude"], PLACE["longitude"]))
    await messenger.says(contact={"name": "Zoë", "phone": "+15550003333"})
    card = (await messenger.hears("received")).contact_card
    assert (card.name, card.phone_number) == ("Zoë", "+15550003333")
    await messenger.says(poll=POLL)
    poll = (await messenger.hears("received")).poll
    assert (poll.question, poll.options) == ("Tea or coffee?", ("tea", "coffee"))
    await messenger.says(text="an answer", reply_to=said)
    assert (await messenger.hears("received")).reply_to == said


async def hears_what_is_done_to_messages(messenger: Messenger, said: str, chat: str) -> None:
    await messenger.does("edit", said, "hello, you")
    edited = await messenger.hears("edited")
    assert (edited.messenger_id, edited.body, edited.chat_id) == (said, "hello, you", chat)
    await messenger.does("reaction", said, "👍")
    reaction = await messenger.hears("reaction")
    assert (reaction.messenger_id, reaction.emoji, reaction.from_me) == (said, "👍", False)
    if messenger.can("receipts"):  # a bot is not told of deletions
        await messenger.does("delete", said)
        assert (await messenger.hears("deleted")).messenger_id == said


async def test_what_is_told_of_a_group_and_done_in_it(messenger: Messenger) -> None:
    session, person = messenger.session, messenger.person_id
    group_id = await messenger.has_group("Picnic")
    await messenger.says_in(group_id, "who brings bread?")
    heard = await messenger.hears("received")
    assert (heard.chat_id, heard.is_group, heard.body) == (group_id, True, "who brings bread?")

    group = await session.group(group_id)
    assert (group.id, group.title) == (group_id, "Picnic")
    assert group.participants_count >= 2
    if messenger.can("group_list"):
        assert [(each.id, each.title) for each in await session.groups()] == [(group_id, "Picnic")]
    link = await session.invite_link(group_id, renew=False)
    assert link.startswith("https://")
    assert await session.invite_link(group_id, renew=False) == link
    assert await session.invite_link(group_id, renew=True) != link

    change = session.change_participants
    if messenger.can("group_add"):
        added = await change(group_id, ParticipantChange.ADD, [messenger.third, person, "+1 999 888 7777"])
        assert [each.problem for each in added] == [None, "already_there", "not_found"]
        third = added[0].id
    else:
        third = messenger.third
        with pytest.raises(Rejected, match="adds nobody"):
            await change(group_id, ParticipantChange.ADD, [third])
    if third not in admins(group):
        (promoted,) = await change(group_id, ParticipantChange.PROMOTE, [third])
        assert (promoted.id, promoted.is_admin, promoted.problem) == (third, True, None)
        assert third in admins(await session.group(group_id))
        await change(group_id, ParticipantChange.DEMOTE, [third])
        assert third not in admins(await session.group(group_id))
        before = (await session.group(group_id)).participants_count
        (gone,) = await change(group_id, ParticipantChange.REMOVE, [third])
        assert (gone.id, gone.problem) == (third, None)
        assert (await session.group(group_id)).participants_count == before - 1
    assert [each.problem for each in await change(group_id, ParticipantChange.REMOVE, [third])] == ["not_found"]


async def test_a_group_that_an_account_makes(messenger: Messenger) -> None:
    if not messenger.can("group_create"):
        with pytest.raises(Rejected) as refused:
            await messenger.session.create_group("Picnic", [messenger.person_id])
        assert refused.value.code is ErrorCode.NOT_SUPPORTED
        return
    made = await messenger.session.create_group("Picnic", [messenger.chat])
    assert made.title == "Picnic"
    assert messenger.person_id in [each.id for each in made.participants]
    assert [each.id for each in await messenger.session.groups()] == [made.id]
    await messenger.says_in(made.id, "thank you")
    assert (await messenger.hears("received")).chat_id == made.id


async def test_a_group_that_an_account_is_not_in(messenger: Messenger) -> None:
    nowhere = "120363025246125486@g.us" if messenger.kind.provider is Provider.WHATSAPPWEB else "-100987654321"
    for asked in (messenger.session.group(nowhere), messenger.session.invite_link(nowhere, renew=True)):
        with pytest.raises(Refused) as refused:
            await asked
        assert refused.value.code is ErrorCode.NOT_FOUND


def admins(group: Group) -> list[str]:
    return [each.id for each in group.participants if each.is_admin]


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
def test_what_an_account_cannot_do_is_refused_by_name(account: Kind) -> None:
    everything = {
        **{kind: Content(**content) for kind, content in CONTENT.items()},
        **{kind: Content(media=Media(kind=kind, source="https://example.com/a")) for kind in MediaKind},
        **{
            kind: Content(kind=kind, target=SIDE, text="x")
            for kind in ("forward", "edit", "delete", "reaction", "read")
        },
    }
    assert set(everything) == set(MessageKind)
    lacking = 0
    for kind, content in everything.items():
        if kind in PROVIDERS[account.provider].can(account.login):
            check_supported(account.provider, account.login, content)
            continue
        lacking += 1
        with pytest.raises(Rejected, match=str(kind)) as refused:
            check_supported(account.provider, account.login, content)
        assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert bool(lacking) is (account.login is LoginKind.BOT)  # all others can do everything that there is

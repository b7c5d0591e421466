"""Messages as JSON for whoever watches the server from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from telethon.tl import types
from telethon.utils import get_peer_id

from mim.emulators.mtproto.boxes import Copy
from mim.emulators.mtproto.people import Person
from mim.emulators.mtproto.world import World

Json = dict[str, Any]


def messages_of(world: World, person: Person, *, sent: bool) -> list[Json]:
    """What a person sent, or got from others, in all chats, by time."""
    copies = [copy for copy in _seen_by(world, person) if (copy.post.author_id == person.id) is sent]
    copies.sort(key=lambda copy: copy.message.date)
    return [describe(world, copy) for copy in copies]


def _seen_by(world: World, person: Person) -> Iterator[Copy]:
    yield from person.box.copies.values()
    for group in world.groups:
        if group.box is not None and person.id in group.members:
            yield from group.box.copies.values()


def describe(world: World, copy: Copy) -> Json:
    """One message: `id`, `chat`, `from`, `text` and `date`, and of the rest what there is."""
    message = copy.message
    reply, forwarded = message.reply_to, getattr(message, "fwd_from", None)
    optional = {
        "reply_to": reply.reply_to_msg_id if reply else None,
        "entities": [_entity(entity) for entity in getattr(message, "entities", None) or []],
        "media": _media(world, getattr(message, "media", None)),
        "forwarded_from": get_peer_id(forwarded.from_id) if forwarded and forwarded.from_id else None,
        "album": str(getattr(message, "grouped_id", None) or ""),
        "edited": int(message.edit_date.timestamp()) if getattr(message, "edit_date", None) else None,
        "reactions": {str(who): emoji for who, emoji in copy.post.reactions.items()},
        "action": _name(message.action, "MessageAction") if isinstance(message, types.MessageService) else None,
        "silent": bool(message.silent),
    }
    return {
        "id": message.id,
        "chat": copy.chat,
        "from": copy.post.author_id,
        "text": getattr(message, "message", "") or "",
        "date": int(message.date.timestamp()),
        **{name: value for name, value in optional.items() if value},
    }


def _entity(entity: Any) -> Json:
    fields = {name: value for name, value in entity.to_dict().items() if name != "_" and value is not None}
    return {"type": _name(entity, "MessageEntity"), **fields}


def _name(thing: Any, prefix: str) -> str:
    bare = type(thing).__name__.removeprefix(prefix)
    return bare[0].lower() + bare[1:]


def _media(world: World, media: Any) -> Json | None:
    match media:
        case types.MessageMediaPhoto():
            return {"kind": "photo", **_file(world, media.photo.id)}
        case types.MessageMediaDocument():
            kind = {"kind": _document_kind(media), "mime_type": media.document.mime_type}
            return {**kind, **_file(world, media.document.id), **_facts(media.document.attributes)}
        case types.MessageMediaGeo():
            return {"kind": "location", "latitude": media.geo.lat, "longitude": media.geo.long}
        case types.MessageMediaVenue():
            place = {"title": media.title, "address": media.address}
            return {"kind": "venue", "latitude": media.geo.lat, "longitude": media.geo.long, **place}
        case types.MessageMediaContact():
            name = {"first_name": media.first_name, "last_name": media.last_name}
            return {"kind": "contact", "phone": media.phone_number, **name}
        case types.MessageMediaPoll():
            options = [answer.text.text for answer in media.poll.answers]
            return {"kind": "poll", "question": media.poll.question.text, "options": options}
    return None


def _document_kind(media: Any) -> str:
    kinds = {type(attribute) for attribute in media.document.attributes}
    if types.DocumentAttributeSticker in kinds:
        return "sticker"
    if media.voice:
        return "voice"
    if types.DocumentAttributeAudio in kinds:
        return "audio"
    return "video" if types.DocumentAttributeVideo in kinds else "document"


def _facts(attributes: list[Any]) -> Json:
    facts: Json = {}
    for attribute in attributes:
        if isinstance(attribute, types.DocumentAttributeAudio | types.DocumentAttributeVideo):
            facts["duration_s"] = attribute.duration
        if isinstance(attribute, types.DocumentAttributeFilename):
            facts["name"] = attribute.file_name
        if isinstance(attribute, types.DocumentAttributeSticker):
            facts["emoji"] = attribute.alt
    return facts


def _file(world: World, file_id: int) -> Json:
    stored = world.files.get(file_id)
    return {"name": stored.name, "size_bytes": len(stored.content), "sha256": stored.sha256} if stored else {}

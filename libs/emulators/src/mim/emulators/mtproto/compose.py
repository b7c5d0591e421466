"""Messages from JSON, for people who are played from outside; the words are those of `describe`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.describe import Json
from mim.emulators.mtproto.methods import media
from mim.emulators.mtproto.world import World

ACTIONS = {
    "typing": types.SendMessageTypingAction,
    "cancel": types.SendMessageCancelAction,
    "record_voice": types.SendMessageRecordAudioAction,
    "choose_sticker": types.SendMessageChooseStickerAction,
}


def entities_from(given: list[Json] | None) -> list[Any] | None:
    """Formatting: `[{type: "bold", offset, length}]`. Raises: ValueError."""
    made = []
    for entity in given or []:
        fields = dict(entity)
        name = str(fields.pop("type"))
        kind = getattr(types, f"MessageEntity{name[:1].upper()}{name[1:]}", None)
        if kind is None:
            raise ValueError(f"{name!r} is no kind of formatting")
        made.append(kind(**fields))
    return made or None


def media_from(world: World, given: Json) -> Any:
    """Media: `{kind: …}` with the fields of that kind; files have `name`, `content` (base64) and `mime_type`.

    Raises: ValueError, KeyError.
    """
    match given["kind"]:
        case "location":
            point = types.GeoPoint(float(given["longitude"]), float(given["latitude"]), world.number())
            return types.MessageMediaGeo(point)
        case "contact":
            name = str(given["first_name"]), str(given.get("last_name", ""))
            return types.MessageMediaContact(str(given["phone"]), *name, "", 0)
        case "poll":
            return _poll(world, str(given["question"]), [str(option) for option in given["options"]])
        case "photo":
            return media.photo(world, _stored(world, given))
        case kind:
            mime_type = str(given.get("mime_type", "application/octet-stream"))
            return media.document(world, _stored(world, given), mime_type, _attributes(str(kind), given))


def _stored(world: World, given: Json) -> Any:
    try:
        content = base64.b64decode(given["content"], validate=True)
    except binascii.Error:
        raise ValueError("a file's content is base64") from None
    return world.files.store(str(given.get("name", "")), content)


def _poll(world: World, question: str, options: list[str]) -> Any:
    answers = [
        types.PollAnswer(types.TextWithEntities(option, []), str(place).encode())
        for place, option in enumerate(options)
    ]
    poll = types.Poll(world.number(), types.TextWithEntities(question, []), answers, 0)
    return types.MessageMediaPoll(poll, types.PollResults(total_voters=0))


def _attributes(kind: str, given: Json) -> list[Any]:
    duration_s = int(given.get("duration_s", 1))
    match kind:
        case "document":
            return []
        case "audio" | "voice":
            return [types.DocumentAttributeAudio(duration_s, voice=kind == "voice")]
        case "video":
            return [types.DocumentAttributeVideo(duration_s, 640, 480)]
        case "sticker":
            return [types.DocumentAttributeSticker(str(given.get("emoji", "")), types.InputStickerSetEmpty())]
    kinds = "photo, document, audio, voice, video, sticker, location, contact or poll"
    raise ValueError(f"{kind!r} is no kind of media: {kinds}")

"""Methods for files and for messages with more than text: photos, documents, places, contacts, polls, albums.

Names and errors as in https://core.telegram.org/methods; media as in https://core.telegram.org/api/files.
"""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto.files import Stored, kind_of, picture_size
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.methods.account import DC
from mim.emulators.mtproto.methods.messages import MAX_TEXT, checked_text, entities_of, repeated, reply_of, sent
from mim.emulators.mtproto.methods.peers import chat_of
from mim.emulators.mtproto.people import RpcError
from mim.emulators.mtproto.world import Call, World

_MAX_CAPTION = 1024
_MAX_ALBUM = 10


def save_file_part(call: Call, q: Any) -> Any:
    """A part of a file of up to 10 MB."""
    call.world.files.save_part(call.me.id, q.file_id, q.file_part, q.bytes)
    return True


def save_big_file_part(call: Call, q: Any) -> Any:
    """A part of a bigger file."""
    call.world.files.save_part(call.me.id, q.file_id, q.file_part, q.bytes, q.file_total_parts)
    return True


def get_file(call: Call, q: Any) -> Any:
    """A part of a stored file."""
    _ = call.me
    stored, chunk = call.world.files.chunk(q.location, q.offset, q.limit, precise=bool(q.precise))
    return types.upload.File(kind_of(stored.content), 0, chunk)


def upload_media(call: Call, q: Any) -> Any:
    """Make media of a file without sending it."""
    chat_of(call, q.peer)
    return media_of(call, q.media)


def send_media(call: Call, q: Any) -> Any:
    """Send one message with media."""
    chat = chat_of(call, q.peer)
    again = repeated(call, q.random_id)
    if again is not None:
        return again
    draft = Draft(
        _caption(q.message),
        entities_of(call, q.entities),
        media_of(call, q.media),
        reply_of(q.reply_to),
        silent=bool(q.silent),
    )
    copy, update = call.world.mail.send(call.me, chat, draft, call.device)
    call.me.remember(q.random_id, copy)
    return sent(call, [(q.random_id, copy, update)])


def send_multi_media(call: Call, q: Any) -> Any:
    """Send an album."""
    chat = chat_of(call, q.peer)
    if not 0 < len(q.multi_media) <= _MAX_ALBUM:
        raise RpcError(400, "MULTI_MEDIA_TOO_LONG" if q.multi_media else "MEDIA_EMPTY")
    again = repeated(call, q.multi_media[0].random_id)
    if again is not None:
        return again
    grouped_id, outcomes = call.world.number() & (2**62 - 1), []
    for single in q.multi_media:
        text, entities = _caption(single.message), entities_of(call, single.entities)
        draft = Draft(
            text,
            entities,
            media_of(call, single.media),
            reply_of(q.reply_to),
            silent=bool(q.silent),
            grouped_id=grouped_id,
        )
        copy, update = call.world.mail.send(call.me, chat, draft, call.device)
        call.me.remember(single.random_id, copy)
        outcomes.append((single.random_id, copy, update))
    return sent(call, outcomes)


def edit_message(call: Call, q: Any) -> Any:
    """Change one's own message: its text or caption, or its media."""
    chat = chat_of(call, q.peer)
    found = call.world.chats.find(call.me, chat, q.id)
    media = media_of(call, q.media) if q.media is not None else None
    if media is None and (found is None or not getattr(found.message, "media", None)):
        text = checked_text(q.message or "", MAX_TEXT)
    else:
        text = _caption(q.message or "")
    update = call.world.mail.edit(call.me, chat, q.id, Draft(text, entities_of(call, q.entities), media), call.device)
    return call.world.chats.updates(call.me, [update], [update.message], [chat])


def _caption(text: str) -> str:
    return checked_text(text, _MAX_CAPTION) if text.strip() else ""


def media_of(call: Call, media: Any) -> Any:
    """The `MessageMedia` for an `InputMedia`. Raises: RpcError."""
    match media:
        case types.InputMediaUploadedPhoto():
            return photo(call.world, _uploaded(call, media.file))
        case types.InputMediaUploadedDocument():
            return document(call.world, _uploaded(call, media.file), media.mime_type, media.attributes)
        case types.InputMediaPhoto():
            return call.world.media(_known(call, media.id))
        case types.InputMediaDocument():
            return call.world.media(_known(call, media.id))
        case types.InputMediaGeoPoint():
            return types.MessageMediaGeo(_point(call, media.geo_point))
        case types.InputMediaVenue():
            place = (media.title, media.address, media.provider, media.venue_id, media.venue_type)
            return types.MessageMediaVenue(_point(call, media.geo_point), *place)
        case types.InputMediaContact():
            return _contact(call, media)
        case types.InputMediaPoll():
            return _poll(call, media)
    raise RpcError(400, "MEDIA_INVALID")


def _uploaded(call: Call, file: Any) -> Stored:
    content = call.world.files.assemble(call.me.id, file)
    return call.world.files.store(file.name, content)


def _known(call: Call, identity: Any) -> int:
    stored = call.world.files.get(identity.id)
    if stored is None or not stored.is_meant(identity):
        raise RpcError(400, "MEDIA_EMPTY")
    return stored.id


def photo(world: World, stored: Stored) -> Any:
    """A stored file as a photo. Raises: RpcError if it is no picture."""
    size = picture_size(stored.content)
    if size is None:
        raise RpcError(400, "IMAGE_PROCESS_FAILED")
    sizes = [types.PhotoSize("x", *size, len(stored.content))]
    made = types.Photo(stored.id, stored.access_hash, stored.reference, world.now(), sizes, DC)
    return world.keep_media(stored.id, types.MessageMediaPhoto(photo=made))


def document(world: World, stored: Stored, mime_type: str, attributes: list[Any]) -> Any:
    """A stored file as a document; what kind of one, its attributes tell."""
    if not any(isinstance(attribute, types.DocumentAttributeFilename) for attribute in attributes) and stored.name:
        attributes = [*attributes, types.DocumentAttributeFilename(stored.name)]
    made = types.Document(
        stored.id,
        stored.access_hash,
        stored.reference,
        world.now(),
        mime_type,
        len(stored.content),
        DC,
        [_shown(attribute) for attribute in attributes],
    )
    audio = next((one for one in attributes if isinstance(one, types.DocumentAttributeAudio)), None)
    video = next((one for one in attributes if isinstance(one, types.DocumentAttributeVideo)), None)
    media = types.MessageMediaDocument(
        document=made,
        voice=(audio and audio.voice) or None,
        video=(video is not None) or None,
        round=(video and video.round_message) or None,
    )
    return world.keep_media(stored.id, media)


def _shown(attribute: Any) -> Any:
    """An attribute as receivers see it; a sticker of no set says so."""
    if isinstance(attribute, types.DocumentAttributeSticker):
        return types.DocumentAttributeSticker(attribute.alt, types.InputStickerSetEmpty(), mask=attribute.mask)
    return attribute


def _point(call: Call, point: Any) -> Any:
    if not isinstance(point, types.InputGeoPoint) or abs(point.lat) > 90 or abs(point.long) > 180:
        raise RpcError(400, "GEO_POINT_INVALID")
    return types.GeoPoint(point.long, point.lat, call.world.number(), point.accuracy_radius)


def _contact(call: Call, media: Any) -> Any:
    person = call.world.people.by_phone(media.phone_number.lstrip("+"))
    name = (media.first_name, media.last_name, media.vcard)
    return types.MessageMediaContact(media.phone_number, *name, person.id if person else 0)


def _poll(call: Call, media: Any) -> Any:
    """A poll with an id of the server's; an answer's option is its place unless the client chose another."""
    asked = media.poll
    answers = [
        types.PollAnswer(answer.text, getattr(answer, "option", None) or str(place).encode())
        for place, answer in enumerate(asked.answers)
    ]
    if not 2 <= len(answers) <= 12 or len({answer.option for answer in answers}) < len(answers):
        raise RpcError(400, "POLL_ANSWERS_INVALID")
    poll = types.Poll(
        call.world.number(),
        asked.question,
        answers,
        0,
        public_voters=asked.public_voters,
        multiple_choice=asked.multiple_choice,
        quiz=asked.quiz,
    )
    return types.MessageMediaPoll(poll, types.PollResults(total_voters=0))


METHODS = {
    functions.upload.SaveFilePartRequest: save_file_part,
    functions.upload.SaveBigFilePartRequest: save_big_file_part,
    functions.upload.GetFileRequest: get_file,
    functions.messages.UploadMediaRequest: upload_media,
    functions.messages.SendMediaRequest: send_media,
    functions.messages.SendMultiMediaRequest: send_multi_media,
    functions.messages.EditMessageRequest: edit_message,
}

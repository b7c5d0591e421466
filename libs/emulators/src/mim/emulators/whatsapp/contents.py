"""What is inside messages: what a phone shows of one, what one does to another, and how a person's own are made.

Kinds and their fields follow WhatsApp's message schema (WAWebProtobufsE2E) and whatsmeow's send.go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from mim.emulators.whatsapp.media import MediaHost
from mim.emulators.whatsapp.protobuf import Message

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done to an earlier message: `kind` is edit, delete or reaction."""

    kind: str
    target: str
    text: str = ""


def deed(message: Any) -> Deed | None:
    """What a message does to another; None for one that is shown itself."""
    if message.HasField("reactionMessage"):
        return Deed("reaction", message.reactionMessage.key.ID, message.reactionMessage.text)
    if message.HasField("editedMessage"):
        message = message.editedMessage.message
    if not message.HasField("protocolMessage"):
        return None
    protocol = message.protocolMessage
    if protocol.type == protocol.REVOKE:
        return Deed("delete", protocol.key.ID)
    if protocol.type == protocol.MESSAGE_EDIT:
        edited = protocol.editedMessage
        return Deed("edit", protocol.key.ID, edited.conversation or edited.extendedTextMessage.text)
    return None


def shown(message: Any) -> tuple[str, Json]:
    """The text of a message without a file, and what else a phone shows of it."""
    more: Json = {}
    text = message.conversation or message.extendedTextMessage.text
    if message.HasField("locationMessage"):
        place = message.locationMessage
        spot = {"latitude": place.degreesLatitude, "longitude": place.degreesLongitude}
        more["location"] = spot | {"name": place.name, "address": place.address}
    if message.HasField("contactMessage"):
        more["contact"] = {"name": message.contactMessage.displayName, "vcard": message.contactMessage.vcard}
    if message.HasField("pollCreationMessage"):
        poll = message.pollCreationMessage
        options = [option.optionName for option in poll.options]
        more["poll"] = {"question": poll.name, "options": options, "most": poll.selectableOptionsCount}
    return text, more


def answered(message: Any) -> str | None:
    """The id of the message that this one answers."""
    if message.HasField("documentWithCaptionMessage"):
        message = message.documentWithCaptionMessage.message
    for _, part in message.ListFields():
        if hasattr(part, "contextInfo") and part.contextInfo.stanzaID:
            return str(part.contextInfo.stanzaID)
    return None


def is_forwarded(message: Any) -> bool:
    """Whether a message says that it was forwarded."""
    if message.HasField("documentWithCaptionMessage"):
        message = message.documentWithCaptionMessage.message
    return any(hasattr(part, "contextInfo") and part.contextInfo.isForwarded for _, part in message.ListFields())


def made(fields: Json, chat: str, media: MediaHost) -> Any:
    """A person's message: `text`, `location`, `contact`, `poll`, a file (`media {kind, content, …}`, bytes), or what is
    done to another: `edit`, `delete` or `reaction` with `target`, its id. `reply_to` answers one.

    Raises: ValueError if it is nothing of these.
    """
    message = Message()
    if "media" in fields:
        media.put(message, **fields["media"], caption=fields.get("text", ""))
    elif "location" in fields:
        place, given = message.locationMessage, fields["location"]
        place.degreesLatitude, place.degreesLongitude = given["latitude"], given["longitude"]
        place.name = given.get("name", "")
    elif "contact" in fields:
        card = fields["contact"]
        message.contactMessage.displayName = card["name"]
        message.contactMessage.vcard = f"BEGIN:VCARD\nVERSION:3.0\nFN:{card['name']}\nTEL:{card['phone']}\nEND:VCARD"
    elif "poll" in fields:
        _poll(message, fields["poll"])
    elif "target" in fields:
        _do(message, fields, chat)
    elif fields.get("reply_to"):
        message.extendedTextMessage.text = str(fields["text"])
    elif fields.get("text"):
        message.conversation = str(fields["text"])
    else:
        raise ValueError("say what: text, media, location, contact, poll, or target with edit, delete or reaction")
    if fields.get("reply_to"):
        part = next(value for _, value in message.ListFields() if hasattr(value, "contextInfo"))
        part.contextInfo.stanzaID = str(fields["reply_to"])
    return message


def _poll(message: Any, given: Json) -> None:
    poll = message.pollCreationMessage
    poll.name, poll.selectableOptionsCount = given["question"], 1
    for option in given["options"]:
        poll.options.add().optionName = option
    message.messageContextInfo.messageSecret = os.urandom(32)


def _do(message: Any, fields: Json, chat: str) -> None:
    if "reaction" in fields:
        key, message.reactionMessage.text = message.reactionMessage.key, str(fields["reaction"])
        key.fromMe = bool(fields.get("own", False))  # whether they react to a message of their own
    elif "edit" in fields:
        protocol = message.editedMessage.message.protocolMessage
        protocol.type, protocol.editedMessage.conversation = protocol.MESSAGE_EDIT, str(fields["edit"])
        key = protocol.key
        key.fromMe = True
    else:
        message.protocolMessage.type = message.protocolMessage.REVOKE
        key = message.protocolMessage.key
        key.fromMe = True
    key.ID, key.remoteJID = str(fields["target"]), chat

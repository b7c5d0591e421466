"""From the contract's messages to WhatsApp's own (`Message` of the library). Pure.

What each kind consists of follows whatsmeow's send.go (BuildRevoke, BuildEdit, BuildReaction), msgsecret.go
(BuildPollCreation) and what WhatsApp's apps send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]

PARTS = {
    "image": "imageMessage",
    "document": "documentMessage",
    "audio": "audioMessage",
    "voice": "audioMessage",
    "video": "videoMessage",
    "sticker": "stickerMessage",
}
"""The field of `Message` that holds a file of each kind."""
UPLOADED_AS = {"voice": "audio", "sticker": "image"}
"""Under which kind files of some kinds are encrypted and uploaded; all others under their own (upload.go)."""
_CAPTIONED = ("image", "document", "video")


@dataclass(frozen=True, slots=True)
class Author:
    """Who sends, and what is different each time: its own address, the time, 32 random bytes."""

    address: str
    now_ms: int
    secret: bytes


def compose(message: Any, content: Fields, chat: str, author: Author) -> None:
    """Put what is to be said or done in a chat into an empty message. `content` is the contract's, as JSON."""
    match content["kind"]:
        case "location":
            _place(message.locationMessage, content["location"])
        case "contact":
            message.contactMessage.displayName = content["contact"]["name"]
            message.contactMessage.vcard = _vcard(content["contact"])
        case "poll":
            _poll(message, content["poll"], author)
        case "reaction":
            _key(message.reactionMessage.key, content["target"], chat, author)
            message.reactionMessage.text = content["emoji"]
            message.reactionMessage.senderTimestampMS = author.now_ms
        case "edit":
            _edit(message.editedMessage.message.protocolMessage, content, chat, author)
        case "delete":
            target = content["target"]
            own = target["sender"] is None
            _key(message.protocolMessage.key, {**target, "from_me": own}, chat, author)
            message.protocolMessage.type = message.protocolMessage.REVOKE
        case "forward":
            message.extendedTextMessage.text = content["text"]
        case _ if content.get("reply_to"):
            message.extendedTextMessage.text = content["text"]
        case _:
            message.conversation = content["text"]
    point(message, content, chat, author)


def attach(message: Any, upload: Any, *, kind: str, mime_type: str, file_name: str, caption: str) -> None:
    """Put an uploaded file into a message (`Message` and `UploadResponse` of the library).

    Without a thumbnail: WhatsApp's apps show the picture itself once it is loaded. As in those apps, a document with
    a caption lies one message deeper.
    """
    if kind == "document" and caption:
        message = message.documentWithCaptionMessage.message
    part = getattr(message, PARTS[kind])
    part.URL, part.directPath, part.mediaKey = upload.url, upload.DirectPath, upload.MediaKey
    part.fileEncSHA256, part.fileSHA256, part.fileLength = upload.FileEncSHA256, upload.FileSHA256, upload.FileLength
    # The apps play no Ogg file that does not name its codec.
    part.mimetype = "audio/ogg; codecs=opus" if mime_type == "audio/ogg" else mime_type
    if kind == "voice":
        part.PTT = True
    if kind == "document":
        part.fileName = part.title = file_name
    if kind in _CAPTIONED and caption:
        part.caption = caption


def point(message: Any, content: Fields, chat: str, author: Author) -> None:
    """Make a message an answer to `content["reply_to"]`, if there is one, or show that it is a forwarded one."""
    to = content.get("reply_to")
    part = _quotable(message)
    if part is None:
        return
    if content["kind"] == "forward":
        score = part.contextInfo.forwardingScore + 1
        part.contextInfo.Clear()
        part.contextInfo.isForwarded, part.contextInfo.forwardingScore = True, score
    if not to:
        return
    part.contextInfo.stanzaID = to["id"]
    part.contextInfo.participant = author.address if to["from_me"] else to["sender"] or to["chat_id"] or chat
    part.contextInfo.quotedMessage.conversation = ""


def bare(message: Any) -> Any:
    """A message without the cover that a document with a caption has (see `attach`)."""
    return message.documentWithCaptionMessage.message if message.HasField("documentWithCaptionMessage") else message


def _quotable(message: Any) -> Any:
    """The part of a message that can point at another one."""
    return next((value for _, value in bare(message).ListFields() if hasattr(value, "contextInfo")), None)


def _key(key: Any, target: Fields, chat: str, author: Author) -> None:
    key.remoteJID, key.ID, key.fromMe = target["chat_id"] or chat, target["id"], target["from_me"]
    if chat.endswith("@g.us"):
        key.participant = author.address if target["from_me"] else target["sender"] or ""


def _edit(edit: Any, content: Fields, chat: str, author: Author) -> None:
    _key(edit.key, {**content["target"], "from_me": True}, chat, author)
    edit.type = edit.MESSAGE_EDIT
    edit.editedMessage.conversation = content["text"]
    edit.timestampMS = author.now_ms


def _place(place: Any, location: Fields) -> None:
    place.degreesLatitude, place.degreesLongitude = location["latitude"], location["longitude"]
    place.name, place.address = location["name"] or "", location["address"] or ""


def _poll(message: Any, poll: Fields, author: Author) -> None:
    creation = message.pollCreationMessage
    creation.name = poll["question"]
    for option in poll["options"]:
        creation.options.add().optionName = option
    creation.selectableOptionsCount = 0 if poll["multiple"] else 1
    message.messageContextInfo.messageSecret = author.secret  # votes are encrypted with a key made from it


def _vcard(card: Fields) -> str:
    """A vCard 3.0 (RFC 2426); `waid` makes WhatsApp offer a chat with the number."""
    digits = "".join(char for char in card["phone_number"] if char.isdigit())
    name = _escaped(card["name"])
    lines = ("BEGIN:VCARD", "VERSION:3.0", f"N:;{name};;;", f"FN:{name}")
    return "\n".join((*lines, f"TEL;type=CELL;waid={digits}:+{digits}", "END:VCARD"))


def _escaped(text: str) -> str:
    for char in ("\\", ";", ","):
        text = text.replace(char, "\\" + char)
    return text

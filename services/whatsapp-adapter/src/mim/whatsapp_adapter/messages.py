"""What WhatsApp's messages and addresses come to in our words. Pure."""

from __future__ import annotations

import re
from typing import Any

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused

_PHONE_SERVER = "s.whatsapp.net"
_SERVERS = (_PHONE_SERVER, "lid", "g.us")
_KINDS = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "locationMessage": "location",
    "contactMessage": "contact",
    "reactionMessage": "reaction",
}
_PARTS = {
    "image": "imageMessage",
    "document": "documentMessage",
    "audio": "audioMessage",
    "video": "videoMessage",
}
_LATER_S = 60.0


def recipient(to: str) -> str:
    """The WhatsApp address behind a phone number as people write it, or behind an address.

    Raises: Refused(RECIPIENT_UNKNOWN) if it can be neither.
    """
    user, at, server = to.strip().partition("@")
    server = _PHONE_SERVER if server in ("", "c.us") else server
    if not at or server == _PHONE_SERVER:
        user = re.sub(r"[\s()./+-]", "", user)
    if server not in _SERVERS or not re.fullmatch(r"\d{5,20}(-\d{5,20})?", user):
        raise Refused(
            ErrorCode.RECIPIENT_UNKNOWN,
            f"{to!r} is not a phone number: write it with its country code, such as +1 555 000 2222",
        )
    return f"{user}@{server}"


def incoming(event: Any) -> dict[str, Any]:
    """The library's message event as the fields of an `incoming` event of the child.

    Chats are named by phone number where it is known, because that is what callers send to.
    """
    info, source = event.Info, event.Info.MessageSource
    other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
    chat, person = source.Chat, source.Sender
    phone = next((jid.User for jid in (other, person) if jid.Server == _PHONE_SERVER and jid.User), None)
    hidden = next((jid.User for jid in (other, person) if jid.Server == "lid" and jid.User), None)
    chat_id = f"{phone}@{_PHONE_SERVER}" if phone and not source.IsGroup else f"{chat.User}@{chat.Server}"
    kind, body = _content(event.Message)
    return {
        "id": info.ID,
        "chat_id": chat_id,
        "from_me": source.IsFromMe,
        "is_group": source.IsGroup,
        "type": kind,
        "body": body,
        "timestamp": info.Timestamp / 1000,  # milliseconds, unlike the times of other events
        "name": info.Pushname or None,
        "phone_number": phone,
        "lid": hidden,
    }


def _content(message: Any) -> tuple[str, str]:
    for field, value in message.ListFields():
        kind = _KINDS.get(field.name)
        if kind is None:
            continue
        if isinstance(value, str):
            return kind, value
        texts = (getattr(value, name, "") for name in ("text", "caption", "fileName"))
        return kind, next((text for text in texts if text), "")
    return "unknown", ""


def own_number(phone: str) -> str:
    """The digits of an account's own number as people write it.

    Raises: Refused(INVALID_FIELDS) if it is none.
    """
    number = re.sub(r"[\s()./+-]", "", phone)
    if not re.fullmatch(r"[1-9]\d{6,14}", number):
        raise Refused(
            ErrorCode.INVALID_FIELDS,
            "this is not a phone number: write it with its country code, such as +1 555 000 1111",
        )
    return number


def attach(message: Any, upload: Any, *, kind: str, mime_type: str, file_name: str, caption: str) -> None:
    """Put an uploaded file into a message (`Message` and `UploadResponse` of the library).

    Without a thumbnail: WhatsApp's apps show the picture itself once it is loaded. As in those apps, a document with
    a caption lies one message deeper.
    """
    if kind == "document" and caption:
        message = message.documentWithCaptionMessage.message
    part = getattr(message, _PARTS[kind])
    part.URL, part.directPath, part.mediaKey = upload.url, upload.DirectPath, upload.MediaKey
    part.fileEncSHA256, part.fileSHA256, part.fileLength = upload.FileEncSHA256, upload.FileSHA256, upload.FileLength
    # The apps play no Ogg file that does not name its codec.
    part.mimetype = "audio/ogg; codecs=opus" if mime_type == "audio/ogg" else mime_type
    if kind == "document":
        part.fileName = part.title = file_name
    if kind != "audio" and caption:
        part.caption = caption


def upload_failure(text: str) -> MimError:
    """What the library's error text after an upload means (whatsmeow's upload.go). Nothing was sent."""
    status = re.search(r"upload failed with status code (\d+)", text)
    if status and status[1] == "413":
        return Refused(ErrorCode.MEDIA_REFUSED, "the file is larger than WhatsApp takes: send a smaller one")
    if status and status[1].startswith("4"):
        return Refused(ErrorCode.MESSENGER_REFUSED, f"WhatsApp refused the file with status {status[1]}")
    return NotReady(ErrorCode.MESSENGER_UNREACHABLE, "the file could not be uploaded to WhatsApp: trying again")


def pairing_failure(text: str) -> MimError:
    """What the library's error text after the wish for a pairing code means (whatsmeow's pair-code.go)."""
    if "phone number too short" in text or "international phone number" in text:
        return Refused(ErrorCode.INVALID_FIELDS, "this is not a phone number with its country code")
    if "rate-overlimit" in text:
        message = "WhatsApp gives no more pairing codes for now: scan the QR code, or try again later"
        return NotReady(ErrorCode.RATE_LIMITED, message, retry_after_s=_LATER_S)
    if status := re.search(r"info query returned status (4\d\d)", text):
        message = f"WhatsApp refused a pairing code for this number (status {status[1]}): check the number"
        return Refused(ErrorCode.MESSENGER_REFUSED, message)
    return NotReady(ErrorCode.MESSENGER_UNREACHABLE, "WhatsApp did not give a pairing code: try again")


def send_failure(text: str) -> MimError:
    """What the library's error text after a send means (whatsmeow's send.go and errors.go).

    Refused and NotReady are certain that the message was not sent; any other error leaves it open.
    """
    if status := re.search(r"server returned error (\d+)", text):
        return _refusal(int(status[1]))
    if "no LID found" in text or "item-not-found" in text:
        return Refused(
            ErrorCode.RECIPIENT_UNKNOWN,
            "this number is not on WhatsApp: check the country code and the number",
        )
    if "rate-overlimit" in text:
        return NotReady(ErrorCode.RATE_LIMITED, "WhatsApp asks to send more slowly", retry_after_s=_LATER_S)
    if "store doesn't contain a device" in text or "websocket not connected" in text:
        return NotReady(ErrorCode.NOT_READY, "the account is not connected to WhatsApp at the moment")
    if "failed to get user info" in text or "failed to get device list" in text:
        return NotReady(ErrorCode.MESSENGER_UNREACHABLE, "WhatsApp did not say which devices the recipient has")
    return MimError(ErrorCode.UNCERTAIN, f"WhatsApp did not confirm the message, it may have been sent: {text}")


def _refusal(status: int) -> Refused:
    if status == 463:
        return Refused(
            ErrorCode.REACHOUT_LOCKED,
            "WhatsApp has locked this account out of writing to new contacts for a while (error 463): "
            "write to people who wrote before, and try this one again in a day",
        )
    return Refused(ErrorCode.MESSENGER_REFUSED, f"WhatsApp refused the message with error {status}")

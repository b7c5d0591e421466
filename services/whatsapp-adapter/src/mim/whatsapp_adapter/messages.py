"""Between the contract and the child: addresses as WhatsApp writes them, messages as JSON, what the library's error
texts mean. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from mim.contracts.content import Content
from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused
from mim.contracts.messages import SendMessage
from mim.contracts.values import Account, IncomingMessage

Fields = dict[str, Any]
_PHONE_SERVER = "s.whatsapp.net"
_SERVERS = (_PHONE_SERVER, "lid", "g.us")
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


def account_of(event: Fields) -> Account:
    """Who the account is, from `connected` or `paired`."""
    number = event["phone_number"]
    return Account(
        id=f"{number}@s.whatsapp.net",
        first_name=event.get("push_name") or None,
        phone_number=number,
        lid=event.get("lid") or None,
    )


def content_of(message: SendMessage) -> Fields:
    """What is to be said or done, as JSON, with every address in it as WhatsApp writes it."""
    content = message.model_dump(mode="json", include=set(Content.model_fields) - {"media"})
    for name in ("target", "reply_to"):
        if (ref := content[name]) is not None:
            ref["chat_id"], ref["sender"] = address(ref["chat_id"]), address(ref["sender"])
    return content


def address(contact: str | None) -> str | None:
    """The address of somebody, if anybody is named. Raises: Refused, as `recipient`."""
    return recipient(contact) if contact else None


def incoming_of(event: Fields) -> IncomingMessage:
    """The message of an `incoming` event."""
    fields: dict[str, Any] = {name: event[name] for name in IncomingMessage.model_fields if name in event}
    return IncomingMessage(**fields | {"timestamp": datetime.fromtimestamp(event["timestamp"], UTC)})


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


def download_failure(text: str) -> MimError:
    """What the library's error text after a download means (whatsmeow's download.go)."""
    if "too large" in text:
        return Refused(ErrorCode.MEDIA_REFUSED, "the file is larger than this system takes")
    if re.search(r"status code (403|404|410)", text):
        return Refused(ErrorCode.MEDIA_UNREACHABLE, "WhatsApp does not have this file any more")
    return Refused(ErrorCode.MEDIA_UNREACHABLE, f"WhatsApp does not give this file: {text}")


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
    if "not participating in that group" in text or "group does not exist" in text:
        return Refused(ErrorCode.RECIPIENT_UNKNOWN, "the account belongs to no group with this id")
    if "rate-overlimit" in text:
        return NotReady(ErrorCode.RATE_LIMITED, "WhatsApp asks to send more slowly", retry_after_s=_LATER_S)
    if "store doesn't contain a device" in text or "websocket not connected" in text:
        return NotReady(ErrorCode.NOT_READY, "the account is not connected to WhatsApp at the moment")
    if any(f"failed to get {missing}" in text for missing in ("user info", "device list", "group members")):
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

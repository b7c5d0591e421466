"""What the library's events come to in our words: messages, edits, reactions, receipts, changes of groups. Pure.

The fields are those of events of the child, as JSON: `incoming` has those of the contract's `IncomingMessage`, all
others have `kind`, `at` (seconds since 1970) and the fields of that message event.
"""

from __future__ import annotations

import base64
from typing import Any

Fields = dict[str, Any]

PHONE_SERVER = "s.whatsapp.net"
# Field of the library's `Message`: our kind.
_KINDS = {
    "conversation": "text",
    "extendedTextMessage": "text",
    "imageMessage": "image",
    "videoMessage": "video",
    "ptvMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
    "stickerMessage": "sticker",
    "locationMessage": "location",
    "liveLocationMessage": "location",
    "contactMessage": "contact",
    "pollCreationMessage": "poll",
    "pollCreationMessageV2": "poll",
    "pollCreationMessageV3": "poll",
}
_FILES = ("image", "video", "audio", "document", "sticker")
_RECEIPTS = {1: "delivered", 4: "read", 6: "read"}  # DELIVERED, READ and PLAYED of the library's ReceiptType
_SENDER_KEY = "senderKeyDistributionMessage"
_GROUP_CHANGES = {"Join": "joined", "Leave": "left", "Promote": "promoted", "Demote": "demoted"}


def message_events(event: Any) -> list[tuple[str, Fields]]:
    """What a message tells: nothing if it only brings the key of somebody who writes to a group."""
    parts = {field.name for field, _ in event.Message.ListFields()}
    if _SENDER_KEY in parts and parts <= {_SENDER_KEY, "messageContextInfo"}:
        return []
    return [message_event(event)]


def message_event(event: Any) -> tuple[str, Fields]:
    """What a message of the library tells: ("incoming", …) or ("happened", …)."""
    content = event.Message
    if content.HasField("protocolMessage"):
        changed = _protocol(event, content.protocolMessage)
        if changed is not None:
            return "happened", changed
    if content.HasField("reactionMessage"):
        reaction = content.reactionMessage
        return "happened", _change(event, "reaction", reaction.key.ID, emoji=reaction.text)
    return "incoming", incoming(event)


def incoming(event: Any) -> Fields:
    """A message. Chats are named by phone number where it is known, because that is what callers send to."""
    info, source = event.Info, event.Info.MessageSource
    kind, body, part = _content(event.Message)
    context = getattr(part, "contextInfo", None)
    return {
        "id": info.ID,
        "chat_id": _chat(source),
        "from_me": source.IsFromMe,
        "is_group": source.IsGroup,
        "type": "voice" if kind == "audio" and part.PTT else kind,
        "body": body,
        "timestamp": info.Timestamp / 1000,  # milliseconds, unlike the times of other events
        "contact": _contact(source) | {"name": info.Pushname or None},
        "media": _media(event.Message, kind, part) if kind in _FILES else None,
        "location": _location(part) if kind == "location" else None,
        "contact_card": _card(part) if kind == "contact" else None,
        "poll": _poll(part) if kind == "poll" else None,
        "reply_to": (context.stanzaID or None) if context is not None else None,
        "forwarded": bool(context is not None and context.isForwarded),
    }


def receipts(event: Any) -> list[tuple[str, Fields]]:
    """That messages of ours arrived or were read; nothing for receipts that tell something else."""
    kind = _RECEIPTS.get(event.Type)
    if kind is None or event.MessageSource.IsFromMe:
        return []
    source = event.MessageSource
    told = {
        "kind": kind,
        "at": event.Timestamp / 1000 if event.Timestamp > 10**11 else event.Timestamp,
        "messenger_ids": list(event.MessageIDs),
        "chat_id": _chat(source),
        "contact": _contact(source),
    }
    return [("happened", told)]


def group_changes(event: Any) -> list[tuple[str, Fields]]:
    """What happened to a group, one entry for each kind of change (`GroupInfoEvent`)."""
    by = _person(event.Sender) if event.HasField("Sender") else None
    head = {"kind": "group", "at": event.Timestamp, "chat_id": f"{event.JID.User}@{event.JID.Server}", "by": by}
    found = [
        {**head, "change": change, "members": [_person(jid) for jid in getattr(event, field)]}
        for field, change in _GROUP_CHANGES.items()
        if getattr(event, field)
    ]
    if event.HasField("Name"):
        found.append({**head, "change": "renamed", "title": event.Name.Name})
    return [("happened", change) for change in found]


def joined_group(event: Any, account: Fields, now_s: float) -> tuple[str, Fields]:
    """That the account has come into a group, or the group was just made with it (`JoinedGroup` of the library)."""
    info, is_new = event.GroupInfo, event.Type == "new"
    me = {"id": account["phone_number"], "phone_number": account["phone_number"], "lid": account["lid"] or None}
    told = {
        "kind": "group",
        "at": now_s,
        "chat_id": f"{info.JID.User}@{info.JID.Server}",
        "by": _person(event.Sender) if event.HasField("Sender") else None,
        "change": "created" if is_new else "joined",
        "members": [_person(each.JID) for each in info.Participants] if is_new else [me],
        "title": info.GroupName.Name or None,
    }
    return "happened", told


def size_of(message: Any) -> int:
    """The size of the file that a message has; 0 without one."""
    _, _, part = _content(message)
    return int(getattr(part, "fileLength", 0))


def people(fields: Fields) -> list[Fields]:
    """Everybody whom the fields of an event name."""
    named = [fields.get("contact"), fields.get("by"), *(fields.get("members") or ())]
    return [person for person in named if person is not None]


def name(person: Fields, phone_number: str | None, lid: str | None) -> None:
    """Write down both names of somebody as far as they are known; the id is the phone number if there is one."""
    person["phone_number"], person["lid"] = phone_number, lid
    person["id"] = phone_number or lid or person["id"]


def name_chat(fields: Fields) -> None:
    """Name the chat with a person by phone number once that is known."""
    contact, chat = fields.get("contact"), fields["chat_id"]
    if contact and contact["phone_number"] and chat == f"{contact['lid']}@lid":
        fields["chat_id"] = f"{contact['phone_number']}@{PHONE_SERVER}"


def _protocol(event: Any, protocol: Any) -> Fields | None:
    if protocol.type == protocol.REVOKE:
        return _change(event, "deleted", protocol.key.ID)
    if protocol.type == protocol.MESSAGE_EDIT:
        _, body, _ = _content(protocol.editedMessage)
        return _change(event, "edited", protocol.key.ID, body=body)
    return None


def _change(event: Any, kind: str, messenger_id: str, **more: str) -> Fields:
    source = event.Info.MessageSource
    return {
        "kind": kind,
        "at": event.Info.Timestamp / 1000,
        "messenger_id": messenger_id,
        "chat_id": _chat(source),
        "from_me": source.IsFromMe,
        "is_group": source.IsGroup,
        "contact": _contact(source) | {"name": event.Info.Pushname or None},
        **more,
    }


def _names(source: Any) -> tuple[str | None, str | None]:
    """The phone number and the hidden id of the other side, as far as they are known."""
    other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
    jids = (other, source.Sender, source.Chat) if not source.IsGroup else (other, source.Sender)
    if source.IsFromMe and not source.IsGroup:
        jids = (other, source.Chat)
    phone = next((jid.User for jid in jids if jid.Server == PHONE_SERVER and jid.User), None)
    hidden = next((jid.User for jid in jids if jid.Server == "lid" and jid.User), None)
    return phone, hidden


def _chat(source: Any) -> str:
    phone, _ = _names(source)
    if phone and not source.IsGroup:
        return f"{phone}@{PHONE_SERVER}"
    return f"{source.Chat.User}@{source.Chat.Server}"


def _contact(source: Any) -> Fields:
    phone, hidden = _names(source)
    return {"id": phone or hidden or _chat(source), "phone_number": phone, "lid": hidden}


def _person(jid: Any) -> Fields:
    is_phone = jid.Server == PHONE_SERVER
    return {"id": jid.User, "phone_number": jid.User if is_phone else None, "lid": None if is_phone else jid.User}


def _content(message: Any) -> tuple[str, str, Any]:
    """The kind of a message, its text, and the part that holds it."""
    if message.HasField("documentWithCaptionMessage"):
        message = message.documentWithCaptionMessage.message
    for field, value in message.ListFields():
        kind = _KINDS.get(field.name)
        if kind is None:
            continue
        if isinstance(value, str):
            return kind, value, None
        texts = (getattr(value, name, "") for name in ("text", "caption", "fileName", "name", "displayName"))
        return kind, next((text for text in texts if text), ""), value
    return "unknown", "", None


def _media(message: Any, kind: str, part: Any) -> Fields:
    return {
        "kind": "voice" if kind == "audio" and part.PTT else kind,
        "mime_type": part.mimetype or None,
        "file_name": getattr(part, "fileName", "") or None,
        "size_bytes": part.fileLength or None,
        "duration_s": getattr(part, "seconds", 0) or None,
        # All that is needed to fetch and decrypt the file, and so a secret: it is sealed before it leaves the worker.
        "reference": base64.b64encode(message.SerializeToString()).decode(),
    }


def _location(part: Any) -> Fields:
    return {
        "latitude": part.degreesLatitude,
        "longitude": part.degreesLongitude,
        "name": getattr(part, "name", "") or None,
        "address": getattr(part, "address", "") or None,
    }


def _card(part: Any) -> Fields:
    numbers = [line.rpartition(":")[2].strip() for line in part.vcard.splitlines() if line.startswith("TEL")]
    return {"name": part.displayName, "phone_number": next(iter(numbers), None)}


def _poll(part: Any) -> Fields:
    options = [option.optionName for option in part.options]
    return {"question": part.name, "options": options, "multiple": part.selectableOptionsCount != 1}

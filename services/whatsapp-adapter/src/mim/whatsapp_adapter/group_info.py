"""Groups and who belongs to them, from the library's words to ours, as JSON. Pure."""

from __future__ import annotations

from typing import Any

from mim.whatsapp_adapter.incoming import PHONE_SERVER, Fields


def group_of(info: Any) -> Fields:
    """A group (`GroupInfo` of the library). People are named by phone number where it is known."""
    return {
        "id": f"{info.JID.User}@{info.JID.Server}",
        "title": info.GroupName.Name,
        "owner": info.OwnerPN.User or info.OwnerJID.User or None,
        "created_at": info.GroupCreated or None,
        "participants": [participant_of(each) for each in info.Participants],
    }


def changed_of(participant: Any, change: str) -> Fields:
    """Somebody in a group after a change, of which WhatsApp does not repeat who became an admin."""
    return {**participant_of(participant), "is_admin": change == "promote" and not participant.Error}


def participant_of(participant: Any) -> Fields:
    """Somebody in a group; `error` is WhatsApp's code why what was asked about them was not done."""
    jids = (participant.PhoneNumber, participant.LID, participant.JID)
    phone = next((jid.User for jid in jids if jid.Server == PHONE_SERVER and jid.User), None)
    hidden = next((jid.User for jid in jids if jid.Server == "lid" and jid.User), None)
    return {
        "id": phone or hidden or participant.JID.User,
        "phone_number": phone,
        "lid": hidden,
        "is_admin": participant.IsAdmin or participant.IsSuperAdmin,
        "error": participant.Error or None,
    }


def as_in_group(info: Any, people: list[Any]) -> list[Any]:
    """The addresses under which a group knows these people; who is not in it keeps theirs."""
    known = {jid.User: each.JID for each in info.Participants for jid in (each.JID, each.PhoneNumber, each.LID)}
    return [known.get(jid.User, jid) for jid in people]

"""Methods of `contacts`: who is known, and finding people by username or phone.

Names and errors as in https://core.telegram.org/methods.
"""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto.methods.peers import people_of
from mim.emulators.mtproto.people import Person, RpcError, digits
from mim.emulators.mtproto.world import Call

_MAX_FOUND = 50


def get_contacts(call: Call, _q: Any) -> Any:
    """All contacts."""
    people = [person for person in call.world.people if person.id in call.me.contacts]
    contacts = [types.Contact(person.id, call.me.id in person.contacts) for person in people]
    return types.contacts.Contacts(contacts, 0, [person.seen_by(call.me) for person in people])


def resolve_username(call: Call, q: Any) -> Any:
    """The person with a username."""
    person = call.world.people.by_username(q.username)
    if person is None:
        raise RpcError(400, "USERNAME_NOT_OCCUPIED")
    return _resolved(call, person)


def resolve_phone(call: Call, q: Any) -> Any:
    """The person with a phone number."""
    person = _by_phone(call, q.phone)
    if person is None:
        raise RpcError(400, "PHONE_NOT_OCCUPIED")
    return _resolved(call, person)


def _resolved(call: Call, person: Person) -> Any:
    return types.contacts.ResolvedPeer(types.PeerUser(person.id), [], [person.seen_by(call.me)])


def search(call: Call, q: Any) -> Any:
    """People whose name or username has the words."""
    _ = call.me
    words = q.q.lower().removeprefix("@")
    found = [person for person in call.world.people if words in f"{person.name} {person.username}".lower()]
    found = found[: min(q.limit, _MAX_FOUND)]
    mine = [types.PeerUser(person.id) for person in found if person.id in call.me.contacts]
    others = [types.PeerUser(person.id) for person in found if person.id not in call.me.contacts]
    return types.contacts.Found(mine, others, [], [person.seen_by(call.me) for person in found])


def import_contacts(call: Call, q: Any) -> Any:
    """Make contacts of people by phone number; numbers without an account come to nothing."""
    imported, people = [], []
    for contact in q.contacts:
        person = _by_phone(call, contact.phone)
        if person is not None:
            call.me.contacts.add(person.id)
            imported.append(types.ImportedContact(person.id, contact.client_id))
            people.append(person)
    return types.contacts.ImportedContacts(imported, [], [], [person.seen_by(call.me) for person in people])


def add_contact(call: Call, q: Any) -> Any:
    """Make a contact of a person."""
    (person,) = people_of(call, [q.id])
    call.me.contacts.add(person.id)
    settings = types.UpdatePeerSettings(types.PeerUser(person.id), types.PeerSettings())
    return call.world.chats.updates(call.me, [settings], chats=[person.id])


def delete_contacts(call: Call, q: Any) -> Any:
    """Make people contacts no more."""
    people = people_of(call, q.id)
    call.me.contacts -= {person.id for person in people}
    return call.world.chats.updates(call.me, [], chats=[person.id for person in people])


def _by_phone(call: Call, phone: str) -> Person | None:
    _ = call.me
    try:
        return call.world.people.by_phone(digits(phone))
    except ValueError:
        return None


METHODS = {
    functions.contacts.GetContactsRequest: get_contacts,
    functions.contacts.ResolveUsernameRequest: resolve_username,
    functions.contacts.ResolvePhoneRequest: resolve_phone,
    functions.contacts.SearchRequest: search,
    functions.contacts.ImportContactsRequest: import_contacts,
    functions.contacts.AddContactRequest: add_contact,
    functions.contacts.DeleteContactsRequest: delete_contacts,
}

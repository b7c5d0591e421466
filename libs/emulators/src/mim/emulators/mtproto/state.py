"""What outlives the emulator: people, groups, and the keys of devices that are logged in.

Messages and files do not, but the numbers of messages and events go on, so that clients take new ones for new.
"""

from __future__ import annotations

import base64
from collections import deque
from datetime import datetime
from typing import Any

from mim.emulators.mtproto.boxes import Box
from mim.emulators.mtproto.crypto import AuthKey
from mim.emulators.mtproto.groups import Group, Member
from mim.emulators.mtproto.people import Device, Person
from mim.emulators.mtproto.srp import Verifier
from mim.emulators.mtproto.world import World

Json = dict[str, Any]


_UNSURE = 1_000
"""How far numbers may be behind what clients were told, if the last life ended without a goodbye."""


def dump(world: World, *, final: bool) -> Json:
    """Everything that is to be kept; `final` if nothing will happen any more."""
    devices = [device for person in world.people for device in person.devices]
    return {
        "final": final,
        "people": [_dump_person(person) for person in world.people],
        "groups": [_dump_group(group) for group in world.groups],
        "devices": [_dump_device(device) for device in devices],
    }


def load(world: World, kept: Json) -> None:
    """Fill an empty world with what was kept."""
    skipped = 0 if kept["final"] else _UNSURE
    for fields in kept["people"]:
        world.people.put(_load_person(fields, skipped))
    for fields in kept["groups"]:
        world.groups.put(_load_group(world, fields, skipped))
    for fields in kept["devices"]:
        device = Device(
            AuthKey(_bytes(fields["key"])), deque(fields["salts"], maxlen=2), fields["hash"], fields["created"]
        )
        device.initialised, device.app = True, fields["app"]
        world.add_device(device)
        device.log_in(world.people.get(fields["person"]))


def _dump_person(person: Person) -> Json:
    verifier = person.verifier
    return {
        "id": person.id,
        "access_hash": person.access_hash,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "username": person.username,
        "phone": person.phone,
        "contacts": sorted(person.contacts),
        "box": [person.box.pts, person.box.last_id],
        "password": verifier and [_text(verifier.salt1), _text(verifier.salt2), verifier.value],
    }


def _load_person(fields: Json, skipped: int) -> Person:
    password, contacts, numbers = (fields.pop(name) for name in ("password", "contacts", "box"))
    box = Box(fields["id"], *(number + skipped for number in numbers))
    person = Person(**fields, contacts=set(contacts), box=box)
    if password:
        person.verifier = Verifier(_bytes(password[0]), _bytes(password[1]), password[2])
    return person


def _dump_group(group: Group) -> Json:
    return {
        "id": group.id,
        "access_hash": group.access_hash,
        "title": group.title,
        "about": group.about,
        "broadcast": group.broadcast,
        "invite": group.invite,
        "creator": group.creator.id,
        "created": group.created.isoformat(),
        "box": group.box and [group.box.pts, group.box.last_id],
        "members": [
            [one.person.id, one.inviter_id, one.since.isoformat(), one.is_admin] for one in group.members.values()
        ],
    }


def _load_group(world: World, fields: Json, skipped: int) -> Group:
    creator, created = world.people.get(fields.pop("creator")), datetime.fromisoformat(fields.pop("created"))
    numbers, members = fields.pop("box"), fields.pop("members")
    group = Group(**fields, creator=creator, created=created)
    if numbers:
        group.box = Box(group.channel_mark, *(number + skipped for number in numbers))
    for who, inviter, since, *admin in members:
        group.members[who] = Member(world.people.get(who), inviter, datetime.fromisoformat(since), any(admin))
    return group


def _dump_device(device: Device) -> Json:
    return {
        "key": _text(device.key.raw),
        "salts": list(device.salts),
        "hash": device.hash,
        "created": device.created,
        "app": device.app,
        "person": device.person.id if device.person else 0,
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)

"""What outlives the emulator: its root key, its groups, and every phone with its keys, devices, sessions and inbox.

One JSON file a phone in `DIR/phones/`, written shortly after each change, so that devices that are linked stay linked
and conversations stay readable when the emulator is restarted. A kill between a message and the write (50 ms) leaves
that conversation's keys behind by that message. One JSON file a group in `DIR/groups/`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mim.emulators.whatsapp.certificates import write_secret
from mim.emulators.whatsapp.curve import Key
from mim.emulators.whatsapp.groups import Group
from mim.emulators.whatsapp.nodes import decode, encode
from mim.emulators.whatsapp.phones import Device, Phone, Readable, SignedKey
from mim.emulators.whatsapp.ratchet import Chain, Session
from mim.emulators.whatsapp.sender_keys import GroupKeys, HeardKey, SendingKey
from mim.emulators.whatsapp.x3dh import Party

_DELAY_S = 0.05  # long enough to write once for the stanzas of one message

Json = dict[str, Any]


class Store:
    """The folder of one emulator."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "phones"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._groups = folder / "groups"
        self._groups.mkdir(exist_ok=True, mode=0o700)
        self._root = folder / "root.key"
        self._changed: dict[str, Phone] = {}
        self._timer: asyncio.TimerHandle | None = None

    def root_key(self) -> Key:
        """The root key, made on the first call."""
        if not self._root.exists():
            write_secret(self._root, Key().seed)
        return Key(self._root.read_bytes())

    def load(self) -> list[Phone]:
        """All phones of earlier lives."""
        return [_load_phone(_parse(path.read_text())) for path in sorted(self._folder.glob("*.json"))]

    def load_groups(self) -> list[Group]:
        """All groups of earlier lives."""
        return [_load_group(_parse(path.read_text())) for path in sorted(self._groups.glob("*.json"))]

    def keep_group(self, group: Group) -> None:
        """Write a group, now: groups change seldom."""
        write_secret(self._groups / f"{group.id}.json", json.dumps(asdict(group)).encode())

    def changed(self, phone: Phone) -> None:
        """Write the phone soon."""
        self._changed[phone.number] = phone
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DELAY_S, self.flush)

    def flush(self) -> None:
        """Write what has changed, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for phone in self._changed.values():
            text = json.dumps(_dump_phone(phone), default=_bytes_to_json)
            write_secret(self._folder / f"{phone.number}.json", text.encode())
        self._changed.clear()


def _bytes_to_json(value: object) -> Json:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} cannot be kept")
    return {"base64": base64.b64encode(value).decode()}


def _bytes_from_json(value: Json) -> Json | bytes:
    return base64.b64decode(value["base64"]) if set(value) == {"base64"} else value


def _parse(text: str) -> Json:
    parsed: Json = json.loads(text, object_hook=_bytes_from_json)
    return parsed


def _load_group(kept: Json) -> Group:
    name, at = kept["titled"]
    return Group(**{**kept, "titled": (name, at)})


def _dump_phone(phone: Phone) -> Json:
    return {
        "number": phone.number,
        "name": phone.name,
        "next_device": phone.next_device,
        "inbox": [message._asdict() for message in phone.inbox],
        "party": _dump_party(phone.party),
        "devices": [[number, _dump_device(device)] for number, device in phone.devices.items()],
    }


def _load_phone(kept: Json) -> Phone:
    return Phone(
        number=kept["number"],
        name=kept["name"],
        next_device=kept["next_device"],
        inbox=[Readable(**message) for message in kept["inbox"]],
        party=_load_party(kept["party"]),
        devices={number: _load_device(device) for number, device in kept["devices"]},
    )


def _dump_device(device: Device) -> Json:
    return {
        "noise": device.noise,
        "identity": device.identity,
        "registration": device.registration,
        "signed": device.signed,
        "once": list(device.once.items()),
        "waiting": [encode(node) for node in (*device.sent.values(), *device.waiting)],
    }


def _load_device(kept: Json) -> Device:
    return Device(
        noise=kept["noise"],
        identity=kept["identity"],
        registration=kept["registration"],
        signed=SignedKey(*kept["signed"]) if kept["signed"] else None,
        once=dict(kept["once"]),
        waiting=[decode(frame) for frame in kept["waiting"]],
    )


def _dump_party(party: Party) -> Json:
    return {
        "identity": party.identity.seed,
        "signed": party.signed.seed,
        "next_once_id": party.next_once_id,
        "once": [[number, key.seed] for number, key in party.once.items()],
        "sessions": {address: _dump_session(session) for address, session in party.sessions.items()},
        "groups": _dump_keys(party.groups),
    }


def _load_party(kept: Json) -> Party:
    party = Party(Key(kept["identity"]), Key(kept["signed"]))
    party.next_once_id = kept["next_once_id"]
    party.once = {number: Key(seed) for number, seed in kept["once"]}
    party.sessions = {address: _load_session(session) for address, session in kept["sessions"].items()}
    party.groups = _load_keys(kept["groups"]) if "groups" in kept else GroupKeys()
    return party


def _dump_keys(keys: GroupKeys) -> Json:
    own = {
        group: [key.number, key.signer.seed, _dump_chain(key.chain), sorted(key.told)]
        for group, key in keys.own.items()
    }
    heard = [
        [*where, number, key.signer, _dump_chain(key.chain)]
        for where, by_number in keys.heard.items()
        for number, key in by_number.items()
    ]
    return {"own": own, "heard": heard}


def _load_keys(kept: Json) -> GroupKeys:
    keys = GroupKeys()
    for group, (number, seed, chain, told) in kept["own"].items():
        keys.own[group] = SendingKey(number, Key(seed), _load_chain(chain))
        keys.own[group].told.update(told)
    for group, address, number, signer, chain in kept["heard"]:
        keys.heard.setdefault((group, address), {})[number] = HeardKey(signer, _load_chain(chain))
    return keys


def _dump_session(session: Session) -> Json:
    return {
        "mine": session.mine,
        "theirs": session.theirs,
        "root": session.root,
        "ratchet": session.ratchet.seed,
        "sending": _dump_chain(session.sending) if session.sending else None,
        "receiving": [[key, _dump_chain(chain)] for key, chain in session.receiving.items()],
        "previous_count": session.previous_count,
        "started_by": session.started_by,
        "opening": list(session.opening.items()) if session.opening else None,
    }


def _load_session(kept: Json) -> Session:
    return Session(
        mine=kept["mine"],
        theirs=kept["theirs"],
        root=kept["root"],
        ratchet=Key(kept["ratchet"]),
        sending=_load_chain(kept["sending"]) if kept["sending"] else None,
        receiving={key: _load_chain(chain) for key, chain in kept["receiving"]},
        previous_count=kept["previous_count"],
        started_by=kept["started_by"],
        opening=dict(kept["opening"]) if kept["opening"] else None,
    )


def _dump_chain(chain: Chain) -> Json:
    return {"key": chain.key, "count": chain.count, "skipped": list(chain.skipped.items())}


def _load_chain(kept: Json) -> Chain:
    return Chain(kept["key"], kept["count"], dict(kept["skipped"]))

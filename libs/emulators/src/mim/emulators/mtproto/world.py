"""Everything the server knows, and the doings that concern more than one part of it."""

from __future__ import annotations

import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.attention import Attention
from mim.emulators.mtproto.chats import Chats
from mim.emulators.mtproto.faults import Faults
from mim.emulators.mtproto.files import Files
from mim.emulators.mtproto.groups import Groups
from mim.emulators.mtproto.logins import Logins, unauthorized
from mim.emulators.mtproto.mail import Mail
from mim.emulators.mtproto.people import Device, Link, People, Person, RpcError

_KEPT_CALLS = 10_000
_KEPT_MEDIA = 10_000
_MAX_DEVICES = 100_000


class World:
    """The state behind all connections. `noise(n)` gives n random bytes, `clock` the time in seconds."""

    def __init__(
        self,
        *,
        noise: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.time,
        token_ttl_s: float = 30.0,
        code_ttl_s: float = 300.0,
    ) -> None:
        self.noise = noise
        self.clock = clock
        self.people = People(noise)
        self.logins = Logins(self.people, noise, clock, token_ttl_s=token_ttl_s, code_ttl_s=code_ttl_s)
        self.faults = Faults()
        self.groups = Groups(self.number, self.now, lambda: noise(8).hex())
        self.chats = Chats(self.people, self.groups, self.now)
        self.mail = Mail(self.chats, self.now, clock)
        self.attention = Attention(self.chats, self.now, clock)
        self.files = Files(noise)
        self._media: OrderedDict[int, Any] = OrderedDict()
        self.devices: dict[int, Device] = {}
        self.calls: deque[tuple[str, str, str]] = deque(maxlen=_KEPT_CALLS)
        """The latest requests as (phone or "", method, error or "")."""
        self.incidents: deque[dict[str, Any]] = deque(maxlen=_KEPT_CALLS)
        """What tests want to be told: `connected`, `disconnected`, `auth_key_duplicated`, with the phone."""
        self.port = 0

    def now(self) -> datetime:
        """The time as answers carry it."""
        return datetime.fromtimestamp(int(self.clock()), UTC)

    def number(self) -> int:
        """A random 64-bit number."""
        return int.from_bytes(self.noise(8), "little", signed=True)

    def keep_media(self, file_id: int, media: Any) -> Any:
        """Know what a file was sent as, so that it can be sent again by its id. Returns the media."""
        self._media[file_id] = media
        if len(self._media) > _KEPT_MEDIA:
            self._media.popitem(last=False)
        return media

    def media(self, file_id: int) -> Any:
        """What a file was sent as. Raises: RpcError."""
        if file_id not in self._media:
            raise RpcError(400, "MEDIA_EMPTY")
        return self._media[file_id]

    def note(self, event: str, person: Person | None) -> None:
        """Remember an incident."""
        self.incidents.append({"type": event, "phone": person.phone if person else "", "at": self.clock()})

    def scan(self, token: bytes, person: Person, *, dc_id: int | None = None) -> Device:
        """A person scans a QR code, as `Logins.scan`; the client that shows it is told. Raises: RpcError."""
        device = self.logins.scan(token, person, dc_id=dc_id)
        device.push(types.UpdateShort(types.UpdateLoginToken(), self.now()))
        return device

    def revoke(self, device: Device, *, error: str = "AUTH_KEY_UNREGISTERED", tell: bool = True) -> None:
        """End a device's login from elsewhere, as a person does in the settings of another device.

        `error` is what its later requests get. `tell`: its connections get `updatesTooLong`, so that they find out.
        """
        device.log_out(RpcError(401, error))
        if tell:
            device.push(types.UpdatesTooLong())

    def duplicated(self, device: Device) -> None:
        """One key was used by two clients at once: it is worth nothing any more."""
        self.note("auth_key_duplicated", device.person)
        device.log_out(RpcError(406, "AUTH_KEY_DUPLICATED"))

    def add_device(self, device: Device) -> None:
        """Know a new key; the oldest that nobody is logged in with goes if there are too many."""
        if len(self.devices) >= _MAX_DEVICES:
            idle = next((key for key, known in self.devices.items() if not (known.person or known.links)), None)
            self.devices.pop(idle or next(iter(self.devices)))
        self.devices[device.key.id] = device


@dataclass(frozen=True)
class Call:
    """One request in its surroundings: by whom, on which connection."""

    world: World
    device: Device
    link: Link

    @property
    def me(self) -> Person:
        """Who asks. Raises: RpcError if nobody is logged in."""
        if self.device.person is None:
            raise self.device.refusal or unauthorized()
        return self.device.person

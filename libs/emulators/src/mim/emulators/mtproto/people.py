"""Who there is on the server: people, and the devices that are logged in as them. Knows nothing of the wire."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from telethon.tl import types

from mim.emulators.mtproto.boxes import Box, Copy
from mim.emulators.mtproto.crypto import AuthKey
from mim.emulators.mtproto.session import Session
from mim.emulators.mtproto.srp import Challenge, Verifier

FIRST_ID = 7_000_000_001
"""Beyond 32 bits, as ids of real users are today."""

_VALID_SALTS = 2  # the present one, and the last for a while
_MAX_SESSIONS = 16
_KEPT_RANDOM_IDS = 1_000
_KEPT_UPDATES = 20
_PHONE = re.compile(r"\d{7,15}")
_USERNAME = re.compile(r"[a-z][a-z0-9_]{3,31}", re.IGNORECASE)


class RpcError(Exception):
    """An answer `rpc_error`: a code like an HTTP status and a word (https://core.telegram.org/api/errors)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def digits(phone: str) -> str:
    """A phone number as the server keeps it. Raises: ValueError if it is none."""
    bare = re.sub(r"[\s()+.-]", "", phone)
    if not _PHONE.fullmatch(bare):
        raise ValueError(f"{phone!r} is not a phone number: use the country code and 7 to 15 digits in all")
    return bare


@dataclass
class Dialog:
    """Up to which ids a chat is read, by its owner and by the others."""

    read_inbox: int = 0
    read_outbox: int = 0


@dataclass(eq=False)
class Person:
    """A user. Whoever has a phone number can be logged in to; `password` is the two-factor one."""

    id: int
    access_hash: int
    first_name: str
    box: Box = field(repr=False)
    last_name: str = ""
    username: str = ""
    phone: str = ""
    contacts: set[int] = field(default_factory=set)
    dialogs: dict[int, Dialog] = field(default_factory=dict, repr=False)
    sent: OrderedDict[int, Copy] = field(default_factory=OrderedDict, repr=False)
    devices: list[Device] = field(default_factory=list, repr=False)
    verifier: Verifier | None = field(default=None, repr=False)
    status: Any = field(default_factory=types.UserStatusRecently, repr=False)

    def dialog(self, chat: int) -> Dialog:
        """How far the chat with this marked id is read."""
        return self.dialogs.setdefault(chat, Dialog())

    def remember(self, random_id: int, copy: Copy) -> None:
        """Know a message that was sent by the client's own number for it, so that it is not sent again."""
        self.sent[random_id] = copy
        if len(self.sent) > _KEPT_RANDOM_IDS:
            self.sent.popitem(last=False)

    def push(self, update: Any, *, but: Device | None = None) -> None:
        """Send an `Updates` object to all devices `but` one."""
        for device in self.devices:
            if device is not but:
                device.push(update)

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()

    def seen_by(self, viewer: Person) -> Any:
        """The person as a `User`; a phone number shows only between contacts and to oneself."""
        known = viewer is self or self.id in viewer.contacts
        return types.User(
            id=self.id,
            is_self=viewer is self or None,
            contact=(self.id in viewer.contacts) or None,
            mutual_contact=(self.id in viewer.contacts and viewer.id in self.contacts) or None,
            access_hash=self.access_hash,
            first_name=self.first_name,
            last_name=self.last_name or None,
            username=self.username or None,
            phone=(self.phone or None) if known else None,
            status=self.status,
        )


class Link(Protocol):
    """A live connection of a device, as far as people's doings need it."""

    receives_updates: bool
    session: Session
    ended: asyncio.Event

    def push(self, update: Any) -> None:
        """Send an `Updates` object."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


@dataclass(eq=False)
class Device:
    """One authorization key: what Telegram calls an active session once it is logged in.

    `salts` are valid, the newest first. `pending` has proved a code or a scan and still owes the password. `refusal`
    is why requests are refused for good.
    """

    key: AuthKey = field(repr=False)
    salts: deque[int] = field(repr=False)
    hash: int
    created: float
    person: Person | None = None
    pending: Person | None = None
    refusal: RpcError | None = None
    challenge: Challenge | None = field(default=None, repr=False)
    initialised: bool = False
    app: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list, repr=False)
    sessions: OrderedDict[int, Session] = field(default_factory=OrderedDict, repr=False)
    unsent: deque[Any] = field(default_factory=lambda: deque(maxlen=_KEPT_UPDATES + 1), repr=False)

    @classmethod
    def of(cls, key: AuthKey, salt: int, number: int, created: float) -> Device:
        """A device that nobody is logged in with."""
        return cls(key, deque([salt], maxlen=_VALID_SALTS), number, created)

    def session(self, session_id: int, number: Callable[[], int]) -> Session:
        """The session with this id, which may be new."""
        session = self.sessions.get(session_id)
        if session is None:
            session = self.sessions[session_id] = Session(session_id, number())
            if len(self.sessions) > _MAX_SESSIONS:
                self.sessions.popitem(last=False)
        return session

    def log_in(self, person: Person) -> None:
        """The person is logged in on this device from now on."""
        self.log_out()
        self.person, self.pending, self.challenge, self.refusal = person, None, None, None
        person.devices.append(self)

    def log_out(self, refusal: RpcError | None = None) -> None:
        """Nobody is logged in from now on; every later request gets `refusal`, if given."""
        if self.person is not None:
            self.person.devices.remove(self)
        self.person, self.pending, self.refusal = None, None, refusal
        self.unsent.clear()

    def push(self, update: Any) -> None:
        """Send an `Updates` object to the device's newest connection that wants updates, or keep it for the next."""
        for link in reversed(self.links):
            if link.receives_updates:
                link.push(update)
                return
        self.unsent.append(update)

    def begin_updates(self, link: Link) -> None:
        """A connection wants updates from now on: send it what came meanwhile, or say that it was too much."""
        link.receives_updates = True
        waiting = list(self.unsent)
        self.unsent.clear()
        for update in waiting if len(waiting) <= _KEPT_UPDATES else [types.UpdatesTooLong()]:
            link.push(update)

    def abort(self) -> None:
        """Cut all connections."""
        for link in list(self.links):
            link.abort()


class People:
    """All persons, found by what others call them."""

    def __init__(self, noise: Callable[[int], bytes]) -> None:
        self._noise = noise
        self._by_id: dict[int, Person] = {}
        self._by_phone: dict[str, Person] = {}
        self._by_username: dict[str, Person] = {}

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_id.values())

    def add(self, phone: str = "", name: str = "", username: str = "", password: str | None = None) -> Person:
        """Make a person, or change the one with this phone or username; an empty `password` takes theirs away.

        Raises: ValueError if phone or username are malformed, or belong to two people.
        """
        phone = digits(phone) if phone else ""
        username = username.removeprefix("@")
        if username and not _USERNAME.fullmatch(username):
            raise ValueError(f"{username!r} is not a username: use 4 to 32 letters, digits and underscores")
        person = self._by_phone.get(phone) or self._by_username.get(username.lower())
        if username and self._by_username.get(username.lower(), person) is not person:
            raise ValueError(f"@{username} belongs to somebody else")
        person = person or self._make(name or username or f"Person {phone[-4:]}")
        if name:
            person.first_name, _, person.last_name = name.partition(" ")
        self._index(person, phone, username)
        if password is not None:
            salts = self._noise(8) + self._noise(32), self._noise(16)
            person.verifier = Verifier.of(password, *salts) if password else None
        return person

    def put(self, person: Person) -> None:
        """Know somebody from an earlier life."""
        self._by_id[person.id] = person
        self._index(person, person.phone, person.username)

    def get(self, who: int | str) -> Person:
        """The person with this id, phone number, or `@username`. Raises: LookupError."""
        found = self._by_id.get(who) if isinstance(who, int) else self._find(who)
        if found is None:
            raise LookupError(f"there is no {who}: make them with /person first")
        return found

    def by_id(self, identity: int) -> Person | None:
        """The person with this id."""
        return self._by_id.get(identity)

    def by_phone(self, phone: str) -> Person | None:
        """The person with this number, as `digits` gives it."""
        return self._by_phone.get(phone)

    def by_username(self, username: str) -> Person | None:
        """The person with this username."""
        return self._by_username.get(username.removeprefix("@").lower())

    def _find(self, who: str) -> Person | None:
        try:
            return self._by_phone.get(digits(who)) or self._by_id.get(int(who))
        except ValueError:
            return self.by_username(who)

    def _make(self, name: str) -> Person:
        first, _, last = name.partition(" ")
        identity = FIRST_ID + len(self._by_id)
        access_hash = int.from_bytes(self._noise(8), "little", signed=True)
        person = Person(identity, access_hash, first, Box(identity), last)
        self._by_id[identity] = person
        return person

    def _index(self, person: Person, phone: str, username: str) -> None:
        if phone:
            self._by_phone.pop(person.phone, None)
            person.phone = phone
            self._by_phone[phone] = person
        if username:
            self._by_username.pop(person.username.lower(), None)
            person.username = username
            self._by_username[username.lower()] = person

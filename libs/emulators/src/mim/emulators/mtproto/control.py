"""The hands that hold the phones: HTTP POSTs with JSON on loopback.

    person {phone?, username?, name?, password?}          make or change somebody -> {id, phone, username, name}
    scan {qr, phone, dc?}                                  scan a QR code -> {device}
    login {phone}                                          a ready `StringSession` of theirs -> {session}
    code {phone}                                           the last code sent to a phone -> {code, expires_in_s}
    devices {phone}                                        where they are logged in -> {devices}
    revoke {phone, device?, error?, tell?}                 end logins from elsewhere -> {revoked}
    drop {phone}                                           cut the connections -> {dropped}
    group {title, creator, members?, kind?, about?}        kind: basic, supergroup, channel -> {chat, invite}
    join {chat, who}, leave {chat, who}                    -> {}
    say {from, to, text?, entities?, reply_to?, media?, forwarded_from?}
                                                           write -> {id, ids}: in the writer's box, and by person
    edit {from, to, id, text}                              -> {}
    delete {from, to, ids, revoke?}                        -> {}
    read {from, to, up_to?}                                read a chat -> {read}
    react {from, to, id, emoji?}                           no emoji takes it back -> {}
    typing {from, to, action?}                             action: typing, cancel, record_voice … -> {}
    presence {who, online}                                 come or go -> {}
    sent {phone}, inbox {phone}                            what they sent, what they got -> {messages}
    fault {phone?, method?, times?, error?, code?, delay_s?, drop?, duplicate?, cut?, lose?} -> {}
    mend {}                                                nothing goes wrong any more -> {}
    calls {phone?}                                         the latest requests -> {calls}
    incidents {}                                           connected, disconnected, auth_key_duplicated -> {incidents}

People are named by phone, `@username` or id; a chat in `to` by a person or by a group's marked id, which is negative.
`id`, `ids`, `up_to` and `reply_to` are ids as `from` knows them, or as `of` does, if that is given. `media` has a
`kind`: photo, document, audio, voice, video, sticker (with `name`, `content` in base64, `mime_type`), location, contact
or poll; `sent` and `inbox` describe messages by the same words. An error is `{"error": "<sentence>"}`, status 400.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from aiohttp import web
from telethon.tl import types

from mim.emulators.mtproto.boxes import Copy
from mim.emulators.mtproto.compose import ACTIONS, entities_from, media_from
from mim.emulators.mtproto.describe import Json, messages_of
from mim.emulators.mtproto.faults import UPDATES, Fault
from mim.emulators.mtproto.groups import Group
from mim.emulators.mtproto.logins import token_of
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.people import Device, Person, RpcError
from mim.emulators.mtproto.rpc import METHODS, name_of
from mim.emulators.mtproto.server import MTProtoEmulator

Who = int | str
_MAX_BODY_BYTES = 1 << 27


def control_application(emulator: MTProtoEmulator) -> web.Application:
    """The control API of one emulator."""
    control = Control(emulator)

    async def handle(request: web.Request) -> web.Response:
        verb: Callable[..., Json] | None = getattr(control, request.match_info["verb"], None)
        if verb is None or request.match_info["verb"].startswith("_"):
            return web.json_response({"error": "no such verb; mim.emulators.mtproto.control lists them"}, status=404)
        try:
            fields = await request.json() if request.can_read_body else {}
            # `from` is the word, but no name for a parameter of Python's.
            fields = {"sender" if key == "from" else key: value for key, value in fields.items()}
            signature(verb).bind(**fields)
            return web.json_response(verb(**fields))
        except KeyError as error:
            return web.json_response({"error": f"the field {error} is missing or unknown"}, status=400)
        except (LookupError, TypeError, ValueError, AttributeError, RpcError) as error:
            return web.json_response({"error": f"{request.match_info['verb']} cannot do that: {error}"}, status=400)

    application = web.Application(client_max_size=_MAX_BODY_BYTES)
    application.router.add_post("/{verb}", handle)
    return application


class Control:
    """One method a verb."""

    def __init__(self, emulator: MTProtoEmulator) -> None:
        self._emulator = emulator
        self._world = emulator.world

    def person(self, phone: str = "", username: str = "", name: str = "", password: str | None = None) -> Json:
        """Make somebody, or change them."""
        person = self._world.people.add(phone, name, username, password)
        return {"id": person.id, "phone": person.phone, "username": person.username, "name": person.name}

    def scan(self, qr: str, phone: Who, dc: int | None = None) -> Json:
        """Scan a QR code's text."""
        return {"device": str(self._world.scan(token_of(qr), self._person(phone), dc_id=dc).hash)}

    def login(self, phone: Who) -> Json:
        """Log in without a client."""
        return {"session": self._emulator.logged_in(self._person(phone))}

    def code(self, phone: str) -> Json:
        """Read the code on a phone."""
        code = self._world.logins.code(phone)
        return {"code": code.digits, "expires_in_s": max(0.0, code.expires - self._world.clock())}

    def devices(self, phone: Who) -> Json:
        """Where somebody is logged in."""
        return {"devices": [_device(device) for device in self._person(phone).devices]}

    def revoke(
        self, phone: Who, device: str | None = None, error: str = "AUTH_KEY_UNREGISTERED", tell: bool = True
    ) -> Json:
        """End logins."""
        doomed = [one for one in self._person(phone).devices if device in (None, str(one.hash))]
        for one in doomed:
            self._world.revoke(one, error=error, tell=tell)
        return {"revoked": len(doomed)}

    def drop(self, phone: Who) -> Json:
        """Cut connections."""
        devices = self._person(phone).devices
        count = sum(len(device.links) for device in devices)
        for device in devices:
            device.abort()
        return {"dropped": count}

    def group(
        self, title: str, creator: Who, members: list[Who] | None = None, kind: str = "basic", about: str = ""
    ) -> Json:
        """Make a group."""
        if kind not in ("basic", "supergroup", "channel"):
            raise ValueError(f"{kind!r} is no kind of group: basic, supergroup or channel")
        founder = self._person(creator)
        people = [self._person(member) for member in members or []]
        group = self._world.groups.add(title, founder, channel=kind != "basic", broadcast=kind == "channel")
        group.about = about
        for person in people:
            self._world.groups.join(group, person, founder)
        users = [person.id for person in [founder, *people]]
        created = types.MessageActionChatCreate(title, users) if kind == "basic" else None
        action = created or types.MessageActionChannelCreate(title)
        self._world.mail.send(founder, group.chat, Draft(action=action))
        return {"chat": group.chat, "invite": self._world.groups.link(group)}

    def join(self, chat: int, who: Who) -> Json:
        """Put somebody into a group."""
        group, person = self._group(chat), self._person(who)
        self._world.groups.join(group, person, group.creator)
        self._world.mail.send(group.creator, chat, Draft(action=types.MessageActionChatAddUser([person.id])))
        return {}

    def leave(self, chat: int, who: Who) -> Json:
        """Let somebody leave a group."""
        group, person = self._group(chat), self._person(who)
        self._world.mail.send(person, chat, Draft(action=types.MessageActionChatDeleteUser(person.id)))
        self._world.groups.leave(group, person)
        return {}

    def say(
        self,
        sender: Who,
        to: Who,
        text: str = "",
        entities: list[Json] | None = None,
        reply_to: int | None = None,
        of: Who | None = None,
        media: Json | None = None,
        forwarded_from: Who | None = None,
    ) -> Json:
        """Write a message."""
        person, chat = self._person(sender), self._chat(to)
        answered = self._id(person, chat, reply_to, of) if reply_to else None
        if not (text or media):
            raise ValueError("say something: text or media")
        made = media_from(self._world, media) if media else None
        header = self._forwarded(forwarded_from) if forwarded_from is not None else None
        draft = Draft(text, entities_from(entities), made, answered, header)
        copy, _ = self._world.mail.send(person, chat, draft)
        return {"id": copy.message.id, "ids": {str(owner): mine for owner, mine in copy.post.copies.items()}}

    def edit(self, sender: Who, to: Who, id: int, text: str, of: Who | None = None) -> Json:
        """Change a message."""
        person, chat = self._person(sender), self._chat(to)
        self._world.mail.edit(person, chat, self._id(person, chat, id, of), Draft(text))
        return {}

    def delete(self, sender: Who, to: Who, ids: list[int], revoke: bool = True, of: Who | None = None) -> Json:
        """Delete messages."""
        person, chat = self._person(sender), self._chat(to)
        own = [self._id(person, chat, one, of) for one in ids]
        self._world.mail.delete(person, chat, own, revoke=revoke, origin=None)
        return {}

    def read(self, sender: Who, to: Who, up_to: int | None = None, of: Who | None = None) -> Json:
        """Read a chat."""
        person, chat = self._person(sender), self._chat(to)
        return {"read": self._world.attention.read(person, chat, self._id(person, chat, up_to, of) if up_to else 0)}

    def react(self, sender: Who, to: Who, id: int, emoji: str = "", of: Who | None = None) -> Json:
        """React to a message."""
        person, chat = self._person(sender), self._chat(to)
        self._world.attention.react(person, chat, self._id(person, chat, id, of), [emoji] if emoji else [])
        return {}

    def typing(self, sender: Who, to: Who, action: str = "typing") -> Json:
        """Begin to type."""
        self._world.attention.typing(self._person(sender), self._chat(to), ACTIONS[action]())
        return {}

    def presence(self, who: Who, online: bool) -> Json:
        """Come or go."""
        self._world.attention.presence(self._person(who), online=online)
        return {}

    def sent(self, phone: Who) -> Json:
        """What somebody sent."""
        return {"messages": messages_of(self._world, self._person(phone), sent=True)}

    def inbox(self, phone: Who) -> Json:
        """What somebody got."""
        return {"messages": messages_of(self._world, self._person(phone), sent=False)}

    def fault(self, **fields: Any) -> Json:
        """Let something go wrong."""
        fault = Fault(**fields)
        if fault.method not in (None, UPDATES, *map(name_of, METHODS)):
            raise ValueError(f"{fault.method!r} is no method that is emulated")
        self._world.faults.add(fault)
        return {}

    def mend(self) -> Json:
        """Let nothing go wrong any more."""
        self._world.faults.clear()
        return {}

    def calls(self, phone: str | None = None) -> Json:
        """The latest requests."""
        calls = [call for call in self._world.calls if phone in (None, call[0])]
        return {"calls": [{"phone": who, "method": method, "error": error} for who, method, error in calls]}

    def incidents(self) -> Json:
        """What happened to connections and keys."""
        return {"incidents": list(self._world.incidents)}

    def _person(self, who: Who) -> Person:
        return self._world.people.get(who)

    def _forwarded(self, author: Who) -> Any:
        return types.MessageFwdHeader(self._world.now(), from_id=types.PeerUser(self._person(author).id))

    def _group(self, chat: int) -> Group:
        group = self._world.groups.get(chat)
        if group is None:
            raise LookupError(f"there is no group {chat}")
        return group

    def _chat(self, to: Who) -> int:
        return self._group(to).chat if isinstance(to, int) and to < 0 else self._person(to).id

    def _id(self, person: Person, chat: int, message_id: int, of: Who | None) -> int:
        """A message's id as the person knows it, from the id that `of` knows it by."""
        owner = self._person(of) if of is not None else person
        there = person.id if chat > 0 and owner is not person else chat
        copy = self._world.chats.find(owner, there, message_id)
        if copy is None:
            raise LookupError(f"{owner.name} has no message {message_id} in that chat")
        return _own_id(copy, person)


def _own_id(copy: Copy, person: Person) -> int:
    ids = copy.post.copies
    return ids.get(person.id) or next(iter(ids.values()))


def _device(device: Device) -> Json:
    unacknowledged = sum(len(session.unacknowledged) for session in device.sessions.values())
    app = {"model": device.app.get("device_model", ""), "connections": len(device.links)}
    return {"device": str(device.hash), **app, "unacknowledged": unacknowledged}

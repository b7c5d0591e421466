"""The hands that hold the simulated phones: HTTP POSTs with JSON on loopback.

    scan {qr, phone}                    scan a QR code            -> {device}
    code {code, phone}                  type a pairing code       -> {device}
    passkey {qr}                        scan it where a passkey is asked for first -> {}
    contact {phone, name?}              make a contact            -> {phone, lid}
    incoming {from, to, name?, text | location | contact | poll | media | target, …}
                                        a contact writes (`contents.made`); `media.content` in base64 -> {id, delivered}
    incoming {from, group, …}           a member writes to a group -> {id, delivered}
    group {title, creator, members}     make a group              -> {group}  (its address)
    join {group, phone, by?}            somebody comes in, by the invite link unless a member adds them -> {}
    leave {group, phone, by?}           somebody goes, or is removed by an admin -> {}
    rename {group, title, by}           give a group another name -> {}
    inbox {phone}                       what a phone can read     -> {messages}  (files with kind, name, size, sha256)
    links {}                            linked devices            -> {devices}
    logout {phone, device}              unlink a device           -> {}
    drop {phone, device}                cut a device's connection -> {}
    fault {phone, delay_s?, refuse?, silent?, refuse_upload?, duplicate?, reorder?}
                                        what goes wrong for an account; without, nothing -> {}
    events {}                           what devices did, when    -> {events}

An error is `{"error": "<sentence>"}` with status 400. Phone numbers may be written as people write them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from mim.emulators.whatsapp.groups import Group
from mim.emulators.whatsapp.messages import Fault
from mim.emulators.whatsapp.nodes import Jid, MalformedNodeError
from mim.emulators.whatsapp.pairing import PairingError
from mim.emulators.whatsapp.phones import Phone, digits

if TYPE_CHECKING:
    from mim.emulators.whatsapp.server import WhatsAppEmulator

Json = dict[str, Any]
_Action = Callable[["WhatsAppEmulator", Json], Awaitable[Json]]


def control_application(emulator: WhatsAppEmulator) -> web.Application:
    """The control API of one emulator."""
    application = web.Application()
    for action in _ACTIONS:
        application.router.add_post(f"/{action.__name__}", _route(emulator, action))
    return application


def _route(emulator: WhatsAppEmulator, action: _Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            body = await request.json() if request.can_read_body else {}
            if not isinstance(body, dict):
                raise TypeError("the body must be a JSON object")
            return web.json_response(await action(emulator, body))
        except KeyError as error:
            return _refuse(f"the field {error} is missing")
        except TimeoutError:
            return _refuse("the client did not answer in time")
        except json.JSONDecodeError:
            return _refuse("the body is not JSON")
        except (LookupError, MalformedNodeError, PairingError, TypeError, ValueError) as error:
            return _refuse(str(error))

    return answer


def _refuse(sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=400)


def _phone(emulator: WhatsAppEmulator, body: Json, field: str = "phone") -> Phone:
    return emulator.phones.get(digits(str(body[field])))


def _group(emulator: WhatsAppEmulator, body: Json) -> Group:
    user, _, server = str(body["group"]).partition("@")
    return emulator.groups.get(Jid(user, server))


async def scan(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Scan the QR code whose text is `qr`."""
    return {"device": await emulator.pairing.scan(str(body["qr"]), str(body["phone"]))}


async def code(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Type the pairing code that a client shows."""
    return {"device": await emulator.pairing.enter_code(str(body["code"]), str(body["phone"]))}


async def passkey(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Scan a QR code with a phone whose account asks for a passkey first."""
    await emulator.pairing.ask_passkey(str(body["qr"]))
    return {}


async def contact(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Make a contact, or give one another name."""
    phone = emulator.phones.get(digits(str(body["phone"])), body.get("name"))
    return {"phone": phone.number, "lid": phone.lid.user}


async def incoming(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Let a contact write to a linked account, or to a group."""
    sender = emulator.phones.get(digits(str(body["from"])), body.get("name"))
    fields = {key: value for key, value in body.items() if key not in ("from", "to", "group", "name")}
    if "media" in fields:
        fields["media"] = {**fields["media"], "content": base64.b64decode(fields["media"]["content"])}
    if "group" in body:
        identity, delivered = await emulator.messages.to_group(sender, _group(emulator, body), fields)
    else:
        identity, delivered = await emulator.messages.incoming(sender, _phone(emulator, body, "to"), fields)
    return {"id": identity, "delivered": delivered}


async def group(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Let somebody make a group."""
    members = [emulator.phones.get(digits(str(number))) for number in body["members"]]
    made = await emulator.group_changes.create(str(body["title"]), _phone(emulator, body, "creator"), members)
    return {"group": str(made.jid)}


async def join(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Let somebody come into a group."""
    where, who = _group(emulator, body), _phone(emulator, body)
    if "by" in body:
        await emulator.group_changes.change("add", where, _phone(emulator, body, "by"), [who])
    else:
        await emulator.group_changes.join(where, who)
    return {}


async def leave(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Let somebody leave a group."""
    who = _phone(emulator, body)
    by = _phone(emulator, body, "by") if "by" in body else who
    await emulator.group_changes.change("remove", _group(emulator, body), by, [who])
    return {}


async def rename(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Let a member give a group another name."""
    await emulator.group_changes.rename(_group(emulator, body), _phone(emulator, body, "by"), str(body["title"]))
    return {}


async def inbox(emulator: WhatsAppEmulator, body: Json) -> Json:
    """What a phone has decrypted, oldest first."""
    return {"messages": [message._asdict() for message in _phone(emulator, body).inbox]}


async def links(emulator: WhatsAppEmulator, _body: Json) -> Json:
    """All linked devices and whether they are connected."""
    devices = [
        {"phone": phone.number, "device": number, "connected": device.connection is not None}
        for phone in emulator.phones
        for number, device in phone.devices.items()
    ]
    return {"devices": devices}


async def logout(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Unlink a device on the phone."""
    await emulator.log_out(_phone(emulator, body), int(body["device"]))
    return {}


async def drop(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Cut a device's connection, as a lost network does."""
    emulator.drop(_phone(emulator, body), int(body["device"]))
    return {}


async def fault(emulator: WhatsAppEmulator, body: Json) -> Json:
    """Make things go wrong for an account until the next call."""
    refuse, refuse_upload = body.get("refuse"), body.get("refuse_upload")
    number = _phone(emulator, body).number
    emulator.media.refuse.pop(number, None)
    for name, numbers in (("duplicate", emulator.phones.duplicating), ("reorder", emulator.phones.reordering)):
        (numbers.add if body.get(name) else numbers.discard)(number)
    if refuse_upload is not None:
        emulator.media.refuse[number] = int(refuse_upload)
    emulator.messages.faults[number] = Fault(
        delay_s=float(body.get("delay_s", 0)),
        refuse=None if refuse is None else int(refuse),
        silent=bool(body.get("silent", False)),
    )
    return {}


async def events(emulator: WhatsAppEmulator, _body: Json) -> Json:
    """What devices did, oldest first: connected, disconnected, replaced, confirmed, receipt, typing."""
    return {"events": list(emulator.messages.events)}


_ACTIONS: tuple[_Action, ...] = (
    *(scan, code, passkey, contact, links, logout, drop, fault, events),
    *(incoming, inbox, group, join, leave, rename),
)

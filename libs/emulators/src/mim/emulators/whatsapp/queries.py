"""Answers to what clients ask the server: device lists, keys, settings (`iq` stanzas).

Which children an answer needs follows what whatsmeow reads from it (user.go, prekeys.go, broadcast.go,
mediaconn.go).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.curve import KEY_TYPE, verify
from mim.emulators.whatsapp.group_changes import GroupQueries
from mim.emulators.whatsapp.media import MediaHost
from mim.emulators.whatsapp.nodes import SERVER, Jid, MalformedNodeError, Node, now
from mim.emulators.whatsapp.pairing import Pairing
from mim.emulators.whatsapp.phones import Device, Phone, Phones, SignedKey

log = structlog.get_logger(__name__)


class Queries:
    """Answers queries."""

    def __init__(self, phones: Phones, pairing: Pairing, media: MediaHost, groups: GroupQueries) -> None:
        self._phones = phones
        self._media = media
        self._groups = groups
        self._answers: dict[tuple[str, str], Callable[[Connection, Node], Awaitable[None]]] = {
            ("encrypt", "count"): self._count_keys,
            ("encrypt", "key"): self._give_keys,
            ("encrypt", "registration"): self._take_keys,
            ("usync", "usync"): self._look_up_users,
            ("passive", "active"): self._deliver_waiting,
            ("md", "remove-companion-device"): self._unlink,
            ("md", "link_code_companion_reg"): pairing.code_stage,
            ("privacy", "privacy"): self._privacy,
            ("status", "privacy"): self._privacy,
            ("w:m", "media_conn"): self._media_connection,
        }

    async def answer(self, connection: Connection, query: Node) -> None:
        """Answer one query; one that nothing is known about gets an empty result."""
        topic = (query.text("xmlns"), query.children[0].tag if query.children else "")
        if topic[0] == "w:g2":
            await self._groups.answer(connection, query)
            return
        answer = self._answers.get(topic)
        if answer is not None:
            await answer(connection, query)
            return
        if topic[0] != "w:p":  # the keep-alive has no content and wants none
            log.debug("unknown_query", topic=topic)
        await connection.reply(query)

    async def _count_keys(self, connection: Connection, query: Node) -> None:
        await connection.reply(query, Node("count", {"value": str(len(_device(connection).once))}))

    async def _take_keys(self, connection: Connection, query: Node) -> None:
        device = _device(connection)
        signed = _keyed(query.child("skey"))
        key = SignedKey(signed[0], signed[1], query.child("skey", "signature").data)
        if not verify(device.identity, KEY_TYPE + key.public, key.signature):
            raise MalformedNodeError("the signed prekey is not signed by the device's identity")
        device.registration, device.signed = query.child("registration").data, key
        device.once.update(_keyed(child) for child in query.child("list").children)
        self._changed(connection)
        await connection.reply(query)

    async def _give_keys(self, connection: Connection, query: Node) -> None:
        users = [self._bundle(user.jid("jid")) for user in query.child("key").children]
        await connection.reply(query, Node("list", {}, users))

    def _bundle(self, jid: Jid) -> Node:
        phone = self._phones.find(jid)
        device = phone.devices.get(jid.device) if phone else None
        if phone is None or (jid.device and (device is None or device.signed is None)):
            return Node("user", {"jid": jid}, [Node("error", {"code": "404", "text": "item-not-found"})])
        self._phones.changed(phone)
        return Node("user", {"jid": jid, "t": now()}, _phone_keys(phone) if device is None else _device_keys(device))

    async def _look_up_users(self, connection: Connection, query: Node) -> None:
        request = query.child("usync")
        wanted = {child.tag for child in request.child("query").children}
        found = [self._look_up(user, wanted) for user in request.child("list").children]
        head = {"sid": request.text("sid"), "mode": request.text("mode")}
        users = Node("list", {}, [user for user in found if user is not None])
        await connection.reply(query, Node("usync", head, [users]))

    def _look_up(self, user: Node, wanted: set[str]) -> Node | None:
        asked, contact = user.attributes.get("jid"), user.find("contact")
        if not isinstance(asked, Jid):
            return self._look_up_number(contact) if contact is not None else None
        phone = self._phones.known(asked)
        if phone is None:
            return None
        parts = {
            "devices": _device_list(phone),
            "lid": Node("lid", {"val": phone.lid}),
            "status": Node("status", {}, b"emulated"),
        }
        return Node("user", {"jid": asked}, [part for name, part in parts.items() if name in wanted])

    def _look_up_number(self, contact: Node) -> Node:
        jid = Jid(contact.data.decode().partition("@")[0].lstrip("+"))
        phone = self._phones.known(jid)
        body = Node("contact", {"type": "in" if phone else "out"}, contact.data)
        return Node("user", {"jid": phone.lid if phone else jid, "pn_jid": jid}, [body])

    async def _deliver_waiting(self, connection: Connection, query: Node) -> None:
        await connection.reply(query)
        device = _device(connection)
        count = 0
        while device.waiting and device.connection is connection:
            node = device.waiting.pop(0)
            await device.hand(Node(node.tag, {**node.attributes, "offline": "0"}, node.content))
            count += 1
        device.is_active = device.connection is connection
        self._changed(connection)
        await connection.send(Node("ib", {"from": SERVER}, [Node("offline", {"count": str(count)})]))

    async def _unlink(self, connection: Connection, query: Node) -> None:
        await connection.reply(query)
        if connection.phone is not None:
            connection.phone.devices.pop(connection.device_number, None)
            self._changed(connection)
        connection.expect_close()

    async def _privacy(self, connection: Connection, query: Node) -> None:
        await connection.reply(query, Node("privacy"))

    async def _media_connection(self, connection: Connection, query: Node) -> None:
        if connection.phone is not None:
            await connection.reply(query, self._media.connection(connection.phone.number))

    def _changed(self, connection: Connection) -> None:
        if connection.phone is not None:
            self._phones.changed(connection.phone)


def _device(connection: Connection) -> Device:
    if connection.device is None:
        raise MalformedNodeError("only a linked device may ask this")
    return connection.device


def _keyed(node: Node) -> tuple[int, bytes]:
    return int.from_bytes(node.child("id").data, "big"), node.child("value").data


def _device_list(phone: Phone) -> Node:
    numbers = (0, *phone.devices)
    devices = [Node("device", {"id": str(each), "key-index": str(each) if each else None}) for each in numbers]
    return Node("devices", {}, [Node("device-list", {}, devices)])


def _phone_keys(phone: Phone) -> list[Node]:
    bundle = phone.party.bundle()
    signed = SignedKey(bundle.signed_id, bundle.signed, bundle.signature)
    once = (bundle.once_id, bundle.once) if bundle.once_id is not None and bundle.once is not None else None
    return _keys(bundle.registration, bundle.identity, signed, once)


def _device_keys(device: Device) -> list[Node]:
    if device.signed is None:
        raise MalformedNodeError("the device has not uploaded its keys yet")
    once = device.once.popitem() if device.once else None
    return _keys(device.registration, device.identity, device.signed, once)


def _keys(registration: bytes, identity: bytes, signed: SignedKey, once: tuple[int, bytes] | None) -> list[Node]:
    signed_parts = [*_key_parts(signed.number, signed.public), Node("signature", {}, signed.signature)]
    keys = [
        Node("registration", {}, registration),
        Node("type", {}, KEY_TYPE),
        Node("identity", {}, identity),
        Node("skey", {}, signed_parts),
    ]
    return keys if once is None else [*keys, Node("key", {}, _key_parts(*once))]


def _key_parts(number: int, public: bytes) -> list[Node]:
    return [Node("id", {}, number.to_bytes(3, "big")), Node("value", {}, public)]

"""The emulator as a whole: it admits clients, keeps track of them, and hands their stanzas on."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from aiohttp import web
from cryptography.exceptions import InvalidTag

from mim.emulators.whatsapp.certificates import server_tls, write_secret
from mim.emulators.whatsapp.connection import Connection
from mim.emulators.whatsapp.control import control_application
from mim.emulators.whatsapp.group_changes import GroupChanges, GroupQueries
from mim.emulators.whatsapp.groups import Groups
from mim.emulators.whatsapp.media import MediaHost
from mim.emulators.whatsapp.messages import Messages
from mim.emulators.whatsapp.nodes import Jid, MalformedNodeError, Node, now
from mim.emulators.whatsapp.noise import Authority
from mim.emulators.whatsapp.pairing import Pairing
from mim.emulators.whatsapp.phones import Device, Phone, Phones
from mim.emulators.whatsapp.queries import Queries
from mim.emulators.whatsapp.state import Store
from mim.emulators.whatsapp.tunnel import Tunnel

log = structlog.get_logger(__name__)

_LARGEST_STANZA = 1 << 24


@dataclass(frozen=True)
class Ports:
    """Where the emulator listens on loopback: `proxy` is for clients, `control` for whoever plays the phones."""

    tls: int
    proxy: int
    control: int


class WhatsAppEmulator:
    """The server and all simulated phones. `folder` holds its keys and, across restarts, everything it knows."""

    def __init__(self, folder: Path, *, qr_refs: int, auto_contacts: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._store = Store(folder)
        self._authority = Authority(self._store.root_key())
        self.phones = Phones(self._store.load(), self._store.changed, auto_contacts=auto_contacts)
        self.pairing = Pairing(self.phones, qr_refs)
        self.media = MediaHost(folder / "media")
        self.groups = Groups(self._store.load_groups(), self._store.keep_group)
        self.group_changes = GroupChanges(self.phones, self.groups)
        self.messages = Messages(self.phones, self.media, self.groups)
        group_queries = GroupQueries(self.phones, self.groups, self.group_changes)
        self._queries = Queries(self.phones, self.pairing, self.media, group_queries)
        self._connections: set[Connection] = set()
        self._runners: list[web.AppRunner] = []
        self._tunnel: Tunnel | None = None
        self.ports = Ports(0, 0, 0)

    @property
    def ca_file(self) -> Path:
        """The certificate that clients have to trust, by `SSL_CERT_FILE`."""
        return self.folder / "ca.pem"

    @property
    def root_file(self) -> Path:
        """The key for `mim.emulators.whatsapp.trust`."""
        return self.folder / "root.pub"

    @property
    def proxy_url(self) -> str:
        """The proxy that clients have to dial through."""
        return f"http://127.0.0.1:{self.ports.proxy}"

    async def start(self, *, port_control: int = 0) -> None:
        """Listen, on the ports of the last life where they are free, and say where in `ports.json`."""
        last = self._last_ports()
        application = web.Application()
        application.router.add_get("/ws/chat", self._accept)
        application.router.add_post("/mms/{kind}/{token}", self.media.take)
        application.router.add_get("/v/t62.0-0/{name}", self.media.give)
        tls = await self._serve(application, last.tls, server_tls(self.folder))
        self._tunnel = Tunnel(tls)
        try:
            proxy = await self._tunnel.start(last.proxy)
        except OSError:
            proxy = await self._tunnel.start(0)
        control = await self._serve(control_application(self), port_control or last.control)
        self.ports = Ports(tls, proxy, control)
        write_secret(self.root_file, self._authority.root.public)
        write_secret(self.folder / "ports.json", json.dumps({**asdict(self.ports), "pid": os.getpid()}).encode())

    async def stop(self) -> None:
        """Cut all clients and keep what is known."""
        for connection in list(self._connections):
            connection.abort()
        if self._tunnel is not None:
            await self._tunnel.stop()
        for runner in self._runners:
            await runner.cleanup()
        self._store.flush()

    def device(self, phone: Phone, number: int) -> Device:
        """A linked device of a phone. Raises: LookupError if there is none with this number."""
        try:
            return phone.devices[number]
        except KeyError:
            raise LookupError(f"{phone.number} has no linked device {number}: see links") from None

    async def log_out(self, phone: Phone, number: int) -> None:
        """Unlink a device, as its owner does on the phone."""
        connection = self.device(phone, number).connection
        del phone.devices[number]
        self.phones.changed(phone)
        if connection is not None:
            removed = Node("conflict", {"type": "device_removed"})
            await connection.send(Node("stream:error", {"code": "401"}, [removed]))
            connection.expect_close()

    def drop(self, phone: Phone, number: int) -> None:
        """Cut a device's connection. Raises: LookupError if it is not connected."""
        device = self.device(phone, number)
        if device.connection is None:
            raise LookupError(f"device {number} of {phone.number} is not connected")
        # From here on its messages wait for it, as they would until the server notices.
        connection = device.connection
        device.leave()
        connection.abort()

    async def _serve(self, application: web.Application, port: int, tls: ssl.SSLContext | None = None) -> int:
        runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        except OSError:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        bound: int = runner.addresses[0][1]
        return bound

    def _last_ports(self) -> Ports:
        try:
            last = json.loads((self.folder / "ports.json").read_text())
        except FileNotFoundError:
            return Ports(0, 0, 0)
        return Ports(last["tls"], last["proxy"], last["control"])

    async def _accept(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=_LARGEST_STANZA)
        await socket.prepare(request)
        connection = Connection(request, socket)
        self._connections.add(connection)
        try:
            await self._converse(connection)
        except (ConnectionError, InvalidTag, MalformedNodeError) as error:
            log.info("connection_ended", error=str(error))
        finally:
            self._let_go(connection)
        return socket

    def _let_go(self, connection: Connection) -> None:
        connection.end()
        self._connections.discard(connection)
        self.pairing.forget(connection)
        self.messages.note("disconnected", connection)
        if connection.device is not None and connection.device.connection is connection:
            connection.device.leave()

    async def _converse(self, connection: Connection) -> None:
        payload = await connection.handshake(self._authority)
        if not payload.username:
            await self.pairing.offer(connection, payload)
        elif not await self._admit(connection, str(payload.username), payload.device):
            await connection.send(Node("failure", {"reason": "401", "location": "emulator"}))
            connection.expect_close()
        async for node in connection.stanzas():
            if not self.messages.fault(connection.phone).silent:
                await self._handle(connection, node)

    async def _admit(self, connection: Connection, number: str, device_number: int) -> bool:
        phone = self.phones.find(Jid(number))
        device = phone.devices.get(device_number) if phone else None
        if phone is None or device is None or device.noise != connection.static_key:
            return False
        older, connection.phone, connection.device_number = device.connection, phone, device_number
        if older is not None:
            self.messages.note("replaced", older)
            await older.send(Node("stream:error", {}, [Node("conflict", {"type": "replaced"})]))
            older.expect_close()
            device.leave()
        device.connection = connection
        self.messages.note("connected", connection)
        hidden = Jid(phone.lid.user, "lid", device_number)
        await connection.send(Node("success", {"t": now(), "lid": hidden, "props": "1", "location": "emulator"}))
        return True

    async def _handle(self, connection: Connection, node: Node) -> None:
        try:
            match node.tag:
                case "iq" if node.text("type") in ("get", "set"):
                    await self._queries.answer(connection, node)
                case "message":
                    connection.start(self.messages.outgoing(connection, node))
                case "ack" if node.text("class") == "message":
                    self.messages.confirm(connection, node.text("id"))
                case "receipt":
                    await self.messages.receipt(connection, node)
                case "chatstate":
                    self.messages.note("typing", connection, to=str(node.jid("to")), state=node.children[0].tag)
        except (MalformedNodeError, LookupError) as error:
            log.warning("stanza_not_understood", tag=node.tag, error=str(error))


@contextlib.asynccontextmanager
async def serve(folder: Path, *, qr_refs: int = 6, auto_contacts: bool = False) -> AsyncIterator[WhatsAppEmulator]:
    """Run an emulator in this process. `qr_refs` is how many QR codes a client gets before it has to connect anew."""
    emulator = WhatsAppEmulator(folder, qr_refs=qr_refs, auto_contacts=auto_contacts)
    try:
        await emulator.start()
        yield emulator
    finally:
        await emulator.stop()

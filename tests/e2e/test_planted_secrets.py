"""Secrets are planted in every field that takes one, everything is done with them, also what fails; then all that the
system showed, said, logged or wrote is searched for them."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import string
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import psutil
from nats.js import api
from tests.e2e.calls import path_of

from mim.contracts import routes, subjects
from mim.contracts.states import Provider

if TYPE_CHECKING:
    from conftest import StartSystem, System
    from nats.aio.client import Client
    from nats.aio.msg import Msg

Json = dict[str, Any]
INSTANCES = "/api/v1/instances"
SHOWING = {
    *("create", "credentials", "current_api_key", "rotate_api_key", "create_token"),
    *("webhook_secret", "rotate_webhook_secret"),
}
"""Operations that are there to show a secret: their answers hold that one, and no other."""
SILENT_PORT = 9  # discard: nobody listens there


class Planted:
    """The secrets, by where they were planted."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def new(self, where: str) -> str:
        """A secret without any special form."""
        return self.add(where, token_urlsafe(24).replace("-", "x").replace("_", "y"))

    def add(self, where: str, secret: str) -> str:
        """A secret that was made elsewhere."""
        self.known[where] = secret
        return secret

    def token(self, where: str, bot: int) -> str:
        """A bot token; the part after the colon is the secret."""
        secret = "AA" + "".join(random.choices(string.ascii_letters + string.digits, k=33))
        return f"{bot}:{self.add(where, secret)}"

    def proxy(self, where: str, scheme: str) -> str:
        """A proxy that nobody answers at; user and password are secrets."""
        user, password = self.new(f"{where} user"), self.new(f"{where} password")
        return f"{scheme}://{user}:{password}@127.0.0.1:{SILENT_PORT}"

    def webhook(self, where: str) -> Json:
        """A webhook that nobody answers at; the values of its headers are secrets."""
        headers = {"Authorization": f"Bearer {self.new(where + ' bearer')}", "X-Shop": self.new(where + " header")}
        return {"url": "https://hooks.invalid/x", "headers": headers}

    def found_in(self, seen: bytes) -> list[str]:
        """Where the secrets come from that something holds, plain, quoted or in base64."""
        return [where for where, forms in self._forms.items() if any(form in seen for form in forms)]

    def ready(self) -> None:
        """All are planted: make the forms in which they are searched for."""
        self._forms = {
            where: {secret.encode(), quote(secret).encode(), *_in_base64(secret.encode())}
            for where, secret in self.known.items()
        }


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """What a secret looks like inside of longer base64, at each of the three places where it may begin."""
    for skip in range(3):
        whole = base64.b64encode(bytes(skip) + secret).rstrip(b"=")
        yield whole[[0, 2, 3][skip] : -2]


@dataclass
class Watched:
    """A system that is called with the admin token; everything that it answers is kept."""

    system: System
    planted: Planted
    admin: str
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, bearer: str | None = None, **headers: str) -> Json:
        """The answer, which is kept; what it is there to show is taken out of it."""
        given = {"Authorization": f"Bearer {bearer or self.admin}"} | headers
        status, told, raw = await self.system.raw(method, path, body, headers=given)
        answer: Json = {}
        with suppress(ValueError):
            answer = json.loads(raw)
        shown = [answer[name] for name in ("api_key", "token", "secret") if isinstance(answer, dict) and name in answer]
        kept = raw
        if _operation(method, path) in SHOWING:
            for secret in shown:
                self.planted.add(f"{_operation(method, path)} {uuid4()}", secret)
                kept = kept.replace(secret.encode(), b"")
        self.seen.append((f"{method} {path} ({status})", repr(dict(told)).encode() + kept))
        return {"status": status, **answer} if isinstance(answer, dict) else {"status": status}

    async def create(self, provider: str, **more: Any) -> Json:
        """A new instance."""
        body = {"user_id": "careful", "provider": provider, "type_instance": ["api"], **more}
        made = await self.call("POST", INSTANCES, body)
        assert made["success"], made
        return made

    async def until(self, instance_id: str, *names: str) -> None:
        """Return when an event of one of these names was told, after the one that was waited for before."""
        after = self.told.get(instance_id, 0)
        path = f"/api/v1/events?instance_id={instance_id}&last_event_id={after}&types={','.join(names)}"
        auth = {"Authorization": f"Bearer {self.admin}"}
        async with asyncio.timeout(30), aiohttp.ClientSession(self.system.url, headers=auth) as session:
            async with session.get(path) as response:
                async for line in response.content:
                    if line.startswith(b"id: "):
                        self.told[instance_id] = int(line[4:])
                        return


def _operation(method: str, path: str) -> str:
    parts = path.partition("?")[0].split("/")
    for route in routes.GATEWAY:
        pattern = route.path.split("/")
        fits = len(pattern) == len(parts) and all(
            want == part or want.startswith("{") for want, part in zip(pattern, parts, strict=True)
        )
        if fits and route.method == method:
            return route.operation
    return ""


# ------------------------------------------------------------------------------------------------ what is done


async def telegram(watched: Watched) -> list[Json]:
    """Bots: tokens by every field that takes one, replaced, refused, revoked; sends that work and sends that fail."""
    planted, system = watched.planted, watched.system
    lonely = await watched.create(
        "telegram",
        token=planted.token("token of create", 700_000_001),
        proxy=planted.proxy("proxy of create", "http"),
        api_webhook_schema=planted.webhook("webhook of create"),
    )
    await watched.until(lonely["instance_id"], "reconnecting")
    made = await watched.create("telegram", config={"bot_token": planted.token("config.bot_token", 700_000_002)})
    await watched.until(made["instance_id"], "client_ready")
    one = f"{INSTANCES}/{made['instance_id']}"
    await watched.call("PATCH", one, {"api_webhook_schema": planted.webhook("webhook of PATCH")})
    await watched.call("POST", f"{one}/webhook/test")
    await watched.call("POST", f"{one}/webhook/secret/rotate")
    own = f"http://127.0.0.1:{made['port']}/api/v1"
    await watched.call("POST", f"{own}/webhook/config", planted.webhook("webhook of the port"), made["api_key"])
    for path in (f"{own}/telegram/send", f"/{made['port']}/api/v1/telegram/send"):
        await watched.call("POST", path, {"chatId": "1", "message": "fine"}, made["api_key"])
    secret = planted.known["config.bot_token"]
    for status in (400, 403, 500):  # an error that repeats the token, as one of a proxy on the way might
        fault = {"status": status, "description": f"no such path /bot700000002:{secret}/x {secret}", "times": 1}
        await system.control("telegram", "fault", bot=700_000_002, method="sendMessage", **fault)
        await watched.call("POST", f"{own}/telegram/send", {"chatId": "1", "message": "bad"}, made["api_key"])
    new = planted.token("token of PATCH", 700_000_003)
    assert (await watched.call("PATCH", one, {"token": new}))["success"]
    await watched.until(made["instance_id"], "client_ready")
    await system.control("telegram", "revoke", bot=700_000_003)
    await watched.until(made["instance_id"], "error")
    login = await watched.call("POST", f"{one}/login", {"token": planted.token("token of login", 700_000_004)})
    assert login["success"], login
    await watched.call("PATCH", one, {"proxy": planted.proxy("proxy of PATCH", "http")})
    await watched.until(made["instance_id"], "reconnecting")
    return [lonely, made]


async def whatsapp(watched: Watched) -> list[Json]:
    """An account behind a proxy that does not answer, and one that is logged in."""
    planted = watched.planted
    lonely = await watched.create(
        "whatsappweb",
        proxy=planted.proxy("proxy of an account", "socks5"),
        api_webhook_schema=planted.webhook("webhook of an account"),
    )
    web = await watched.create("whatsappweb", proxy=planted.proxy("http proxy of an account", "http"))
    ready = await watched.create("whatsappweb", api_webhook_schema=planted.webhook("webhook of a ready account"))
    await watched.until(ready["instance_id"], "qr_ready")
    code = (await watched.call("GET", f"{INSTANCES}/{ready['instance_id']}/qr"))["code"]
    await watched.system.control("whatsapp", "scan", qr=code, phone="15551115001")
    await watched.until(ready["instance_id"], "client_ready")
    own = f"http://127.0.0.1:{ready['port']}/api/v1/send"
    await watched.call("POST", own, {"number": "15552225001", "message": "fine"}, ready["api_key"])
    for made in (lonely, web):
        await watched.until(made["instance_id"], "reconnecting", "error")
    return [lonely, web, ready]


async def wrong(watched: Watched) -> None:
    """What people get wrong, with secrets in it."""
    planted = watched.planted
    token, proxy = planted.token("token of a wrong body", 700_000_005), planted.proxy("proxy of a wrong body", "http")
    good = {"user_id": "careful", "provider": "telegram", "type_instance": ["api"]}
    hook = planted.webhook("webhook of a wrong body")
    bodies: list[Any] = [
        json.dumps(good | {"token": token, "proxy": proxy}).encode()[:-9],
        f'{{"token": "{token}", "proxy": "{proxy}"'.encode(),
        f"token={quote(token)}&proxy={quote(proxy)}".encode(),
        f"'{token}'".encode(),
        good | {"token": [token], "proxy": {"url": proxy}},
        good | {"token": token + "!", "proxy": proxy.replace("http", "ftp")},
        good | {"config": {"bot_token": {"value": token}}, "api_webhook_schema": hook | {"url": "javascript:1"}},
        good | {"token": token, "api_webhook_schema": hook | {"headers": {"a b": hook["headers"]["X-Shop"]}}},
        good | {"token": token, "provider": "icq"},
        [token, proxy],
        json.dumps(token).encode(),
    ]
    for body in bodies:
        answer = await watched.call("POST", INSTANCES, body, **{"Idempotency-Key": str(uuid4())})
        assert answer["success"] is False, answer
    headers = {"X-Request-Id": token, "User-Agent": proxy}
    answer = await watched.call("GET", INSTANCES, bearer=planted.new("a wrong credential"), **headers)
    assert answer["status"] == 401
    basic = base64.b64encode(planted.new("basic").encode()).decode()
    assert (await watched.call("GET", INSTANCES, Authorization=f"Basic {basic}"))["status"] == 401


async def credentials(watched: Watched, made: Json) -> None:
    """Access tokens and keys: made, used, replaced, revoked, and used afterwards."""
    one = f"{INSTANCES}/{made['instance_id']}"
    token = await watched.call("POST", "/api/v1/tokens", {"name": "desk", "role": "admin"})
    await watched.call("GET", one, bearer=token["token"])
    await watched.call("GET", f"{one}/credentials", bearer=token["token"])
    await watched.call("GET", f"/{made['port']}/api/v1/status", bearer=token["token"])
    rotated = await watched.call("POST", f"{one}/api-key/rotate", **{"Idempotency-Key": str(uuid4())})
    await watched.call("GET", f"{one}/current-api-key")
    for key in (made["api_key"], rotated["api_key"]):
        await watched.call("GET", f"http://127.0.0.1:{made['port']}/api/v1/status", bearer=key)
        await watched.call("GET", f"/{made['port']}/api/v1/status", bearer=key)
        await watched.call("GET", one, bearer=key)
    await watched.call("DELETE", f"/api/v1/tokens/{token['data']['id']}")
    assert (await watched.call("GET", one, bearer=token["token"]))["status"] == 401


async def by_bus(watched: Watched, client: Client) -> set[bytes]:
    """Commands that carry secrets, right ones and malformed ones; returns their payloads."""
    planted, instance_id = watched.planted, str(uuid4())
    js, sent = client.jetstream(), set()
    create = {"instance_id": instance_id, "user_id": "robot", "provider": "telegram"}
    secrets = {"token": planted.token("token by bus", 700_000_006)}
    bad = {
        "token": planted.token("token of a malformed command", 700_000_007),
        "proxy": planted.proxy("proxy of a malformed command", "http"),
        "config": {"bot_token": planted.token("bot_token of a malformed command", 700_000_008)},
        "api_webhook_schema": planted.webhook("webhook of a malformed command"),
    }
    other = create | {"instance_id": str(uuid4())}
    commands: list[tuple[str, bytes]] = [
        (subjects.CREATE_COMMAND, json.dumps(create | secrets).encode()),
        (subjects.CREATE_COMMAND, json.dumps(other | bad | {"provider": "icq"}).encode()),
        (subjects.CREATE_COMMAND, json.dumps(other | bad).encode()[:-3]),
        (subjects.CREATE_COMMAND, json.dumps(other | {"token": bad["token"]}).encode()[:-7]),
        (subjects.CREATE_COMMAND, repr(other | bad).encode()),
        (subjects.CREATE_COMMAND, json.dumps([bad]).encode()),
        (f"mim.cmd.instance.{uuid4()}.dance", json.dumps(bad).encode()),
    ]
    for subject, payload in commands:
        sent.add(payload)
        await js.publish(subject, payload)
    await watched.until(instance_id, "client_ready")
    change = {
        "token": planted.token("token of an update by bus", 700_000_009),
        "proxy": planted.proxy("proxy of an update by bus", "http"),
    }
    sent.add(json.dumps(change).encode())
    await js.publish(f"mim.cmd.instance.{instance_id}.update", json.dumps(change).encode())
    await watched.until(instance_id, "reconnecting")
    return sent


# ----------------------------------------------------------------------------------------------- what is searched


async def everything_shown(watched: Watched, instances: list[Json]) -> None:
    """Ask every route that shows something, about every instance."""
    for made in instances:
        parts = {"id": made["instance_id"], "provider": made["instance"]["provider"], "token_id": "-"}
        for route in routes.GATEWAY:
            if route.method == "GET" and route.operation not in ("events", "websocket", "service_metrics"):
                tail = "?tail=1000" if route.operation == "logs" else ""
                await watched.call("GET", path_of(route, **parts) + tail)
        for route in routes.PORT_ROUTES[Provider(parts["provider"])]:
            if route.method == "GET":
                await watched.call("GET", f"/{made['port']}{path_of(route)}")
    for service in ("allocator", "lifecycle", "telegram-adapter", "webhooks", "whatsapp-adapter"):
        answer = await watched.call("GET", f"/metrics/{service}")
        assert answer["status"] == 200


async def streams(watched: Watched) -> None:
    """Every event so far, as Server-Sent Events and over a WebSocket."""
    auth = {"Authorization": f"Bearer {watched.admin}"}
    async with aiohttp.ClientSession(watched.system.url, headers=auth) as session:
        async with session.get("/api/v1/events?last_event_id=0") as response:
            with suppress(TimeoutError):
                while line := await asyncio.wait_for(response.content.readline(), 1.0):
                    watched.seen.append(("an event", line))
        async with session.ws_connect("/api/v1/ws?last_event_id=0") as socket:
            with suppress(TimeoutError):
                while True:
                    watched.seen.append(
                        ("a message of the WebSocket", (await socket.receive_str(timeout=1.0)).encode())
                    )


async def stored(client: Client) -> list[tuple[str, bytes]]:
    """Everything that streams hold; of dead letters also what they wrap."""
    found = []
    for stream in (subjects.LOGS, subjects.DEAD, subjects.EVENTS):
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.ALL)
        reader = await client.jetstream().subscribe(">", stream=stream, ordered_consumer=True, config=config)
        count = (await client.jetstream().stream_info(stream)).state.messages
        assert count > 0, stream
        for _ in range(count):
            msg = await reader.next_msg(timeout=5)
            found.append((f"the stream {stream}", _whole(msg)))
            if stream == subjects.DEAD:
                letter = json.loads(msg.data)
                found.append(("a dead letter", base64.b64decode(letter["payload"])))
        await reader.unsubscribe()
    return found


def _whole(msg: Msg) -> bytes:
    return f"{msg.subject} {msg.reply} {msg.headers}".encode() + msg.data


async def watch_command_lines(system: System, found: set[bytes]) -> None:
    """What `ps` shows of every process, also of those that do not live long; for ever."""
    supervisor = psutil.Process(system.pid)
    while True:
        for each in (supervisor, *supervisor.children(recursive=True)):
            with suppress(psutil.Error):  # it has ended meanwhile
                found.add(f"{each.name()} {' '.join(each.cmdline())}".encode())
        await asyncio.sleep(0.2)


def files(folder: Path) -> list[tuple[str, bytes]]:
    """Every file below the data folder, none excepted: the bus's own credentials were not planted."""
    return [
        (f"the file {path.relative_to(folder)}", path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


async def test_no_planted_secret_is_ever_seen_again(own_system: StartSystem) -> None:
    planted = Planted()
    admin = planted.new("MIM_ADMIN_TOKEN")
    system = await own_system(MIM_ADMIN_TOKEN=admin, MIM_LOG_LEVEL="debug")
    watched = Watched(system, planted, admin)
    command_lines: set[bytes] = set()
    watching = asyncio.create_task(watch_command_lines(system, command_lines))
    client = await system.bus()
    heard: list[Msg] = []

    async def hear(msg: Msg) -> None:
        heard.append(msg)

    await client.subscribe(">", cb=hear, pending_bytes_limit=200_000_000)
    await client.flush()

    bots, accounts, own = await asyncio.gather(telegram(watched), whatsapp(watched), by_bus(watched, client))
    await wrong(watched)
    await credentials(watched, accounts[-1])
    await everything_shown(watched, [*bots, *accounts])
    await streams(watched)
    await client.flush()

    watching.cancel()
    planted.ready()
    assert len(planted.known) > 40
    assert len(command_lines) > 5
    # What a test publishes in the clear travels to the one service that it is for; nothing else may hold it.
    passed = [("the bus", _whole(msg)) for msg in heard if msg.data not in own]
    places = [
        *watched.seen,
        *passed,
        *await stored(client),
        ("the output of mim up", system.output.encode()),
        *(("a command line", line) for line in command_lines),
        *files(system.folder),
    ]
    await client.close()
    hits = {f"{where} is in {place}" for place, seen in places for where in planted.found_in(seen)}
    assert not hits, "\n".join(sorted(hits))
    await system.stop()
    hits = {f"{where} is in {place}" for place, seen in files(system.folder) for where in planted.found_in(seen)}
    assert not hits, "\n".join(sorted(hits))


def test_the_search_finds_what_is_there() -> None:
    planted = Planted()
    secret = planted.new("here")
    token = planted.token("there", 1)
    planted.ready()
    for text in (secret, quote(secret), f"http://x:{secret}@y", *(f"{'z' * skip}{secret}" for skip in range(3))):
        assert planted.found_in(b"..." + text.encode() + b"...") == ["here"]
        assert planted.found_in(base64.b64encode(f"{text} and more".encode())) == ["here"]
    assert planted.found_in(token.encode()) == ["there"]
    assert planted.found_in(b"nothing") == []

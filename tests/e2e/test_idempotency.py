"""`Idempotency-Key` on every POST: the same key and body give the same answer and happen once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import ClientError, web
from tests.e2e.beside import Beside
from tests.e2e.calls import body_of, path_of

from mim.contracts import routes
from mim.contracts.routes import Route
from mim.contracts.states import Provider

if TYPE_CHECKING:
    from conftest import StartSystem, System

Json = dict[str, Any]
Count = Callable[["Site", Json], Awaitable[int]]
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000") + bytes(40)
SEEN_S = 15.0
_phones = count(15_551_112_000)


@dataclass
class Site:
    """A system, a server beside it that serves a picture and takes webhooks, and where further services may run."""

    system: System
    url: str
    beside: Beside
    hooks: list[bytes] = field(default_factory=list)

    async def post(
        self, path: str, body: Any, key: str, *, bearer: str | None = None, raw: bytes | None = None
    ) -> tuple[int, Any, Json]:
        """(status, headers, answer)."""
        headers = {"Idempotency-Key": key} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        status, told, answer = await self.system.raw("POST", path, body if raw is None else raw, headers=headers)
        return status, told, json.loads(answer)


@pytest_asyncio.fixture(loop_scope="session")
async def site(own_system: StartSystem) -> AsyncIterator[Site]:
    hooks: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(body=PNG, content_type="image/png")
        hooks.append(await request.read())
        return web.Response(status=422 if request.path == "/refuse" else 200)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await (listener := web.TCPSite(runner, "127.0.0.1", 0)).start()
    assert listener.name
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    private = {"MIM_MEDIA_PRIVATE": "true", "MIM_WEBHOOK_PRIVATE": "true"}
    system = await own_system(ports=100, **private)
    beside = Beside(system, "second")
    yield Site(system, url, beside, hooks)
    await beside.stop()
    await runner.cleanup()


# ------------------------------------------------------------------------------- how often something happened


def audited(action: str) -> Count:
    async def times(site: Site, made: Json) -> int:
        _, found = await site.system.call("GET", f"/api/v1/audit?instance_id={made['instance_id']}&limit=1000")
        return sum(item["action"] == action for item in found["data"])

    return times


async def instances(site: Site, _made: Json) -> int:
    return int((await site.system.call("GET", "/api/v1/instances"))[1]["total"])


async def tokens(site: Site, _made: Json) -> int:
    return int((await site.system.call("GET", "/api/v1/tokens"))[1]["total"])


async def hooks(site: Site, _made: Json) -> int:
    return len(site.hooks)


async def tries(site: Site, made: Json) -> int:
    path = f"/api/v1/instances/{made['instance_id']}/webhook/deliveries?status=pending"
    while (await site.system.call("GET", path))[1]["total"]:
        pass  # each look asks the service; pytest's own deadline ends it
    return sum(made["instance_id"].encode() in body for body in site.hooks)


async def received(site: Site, made: Json) -> int:
    messenger, of = ("telegram", "chat") if made["instance"]["provider"] == "telegram" else ("whatsapp", "phone")
    return len((await site.system.control(messenger, "inbox", **{of: "15552229999"}))["messages"])


async def codes(site: Site, made: Json) -> int:
    _, found = await site.system.call("GET", f"/api/v1/instances/{made['instance_id']}/logs?tail=1000")
    return sum("pairing_code_given" in line["message"] for line in found["logs"])


async def bulks(site: Site, made: Json) -> list[str]:
    path = "/api/v1/bulk"
    _, found = await site.system.port_call(made["port"], "GET", path, key=made["api_key"])
    return [bulk["status"] for bulk in found["bulks"]]


async def bulks_done(site: Site, made: Json) -> int:
    while "running" in (found := await bulks(site, made)):
        pass  # each look asks the service; pytest's own deadline ends it
    return found.count("done")


async def bulks_cancelled(site: Site, made: Json) -> int:
    return (await bulks(site, made)).count("cancelled")


async def groups(site: Site, made: Json) -> int:
    _, found = await site.system.port_call(made["port"], "GET", "/api/v1/groups", key=made["api_key"])
    assert found["source"] == "account", found
    return int(found["total"])


async def admins(site: Site, made: Json) -> int:
    path = f"/api/v1/groups/{made['group']}"
    _, found = await site.system.port_call(made["port"], "GET", path, key=made["api_key"])
    return sum(each["is_admin"] for each in found["group"]["participants"])


async def drains(site: Site, _made: Json) -> int:
    _, found = await site.system.call("GET", "/api/v1/audit?limit=1000")
    return sum(item["action"] == "drain_worker" for item in found["data"])


COUNTED: dict[str, Count] = {
    "drain_worker": drains,
    "port_create_group": groups,
    "port_participants": admins,
    "create": instances,
    "create_token": tokens,
    "test_webhook": hooks,
    "login": codes,
    "pairing_code": codes,
    "port_set_webhook": audited("update"),
    "rotate_webhook_secret": audited("rotate_webhook_secret"),
    "port_bulk": bulks_done,
    "port_cancel_bulk": bulks_cancelled,
    "redeliver": tries,
    "redeliver_failed": tries,
    **{name: audited(name) for name in ("start", "stop", "restart", "logout", "clear_errors", "rotate_api_key")},
    **dict.fromkeys(
        (
            *(
                "send",
                "port_send",
                "send_message",
                "send_media",
                "telegram_send",
                "telegram_send_message",
                "telegram_send_media",
            ),
            "whatsapp_send",
        ),
        received,
    ),
}
# A link is another one each time, so that answers that are the same say that it was made once.
READS = {"batch_status", "port_renew_invite"}
IN_GROUP = {"port_participants", "port_renew_invite"}
POSTS = [("gateway", None, route) for route in routes.GATEWAY if route.method == "POST"] + [
    (way, provider, route)
    for provider in Provider
    for route in routes.PORT_ROUTES[provider]
    if route.method == "POST" and not (provider is Provider.TELEGRAM and route.operation == "port_create_group")
    for way in ("own", "through")
]


async def running_bulk(site: Site, made: Json) -> Json:
    """The instance, with a bulk message that takes hours."""
    body = {"recipients": [str(number) for number in range(1000, 1100)], "text": "hi", "per_minute": 1}
    _, answer = await site.system.port_call(made["port"], "POST", "/api/v1/bulk", body, made["api_key"])
    return made | {"bulk_id": answer["bulk"]["id"]}


async def refused_delivery(site: Site) -> Json:
    """A bot with a message that its webhook did not take."""
    made = await site.system.ready_telegram(api_webhook_schema={"url": f"{site.url}/refuse"})
    one = f"/api/v1/instances/{made['instance_id']}"
    _, status = await site.system.call("GET", f"/api/v1/multi-provider/instances/telegram/{made['instance_id']}/status")
    bot = int(status["info"]["account"]["id"])
    await site.system.control("telegram", "say", bot=bot, text="hi", **{"from": 77})
    found: list[Json] = []
    while not found:
        found = (await site.system.call("GET", f"{one}/webhook/deliveries?status=failed"))[1]["deliveries"]
    return made | {"delivery_id": found[0]["id"]}


async def prepared(site: Site, provider: Provider | None, route: Route) -> Json:
    """An instance that the call is about."""
    if route.operation in ("login", "pairing_code"):
        made = await site.system.create("whatsappweb")
        await site.system.until(made["instance_id"], "qr_ready")
        return made
    if route.operation == "drain_worker":
        await site.beside.start("telegram-adapter")
        await site.beside.until_worker("telegram-second")
        return await site.system.ready_telegram() | {"worker": "telegram-second"}
    if provider is Provider.WHATSAPPWEB:
        made = await site.system.ready_whatsapp(str(next(_phones)))
        if route.operation in IN_GROUP:
            body = {"title": "Picnic", "participants": ["15552229999"]}
            _, answer = await site.system.port_call(made["port"], "POST", "/api/v1/groups", body, made["api_key"])
            return made | {"group": answer["group"]["id"]}
        return await running_bulk(site, made) if route.operation == "port_cancel_bulk" else made
    if route.operation in ("redeliver", "redeliver_failed"):
        return await refused_delivery(site)
    if route.operation in IN_GROUP:
        made = await site.system.ready_telegram()
        _, about = await site.system.port_call(made["port"], "GET", "/api/v1/telegram/me", key=made["api_key"])
        people, chat = {"1": "Anna", "15552229999": "Boris"}, -int(f"100{next(_phones)}")
        await site.system.control("telegram", "group", bot=int(about["id"]), chat=chat, title="Picnic", people=people)
        return made | {"group": str(chat)}
    hook = {"url": f"{site.url}/hook"}
    made = await site.system.ready_telegram(api_webhook_schema=hook)
    return await running_bulk(site, made) if route.operation == "port_cancel_bulk" else made


def body_at(site: Site, route: Route) -> Json | None:
    """A body whose files can be fetched."""
    body = body_of(route)
    if body is not None:
        body |= {name: f"{site.url}/picture.png" for name in ("mediaUrl", "source") if name in body}
    return body


@pytest.mark.timeout(240)
async def test_every_post_happens_once_for_a_key_and_answers_the_same(site: Site) -> None:
    """Also when five come at once, and on instances' own ports by both ways."""

    async def once(way: str, provider: Provider | None, route: Route) -> None:
        made = await prepared(site, provider, route)
        known = {name: made[name] for name in ("delivery_id", "bulk_id", "group", "worker") if name in made}
        path = path_of(route, id=made["instance_id"], provider=made["instance"]["provider"], **known)
        base = {"gateway": "", "own": f"http://127.0.0.1:{made['port']}", "through": f"/{made['port']}"}[way]
        bearer = None if way == "gateway" else made["api_key"]
        body, key = body_at(site, route), str(uuid4())
        times = COUNTED.get(route.operation)
        assert times or route.operation in READS, f"say in COUNTED how to see that {route.operation} happened"
        before = await times(site, made) if times else 0
        answers = await asyncio.gather(*(site.post(base + path, body, key, bearer=bearer) for _ in range(5)))
        answers.append(await site.post(base + path, body, key, bearer=bearer))
        status, headers, answer = answers[-1]
        assert status in {200, 201, 202} & route.answers.keys(), (route.operation, status, answer)
        assert headers["Idempotent-Replayed"] == "true"
        for each in answers:
            assert (each[0], each[2]) == (status, answer), route.operation
        if times:
            async with asyncio.timeout(SEEN_S):
                while await times(site, made) == before:
                    pass  # each look asks the service; what happened may be seen after its answer, a log line above all
            assert await times(site, made) == before + 1, route.operation
        status, _, conflict = await site.post(base + path, None, key, bearer=bearer, raw=b'{"other": 1}')
        assert (status, conflict["code"]) == (409, "IDEMPOTENCY_CONFLICT"), route.operation

    # What is counted over all instances has to happen one after the other.
    shared = {instances, tokens, hooks, received, drains}
    alone = [post for post in POSTS if COUNTED.get(post[2].operation) in shared]
    few = asyncio.Semaphore(8)  # all at once would be a storm of creations, which may be answered with 202 for once

    async def beside(way: str, provider: Provider | None, route: Route) -> None:
        async with few:
            await once(way, provider, route)

    await asyncio.gather(*(beside(*post) for post in POSTS if post not in alone))
    for post in alone:
        await once(*post)


async def test_what_was_refused_is_refused_again_at_once_and_what_failed_for_our_reasons_is_done_again(
    site: Site,
) -> None:
    system = site.system
    bot = await system.ready_telegram()
    one = f"/api/v1/multi-provider/instances/telegram/{bot['instance_id']}/send-message"
    fault = {
        "method": "sendMessage",
        "status": 403,
        "description": "Forbidden: bot was blocked by the user",
        "times": 1,
    }
    await system.control("telegram", "fault", **fault)
    key = str(uuid4())
    began = asyncio.get_running_loop().time()
    answers = [await site.post(one, {"to": "77", "message": "x"}, key) for _ in range(3)]
    assert [(status, answer["code"]) for status, _, answer in answers] == [(502, "RECIPIENT_BLOCKED")] * 3
    assert answers[0][2] == answers[2][2]
    for body, status, code in (({"to": ""}, 422, "INVALID_FIELDS"), ([1], 400, "BAD_JSON")):
        key = str(uuid4())
        again = [await site.post(one, body, key) for _ in range(2)]
        assert [(each[0], each[2]["code"]) for each in again] == [(status, code)] * 2
    assert asyncio.get_running_loop().time() - began < 4  # nobody waits for a request that has ended
    assert (await system.control("telegram", "inbox", chat="77"))["messages"] == []


async def test_the_same_key_of_another_caller_is_another_key(site: Site) -> None:
    system, key = site.system, str(uuid4())
    made = [
        (await system.call("POST", "/api/v1/tokens", {"name": "same name", "role": "admin"}))[1]["token"]
        for _ in range(2)
    ]
    body = {"user_id": "idem", "provider": "whatsappweb", "type_instance": ["api"], "start": False}
    answers = [await site.post("/api/v1/instances", body, key, bearer=bearer) for bearer in (None, *made, None, *made)]
    assert [status for status, _, _ in answers] == [201] * 6
    ids = [answer["instance_id"] for _, _, answer in answers]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
    other = await site.post("/api/v1/instances", body | {"name": "other"}, key, bearer=made[0])
    assert other[0] == 409
    elsewhere = await site.post("/api/v1/instances/batch/status", {"instance_ids": []}, key)
    assert elsewhere[0] == 200  # another route is another request


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_said(system: System, key: str) -> None:
    headers = {"Idempotency-Key": key}
    status, answer = await system.call("POST", "/api/v1/instances/batch/status", {"instance_ids": []}, headers=headers)
    assert (status, answer["details"][0]["field"]) == (422, "Idempotency-Key")


async def test_a_key_is_good_beyond_a_kill_of_the_gateway_also_in_the_middle(own_system: StartSystem) -> None:
    system = await own_system()
    body = {"user_id": "idem", "provider": "telegram", "type_instance": ["api"], "token": "812345678:" + "A" * 35}
    key = {"Idempotency-Key": "before"}
    status, first = await system.call("POST", "/api/v1/instances", body, headers=key)
    assert status == 201
    in_the_middle = {"Idempotency-Key": "in the middle"}
    lost = asyncio.create_task(system.call("POST", "/api/v1/instances", body, headers=in_the_middle))
    client = await system.bus()
    created = await client.subscribe("mim.cmd.instance.create", max_msgs=1)
    await client.flush()
    with suppress(TimeoutError):  # it may have been faster
        await created.next_msg(timeout=0.5)
    system.kill("gateway")
    with suppress(ClientError, OSError):
        await lost
    await client.close()
    async with asyncio.timeout(30):
        again = await _answered(system, body, key)
        middle = await _answered(system, body, in_the_middle)
    assert again == (201, first)
    assert middle[0] in (201, 202)
    assert await _answered(system, body, in_the_middle) == middle
    _, listed = await system.call("GET", "/api/v1/instances?user_id=idem")
    assert sorted(item["id"] for item in listed["instances"]) == sorted(
        [first["instance_id"], middle[1]["instance_id"]]
    )


async def _answered(system: System, body: Json, headers: dict[str, str]) -> tuple[int, Json]:
    while True:
        with suppress(ClientError, OSError):
            return await system.call("POST", "/api/v1/instances", body, headers=headers)

"""Who may do what: credentials, roles, tenants, limits, other sites' pages, and the record of who changed what."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest_asyncio
from tests.e2e.calls import body_of, path_of
from yarl import URL

from mim.contracts import routes
from mim.contracts.routes import Route, Scope
from mim.contracts.states import Provider, Role

if TYPE_CHECKING:
    from conftest import StartSystem, System
    from nats.aio.client import Client

Json = dict[str, Any]

ADMIN = token_urlsafe(32)
DESK = "https://desk.example.com"
ENV = {"MIM_ADMIN_TOKEN": ADMIN, "MIM_ALLOWED_ORIGINS": DESK}
NOBODY = "00000000-0000-4000-8000-0000000000ff"
SECOND_S = 1.0
INSTANCES = "/api/v1/instances"


@dataclass
class Guarded:
    """A system that asks everybody for credentials."""

    system: System
    tokens: dict[str, str] = field(default_factory=dict)

    async def call(
        self, bearer: str | None, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Json]:
        """(status, answer)."""
        status, _, raw = await self.raw(bearer, method, path, body, **headers)
        return status, json.loads(raw)

    async def raw(
        self, bearer: str | None, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, bytes]:
        """(status, headers, body)."""
        given = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return await self.system.raw(method, path, body, headers=given | headers)

    async def status(self, bearer: str | None, route: Route, **parts: object) -> int:
        """The status of a route's answer, of a stream that of its beginning."""
        path = path_of(route, **parts)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if route.operation in ("events", "websocket"):
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
            headers |= upgrade if route.operation == "websocket" else {}
            async with aiohttp.ClientSession(self.system.url) as session:
                async with session.get(path, headers=headers) as response:
                    return response.status
        return (await self.system.raw(route.method, path, body_of(route), headers=headers))[0]

    async def preflight(self, path: str, **headers: str) -> tuple[int, Any, bytes]:
        """What a browser asks before it calls from another site's page; no route of the table."""
        async with aiohttp.ClientSession(self.system.url) as session:
            async with session.options(path, headers=headers) as response:
                return response.status, response.headers, await response.read()

    async def token(self, role: Role | str, user_id: str | None = None) -> Json:
        """A new access token."""
        body = {"name": f"{role} of {user_id}", "role": role, "user_id": user_id}
        status, made = await self.call(ADMIN, "POST", "/api/v1/tokens", body)
        assert status == 201, made
        return made

    async def instance(self, user_id: str, bearer: str = ADMIN, **more: Any) -> Json:
        """A bot that is ready."""
        token = f"5{uuid4().int % 10**8:08d}:AAEabcdefghijklmnopqrstuvwxyz0123456"
        body = {"user_id": user_id, "provider": "telegram", "type_instance": ["api"], "token": token}
        status, made = await self.call(bearer, "POST", INSTANCES, body | more)
        assert status == 201, made
        async with self.events(f"?instance_id={made['instance_id']}&last_event_id=0") as events:
            while (await anext(events))["type"] != "mim.instance.client_ready.v1":
                pass
        return made

    @asynccontextmanager
    async def events(self, query: str = "", bearer: str = ADMIN) -> AsyncIterator[AsyncIterator[Json]]:
        """The live events."""
        headers = {"Authorization": f"Bearer {bearer}"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
        async with aiohttp.ClientSession(self.system.url, timeout=timeout) as session:
            async with session.get("/api/v1/events" + query, headers=headers) as response:
                assert response.status == 200

                async def envelopes() -> AsyncIterator[Json]:
                    async for line in response.content:
                        if line.startswith(b"data: "):
                            yield json.loads(line[6:])

                yield envelopes()

    async def rename(self, bearer: str, instance_id: str) -> None:
        """Cause an event."""
        status, answer = await self.call(bearer, "PATCH", f"{INSTANCES}/{instance_id}", {"name": str(uuid4())})
        assert status == 200, answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(module_system: StartSystem) -> Guarded:
    """One for all tests that leave others alone."""
    return Guarded(await module_system(ports=100, **ENV))


@pytest_asyncio.fixture(loop_scope="session")
async def guarded_alone(own_system: StartSystem) -> Guarded:
    return Guarded(await own_system(**ENV))


def proxied(made: Json) -> list[tuple[str, Route]]:
    """The routes of an instance's port, as they are reached through the gateway."""
    ways = itertools.cycle((f"/{made['port']}", f"/i/{made['instance_id']}"))
    listed = [(f"{next(ways)}{path_of(route)}", route) for route in routes.PORT_ROUTES[Provider.TELEGRAM]]
    by_id = f"{INSTANCES}/{made['instance_id']}/webhook/config"
    return [*listed, *((by_id, route) for _, route in listed if route.path == "/api/v1/webhook/config")]


async def within_a_second(system: Guarded, bearer: str, path: str, status: int) -> None:
    """Ask until the answer has this status, for a second at most."""
    try:
        async with asyncio.timeout(SECOND_S):
            while (found := (await system.raw(bearer, "GET", path))[0]) != status:
                pass
    except TimeoutError:
        raise AssertionError(f"{path} still answers {found} after {SECOND_S} s") from None


# ------------------------------------------------------------------------------------------------- roles


async def test_without_credentials_only_the_open_routes_answer(guarded: Guarded) -> None:
    made = await guarded.instance("anna")
    for route in routes.GATEWAY:
        is_open = route.scope is Scope.OPEN
        status = await guarded.status(None, route, id=made["instance_id"], provider="telegram")
        assert (status == 200) if is_open else (status == 401), (route.operation, status)
    for path, route in proxied(made):
        own = f"http://127.0.0.1:{made['port']}{path_of(route)}"
        for url in (path, own):
            status, _, _ = await guarded.raw(None, route.method, url, body_of(route))
            assert status == (200 if route.scope is Scope.OPEN else 401), (url, status)
    status, answer = await guarded.call(None, "GET", INSTANCES)
    assert (status, answer["code"]) == (401, "UNAUTHORIZED")
    assert "Authorization: Bearer" in answer["error"]


async def test_every_role_may_what_the_table_says_and_nothing_more(guarded: Guarded) -> None:
    wrong = []
    for user_id in (None, "calls"):
        for role in Role:
            token = (await guarded.token(role, user_id))["token"]
            for route in routes.GATEWAY:
                status = await guarded.status(token, route, id=NOBODY, provider="telegram")
                forbidden = not role.may(route.role) or (user_id is not None and route.scope is Scope.SYSTEM)
                expected = status == 403 if forbidden and route.scope is not Scope.OPEN else status not in (401, 403)
                if not expected:
                    wrong.append(f"{role} of {user_id}: {route.method} {route.path} answered {status}")
    assert not wrong, "\n".join(wrong)


async def test_a_token_needs_the_same_role_on_a_port_through_the_gateway(guarded: Guarded) -> None:
    made = await guarded.instance("calls")
    for role in Role:
        token = (await guarded.token(role, "calls"))["token"]
        for path, route in proxied(made):
            needed = Role.VIEWER
            if route.method in ("POST", "PUT"):  # a webhook is changed by PATCH as well, and that is for admins
                needed = Role.ADMIN if route.operation == "port_set_webhook" else Role.OPERATOR
            status, _, _ = await guarded.raw(token, route.method, path, body_of(route))
            assert (status == 403) == (not role.may(needed)), (role, path, status)
            assert status != 401
    operator = (await guarded.token("operator", "calls"))["token"]
    for detour in ("webhook%2Fconfig", "%77ebhook/config", "./webhook/config", "x/../webhook/config"):
        path = URL(f"{guarded.system.url}/{made['port']}/api/v1/{detour}", encoded=True)
        async with aiohttp.ClientSession() as session:
            given = {"Authorization": f"Bearer {operator}"}
            async with session.post(path, json={"url": "https://evil.invalid"}, headers=given) as response:
                assert response.status in (403, 404), detour


# ----------------------------------------------------------------------------------------------- tenants


async def test_a_users_token_sees_and_touches_its_own_instances_only(guarded_alone: Guarded) -> None:
    guarded = guarded_alone
    mine, others = await guarded.instance("anna"), await guarded.instance("boris")
    token = (await guarded.token("admin", "anna"))["token"]
    before = await guarded.call(ADMIN, "GET", f"{INSTANCES}/{others['instance_id']}/current-api-key")
    for route in routes.GATEWAY:
        if "{id}" in route.path:
            status = await guarded.status(token, route, id=others["instance_id"], provider="telegram")
            assert status == 404, (route.operation, status)
    for path, route in proxied(others):
        status, _, _ = await guarded.raw(token, route.method, path, body_of(route))
        assert status == 404, (path, status)
    _, untouched = await guarded.call(ADMIN, "GET", f"{INSTANCES}/{others['instance_id']}")
    assert (untouched["instance"]["status"], untouched["instance"]["epoch"]) == ("client_ready", 1)
    after = await guarded.call(ADMIN, "GET", f"{INSTANCES}/{others['instance_id']}/current-api-key")
    assert after[1]["api_key"] == before[1]["api_key"]

    ids = [mine["instance_id"]]
    for path in (INSTANCES, "/api/v1/multi-provider/instances", "/api/v1/resources/instances"):
        _, listed = await guarded.call(token, "GET", path)
        assert ([item["id"] for item in listed["instances"]], listed["total"]) == (ids, 1)
    _, asked = await guarded.call(token, "GET", f"{INSTANCES}?user_id=boris")
    assert asked["total"] == 0
    _, stats = await guarded.call(token, "GET", "/api/v1/multi-provider/stats")
    assert stats["stats"]["telegram"]["instances"] == ids
    _, memory = await guarded.call(token, "GET", f"{INSTANCES}/memory/stats")
    assert memory["stats"]["total_instances"] == 1
    _, active = await guarded.call(token, "GET", "/api/v1/multi-provider/active-providers")
    assert active["activeProviders"] == ids
    both = {"instance_ids": [others["instance_id"], mine["instance_id"]]}
    _, batch = await guarded.call(token, "POST", f"{INSTANCES}/batch/status", both)
    assert ([item["id"] for item in batch["data"]], batch["not_found"]) == (ids, [others["instance_id"]])
    new = {"user_id": "boris", "provider": "whatsappweb", "type_instance": ["api"], "start": False}
    status, answer = await guarded.call(token, "POST", INSTANCES, new)
    assert (status, answer["code"]) == (403, "FORBIDDEN")
    status, made = await guarded.call(token, "POST", INSTANCES, new | {"user_id": "anna"})
    assert status == 201, made


async def test_the_streams_of_a_users_token_hold_its_own_events_only(guarded_alone: Guarded) -> None:
    guarded = guarded_alone
    mine, others = await guarded.instance("anna"), await guarded.instance("boris")
    token = (await guarded.token("admin", "anna"))["token"]
    queries = ["?last_event_id=0", "", f"?instance_id={others['instance_id']}&last_event_id=0", "?user_id=boris"]
    for query in queries[:2]:
        async with asyncio.timeout(20), guarded.events(query, token) as events:
            await guarded.rename(ADMIN, others["instance_id"])
            await guarded.rename(ADMIN, mine["instance_id"])
            name = ""
            while name != "mim.instance.updated.v1":
                event = await anext(events)
                name = event["type"]
                assert event["subject"] == mine["instance_id"]
    for query in queries[2:]:  # what asks for another's events gets none
        async with asyncio.timeout(20), guarded.events(query, token) as events, guarded.events("") as all_events:
            await guarded.rename(ADMIN, others["instance_id"])
            await anext(all_events)
            await _nothing(events)
    async with aiohttp.ClientSession(guarded.system.url) as session:
        given = ("mim.v1", f"bearer.{token}")
        async with asyncio.timeout(20), session.ws_connect("/api/v1/ws?last_event_id=0", protocols=given) as socket:
            assert socket.protocol == "mim.v1"
            await guarded.rename(ADMIN, others["instance_id"])
            await guarded.rename(ADMIN, mine["instance_id"])
            told: Json = {}
            while told.get("event") != "updated" or told["data"]["data"]["display_name"] is None:
                told = await socket.receive_json()
                assert told["data"]["subject"] == mine["instance_id"]


async def _nothing(events: AsyncIterator[Json]) -> None:
    """Fail if something comes at once: what was to come has been sent to others already."""
    try:
        event = await asyncio.wait_for(anext(events), 0.3)
    except TimeoutError:
        return
    raise AssertionError(f"another's event: {event}")


# ------------------------------------------------------------------------------------ the end of credentials


async def test_a_revoked_token_is_dead_within_a_second_by_every_way_and_so_are_its_streams(guarded: Guarded) -> None:
    made = await guarded.instance("anna")
    token = await guarded.token("admin", "anna")
    bearer, port = token["token"], f"/{made['port']}/api/v1/status"
    assert (await guarded.raw(bearer, "GET", INSTANCES))[0] == 200
    assert (await guarded.raw(bearer, "GET", port))[0] == 200
    async with aiohttp.ClientSession(guarded.system.url) as session:
        socket = await session.ws_connect("/api/v1/ws", protocols=("mim.v1", f"bearer.{bearer}"))
        async with guarded.events("", bearer) as events:
            await guarded.rename(bearer, made["instance_id"])
            assert (await anext(events))["subject"] == made["instance_id"]
            assert (await socket.receive_json())["data"]["subject"] == made["instance_id"]
            status, _ = await guarded.call(ADMIN, "DELETE", f"/api/v1/tokens/{token['data']['id']}")
            assert status == 200
            await within_a_second(guarded, bearer, INSTANCES, 401)
            await within_a_second(guarded, bearer, port, 401)
            await guarded.rename(ADMIN, made["instance_id"])
            async with asyncio.timeout(5):
                assert [event async for event in events] == []
                assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    status, _ = await guarded.call(ADMIN, "DELETE", f"/api/v1/tokens/{token['data']['id']}")
    assert status == 404


async def test_a_token_that_expires_is_dead_within_a_second(guarded: Guarded) -> None:
    text, now = f"mimt_{token_urlsafe(32)}", datetime.now(UTC)
    record = {
        "id": "0123456789ab",
        "name": "short",
        "role": "viewer",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "created_at": now.isoformat(),
        "created_by": "test",
        "expires_at": (now + timedelta(seconds=2)).isoformat(),
    }
    client = await guarded.system.bus()
    await client.jetstream().publish(f"$KV.tokens.{record['id']}", json.dumps(record).encode())
    await client.close()
    await within_a_second(guarded, text, INSTANCES, 200)
    async with asyncio.timeout(4):
        while (await guarded.raw(text, "GET", INSTANCES))[0] == 200:
            pass
    assert datetime.now(UTC) < now + timedelta(seconds=2 + SECOND_S)
    assert (await guarded.raw(text, "GET", INSTANCES))[0] == 401


async def test_a_new_key_kills_the_old_one_by_both_ways(guarded: Guarded) -> None:
    made = await guarded.instance("anna")
    old, one = made["api_key"], f"{INSTANCES}/{made['instance_id']}"
    own, through = f"http://127.0.0.1:{made['port']}/api/v1/status", f"/{made['port']}/api/v1/status"
    send = f"/api/v1/multi-provider/instances/telegram/{made['instance_id']}/send-message"
    for path in (own, through):
        assert (await guarded.raw(old, "GET", path))[0] == 200
    status, rotated = await guarded.call(ADMIN, "POST", f"{one}/api-key/rotate")
    assert status == 200
    new = rotated["api_key"]
    assert new != old
    for path in (own, through):
        await within_a_second(guarded, old, path, 401)
        await within_a_second(guarded, new, path, 200)
    message = {"to": "1", "message": "x"}
    assert (await guarded.call(old, "POST", send, message))[0] == 401
    assert (await guarded.call(new, "POST", send, message))[0] == 200
    assert (await guarded.call(ADMIN, "GET", f"{one}/credentials"))[1]["api_key"] == new


async def test_a_key_opens_its_own_instance_and_what_the_table_says(guarded: Guarded) -> None:
    mine, others = await guarded.instance("anna"), await guarded.instance("anna")
    key = mine["api_key"]
    for route in routes.GATEWAY:
        if route.scope is Scope.OPEN:
            continue
        own = await guarded.status(key, route, id=mine["instance_id"], provider="telegram")
        assert (own not in (401, 403, 429)) if route.key_opens else (own in (401, 429)), (route.operation, own)
        if "{id}" in route.path:
            other = await guarded.status(key, route, id=others["instance_id"], provider="telegram")
            assert other in (401, 429), (route.operation, other)
    for base in (f"http://127.0.0.1:{others['port']}", f"/{others['port']}"):
        assert (await guarded.raw(key, "GET", f"{base}/api/v1/status"))[0] in (401, 429)
    for wrong in (mine["instance_id"], key[:-1], key + "x", key.upper()):
        url = f"http://127.0.0.1:{mine['port']}/api/v1/status"
        assert (await guarded.raw(wrong, "GET", url))[0] in (401, 429)


# ------------------------------------------------------------------------------------------------- limits


async def test_an_instance_is_shown_the_same_by_the_shortcut_and_by_the_route(guarded: Guarded) -> None:
    made, other = await guarded.instance("anna"), await guarded.instance("boris")
    tokens = [(await guarded.token(role, user))["token"] for role, user in (("viewer", None), ("admin", "anna"))]
    own = made["instance_id"]
    foreign = [{"Host": "elsewhere.example"}, {"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
    cases: list[tuple[str | None, str, dict[str, str]]] = []
    # No credential that is wrong: after thirty of those in a minute the answer is another one.
    for one in (own, own.upper(), other["instance_id"], NOBODY):
        cases += [(bearer, one, {}) for bearer in (None, ADMIN, *tokens)]
    cases += [(ADMIN, own, headers) for headers in ({"Origin": DESK}, *foreign)]
    statuses = []
    for bearer, one, headers in cases:
        seen = []
        for query in ("", "?by=route"):  # the shortcut knows the path alone
            status, told, raw = await guarded.raw(bearer, "GET", f"{INSTANCES}/{one}{query}", **headers)
            body = json.loads(raw)
            named = {name.lower(): value for name, value in told.items() if name.lower() != "date"}
            named |= dict.fromkeys(named.keys() & {"ratelimit", "x-request-id"}, "some")
            seen.append((status, {**body, "request_id": "request_id" in body}, named))
        assert seen[0] == seen[1], (bearer, one, headers)
        statuses.append(seen[0][0])
    assert set(statuses) == {200, 401, 403, 404}


async def test_who_calls_too_often_is_told_when_to_come_again_and_others_are_not_slowed(
    own_system: StartSystem,
) -> None:
    guarded = Guarded(await own_system(**ENV, MIM_RATE_LIMIT="60"))
    made = await guarded.instance("anna")
    token = (await guarded.token("viewer"))["token"]
    port = f"http://127.0.0.1:{made['port']}/api/v1/status"
    for bearer, path in ((token, f"{INSTANCES}/{made['instance_id']}"), (made["api_key"], port)):
        seen = [await guarded.raw(bearer, "GET", path) for _ in range(75)]
        statuses = [status for status, _, _ in seen]
        assert statuses[:60] == [200] * 60
        assert 429 in statuses
        for status, headers, _ in seen:
            assert headers["RateLimit-Policy"] == '"minute";q=60;w=60'
            assert headers["RateLimit"].startswith('"minute";r=')
            assert ("Retry-After" in headers) == (status == 429)
        refused = next(each for each in seen if each[0] == 429)
        assert 1 <= int(refused[1]["Retry-After"]) <= 60
        assert json.loads(refused[2])["code"] == "TOO_MANY_REQUESTS"
    other = (await guarded.token("viewer"))["token"]
    assert (await guarded.raw(other, "GET", INSTANCES))[0] == 200
    through = f"/{made['port']}/api/v1/status"
    assert (await guarded.raw(made["api_key"], "GET", through))[0] == 429  # the same key, the same count


async def test_wrong_credentials_are_slowed_and_right_ones_are_not(guarded_alone: Guarded) -> None:
    guarded = guarded_alone
    made = await guarded.instance("anna")
    ways = (INSTANCES, f"/{made['port']}/api/v1/status", f"http://127.0.0.1:{made['port']}/api/v1/status")
    for path in ways:
        seen = [await guarded.raw(f"wrong-{number}", "GET", path) for number in range(45)]
        assert {status for status, _, _ in seen} <= {401, 429}
        assert seen[-1][0] == 429, path
        assert int(seen[-1][1]["Retry-After"]) > 0
    assert (await guarded.raw(ADMIN, "GET", INSTANCES))[0] == 200
    assert (await guarded.raw(made["api_key"], "GET", ways[1]))[0] == 200
    assert (await guarded.raw(made["api_key"], "GET", ways[2]))[0] == 200


# ------------------------------------------------------------------------------------------------- audit


async def test_the_audit_has_who_what_and_from_where_of_every_change(guarded_alone: Guarded) -> None:
    guarded = guarded_alone
    made = await guarded.instance("anna")
    token = await guarded.token("admin", "anna")
    instance_id, one = made["instance_id"], f"{INSTANCES}/{made['instance_id']}"
    bearer, name = token["token"], f"token admin of anna ({token['data']['id']})"
    await guarded.call(bearer, "PATCH", one, {"name": "shop"})
    for act in ("stop", "start", "restart", "clear-errors", "api-key/rotate", "logout"):
        status, answer = await guarded.call(bearer, "POST", f"{one}/{act}")
        assert status in (200, 202), answer
    await guarded.call(bearer, "GET", f"{one}/credentials")
    await guarded.call(bearer, "GET", f"{one}/current-api-key")
    await _by_nats(guarded, f"mim.cmd.instance.{instance_id}.stop", {"actor": "billing"})
    await _by_nats(guarded, f"mim.cmd.instance.{instance_id}.update", {"actor": "billing", "name": "by bus"})
    hook = {"url": "https://hooks.invalid/x"}
    own = f"http://127.0.0.1:{made['port']}/api/v1/webhook/config"
    key = (await guarded.call(ADMIN, "GET", f"{one}/current-api-key"))[1]["api_key"]
    assert (await guarded.call(key, "POST", own, hook))[0] == 200
    await guarded.call(bearer, "DELETE", one)
    expected = {
        ("admin", "create", "rest 127.0.0.1"),
        *((name, act, "rest 127.0.0.1") for act in ("update", "stop", "start", "restart", "clear_errors", "logout")),
        *((name, act, "rest 127.0.0.1") for act in ("rotate_api_key", "credentials", "current_api_key", "delete")),
        ("billing", "stop", "nats"),
        ("billing", "update", "nats"),
        ("admin", "current_api_key", "rest 127.0.0.1"),
        (f"key of {instance_id}", "update", "rest 127.0.0.1"),
    }
    _, audit = await guarded.call(ADMIN, "GET", f"/api/v1/audit?instance_id={instance_id}&limit=1000")
    assert {(item["actor"], item["action"], item["origin"]) for item in audit["data"]} == expected
    for item in audit["data"]:
        assert (item["instance_id"], item["user_id"]) == (instance_id, "anna")
        assert item["ok"], item
    times = [item["timestamp"] for item in audit["data"]]
    assert times == sorted(times, reverse=True)

    await guarded.call(ADMIN, "DELETE", f"/api/v1/tokens/{token['data']['id']}")
    await guarded.call(ADMIN, "POST", f"{INSTANCES}/{instance_id}/start")  # there is none any more
    _, audit = await guarded.call(ADMIN, "GET", "/api/v1/audit?instance_id=&limit=1000".replace("instance_id=&", ""))
    of_tokens = [
        (item["actor"], item["action"], item["ok"]) for item in audit["data"] if item["instance_id"] == "system"
    ]
    assert of_tokens == [("admin", "revoke_token", True), ("admin", "create_token", True)]
    assert audit["data"][0]["message"] == token["data"]["id"]


async def _by_nats(guarded: Guarded, subject: str, body: Json) -> None:
    client: Client = await guarded.system.bus()
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox, max_msgs=1)
    await client.flush()
    await client.jetstream().publish(subject, json.dumps(body).encode(), headers={"Mim-Reply-To": inbox})
    assert json.loads((await replies.next_msg(timeout=10)).data)["ok"]
    await client.close()


# -------------------------------------------------------------------------------------- pages of other sites


async def test_pages_of_an_allowed_site_may_call_and_those_of_others_may_not(guarded: Guarded) -> None:
    made = await guarded.instance("anna")
    paths = [INSTANCES, f"/{made['port']}/api/v1/status", f"http://127.0.0.1:{made['port']}/api/v1/status"]
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    cross = {"Sec-Fetch-Site": "cross-site"}
    for path in paths:
        bearer = ADMIN if path == INSTANCES else made["api_key"]
        status, headers, body = await guarded.preflight(path, Origin=DESK, **asks, **cross)
        assert (status, body) == (204, b"")
        assert headers["Access-Control-Allow-Origin"] == DESK
        assert "POST" in headers["Access-Control-Allow-Methods"]
        allowed = {name.strip().lower() for name in headers["Access-Control-Allow-Headers"].split(",")}
        assert {"authorization", "idempotency-key", "content-type", "last-event-id"} <= allowed
        status, headers, _ = await guarded.raw(bearer, "GET", path, Origin=DESK, **cross)
        assert (status, headers.getall("Access-Control-Allow-Origin"), headers["Vary"]) == (200, [DESK], "Origin")
        status, headers, _ = await guarded.raw("wrong", "GET", path, Origin=DESK, **cross)
        assert (status, headers["Access-Control-Allow-Origin"]) == (401, DESK)  # so that the page can read why
        for origin in ("https://evil.example", f"{DESK}.evil.example", "null"):
            for status, headers, _ in (
                await guarded.preflight(path, Origin=origin, **asks, **cross),
                await guarded.raw(bearer, "GET", path, Origin=origin, **cross),
            ):
                assert status == 403
                assert "Access-Control-Allow-Origin" not in headers
    given = {"Authorization": f"Bearer {ADMIN}", "Origin": DESK, **cross}
    async with aiohttp.ClientSession(guarded.system.url) as session:
        async with session.get("/api/v1/events", headers=given) as stream:
            assert (stream.status, stream.headers["Access-Control-Allow-Origin"]) == (200, DESK)
        async with session.get("/api/v1/events", headers=given | {"Origin": "https://evil.example"}) as stream:
            assert stream.status == 403


# ----------------------------------------------------------------------------------------------- strangers


def test_a_listener_for_strangers_is_refused_without_an_admin_token_and_says_how(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        done = subprocess.run(
            [sys.executable, "-m", "mim.cli", "up", "--data-dir", str(tmp_path), "--host", host],
            capture_output=True,
            text=True,
            timeout=30,
            env={name: value for name, value in os.environ.items() if name != "MIM_ADMIN_TOKEN"},
            check=False,
        )
        assert done.returncode == 1, done.stdout
        assert f"refusing to listen on {host} without credentials" in done.stderr
        assert "MIM_ADMIN_TOKEN" in done.stderr
        assert "openssl rand -hex 32" in done.stderr


async def test_a_listener_for_strangers_asks_everybody_for_credentials(own_system: StartSystem) -> None:
    guarded = Guarded(await own_system("--host", "0.0.0.0", **ENV))
    for host in ("127.0.0.1", "mim.example.com"):
        assert (await guarded.raw(None, "GET", INSTANCES, Host=host))[0] == 401
        assert (await guarded.raw(ADMIN, "GET", INSTANCES, Host=host))[0] == 200

"""The instances' ports through the gateway, so that one open port is enough: `/{port}/…`, or by their ids, `/i/{id}/…`,
which means one instance also where it has no port or several hosts have the same ones. What is not the gateway's own is
at `/api/v1/instances/{id}/…` as well.

A caller shows the instance's API key, as on the port itself, or an access token that may see the instance: then the
gateway shows the key in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from yarl import URL

from mim.contracts.api import WebhookBody
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.records import InstanceRecord
from mim.contracts.routes import GATEWAY, PORTS
from mim.contracts.states import Role
from mim.gateway.access import Access, sees
from mim.gateway.model import ReadModel
from mim.gateway.workers import Workers
from mim.runtime import http
from mim.runtime.instance_port import key_fits
from mim.runtime.logs import correlation
from mim.runtime.media import BLOCK
from mim.runtime.store import Secrets

_BY_ID = "/api/v1/instances/{id}"
CONNECT_S = 2.0
READ_S = 5.0
ANSWER_S = 20.0
FILE_S = 120.0
MAX_CONNECTIONS = 256
# What belongs to one connection only (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1), or is told anew.
_NOT_PASSED = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "host", "content-length", "cookie", "origin"),
        *("authorization", "date", "server", "content-encoding", "accept-encoding", "sec-fetch-site"),
        "x-request-id",
    }
)
_OWNERS = frozenset(route.path for route in PORTS if route.body is WebhookBody)
"""What changes an instance rather than using it."""
_READ = aiohttp.ClientTimeout(total=READ_S, sock_connect=CONNECT_S)
_FILE = aiohttp.ClientTimeout(total=FILE_S, sock_connect=CONNECT_S)
_CHANGE = aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S)


class Proxy:
    """Passes requests on to the workers. Made by `proxy`."""

    def __init__(
        self, session: aiohttp.ClientSession, model: ReadModel, access: Access, workers: Workers, secrets: Secrets
    ) -> None:
        self._session = session
        self._model = model
        self._access = access
        self._workers = workers
        self._secrets = secrets

    def bind(self, router: web.UrlDispatcher) -> None:
        """Add the routes, behind those of the gateway."""
        for path in (r"/{port:\d{1,5}}/{tail:.*}", r"/i/{id}/{tail:.*}"):
            router.add_route("*", path, self.serve)
        own = {(route.method, route.path) for route in GATEWAY}
        for route in PORTS:
            place = _BY_ID + route.path.removeprefix("/api/v1")
            if route.path.startswith("/api/v1/") and (route.method, place) not in own:
                router.add_route(route.method, place, self.serve)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer as the instance's port does. Raises: MimError, Unavailable."""
        record = self._record(request)
        url = self._workers.url_of(record) if record is not None else None
        if record is None or url is None:
            raise _nobody(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED}
        key = await self._key(request, record)
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if (request_id := correlation()) is not None:
            headers["X-Request-Id"] = request_id
        # As it came: an encoded slash in a chat's id stays one.
        target = URL(f"{url}{_place(request.rel_url.raw_path)}", encoded=True)
        target = target.with_query(request.rel_url.query)
        is_file = _is_file(request)
        patience = asyncio.timeout(ANSWER_S if is_file else None)
        upload = _passing(request.content, patience) if request.method == "PUT" else None
        try:
            async with (
                patience,
                self._session.request(
                    request.method,
                    target,
                    headers=headers,
                    data=upload or await request.read() or None,
                    allow_redirects=False,
                    timeout=_FILE if is_file else _READ if request.method in ("GET", "HEAD") else _CHANGE,
                ) as answer,
            ):
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED}
                if is_file and answer.status == 200:
                    return await _passed_on(request, answer, kept, patience)
                body = await answer.read()
        except TimeoutError:
            message = f"the worker of the instance {record.id} did not answer in time; it is {record.status}"
            raise Unavailable(ErrorCode.TIMEOUT, message) from None
        except aiohttp.ClientError:
            message = f"nobody answers for the instance {record.id}; it is {record.status}"
            raise Unavailable(ErrorCode.NO_WORKER, message) from None
        return web.Response(status=answer.status, body=body, headers=kept)

    def _record(self, request: web.Request) -> InstanceRecord | None:
        if (port := request.match_info.get("port")) is not None:
            return self._model.on_port(int(port))
        return self._model.get(request.match_info["id"].lower())

    async def _key(self, request: web.Request, record: InstanceRecord) -> str | None:
        """What the instance's port shall be shown. Raises: MimError (UNAUTHORIZED, FORBIDDEN, NOT_FOUND)."""
        given = http.bearer(request)
        if given is None or (record.api_key_sha256 and key_fits(given, record.api_key_sha256)):
            return given
        caller = self._access.by_token(given)
        if caller is None:
            raise self._access.wrong(request)
        if not sees(caller, record):
            raise _nobody(request)
        needed = _needed(request)
        if not caller.role.may(needed):
            raise MimError(ErrorCode.FORBIDDEN, f"this needs the role {needed}; the token has the role {caller.role}")
        self._access.limited(caller)
        return await self._secrets.api_key(record, self._model.get)


def _is_file(request: web.Request) -> bool:
    return request.method == "PUT" or request.path.endswith("/media")


def _place(path: str) -> str:
    """The path at the instance's own port."""
    if path.startswith("/api/v1/instances/"):
        return f"/api/v1/{path.split('/', 5)[5]}"
    before = 3 if path.startswith("/i/") else 2
    return f"/{path.split('/', before)[before]}"


async def _passing(content: aiohttp.StreamReader, patience: asyncio.Timeout) -> AsyncIterator[bytes]:
    """A file, block by block; as long as it moves on there is time. Who is silent is not waited for till `FILE_S`."""
    async for block in content.iter_chunked(BLOCK):
        patience.reschedule(asyncio.get_running_loop().time() + ANSWER_S)
        yield block


async def _passed_on(
    request: web.Request, answer: aiohttp.ClientResponse, headers: dict[str, str], patience: asyncio.Timeout
) -> web.StreamResponse:
    """A file, block by block."""
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = answer.content_length
    await response.prepare(request)
    async for block in _passing(answer.content, patience):
        await response.write(block)
    await response.write_eof()
    return response


def _needed(request: web.Request) -> Role:
    """The role that an access token must have: the same as for what the gateway's own routes do alike."""
    if request.method in ("GET", "HEAD"):
        return Role.VIEWER
    return Role.ADMIN if _place(request.path) in _OWNERS else Role.OPERATOR


def _nobody(request: web.Request) -> MimError:
    port, identity = request.match_info.get("port"), request.match_info.get("id", "")
    if port is None:
        reason = "it does not exist, or no worker has it"
        return MimError(ErrorCode.NOT_FOUND, f"the instance {identity[:40]!r} cannot be reached now: {reason}")
    return MimError(ErrorCode.NOT_FOUND, f"no instance lives on port {port}")


@asynccontextmanager
async def proxy(model: ReadModel, access: Access, workers: Workers, secrets: Secrets) -> AsyncIterator[Proxy]:
    """A proxy with connections of its own."""
    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=30)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield Proxy(session, model, access, workers, secrets)

"""The wire: HTTP requests in, JSON answers out, connections that break when a test says so."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from mim.emulators.telegram.bots import ApiError, Bot, Json
from mim.emulators.telegram.emulator import Emulator
from mim.emulators.telegram.methods import MAX_UPLOAD_BYTES, METHODS, Args, Upload

_KEPT_BYTES = 1 << 20


@asynccontextmanager
async def serve(port: int = 0, emulator: Emulator | None = None, host: str = "127.0.0.1") -> AsyncIterator[Emulator]:
    """Serve an emulator (`port` 0: any free one) until the block ends; `emulator.url` is its address on loopback."""
    emulator = emulator or Emulator()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _answer(emulator, request)

    # handler_cancellation: a poll whose client went away must stop counting as one.
    server = web.Server(handle, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=4096)
        await site.start()
        emulator.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield emulator
    finally:
        await runner.cleanup()


async def _answer(emulator: Emulator, request: web.BaseRequest) -> web.StreamResponse:
    if request.path.startswith("/file/bot"):
        return _file(emulator, request.path.removeprefix("/file/bot"))
    token, slash, method = request.path.removeprefix("/bot").partition("/")
    if not request.path.startswith("/bot") or not slash:
        return _respond(404, ApiError(404).body)
    method = method.lower()  # HttpConnection and Query of the official server: methods know no case
    try:
        bot = emulator.authorize(token)
    except ApiError as error:
        return _respond(error.code, error.body)
    transport = request.transport
    if transport is None:  # the client is gone already
        return web.Response()
    bot.connections.add(transport)
    try:
        response = await _carry_out(emulator, bot, method, request)
    except ApiError as error:
        response = _respond(error.code, error.body)
    except ConnectionAbortedError:
        emulator.calls.append((bot.id, method, 0))
        transport.abort()
        return web.Response()
    finally:
        bot.connections.discard(transport)
    emulator.calls.append((bot.id, method, response.status))
    return response


def _file(emulator: Emulator, path: str) -> web.Response:
    """`/file/bot<token>/<file_path>`: what `getFile` said where to get."""
    token, _, place = path.partition("/")
    try:
        emulator.authorize(token)
    except ApiError as error:
        return _respond(error.code, error.body)
    content = emulator.files.get(place.removeprefix("files/"))
    return _respond(404, ApiError(404).body) if content is None else web.Response(body=content)


async def _carry_out(emulator: Emulator, bot: Bot, method: str, request: web.BaseRequest) -> web.Response:
    """Run into a fault or carry the call out.

    Raises: ConnectionAbortedError if the connection is to be closed unanswered.
    """
    fault = emulator.next_fault(bot.id, method)
    if fault:
        await asyncio.sleep(fault.delay_s)
    if bot.unreachable or (fault and fault.drop):
        raise ConnectionAbortedError
    if fault and fault.body is not None:
        return web.Response(status=fault.status or 200, text=fault.body)
    if fault and fault.status:
        raise ApiError(fault.status, fault.description, fault.retry_after)
    if method not in METHODS:
        raise ApiError(404, "Not Found: method not found")
    result = await METHODS[method](emulator, bot, await _arguments(request))
    if fault and fault.lose:
        raise ConnectionAbortedError
    if fault:
        result = fault.disturbed(result)
    return _respond(200, {"ok": True, "result": result})


async def _arguments(request: web.BaseRequest) -> Args:
    args = dict(request.query)
    if not request.body_exists:
        return Args(args)
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            raise ApiError(400, "Bad Request: can't parse JSON object") from None
        given = body.items() if isinstance(body, dict) else ()
        return Args(args | {key: value if isinstance(value, str) else json.dumps(value) for key, value in given})
    if request.content_type == "multipart/form-data":
        return await _parts(request, args)
    return Args(args | dict(parse_qsl(await request.text(), keep_blank_values=True)))


async def _parts(request: web.BaseRequest, args: dict[str, str]) -> Args:
    """The fields and files of a multipart body."""
    files: dict[str, Upload] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise ApiError(400, "Bad Request: can't parse multipart body")
        if part.filename is None:
            args[part.name] = await part.text()
        else:
            files[part.name] = await _upload(part, part.filename)
    return Args(args, files)


async def _upload(part: BodyPartReader, name: str) -> Upload:
    digest, size_bytes, content = hashlib.sha256(), 0, b""
    while block := await part.read_chunk(1 << 18):
        size_bytes += len(block)
        if size_bytes > MAX_UPLOAD_BYTES:
            raise ApiError(413, "Request Entity Too Large")
        digest.update(block)
        if len(content) < _KEPT_BYTES:
            content += block
    content_type = part.headers.get("Content-Type", "application/octet-stream")
    return Upload(name, content_type, size_bytes, digest.hexdigest(), content)


def _respond(status: int, body: Json) -> web.Response:
    retry_after = body.get("parameters", {}).get("retry_after")
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)

"""The wire: HTTP requests in, JSON answers out, connections that break when a test says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from aiohttp import web

from mim.emulators.telegram.bots import ApiError, Bot, Json
from mim.emulators.telegram.emulator import Emulator
from mim.emulators.telegram.methods import METHODS, Args


@asynccontextmanager
async def serve(port: int = 0, emulator: Emulator | None = None) -> AsyncIterator[Emulator]:
    """Serve an emulator on loopback (`port` 0: any free one) until the block ends; `emulator.url` is its address."""
    emulator = emulator or Emulator()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _answer(emulator, request)

    # handler_cancellation: a poll whose client went away must stop counting as one.
    server = web.Server(handle, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
        await site.start()
        emulator.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield emulator
    finally:
        await runner.cleanup()


async def _answer(emulator: Emulator, request: web.BaseRequest) -> web.StreamResponse:
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
    return _respond(200, {"ok": True, "result": result})


async def _arguments(request: web.BaseRequest) -> Args:
    args = dict(request.query)
    if not request.body_exists:
        return args
    if request.content_type == "application/json":
        try:
            body = await request.json()
        except ValueError:
            raise ApiError(400, "Bad Request: can't parse JSON object") from None
        given = body.items() if isinstance(body, dict) else ()
        return args | {key: value if isinstance(value, str) else json.dumps(value) for key, value in given}
    if request.content_type == "multipart/form-data":
        return args | {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    return args | dict(parse_qsl(await request.text(), keep_blank_values=True))


def _respond(status: int, body: Json) -> web.Response:
    retry_after = body.get("parameters", {}).get("retry_after")
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)

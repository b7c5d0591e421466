"""From a request to its answer: unwrap it, run into a fault or carry it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from telethon.tl import functions, types

from mim.emulators.mtproto import wire
from mim.emulators.mtproto.faults import Fault
from mim.emulators.mtproto.methods import account, contacts, groups, history, media, messages
from mim.emulators.mtproto.people import RpcError
from mim.emulators.mtproto.world import Call

log = structlog.get_logger(__name__)

Method = Callable[[Call, Any], Any]

_HOMES = (account, contacts, groups, history, media, messages)
METHODS: dict[Any, Method] = {request: method for home in _HOMES for request, method in home.METHODS.items()}

_WRAPPERS = (
    functions.InvokeWithLayerRequest,
    functions.InitConnectionRequest,
    functions.InvokeWithoutUpdatesRequest,
    functions.InvokeAfterMsgRequest,
    functions.InvokeAfterMsgsRequest,
)


def name_of(kind: Any) -> str:
    """The name of a class of requests as in Telegram's documents: `messages.sendMessage`."""
    bare = kind.__name__.removesuffix("Request")
    bare = bare[0].lower() + bare[1:]
    section = kind.__module__.rpartition(".")[2]
    return bare if section == "functions" else f"{section}.{bare}"


def unwrap(call: Call, request: Any) -> Any:
    """The request itself; what its wrappers say of device and connection is remembered."""
    wants_updates = not call.link.receives_updates
    while isinstance(request, _WRAPPERS):
        if isinstance(request, functions.InvokeWithoutUpdatesRequest):
            wants_updates = False
        if isinstance(request, functions.InitConnectionRequest):
            call.device.initialised = True
            fields = ("device_model", "system_version", "app_version")
            call.device.app = {field: str(getattr(request, field))[:100] for field in fields}
        request = request.query
    if wants_updates:
        call.device.begin_updates(call.link)
    return request


def carry_out(call: Call, request: Any, fault: Fault | None) -> bytes:
    """The answer to a request as bytes: its result, or an `RpcError`."""
    name, person = name_of(type(request)), call.device.person
    try:
        result = wire.write(_result(call, request, fault))
        error = ""
    except RpcError as refused:
        result = bytes(types.RpcError(refused.code, refused.message))
        error = refused.message
    except Exception as defect:
        # Without an answer the client would ask for ever, and nobody would see why.
        log.exception("method_failed", method=name)
        error = f"EMULATOR_FAILED_{type(defect).__name__}"
        result = bytes(types.RpcError(400, error))
    person = person or call.device.person
    call.world.calls.append((person.phone if person else "", name, error))
    return result


def _result(call: Call, request: Any, fault: Fault | None) -> Any:
    refusal = fault.refusal() if fault else None
    if refusal is not None:
        raise refusal
    destroyed = call.device.refusal
    if destroyed is not None and destroyed.code == 406:
        raise RpcError(destroyed.code, destroyed.message)
    if not call.device.initialised:
        raise RpcError(400, "CONNECTION_NOT_INITED")
    method = METHODS.get(type(request))
    if method is None:
        raise RpcError(400, f"METHOD_NOT_EMULATED_{name_of(type(request))}")
    return method(call, request)

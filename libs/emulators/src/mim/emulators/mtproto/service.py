"""The protocol's own messages: what is asked about messages, salts, sessions and keys.

Source: https://core.telegram.org/mtproto/service_messages.
"""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto import wire
from mim.emulators.mtproto.people import Device
from mim.emulators.mtproto.session import Session
from mim.emulators.mtproto.world import World

_SALT_S = 1800
_NOT_SEEN, _SEEN = 1, 4
_ASKS = (
    functions.PingRequest,
    functions.PingDelayDisconnectRequest,
    functions.GetFutureSaltsRequest,
    functions.DestroySessionRequest,
    functions.DestroyAuthKeyRequest,
    functions.RpcDropAnswerRequest,
    types.MsgsStateReq,
)
_TELLS = (types.MsgsAck, types.MsgsStateInfo, types.MsgsAllInfo, types.MsgResendReq, types.HttpWait)


def is_service(message: Any) -> bool:
    """Whether a message is the protocol's own, no request of the API."""
    return isinstance(message, _ASKS + _TELLS)


def answer(world: World, device: Device, session: Session, msg_id: int, message: Any) -> Any:
    """The reply to one of the protocol's own messages; None if it wants none."""
    match message:
        case types.MsgsAck():
            session.acknowledge(message.msg_ids)
        case functions.PingRequest() | functions.PingDelayDisconnectRequest():
            return types.Pong(msg_id, message.ping_id)
        case functions.GetFutureSaltsRequest():
            now = int(world.clock())
            return types.FutureSalts(msg_id, now, [types.FutureSalt(now, now + _SALT_S, device.salts[0])])
        case functions.DestroySessionRequest():
            known = message.session_id != session.id and device.sessions.pop(message.session_id, None)
            outcome = types.DestroySessionOk if known else types.DestroySessionNone
            return outcome(message.session_id)
        case functions.DestroyAuthKeyRequest():
            device.log_out()
            world.devices.pop(device.key.id, None)
            return types.DestroyAuthKeyOk()
        case functions.RpcDropAnswerRequest():
            return wire.rpc_result(msg_id, bytes(types.RpcAnswerUnknown()))
        case types.MsgsStateReq():
            states = (_SEEN if session.has_seen(asked) else _NOT_SEEN for asked in message.msg_ids)
            return types.MsgsStateInfo(msg_id, bytes(states))
    return None

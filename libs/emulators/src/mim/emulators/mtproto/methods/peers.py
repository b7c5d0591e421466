"""Whom or which chat a request means. An access hash must be the one that the client was given."""

from __future__ import annotations

from typing import Any

from telethon.tl import types

from mim.emulators.mtproto.groups import Group
from mim.emulators.mtproto.people import Person, RpcError
from mim.emulators.mtproto.world import Call

_MARK = -1_000_000_000_000


def person_of(call: Call, user: Any) -> Person | None:
    """The person that an `InputUser` or `InputPeer` means; None if there is none or the hash is wrong."""
    me = call.me
    if isinstance(user, types.InputUserSelf | types.InputPeerSelf):
        return me
    if not isinstance(user, types.InputUser | types.InputPeerUser):
        return None
    person = call.world.people.by_id(user.user_id)
    # Clients may name themselves with a hash of 0.
    return person if person and (user.access_hash == person.access_hash or person is me) else None


def people_of(call: Call, users: list[Any]) -> list[Person]:
    """All these people. Raises: RpcError, USER_ID_INVALID."""
    found = [person_of(call, user) for user in users]
    if None in found:
        raise RpcError(400, "USER_ID_INVALID")
    return [person for person in found if person]


def group_of(call: Call, peer: Any) -> Group:
    """The basic group, or the channel of an `InputChannel`, that the asker is in. Raises: RpcError."""
    if isinstance(peer, int):
        peer = types.InputPeerChat(peer)
    if isinstance(peer, types.InputPeerChat):
        group = call.world.groups.get(-peer.chat_id)
        if group is None or call.me.id not in group.members:
            raise RpcError(400, "CHAT_ID_INVALID")
        return group
    if not isinstance(peer, types.InputChannel | types.InputPeerChannel):
        raise RpcError(400, "PEER_ID_INVALID")
    group = call.world.groups.get(_MARK - peer.channel_id)
    if group is None or group.access_hash != peer.access_hash:
        raise RpcError(400, "CHANNEL_INVALID")
    if call.me.id not in group.members:
        raise RpcError(400, "CHANNEL_PRIVATE")
    return group


def chat_of(call: Call, peer: Any) -> int:
    """The marked id of the chat that an `InputPeer` means. Raises: RpcError."""
    if isinstance(peer, types.InputPeerChat | types.InputPeerChannel | types.InputChannel):
        return group_of(call, peer).chat
    person = person_of(call, peer)
    if person is None:
        raise RpcError(400, "PEER_ID_INVALID")
    return person.id

"""Methods that only look: dialogs, history, single messages, and what was missed while away.

Names as in https://core.telegram.org/methods; the sequences of updates as in https://core.telegram.org/api/updates.
"""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto.boxes import Box, Copy, Event
from mim.emulators.mtproto.groups import Group
from mim.emulators.mtproto.methods.peers import chat_of, group_of
from mim.emulators.mtproto.people import RpcError
from mim.emulators.mtproto.world import Call

_SLICE = 100
_MAX_LIMIT = 100


def get_state(call: Call, _q: Any) -> Any:
    """Where the account's sequence is now."""
    return _state(call, call.me.box.pts)


def _state(call: Call, pts: int) -> Any:
    unread = sum(_unread(call, chat) for chat in call.me.dialogs)
    return types.updates.State(pts=pts, qts=0, date=call.world.now(), seq=1, unread_count=unread)


def get_difference(call: Call, q: Any) -> Any:
    """What was missed since a `pts` and a date."""
    box, now = call.me.box, call.world.now()
    missed = box.since(q.pts, min(q.pts_limit or _SLICE, q.pts_total_limit or _SLICE, _SLICE))
    if missed is None:
        return types.updates.DifferenceTooLong(box.pts)
    since = q.date.timestamp() if q.date else 0.0
    others = [*box.notes_since(since), *_channels_changed(call, since)] if missed.final else []
    if not missed.events and not others:
        return types.updates.DifferenceEmpty(now, 1)
    copies, updates = _sorted_out(box, missed.events, types.UpdateNewMessage)
    updates += others
    messages = [copy.message for copy in copies]
    chats = [copy.chat for copy in copies] + [chat for update in updates for chat in _chats_of(update)]
    mentioned = call.world.chats.about(call.me, messages, chats)
    state = _state(call, missed.pts)
    kind = types.updates.Difference if missed.final else types.updates.DifferenceSlice
    return kind(messages, [], updates, mentioned["chats"], mentioned["users"], state)


def _sorted_out(box: Box, events: list[Event], new: Any) -> tuple[list[Copy], list[Any]]:
    """New messages that are still there, and all other updates."""
    fresh = [event.update.message.id for event in events if isinstance(event.update, new)]
    others = [event.update for event in events if not isinstance(event.update, new)]
    return [box.copies[message_id] for message_id in fresh if message_id in box.copies], others


def _channels_changed(call: Call, since: float) -> list[Any]:
    return [
        types.UpdateChannelTooLong(group.id, group.box.pts)
        for group in call.world.groups
        if group.box is not None and call.me.id in group.members and group.box.changed_at >= since
    ]


def _chats_of(update: Any) -> list[int]:
    """Marked ids of the chats that an update is about."""
    channel = getattr(update, "channel_id", None)
    if channel is not None:
        return [-1_000_000_000_000 - channel]
    peer = getattr(update, "peer", None) or getattr(getattr(update, "message", None), "peer_id", None)
    if isinstance(peer, types.PeerChat):
        return [-peer.chat_id]
    return [peer.user_id] if isinstance(peer, types.PeerUser) else []


def get_channel_difference(call: Call, q: Any) -> Any:
    """What was missed in a channel since a `pts`."""
    group = group_of(call, q.channel)
    box = _box(group)
    if q.pts < 1:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_INVALID")
    missed = box.since(q.pts, min(q.limit, _MAX_LIMIT))
    if missed is None:
        latest = box.chat(group.chat)[-_MAX_LIMIT:]
        messages = [call.world.chats.view(copy, call.me) for copy in latest]
        mentioned = call.world.chats.about(call.me, messages, [group.chat])
        dialog = _dialog(call, group.chat, latest[-1] if latest else None)
        return types.updates.ChannelDifferenceTooLong(dialog, messages, **mentioned, final=True)
    if not missed.events:
        return types.updates.ChannelDifferenceEmpty(box.pts, final=True)
    copies, others = _sorted_out(box, missed.events, types.UpdateNewChannelMessage)
    messages = [call.world.chats.view(copy, call.me) for copy in copies]
    mentioned = call.world.chats.about(call.me, messages, [group.chat])
    return types.updates.ChannelDifference(missed.pts, messages, others, **mentioned, final=missed.final or None)


def _box(group: Group) -> Box:
    if group.box is None:
        raise RpcError(400, "CHANNEL_INVALID")
    return group.box


def get_dialogs(call: Call, q: Any) -> Any:
    """Chats, the latest first."""
    if q.folder_id:
        return types.messages.Dialogs([], [], [], [])
    tops = [(chat, top) for chat in call.me.dialogs if (top := _top(call, chat)) is not None]
    tops.sort(key=lambda pair: (pair[1].message.date, pair[1].message.id), reverse=True)
    begin = 0
    if not isinstance(q.offset_peer, types.InputPeerEmpty):
        after = chat_of(call, q.offset_peer)
        begin = next((place + 1 for place, (chat, _) in enumerate(tops) if chat == after), 0)
    shown = tops[begin : begin + min(q.limit or _MAX_LIMIT, _MAX_LIMIT)]
    fields = _dialogs(call, shown)
    if len(shown) == len(tops):
        return types.messages.Dialogs(**fields)
    return types.messages.DialogsSlice(len(tops), **fields)


def get_peer_dialogs(call: Call, q: Any) -> Any:
    """Certain chats."""
    chats = [chat_of(call, dialog.peer) for dialog in q.peers if isinstance(dialog, types.InputDialogPeer)]
    fields = _dialogs(call, [(chat, _top(call, chat)) for chat in chats])
    return types.messages.PeerDialogs(**fields, state=_state(call, call.me.box.pts))


def _dialogs(call: Call, tops: list[tuple[int, Any]]) -> dict[str, Any]:
    messages = [call.world.chats.view(top, call.me) for _, top in tops if top is not None]
    mentioned = call.world.chats.about(call.me, messages, [chat for chat, _ in tops])
    return {"dialogs": [_dialog(call, chat, top) for chat, top in tops], "messages": messages, **mentioned}


def _dialog(call: Call, chat: int, top: Copy | None) -> Any:
    read, group = call.me.dialog(chat), call.world.groups.get(chat)
    return types.Dialog(
        peer=group.peer if group else types.PeerUser(chat),
        top_message=top.message.id if top else 0,
        read_inbox_max_id=read.read_inbox,
        read_outbox_max_id=read.read_outbox,
        unread_count=_unread(call, chat),
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        notify_settings=types.PeerNotifySettings(),
        pts=group.box.pts if group and group.box else None,
    )


def _copies(call: Call, chat: int) -> list[Copy]:
    """The messages of a chat that the asker sees, oldest first."""
    group = call.world.groups.get(chat)
    if group is not None and group.box is not None:
        return group.box.chat(chat) if call.me.id in group.members else []
    return call.me.box.chat(chat)


def _top(call: Call, chat: int) -> Copy | None:
    copies = _copies(call, chat)
    return copies[-1] if copies else None


def _unread(call: Call, chat: int) -> int:
    read, me = call.me.dialog(chat).read_inbox, call.me.id
    return sum(copy.message.id > read and copy.post.author_id != me for copy in _copies(call, chat))


def get_history(call: Call, q: Any) -> Any:
    """Messages of a chat, the latest first."""
    return _page(call, chat_of(call, q.peer), q, lambda _: True)


def search(call: Call, q: Any) -> Any:
    """Messages of a chat with a word, of a kind, or by a person; the latest first."""
    chat = chat_of(call, q.peer)
    author = chat_of(call, q.from_id) if q.from_id else None
    kinds = {
        types.InputMessagesFilterPhotos: types.MessageMediaPhoto,
        types.InputMessagesFilterDocument: types.MessageMediaDocument,
        types.InputMessagesFilterContacts: types.MessageMediaContact,
        types.InputMessagesFilterGeo: types.MessageMediaGeo,
    }
    kind = kinds.get(type(q.filter))

    def fits(copy: Copy) -> bool:
        text, media = getattr(copy.message, "message", "") or "", getattr(copy.message, "media", None)
        by = author is None or copy.post.author_id == author
        return by and q.q.lower() in text.lower() and (kind is None or isinstance(media, kind))

    return _page(call, chat, q, fits)


def _page(call: Call, chat: int, q: Any, fits: Any) -> Any:
    """The part of a chat that offsets and limits ask for (https://core.telegram.org/api/offsets)."""
    latest = [copy for copy in reversed(_copies(call, chat)) if fits(copy)]
    date = getattr(q, "offset_date", None)
    begin = 0
    if q.offset_id:
        begin = sum(copy.message.id >= q.offset_id for copy in latest)
    elif date and date.timestamp() > 0:
        begin = sum(copy.message.date >= date for copy in latest)
    begin += q.add_offset
    end = max(0, begin + min(q.limit, _MAX_LIMIT))
    shown = [
        call.world.chats.view(copy, call.me)
        for copy in latest[max(0, begin) : end]
        if (not q.max_id or copy.message.id < q.max_id) and copy.message.id > q.min_id
    ]
    return _found(call, chat, shown, len(latest))


def _found(call: Call, chat: int, messages: list[Any], total: int) -> Any:
    mentioned = call.world.chats.about(call.me, messages, [chat])
    group = call.world.groups.get(chat)
    if group is not None and group.box is not None:
        return types.messages.ChannelMessages(group.box.pts, total, messages, [], **mentioned)
    if len(messages) == total:
        return types.messages.Messages(messages, [], **mentioned)
    return types.messages.MessagesSlice(total, messages, [], **mentioned)


def get_messages(call: Call, q: Any) -> Any:
    """Messages of private chats and basic groups by id."""
    return _by_id(call, call.me.box, q.id, 0)


def get_channel_messages(call: Call, q: Any) -> Any:
    """Messages of a channel by id."""
    group = group_of(call, q.channel)
    return _by_id(call, _box(group), q.id, group.chat)


def _by_id(call: Call, box: Box, ids: list[Any], chat: int) -> Any:
    found = [(wanted, box.copies.get(getattr(wanted, "id", 0))) for wanted in ids[:_MAX_LIMIT]]
    known = {copy.message.id: call.world.chats.view(copy, call.me) for _, copy in found if copy}
    messages = [
        known[copy.message.id] if copy else types.MessageEmpty(getattr(wanted, "id", 0), None) for wanted, copy in found
    ]
    mentioned = call.world.chats.about(call.me, known.values(), [chat])
    if chat:
        return types.messages.ChannelMessages(box.pts, len(messages), messages, [], **mentioned)
    return types.messages.Messages(messages, [], **mentioned)


METHODS = {
    functions.updates.GetStateRequest: get_state,
    functions.updates.GetDifferenceRequest: get_difference,
    functions.updates.GetChannelDifferenceRequest: get_channel_difference,
    functions.messages.GetDialogsRequest: get_dialogs,
    functions.messages.GetPeerDialogsRequest: get_peer_dialogs,
    functions.messages.GetHistoryRequest: get_history,
    functions.messages.SearchRequest: search,
    functions.messages.GetMessagesRequest: get_messages,
    functions.channels.GetMessagesRequest: get_channel_messages,
}

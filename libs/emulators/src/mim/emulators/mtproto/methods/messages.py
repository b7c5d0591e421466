"""Methods that change messages: sending, editing, deleting, reading, reacting, typing, forwarding.

Names and errors as in https://core.telegram.org/methods.
"""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto.boxes import Copy
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.methods.peers import chat_of, group_of, people_of
from mim.emulators.mtproto.people import RpcError
from mim.emulators.mtproto.world import Call

MAX_TEXT, MAX_FORWARDED = 4096, 100


def send_message(call: Call, q: Any) -> Any:
    """Send text. A `random_id` that was used before gives the message of that time again."""
    chat = chat_of(call, q.peer)
    again = repeated(call, q.random_id)
    if again is not None:
        return again
    draft = Draft(
        checked_text(q.message, MAX_TEXT),
        entities_of(call, q.entities),
        reply_to=reply_of(q.reply_to),
        silent=bool(q.silent),
    )
    copy, update = call.world.mail.send(call.me, chat, draft, call.device)
    call.me.remember(q.random_id, copy)
    if chat < 0 or chat == call.me.id:
        return sent(call, [(q.random_id, copy, update)])
    message = copy.message
    return types.UpdateShortSentMessage(
        message.id, update.pts, update.pts_count, message.date, out=True, entities=message.entities
    )


def sent(call: Call, outcomes: list[tuple[int, Copy, Any]]) -> Any:
    """What a sender gets: the ids of their random ids, and the new messages."""
    ids = [types.UpdateMessageID(copy.message.id, random_id) for random_id, copy, _ in outcomes]
    updates = [update for _, _, update in outcomes]
    messages = [copy.message for _, copy, _ in outcomes]
    return call.world.chats.updates(call.me, ids + updates, messages, {copy.chat for _, copy, _ in outcomes})


def repeated(call: Call, random_id: int) -> Any:
    """The answer to a message that was sent before, as the real server gives it: with a `pts_count` of 0."""
    if not random_id:
        raise RpcError(400, "RANDOM_ID_EMPTY")
    copy = call.me.sent.get(random_id)
    if copy is None:
        return None
    message = call.world.chats.view(copy, call.me)
    group = call.world.groups.get(copy.chat)
    if group is not None and group.box is not None:
        return sent(call, [(random_id, copy, types.UpdateNewChannelMessage(message, group.box.pts, 0))])
    return sent(call, [(random_id, copy, types.UpdateNewMessage(message, call.me.box.pts, 0))])


def checked_text(text: str, longest: int) -> str:
    """The text without white space around. Raises: RpcError if nothing is left, or too much."""
    if not text.strip():
        raise RpcError(400, "MESSAGE_EMPTY")
    if len(text) > longest:
        raise RpcError(400, "MESSAGE_TOO_LONG" if longest == MAX_TEXT else "MEDIA_CAPTION_TOO_LONG")
    return text.strip()


def entities_of(call: Call, entities: list[Any] | None) -> list[Any] | None:
    """Formatting as others see it: mentions by id instead of by access hash."""
    seen = []
    for entity in entities or []:
        if isinstance(entity, types.InputMessageEntityMentionName):
            (person,) = people_of(call, [entity.user_id])
            seen.append(types.MessageEntityMentionName(entity.offset, entity.length, person.id))
        else:
            seen.append(entity)
    return seen or None


def reply_of(reply: Any) -> int | None:
    """The message that is answered."""
    if reply is None:
        return None
    if not isinstance(reply, types.InputReplyToMessage):
        raise RpcError(400, "REPLY_MESSAGE_ID_INVALID")
    return int(reply.reply_to_msg_id)


def delete_messages(call: Call, q: Any) -> Any:
    """Delete messages of private chats and basic groups."""
    before = call.me.box.pts
    call.world.mail.delete(call.me, None, q.id, revoke=bool(q.revoke), origin=call.device)
    return types.messages.AffectedMessages(call.me.box.pts, call.me.box.pts - before)


def delete_history(call: Call, q: Any) -> Any:
    """Clear a private chat or basic group, also one that was left; with `revoke` the other's half of the chat too."""
    left = isinstance(q.peer, types.InputPeerChat)
    chat = -q.peer.chat_id if left else chat_of(call, q.peer)
    if q.revoke and not left:
        ids = [copy.message.id for copy in call.me.box.chat(chat)]
        call.world.mail.delete(call.me, chat, ids, revoke=True, origin=call.device)
        return types.messages.AffectedHistory(call.me.box.pts, len(ids), 0)
    count = call.world.mail.clear(call.me, chat, call.device)
    return types.messages.AffectedHistory(call.me.box.pts, count, 0)


def delete_channel_messages(call: Call, q: Any) -> Any:
    """Delete messages of a channel, which is for all."""
    group = group_of(call, q.channel)
    if group.box is None:
        raise RpcError(400, "CHANNEL_INVALID")
    before = group.box.pts
    call.world.mail.delete(call.me, group.chat, q.id, revoke=True, origin=call.device)
    return types.messages.AffectedMessages(group.box.pts, group.box.pts - before)


def read_history(call: Call, q: Any) -> Any:
    """Read a private chat or basic group."""
    before = call.me.box.pts
    call.world.attention.read(call.me, chat_of(call, q.peer), q.max_id, call.device)
    return types.messages.AffectedMessages(call.me.box.pts, call.me.box.pts - before)


def read_channel_history(call: Call, q: Any) -> Any:
    """Read a channel."""
    return bool(call.world.attention.read(call.me, group_of(call, q.channel).chat, q.max_id, call.device))


def set_typing(call: Call, q: Any) -> Any:
    """Tell the others that one is typing."""
    call.world.attention.typing(call.me, chat_of(call, q.peer), q.action)
    return True


def send_reaction(call: Call, q: Any) -> Any:
    """React to a message, or take a reaction back."""
    chat = chat_of(call, q.peer)
    emoji = [reaction.emoticon for reaction in q.reaction or [] if isinstance(reaction, types.ReactionEmoji)]
    if len(emoji) < len([one for one in q.reaction or [] if not isinstance(one, types.ReactionEmpty)]):
        raise RpcError(400, "REACTION_INVALID")
    update = call.world.attention.react(call.me, chat, q.msg_id, emoji, call.device)
    return call.world.chats.updates(call.me, [update], chats=[chat])


def forward_messages(call: Call, q: Any) -> Any:
    """Send messages again, with or without saying whose they were."""
    source, chat = chat_of(call, q.from_peer), chat_of(call, q.to_peer)
    if len(q.id) != len(q.random_id) or len(q.id) > MAX_FORWARDED:
        raise RpcError(400, "RANDOM_ID_INVALID")
    originals = [call.world.chats.find(call.me, source, message_id) for message_id in q.id]
    if not originals or None in originals:
        raise RpcError(400, "MESSAGE_ID_INVALID")
    outcomes = []
    for original, random_id in zip(originals, q.random_id, strict=True):
        if original is not None and repeated(call, random_id) is None:
            draft = _forward_of(original, nameless=bool(q.drop_author), silent=bool(q.silent))
            copy, update = call.world.mail.send(call.me, chat, draft, call.device)
            call.me.remember(random_id, copy)
            outcomes.append((random_id, copy, update))
    return sent(call, outcomes) if outcomes else repeated(call, q.random_id[0])


def _forward_of(original: Copy, *, nameless: bool, silent: bool) -> Draft:
    message = original.message
    if not isinstance(message, types.Message):
        raise RpcError(400, "MESSAGE_ID_INVALID")
    origin = message.fwd_from or types.MessageFwdHeader(message.date, from_id=types.PeerUser(original.post.author_id))
    return Draft(
        message.message,
        message.entities,
        message.media,
        forwarded=None if nameless else origin,
        silent=silent,
    )


METHODS = {
    functions.messages.SendMessageRequest: send_message,
    functions.messages.DeleteMessagesRequest: delete_messages,
    functions.messages.DeleteHistoryRequest: delete_history,
    functions.messages.ReadHistoryRequest: read_history,
    functions.messages.SetTypingRequest: set_typing,
    functions.messages.SendReactionRequest: send_reaction,
    functions.messages.ForwardMessagesRequest: forward_messages,
    functions.channels.DeleteMessagesRequest: delete_channel_messages,
    functions.channels.ReadHistoryRequest: read_channel_history,
}

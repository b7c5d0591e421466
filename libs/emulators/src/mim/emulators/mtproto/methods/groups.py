"""Methods for groups: making them, who is in them, joining and leaving. Names as in https://core.telegram.org/methods."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from mim.emulators.mtproto.groups import ALL_RIGHTS, Group, Member
from mim.emulators.mtproto.mail import Draft
from mim.emulators.mtproto.methods.peers import group_of, people_of, person_of
from mim.emulators.mtproto.people import Person, RpcError
from mim.emulators.mtproto.world import Call

_MAX_TITLE = 255
_MAX_SHOWN = 200


def create_chat(call: Call, q: Any) -> Any:
    """Make a basic group with some people."""
    people = people_of(call, q.users)
    group = call.world.groups.add(_title(q.title), call.me)
    for person in people:
        call.world.groups.join(group, person, call.me)
    action = types.MessageActionChatCreate(group.title, list(group.members))
    return types.messages.InvitedUsers(_service(call, group, action), [])


def create_channel(call: Call, q: Any) -> Any:
    """Make a supergroup or a channel."""
    group = call.world.groups.add(_title(q.title), call.me, channel=True, broadcast=bool(q.broadcast))
    group.about = q.about
    return _service(call, group, types.MessageActionChannelCreate(group.title))


def _title(title: str) -> str:
    if not title.strip() or len(title) > _MAX_TITLE:
        raise RpcError(400, "CHAT_TITLE_EMPTY")
    return title.strip()


def _service(call: Call, group: Group, action: Any) -> Any:
    """Tell everybody in a group what has happened to it."""
    copy, update = call.world.mail.send(call.me, group.chat, Draft(action=action), call.device)
    return call.world.chats.updates(call.me, [update], [copy.message], [group.chat])


def add_chat_user(call: Call, q: Any) -> Any:
    """Take one person into a basic group."""
    group, (person,) = group_of(call, q.chat_id), people_of(call, [q.user_id])
    if person.id in group.members:
        raise RpcError(400, "USER_ALREADY_PARTICIPANT")
    call.world.groups.join(group, person, call.me)
    return types.messages.InvitedUsers(_service(call, group, types.MessageActionChatAddUser([person.id])), [])


def invite_to_channel(call: Call, q: Any) -> Any:
    """Take people into a supergroup or channel."""
    group, people = group_of(call, q.channel), people_of(call, q.users)
    fresh = [person for person in people if person.id not in group.members]
    for person in fresh:
        call.world.groups.join(group, person, call.me)
    action = types.MessageActionChatAddUser([person.id for person in fresh])
    return types.messages.InvitedUsers(_service(call, group, action), [])


def delete_chat_user(call: Call, q: Any) -> Any:
    """Leave a basic group, or take somebody out of it."""
    group, (person,) = group_of(call, q.chat_id), people_of(call, [q.user_id])
    return _remove(call, group, person)


def leave_channel(call: Call, q: Any) -> Any:
    """Leave a supergroup or channel."""
    return _remove(call, group_of(call, q.channel), call.me)


def _remove(call: Call, group: Group, person: Person) -> Any:
    if person.id not in group.members:
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    if call.me is not person:
        _check_admin(call, group)
    told = _service(call, group, types.MessageActionChatDeleteUser(person.id))
    call.world.groups.leave(group, person)
    told.chats = [group.seen_by(call.me)]
    return told


def _check_admin(call: Call, group: Group) -> None:
    if not group.is_admin(call.me):
        raise RpcError(400, "CHAT_ADMIN_REQUIRED")


def edit_banned(call: Call, q: Any) -> Any:
    """Ban somebody from a supergroup or channel, which takes them out of it, or lift a ban."""
    group, person = group_of(call, q.channel), person_of(call, q.participant)
    _check_admin(call, group)
    if person is None:
        raise RpcError(400, "PARTICIPANT_ID_INVALID")
    if not q.banned_rights.view_messages:
        return call.world.chats.updates(call.me, [], chats=[group.chat])
    return _remove(call, group, person)


def edit_chat_admin(call: Call, q: Any) -> Any:
    """Make somebody an admin of a basic group, or take that back."""
    group, (person,) = group_of(call, q.chat_id), people_of(call, [q.user_id])
    _promote(call, group, person, is_admin=q.is_admin)
    return True


def edit_admin(call: Call, q: Any) -> Any:
    """Make somebody an admin of a supergroup or channel, or take that back."""
    group, (person,) = group_of(call, q.channel), people_of(call, [q.user_id])
    _promote(call, group, person, is_admin=any(value for key, value in q.admin_rights.to_dict().items() if key != "_"))
    return call.world.chats.updates(call.me, [], chats=[group.chat])


def _promote(call: Call, group: Group, person: Person, *, is_admin: bool) -> None:
    _check_admin(call, group)
    if person.id not in group.members:
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    call.world.groups.promote(group, person, is_admin=is_admin)


def edit_title(call: Call, q: Any) -> Any:
    """Give a group another title."""
    group = group_of(call, q.chat_id if hasattr(q, "chat_id") else q.channel)
    group.title = _title(q.title)
    return _service(call, group, types.MessageActionChatEditTitle(group.title))


def get_chats(call: Call, q: Any) -> Any:
    """Basic groups by id."""
    return types.messages.Chats([group_of(call, chat_id).seen_by(call.me) for chat_id in q.id])


def get_channels(call: Call, q: Any) -> Any:
    """Supergroups and channels."""
    return types.messages.Chats([group_of(call, channel).seen_by(call.me) for channel in q.id])


def get_full_chat(call: Call, q: Any) -> Any:
    """All about a basic group."""
    group = group_of(call, q.chat_id)
    participants = types.ChatParticipants(
        group.id, [_chat_participant(group, one) for one in group.members.values()], group.version
    )
    settings = types.PeerNotifySettings()
    full = types.ChatFull(group.id, group.about, participants, settings, exported_invite=_exported(call, group))
    return types.messages.ChatFull(full, [group.seen_by(call.me)], _users(call, group.members.values()))


def _chat_participant(group: Group, member: Member) -> Any:
    if member.person is group.creator:
        return types.ChatParticipantCreator(member.person.id)
    if member.is_admin:
        return types.ChatParticipantAdmin(member.person.id, member.inviter_id, member.since)
    return types.ChatParticipant(member.person.id, member.inviter_id, member.since)


def get_full_channel(call: Call, q: Any) -> Any:
    """All about a supergroup or channel."""
    group = group_of(call, q.channel)
    read = call.me.dialog(group.chat)
    full = types.ChannelFull(
        id=group.id,
        about=group.about,
        read_inbox_max_id=read.read_inbox,
        read_outbox_max_id=read.read_outbox,
        unread_count=0,
        chat_photo=types.PhotoEmpty(0),
        notify_settings=types.PeerNotifySettings(),
        bot_info=[],
        pts=group.box.pts if group.box else 0,
        participants_count=len(group.members),
        can_view_participants=(not group.broadcast) or None,
        exported_invite=_exported(call, group),
    )
    return types.messages.ChatFull(full, [group.seen_by(call.me)], [])


def get_participants(call: Call, q: Any) -> Any:
    """Who is in a supergroup or channel, in pages."""
    group = group_of(call, q.channel)
    words = getattr(q.filter, "q", "").lower()
    members = [one for one in group.members.values() if words in f"{one.person.name} {one.person.username}".lower()]
    if isinstance(q.filter, types.ChannelParticipantsAdmins):
        members = [member for member in members if group.is_admin(member.person)]
    shown = members[q.offset : q.offset + min(q.limit, _MAX_SHOWN)]
    participants = [_participant(call, group, member) for member in shown]
    return types.channels.ChannelParticipants(len(members), participants, [], _users(call, shown))


def get_participant(call: Call, q: Any) -> Any:
    """One member of a supergroup or channel."""
    group, person = group_of(call, q.channel), person_of(call, q.participant)
    member = group.members.get(person.id) if person else None
    if member is None:
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    participant = _participant(call, group, member)
    return types.channels.ChannelParticipant(participant, [], _users(call, [member]))


def _participant(call: Call, group: Group, member: Member) -> Any:
    if member.person is group.creator:
        return types.ChannelParticipantCreator(member.person.id, ALL_RIGHTS)
    if member.is_admin:
        return types.ChannelParticipantAdmin(member.person.id, group.creator.id, member.since, ALL_RIGHTS)
    if member.person is call.me:
        return types.ChannelParticipantSelf(member.person.id, member.inviter_id, member.since)
    return types.ChannelParticipant(member.person.id, member.since)


def _users(call: Call, members: Any) -> list[Any]:
    return [member.person.seen_by(call.me) for member in members]


def export_invite(call: Call, q: Any) -> Any:
    """The invite link of a group."""
    group = group_of(call, q.peer)
    _check_admin(call, group)
    call.world.groups.link(group, renew=bool(q.legacy_revoke_permanent))
    return _exported(call, group)


def _exported(call: Call, group: Group) -> Any:
    if not group.invite or not group.is_admin(call.me):
        return None
    link = call.world.groups.link(group)
    return types.ChatInviteExported(link, group.creator.id, group.created, permanent=True)


def check_invite(call: Call, q: Any) -> Any:
    """Where an invite link leads."""
    group = _invited(call, q.hash)
    if call.me.id in group.members:
        return types.ChatInviteAlready(group.seen_by(call.me))
    count, flag = len(group.members), group.box is not None or None
    megagroup = (flag and not group.broadcast) or None
    return types.ChatInvite(group.title, types.PhotoEmpty(0), count, 0, channel=flag, megagroup=megagroup)


def import_invite(call: Call, q: Any) -> Any:
    """Join by an invite link."""
    group = _invited(call, q.hash)
    if call.me.id in group.members:
        raise RpcError(400, "USER_ALREADY_PARTICIPANT")
    call.world.groups.join(group, call.me, group.creator)
    told = _service(call, group, types.MessageActionChatJoinedByLink(group.creator.id))
    return types.messages.ChatInviteJoinResultOk(told)


def _invited(call: Call, invite: str) -> Group:
    _ = call.me
    group = call.world.groups.by_invite(invite)
    if group is None:
        raise RpcError(400, "INVITE_HASH_EXPIRED")
    return group


METHODS = {
    functions.messages.CreateChatRequest: create_chat,
    functions.messages.AddChatUserRequest: add_chat_user,
    functions.messages.DeleteChatUserRequest: delete_chat_user,
    functions.messages.EditChatTitleRequest: edit_title,
    functions.messages.EditChatAdminRequest: edit_chat_admin,
    functions.messages.GetChatsRequest: get_chats,
    functions.messages.GetFullChatRequest: get_full_chat,
    functions.messages.ExportChatInviteRequest: export_invite,
    functions.messages.CheckChatInviteRequest: check_invite,
    functions.messages.ImportChatInviteRequest: import_invite,
    functions.channels.CreateChannelRequest: create_channel,
    functions.channels.InviteToChannelRequest: invite_to_channel,
    functions.channels.LeaveChannelRequest: leave_channel,
    functions.channels.EditTitleRequest: edit_title,
    functions.channels.EditAdminRequest: edit_admin,
    functions.channels.EditBannedRequest: edit_banned,
    functions.channels.GetChannelsRequest: get_channels,
    functions.channels.GetFullChannelRequest: get_full_channel,
    functions.channels.GetParticipantsRequest: get_participants,
    functions.channels.GetParticipantRequest: get_participant,
}

"""Routes of an instance's port that the message store answers: chats, contacts, messages, and messages to many."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from aiohttp import web

from mim.contracts.answers import (
    ChatList,
    ContactList,
    MessageList,
    StoredMessages,
    StoredStatsAnswer,
)
from mim.contracts.api import PageQuery, StoredQuery
from mim.contracts.bulk import BulkAnswer, BulkBody, BulkCall, BulkDetails, BulkList, BulkQuery, BulkReply, BulkVerb
from mim.contracts.content import Content
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.messages import SendMessage
from mim.contracts.providers import check_supported
from mim.contracts.stored import StoredCall, StoredReply, StoredVerb
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.routing import Call
from mim.runtime.runner import Runner
from mim.runtime.stored_messages import STORE_AWAY, ask_store, stored_messages


class StoredRoutes:
    """Handlers by the names of their routes; each is given the instance that the call is for."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def handlers(self) -> dict[str, Callable[[Call, Runner], Awaitable[web.StreamResponse]]]:
        """By the names of their routes."""
        return {
            "chats": self._chats,
            "contacts": self._contacts,
            "messages": self._messages,
            "stored": self._stored,
            "stored_stats": self._stored_stats,
            "bulk": self._bulk,
            "bulks": self._bulks,
            "bulk_details": self._bulk_details,
            "cancel_bulk": self._cancel_bulk,
        }

    # ---------------------------------------------------------------------------------------- what is stored

    async def _chats(self, call: Call, runner: Runner) -> web.StreamResponse:
        found = await self.look_up(runner, StoredVerb.CHATS, http.read_query(call.request, PageQuery))
        return http.answer(ChatList(chats=list(found.chats), total=found.total))

    async def _contacts(self, call: Call, runner: Runner) -> web.StreamResponse:
        found = await self.look_up(runner, StoredVerb.CONTACTS, http.read_query(call.request, PageQuery))
        return http.answer(ContactList(contacts=list(found.contacts), total=found.total))

    async def _messages(self, call: Call, runner: Runner) -> web.StreamResponse:
        chat, query = call.request.match_info["chat"], http.read_query(call.request, PageQuery)
        found = await self.look_up(runner, StoredVerb.MESSAGES, query, chat_id=chat)
        return http.answer(MessageList(messages=list(found.messages), chatId=chat, total=found.total))

    async def _stored(self, call: Call, runner: Runner) -> web.StreamResponse:
        query = http.read_query(call.request, StoredQuery)
        found = await self.look_up(runner, StoredVerb.MESSAGES, query)
        page = {"limit": query.limit, "offset": query.offset}
        return http.answer(StoredMessages(messages=list(found.messages), total=found.total, **page))

    async def _stored_stats(self, _call: Call, runner: Runner) -> web.StreamResponse:
        found = await self.look_up(runner, StoredVerb.STATS, PageQuery())
        if found.stats is None:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, STORE_AWAY)
        return http.answer(StoredStatsAnswer(stats=found.stats))

    async def look_up(self, runner: Runner, verb: StoredVerb, query: PageQuery, **more: Any) -> StoredReply:
        """What is stored of an instance. Raises: Unavailable."""
        asked = StoredCall(instance_id=runner.order.instance_id, **query.model_dump(by_alias=False) | more)
        return await stored_messages(self._bus, verb, asked)

    # -------------------------------------------------------------------------------------------------- bulk

    async def _bulk(self, call: Call, runner: Runner) -> web.StreamResponse:
        body = await http.read_body(call.request, BulkBody)
        order = runner.order
        check_supported(order.provider, order.login, body)
        message = SendMessage(
            id=call.seed.id("message"),
            instance_id=order.instance_id,
            provider=order.provider,
            to=body.recipients[0],
            expires_at=self._bus.now(),
            actor=call.caller.name,
            **{name: getattr(body, name) for name in Content.model_fields},
        )
        given = {"message": message, "recipients": body.recipients, "per_minute": body.per_minute}
        reply = await self._about_bulk(runner, BulkVerb.CREATE, bulk_id=UUID(call.seed.id("bulk")).hex, **given)
        return http.answer(BulkAnswer(bulk=reply.bulks[0]), 201)

    async def _bulks(self, call: Call, runner: Runner) -> web.StreamResponse:
        query = http.read_query(call.request, BulkQuery)
        reply = await self._about_bulk(runner, BulkVerb.LIST, limit=query.limit, offset=query.offset)
        return http.answer(BulkList(bulks=list(reply.bulks), total=reply.total))

    async def _bulk_details(self, call: Call, runner: Runner) -> web.StreamResponse:
        query = http.read_query(call.request, BulkQuery)
        reply = await self._about_bulk(runner, BulkVerb.GET, bulk_id=_bulk_id(call), **query.model_dump())
        page = {"limit": query.limit, "offset": query.offset}
        return http.answer(BulkDetails(bulk=reply.bulks[0], items=list(reply.items), total=reply.total, **page))

    async def _cancel_bulk(self, call: Call, runner: Runner) -> web.StreamResponse:
        reply = await self._about_bulk(runner, BulkVerb.CANCEL, bulk_id=_bulk_id(call))
        return http.answer(BulkAnswer(bulk=reply.bulks[0]))

    async def _about_bulk(self, runner: Runner, verb: BulkVerb, **given: Any) -> BulkReply:
        order = runner.order
        asked = BulkCall(instance_id=order.instance_id, provider=order.provider, **given)
        reply = BulkReply.model_validate_json(await ask_store(self._bus, f"bulk-{verb}", asked))
        if reply.code is not None:
            raise MimError(ErrorCode(reply.code), reply.message or STORE_AWAY)
        return reply


def _bulk_id(call: Call) -> str:
    given = call.request.match_info["bulk_id"]
    if not re.fullmatch(r"[0-9a-f]{32}", given):
        raise MimError(ErrorCode.NOT_FOUND, f"there is no bulk message {given[:40]!r}")
    return given

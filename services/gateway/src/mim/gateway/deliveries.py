"""The routes of an instance's webhook: deliveries, the test message, and the secret that signs.

The service of webhooks has the deliveries and sends everything; it is asked over the bus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mim.contracts import subjects
from mim.contracts.answers import WebhookTest
from mim.contracts.deliveries import (
    WEBHOOK_SECRET,
    DeliveriesQuery,
    DeliveryAnswer,
    DeliveryCall,
    DeliveryList,
    DeliveryReply,
    DeliveryVerb,
    Redelivered,
    WebhookSecret,
)
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.contracts.fields import UUID_PATTERN
from mim.contracts.records import InstanceRecord
from mim.gateway.access import Access
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.routing import Call, Handler
from mim.runtime.store import Secrets

ASK_S = 3.0
TEST_S = 18.0
"""Longer than the service waits for the target."""
AWAY = "the service of webhooks does not answer; try again in a moment"
_UUID = re.compile(UUID_PATTERN)
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Handlers around webhooks."""

    bus: Bus
    access: Access
    secrets: Secrets

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "test_webhook": self.test,
            "deliveries": self.list,
            "delivery": self.show,
            "redeliver": self.redeliver,
            "redeliver_failed": self.redeliver,
            "webhook_secret": self.secret,
            "rotate_webhook_secret": self.rotate,
        }

    # ------------------------------------------------------------------------------------------- deliveries

    async def list(self, call: Call) -> web.StreamResponse:
        """Deliveries, the newest first."""
        record = self.access.find(call)
        query = http.read_query(call.request, DeliveriesQuery)
        reply = await self._ask(DeliveryVerb.LIST, record, **query.model_dump())
        total = reply.counts.get(query.status, 0) if query.status else sum(reply.counts.values())
        return http.answer(
            DeliveryList(
                deliveries=list(reply.deliveries),
                total=total,
                counts=reply.counts,
                limit=query.limit,
                offset=query.offset,
            )
        )

    async def show(self, call: Call) -> web.StreamResponse:
        """One delivery with its body."""
        reply = await self._ask(DeliveryVerb.GET, self.access.find(call), delivery_id=_delivery_id(call))
        return http.answer(DeliveryAnswer(delivery=reply.deliveries[0], body=reply.body or {}))

    async def redeliver(self, call: Call) -> web.StreamResponse:
        """Let one delivery, or all that failed, wait once more."""
        reply = await self._ask(DeliveryVerb.REDELIVER, self.access.find(call), delivery_id=_delivery_id(call))
        message = f"to be delivered once more: {reply.redelivered}"
        return http.answer(Redelivered(message=message, redelivered=reply.redelivered))

    async def test(self, call: Call) -> web.StreamResponse:
        """Send a test message and tell what came of it."""
        record = self.access.find(call)
        if record.webhook is None:
            raise MimError(ErrorCode.NOT_READY, "the instance has no webhook yet; set api_webhook_schema first")
        # A short question first: who is silent is found out at once, not when the target would have been given up.
        await self._ask(DeliveryVerb.SECRET, record, instance_seq=record.instance_seq)
        given = {"instance_seq": record.instance_seq, "test_id": call.seed.id("message")}
        reply = await self._ask(DeliveryVerb.TEST, record, TEST_S, **given)
        if reply.test is None:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, AWAY)
        return http.answer(WebhookTest(**reply.test.model_dump()))

    async def _ask(
        self, verb: DeliveryVerb, record: InstanceRecord, within_s: float = ASK_S, **given: Any
    ) -> DeliveryReply:
        asked = DeliveryCall(instance_id=record.id, **given).model_dump_json().encode()
        try:
            raw = await self.bus.request(subjects.webhooks_call(verb), asked, within_s)
        except Unavailable:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, AWAY) from None
        reply = DeliveryReply.model_validate_json(raw)
        if reply.code is not None:
            raise MimError(ErrorCode(reply.code), reply.message or AWAY)
        return reply

    # ----------------------------------------------------------------------------------------------- secret

    async def secret(self, call: Call) -> web.StreamResponse:
        """The secret that signs, made now if it was never needed so far."""
        return await self._secret(call, DeliveryVerb.SECRET)

    async def rotate(self, call: Call) -> web.StreamResponse:
        """Replace the secret."""
        return await self._secret(call, DeliveryVerb.ROTATE)

    async def _secret(self, call: Call, verb: DeliveryVerb) -> web.StreamResponse:
        record = self.access.find(call)
        place = (record.user_id, record.provider, record.id, WEBHOOK_SECRET)
        before = (await self.secrets.load(*place))[1] if verb is DeliveryVerb.ROTATE else 0
        await self._ask(verb, record, instance_seq=record.instance_seq)
        found = await self.secrets.seen(*place, lambda _, revision: revision > before)
        if found is None:
            raise Unavailable(ErrorCode.BUS_UNAVAILABLE, AWAY)
        return http.answer(WebhookSecret(secret=found), headers=_NO_STORE)


def _delivery_id(call: Call) -> str | None:
    """The delivery in the path, if it names one. Raises: MimError (NOT_FOUND) if that cannot be an id."""
    given = call.request.match_info.get("delivery_id", "").lower()
    if given and not _UUID.fullmatch(given):
        raise MimError(ErrorCode.NOT_FOUND, f"there is no delivery {given[:80]!r}")
    return given or None

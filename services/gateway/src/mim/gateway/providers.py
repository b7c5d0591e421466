"""The multi-provider routes: what is active, and sending by provider and id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from mim.contracts.api import SendMessageBody, instance_view
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.messages import MessageSent, SendMessage
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Provider
from mim.gateway.idempotency import Idempotency, Seed
from mim.gateway.instances import filtered
from mim.gateway.model import ReadModel
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.instance_port import SEND_DEADLINE_S, not_ready, send_answer
from mim.runtime.sending import OUTBOX_LIFE_S, Sender


@dataclass(frozen=True, slots=True)
class MultiProvider:
    """Handlers over all providers alike."""

    bus: Bus
    model: ReadModel
    sender: Sender
    idempotency: Idempotency

    def routes(self) -> list[web.RouteDef]:
        """All routes of this part."""
        base = "/api/v1/multi-provider"
        one = base + "/instances/{provider}/{id}"
        return [
            web.get(f"{base}/active-providers", self.active),
            web.get(f"{base}/instances", self.instances),
            web.get(f"{base}/stats", self.stats),
            web.get(f"{one}/status", self.status),
            web.post(f"{one}/send-message", self.send),
        ]

    async def active(self, _request: web.Request) -> web.Response:
        """Providers with an instance that holds a session, and those instances."""
        live = [record for record in self.model.records() if record.status.is_live]
        return http.success(
            providers=sorted({record.provider for record in live}),
            activeProviders=[record.id for record in live],
            total=len(live),
        )

    async def instances(self, request: web.Request) -> web.Response:
        """All instances, of one provider if asked."""
        found = filtered(self.model, provider=request.query.get("provider"))
        page = b",".join(self.model.json(record) for record in found)
        body = b'{"success":true,"total":%d,"instances":[' % len(found) + page + b"]}"
        return web.Response(body=body, content_type="application/json")

    async def stats(self, _request: web.Request) -> web.Response:
        """Counts by provider."""
        stats = {}
        for provider in Provider:
            found = filtered(self.model, provider=provider)
            ready = sum(record.status.is_ready for record in found)
            stats[provider.value] = {"count": len(found), "ready": ready, "instances": [record.id for record in found]}
        return http.success(stats=stats, timestamp=_iso(self.bus))

    async def status(self, request: web.Request) -> web.Response:
        """Where one instance stands."""
        record = self._find(request)
        view = instance_view(record)
        return http.success(
            provider=record.provider,
            status=record.status,
            state=view["whatsapp_state"] or ("READY" if record.status.is_ready else record.status.upper()),
            info={
                "account": record.account.model_dump(mode="json") if record.account else None,
                "reason": view["reason"],
                "port": record.ports.api,
                "last_seen": view["last_seen"],
                "is_ready_for_messages": record.status.is_ready,
            },
        )

    async def send(self, request: web.Request) -> web.Response:
        """Send a text and answer with the messenger's id for it, or 202 while it is still queued."""
        record = self._find(request)
        body = await http.read_body(request, SendMessageBody)
        if not record.status.is_ready:
            raise not_ready(record.id, record.status, record.reason.model_dump(mode="json"))

        async def act(seed: Seed) -> web.Response:
            message = SendMessage(
                id=seed.id("message"),
                instance_id=record.id,
                provider=record.provider,
                to=body.to,
                text=body.message,
                expires_at=self.bus.now() + timedelta(seconds=OUTBOX_LIFE_S),
                actor="rest",
            )
            outcome = await self.sender.send(message, SEND_DEADLINE_S)
            return send_answer(message, outcome, lambda sent: self._sent(record, sent))

        return await self.idempotency.once(request, act)

    def _sent(self, record: InstanceRecord, sent: MessageSent) -> dict[str, object]:
        return {
            "messageId": sent.messenger_id,
            "message_id": sent.messenger_id,
            "to": sent.to,
            "provider": record.provider,
            "timestamp": _iso(self.bus),
        }

    def _find(self, request: web.Request) -> InstanceRecord:
        record = self.model.find(request.match_info["id"])
        if record.provider != request.match_info["provider"]:
            raise MimError(
                ErrorCode.NOT_FOUND,
                f"the instance {record.id} is not of provider {request.match_info['provider'][:40]!r}",
            )
        return record


def _iso(bus: Bus) -> str:
    return bus.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The multi-provider routes: what is active, and sending by provider and id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from mim.contracts import api
from mim.contracts.answers import (
    ActiveProviders,
    ProviderInfo,
    ProviderItem,
    ProvidersAnswer,
    ProviderStats,
    ProviderStatsAnswer,
    ProviderStatus,
    Sent,
    whatsapp_state,
)
from mim.contracts.api import FilterQuery, ProviderQuery, SendMediaBody, SendMessageBody
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.messages import MessageSent, SendMessage
from mim.contracts.providers import PROVIDERS
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Provider
from mim.gateway.access import Access
from mim.gateway.model import ReadModel
from mim.gateway.workers import Workers
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.media import MediaStore
from mim.runtime.messaging import SEND_DEADLINE_S, may_wait, not_ready, send_answer, send_any, sent_answer, upload
from mim.runtime.routing import Call, Handler
from mim.runtime.sending import OUTBOX_LIFE_S, Sender
from mim.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class MultiProvider:
    """Handlers over all providers alike."""

    bus: Bus
    model: ReadModel
    access: Access
    sender: Sender
    workers: Workers
    media: MediaStore
    settings: Settings

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {
            "providers": self.providers,
            "active_providers": self.active,
            "provider_instances": self.instances,
            "resources_instances": self.instances,
            "provider_stats": self.stats,
            "provider_status": self.status,
            "send_message": self.send_message,
            "send_media": self.send_media,
            "send": self.send,
            "upload": self.upload,
        }

    async def providers(self, call: Call) -> web.StreamResponse:
        """What providers ask for and can do, and how their instances do."""
        records = self.access.records(call.caller)
        items = []
        for provider, description in PROVIDERS.items():
            found = [record for record in records if record.provider is provider]
            items.append(
                ProviderItem(
                    description=description,
                    workers=self.workers.of(provider),
                    instances=len(found),
                    active=sum(record.status.is_live for record in found),
                    ready=sum(record.status.is_ready for record in found),
                )
            )
        return http.answer(ProvidersAnswer(providers=items))

    async def active(self, call: Call) -> web.StreamResponse:
        """Providers with an instance that holds a session, and those instances."""
        live = [record for record in self.access.records(call.caller) if record.status.is_live]
        return http.answer(
            ActiveProviders(
                providers=sorted({record.provider for record in live}),
                activeProviders=[record.id for record in live],
                total=len(live),
            )
        )

    async def instances(self, call: Call) -> web.StreamResponse:
        """All instances, of one provider if asked."""
        query = http.read_query(call.request, ProviderQuery)
        found = self.access.records(call.caller, FilterQuery(provider=query.provider))
        body = b'{"success":true,"total":%d,"instances":[' % len(found) + self.model.join(found) + b"]}"
        return web.Response(body=body, content_type="application/json")

    async def stats(self, call: Call) -> web.StreamResponse:
        """Counts by provider."""
        stats = {}
        records = self.access.records(call.caller)
        for provider in Provider:
            found = [record for record in records if record.provider is provider]
            ready = sum(record.status.is_ready for record in found)
            stats[provider] = ProviderStats(count=len(found), ready=ready, instances=[record.id for record in found])
        return http.answer(ProviderStatsAnswer(stats=stats, timestamp=self.bus.now()))

    async def status(self, call: Call) -> web.StreamResponse:
        """Where one instance stands."""
        record = self._find(call)
        state = whatsapp_state(record) or ("READY" if record.status.is_ready else record.status.upper())
        info = ProviderInfo(
            account=record.account,
            reason=record.reason,
            port=record.ports.api,
            last_seen=record.last_seen,
            is_ready_for_messages=record.status.is_ready,
        )
        return http.answer(ProviderStatus(provider=record.provider, status=record.status, state=state, info=info))

    async def send_message(self, call: Call) -> web.StreamResponse:
        """Send a text and answer with the messenger's id for it, or 202 while it is still queued."""
        record = self._find(call)
        body = await http.read_body(call.request, SendMessageBody)
        return await self._send(call, record, to=body.to, text=body.message)

    async def send_media(self, call: Call) -> web.StreamResponse:
        """Send a file from a URL."""
        record = self._find(call)
        body = await http.read_body(call.request, SendMediaBody)
        media = api.media(body.media_url, body.kind, body.file_name)
        return await self._send(call, record, to=body.to, text=body.caption, media=media)

    async def _send(self, call: Call, record: InstanceRecord, **content: Any) -> web.StreamResponse:
        if not may_wait(record):
            raise not_ready(record)
        message = SendMessage(
            id=call.seed.id("message"),
            instance_id=record.id,
            provider=record.provider,
            expires_at=self.bus.now() + timedelta(seconds=OUTBOX_LIFE_S),
            actor=call.caller.name,
            **content,
        )
        outcome = await self.sender.send(message, SEND_DEADLINE_S)
        return send_answer(message, outcome, self._sent)

    async def send(self, call: Call) -> web.StreamResponse:
        """Say or do something in a chat."""
        return await send_any(call, self.access.find(call), self.sender, self.bus)

    async def upload(self, call: Call) -> web.StreamResponse:
        """Take in a file that shall be sent."""
        return await upload(call, self.access.find(call).id, self.media, self.settings, self.bus)

    def _sent(self, outcome: MessageSent) -> Sent:
        return sent_answer(outcome, self.bus.now())

    def _find(self, call: Call) -> InstanceRecord:
        record = self.access.find(call)
        if record.provider != call.request.match_info["provider"]:
            raise MimError(
                ErrorCode.NOT_FOUND,
                f"the instance {record.id} is not of provider {call.request.match_info['provider'][:40]!r}",
            )
        return record

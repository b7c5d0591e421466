"""The test button of a webhook: one message in the shape in which real ones come, and what the target says to it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import aiohttp
import orjson
from aiohttp import web

from mim.contracts.answers import WebhookTest
from mim.contracts.errors import ErrorCode, MimError
from mim.contracts.fields import iso
from mim.contracts.records import InstanceRecord
from mim.gateway.access import Access
from mim.runtime import http
from mim.runtime.bus import Bus
from mim.runtime.fetch import Guard
from mim.runtime.routing import Call, Handler
from mim.runtime.settings import Settings
from mim.runtime.store import Secrets

ANSWER_S = 10.0
PRIVATE = "the target is a private address; set MIM_WEBHOOK_PRIVATE=true if webhooks may go there"


@dataclass(frozen=True, slots=True)
class Hooks:
    """Handlers around webhooks."""

    bus: Bus
    settings: Settings
    access: Access
    secrets: Secrets

    def handlers(self) -> dict[str, Handler]:
        """By the names of their routes."""
        return {"test_webhook": self.test}

    async def test(self, call: Call) -> web.StreamResponse:
        """Send a test message and tell what came of it."""
        record = self.access.find(call)
        if record.webhook is None:
            raise MimError(ErrorCode.NOT_READY, "the instance has no webhook yet; set api_webhook_schema first")
        sealed = await self.secrets.open(record.user_id, record.provider, record.id, "webhook_headers")
        headers = {**(orjson.loads(sealed) if sealed else {}), "Content-Type": "application/json"}
        body = orjson.dumps(self._message(record, call.seed.id("message")))
        began = time.perf_counter()
        status, error = await self._post(record.webhook.url, headers, body)
        return http.answer(
            WebhookTest(
                delivered=status is not None and 200 <= status < 300,
                status_code=status,
                duration_ms=round(1000 * (time.perf_counter() - began), 3),
                error=error,
            )
        )

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
        guard = Guard(allow_private=self.settings.webhook_private)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        try:
            async with (
                aiohttp.ClientSession(connector=guard.connector(), timeout=timeout) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                fine = 200 <= answer.status < 300
                return answer.status, None if fine else f"the target answered {answer.status}"
        except TimeoutError:
            return None, f"the target did not answer within {ANSWER_S:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, PRIVATE if guard.refused else f"the target cannot be reached ({type(error).__name__})"

    def _message(self, record: InstanceRecord, message_id: str) -> dict[str, object]:
        return {
            "instance_id": record.id,
            "provider": record.provider.value,
            "message": {
                "id": f"test-{message_id}",
                "body": "This is a test of the webhook.",
                "fromMe": False,
                "timestamp": iso(self.bus.now()),
                "contact": {"id": "test", "name": "Test"},
                "type": "text",
                "chatId": "test",
            },
        }

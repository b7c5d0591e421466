"""What the gateway asks of this service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

import orjson

from mim.contracts.deliveries import DeliveryCall, DeliveryReply, DeliveryVerb, Trial
from mim.contracts.errors import ErrorCode, MimError, Unavailable
from mim.runtime.secrets import SecretsUnreadable
from mim.storage.database import passes
from mim.webhooks.hooks import Hook, Hooks
from mim.webhooks.lanes import UNREADABLE, Clock, Lanes
from mim.webhooks.ledger import Ledger
from mim.webhooks.payload import trial_body
from mim.webhooks.schedule import Verdict
from mim.webhooks.target import Target

SHOWS_S = 1.0
AWAY = "the database does not answer; try again in a moment"
Handler = Callable[[DeliveryCall], Awaitable[DeliveryReply]]


class Requests:
    """Answers each verb of a `DeliveryCall`, errors included."""

    def __init__(self, ledger: Ledger, hooks: Hooks, lanes: Lanes, target: Target, clock: Clock) -> None:
        self._ledger = ledger
        self._hooks = hooks
        self._lanes = lanes
        self._target = target
        self._clock = clock

    def handlers(self) -> dict[DeliveryVerb, Handler]:
        """By verb."""
        acts: dict[DeliveryVerb, Handler] = {
            DeliveryVerb.LIST: self._list,
            DeliveryVerb.GET: self._get,
            DeliveryVerb.REDELIVER: self._redeliver,
            DeliveryVerb.TEST: self._test,
            DeliveryVerb.SECRET: self._secret,
            DeliveryVerb.ROTATE: self._rotate,
        }
        return {verb: _answering(act) for verb, act in acts.items()}

    async def _list(self, call: DeliveryCall) -> DeliveryReply:
        found, counts = await self._ledger.page(call.instance_id, call.status, call.limit, call.offset)
        return DeliveryReply(deliveries=tuple(found), counts=counts)

    async def _get(self, call: DeliveryCall) -> DeliveryReply:
        found = await self._ledger.find(call.instance_id, call.delivery_id or "")
        if found is None:
            raise _unknown(call)
        delivery, body = found
        return DeliveryReply(deliveries=(delivery,), body=orjson.loads(body))

    async def _redeliver(self, call: DeliveryCall) -> DeliveryReply:
        now = self._clock.now()
        if call.delivery_id is None:
            count = await self._ledger.all_again(call.instance_id, now)
        elif await self._ledger.again(call.instance_id, call.delivery_id, now):
            count = 1
        else:
            raise _unknown(call)
        if count:
            self._lanes.open(call.instance_id)
        return DeliveryReply(redelivered=count)

    async def _hook(self, call: DeliveryCall) -> Hook:
        await self._hooks.shows(call.instance_id, call.instance_seq, SHOWS_S)
        hook = self._hooks.get(call.instance_id)
        if hook is None:
            raise MimError(ErrorCode.NOT_FOUND, f"there is no instance {call.instance_id}")
        return hook

    async def _secret(self, call: DeliveryCall) -> DeliveryReply:
        await self._hooks.signing(await self._hook(call))
        return DeliveryReply()

    async def _rotate(self, call: DeliveryCall) -> DeliveryReply:
        await self._hooks.rotate(await self._hook(call))
        return DeliveryReply()

    async def _test(self, call: DeliveryCall) -> DeliveryReply:
        hook = await self._hook(call)
        if hook.webhook is None:
            raise MimError(ErrorCode.NOT_READY, "the instance has no webhook yet; set api_webhook_schema first")
        sealed = await self._hooks.open(hook)
        test_id = call.test_id or str(uuid4())
        attempt = await self._target.post(
            hook.webhook.url,
            trial_body(hook.id, hook.provider, test_id, self._clock.now()),
            message_id=f"test-{test_id}",
            secret=sealed.secret,
            headers=sealed.headers,
        )
        return DeliveryReply(
            test=Trial(
                delivered=attempt.verdict is Verdict.DELIVERED,
                status_code=attempt.status_code,
                duration_ms=attempt.duration_ms,
                error=attempt.error,
            )
        )


def _unknown(call: DeliveryCall) -> MimError:
    return MimError(ErrorCode.NOT_FOUND, f"the instance has no delivery {call.delivery_id!r}")


def _answering(act: Handler) -> Handler:
    """A request that fails has an answer, too."""

    async def answer(call: DeliveryCall) -> DeliveryReply:
        try:
            return await act(call)
        except MimError as error:
            return DeliveryReply(code=error.code, message=error.message)
        except SecretsUnreadable:
            return DeliveryReply(code=ErrorCode.INTERNAL, message=UNREADABLE)
        except Exception as error:
            if not passes(error):
                raise
            away = Unavailable(ErrorCode.BUS_UNAVAILABLE, AWAY)
            return DeliveryReply(code=away.code, message=away.message)

    return answer

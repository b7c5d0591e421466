"""Deliveries to webhooks: as the gateway asks for them over the bus, and as REST shows them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from mim.contracts.answers import Answer
from mim.contracts.api import Query
from mim.contracts.fields import InstanceId, Model, Time
from mim.contracts.fields import InstanceId as DeliveryId

WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - its name
"""Under which name the secret that signs an instance's webhooks is sealed."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """It waits for its first or next try."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; it can be redelivered."""


class Delivery(Model):
    """One event on its way to the webhook of an instance. `id` is what the target sees as `webhook-id`.

    `status_code`, `error`, `response` (the beginning of a refusal) and `duration_ms` are those of the last try.
    """

    id: str
    instance_id: str
    event_id: str
    event: str
    status: DeliveryStatus
    tries: int
    next_at: Time | None
    created_at: Time
    tried_at: Time | None
    done_at: Time | None
    status_code: int | None
    error: str | None
    response: str | None
    duration_ms: float | None


# ------------------------------------------------------------------------------------------- over the bus


class DeliveryVerb(StrEnum):
    """What the service of webhooks is asked."""

    LIST = "list"
    GET = "get"
    REDELIVER = "redeliver"
    TEST = "test"
    SECRET = "secret"  # noqa: S105 - what is asked for
    ROTATE = "rotate"


class DeliveryCall(Model):
    """Subject `mim.rpc.webhooks.<verb>`: show deliveries of an instance, redeliver one (or, without `delivery_id`, all
    that failed), send a test message, see to it that there is a secret that signs, or replace it (it is in `secrets`,
    sealed; it does not travel). `instance_seq` is the last status event of the instance that the caller knows: the
    answer is given by a webhook that is at least as new."""

    instance_id: InstanceId
    instance_seq: int = 0
    delivery_id: DeliveryId | None = None
    test_id: str | None = None
    status: DeliveryStatus | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Trial(Model):
    """What the target said to a test message."""

    delivered: bool
    status_code: int | None = None
    duration_ms: float
    error: str | None = None


class DeliveryReply(Model):
    """What came of a `DeliveryCall`: deliveries and counts by status, the body of a single one, how many wait again,
    what came of a test; or the error."""

    deliveries: tuple[Delivery, ...] = ()
    counts: dict[str, int] = {}
    body: dict[str, Any] | None = None
    redelivered: int = 0
    test: Trial | None = None
    code: str | None = None
    message: str | None = None


# ------------------------------------------------------------------------------------------------ in REST


class DeliveriesQuery(Query):
    """Which deliveries, and which part of the list."""

    status: DeliveryStatus | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class DeliveryList(Answer):
    """Deliveries to the webhook of an instance, the newest first. `total` is how many fit, `counts` how many there are
    by status."""

    deliveries: list[Delivery]
    total: int
    counts: dict[DeliveryStatus, int]
    limit: int
    offset: int


class DeliveryAnswer(Answer):
    """One delivery, and the body that is sent."""

    delivery: Delivery
    body: dict[str, Any]


class Redelivered(Answer):
    """How many deliveries wait once more, from their first try on."""

    message: str
    redelivered: int


class WebhookSecret(Answer):
    """What signs the webhook of an instance; receivers verify with it."""

    secret: str

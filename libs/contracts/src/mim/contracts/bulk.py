"""One message to many: queued one after the other at a pace, followed and cancelled as a whole."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mim.contracts.answers import Answer
from mim.contracts.api import Query
from mim.contracts.content import Content
from mim.contracts.fields import InstanceId, Model, Recipient, Time
from mim.contracts.messages import SendMessage
from mim.contracts.states import Provider

MOST_RECIPIENTS = 10_000
BulkId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class BulkBody(Content):
    """Body of `POST …/bulk`: what to say, to whom, and how many messages a minute are put into the queue. The
    messenger's own limits hold besides."""

    model_config = {
        **Content.model_config,
        "json_schema_extra": {"examples": [{"recipients": ["134527512"], "text": "Hello"}]},
    }

    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1, max_length=MOST_RECIPIENTS)]
    per_minute: Annotated[int, Field(ge=1, le=600, strict=True)] = 20


class BulkStatus(StrEnum):
    """Where a bulk message stands."""

    RUNNING = "running"
    DONE = "done"
    """Everything was tried."""
    CANCELLED = "cancelled"
    """What had not been queued yet is never sent."""


class BulkItemStatus(StrEnum):
    """Where the message to one recipient stands."""

    WAITING = "waiting"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Bulk(Model):
    """A message to many; the numbers count recipients."""

    id: str
    instance_id: str
    status: BulkStatus
    per_minute: int
    total: int
    counts: dict[BulkItemStatus, int]
    created_at: Time
    done_at: Time | None


class BulkItem(Model):
    """The message to one recipient. `message_id` is our id of it, `code` and `error` say why it failed."""

    position: int
    to: str
    status: BulkItemStatus
    message_id: str
    messenger_id: str | None
    code: str | None
    error: str | None


# ------------------------------------------------------------------------------------------- over the bus


class BulkVerb(StrEnum):
    """What is asked about bulk messages."""

    CREATE = "create"
    LIST = "list"
    GET = "get"
    CANCEL = "cancel"


class BulkCall(Model):
    """Subject `mim.rpc.messages.bulk-<verb>`: begin a bulk message (`message` is the one to its first recipient), show
    those of an instance, show one with its recipients, or cancel it."""

    instance_id: InstanceId
    provider: Provider
    bulk_id: BulkId | None = None
    message: SendMessage | None = None
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=MOST_RECIPIENTS)] = ()
    per_minute: int = 20
    status: BulkItemStatus | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class BulkReply(Model):
    """What came of a `BulkCall`, or the error."""

    bulks: tuple[Bulk, ...] = ()
    items: tuple[BulkItem, ...] = ()
    total: int = 0
    code: str | None = None
    message: str | None = None


# ------------------------------------------------------------------------------------------------ in REST


class BulkQuery(Query):
    """Which recipients, and which part of the list."""

    status: BulkItemStatus | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class BulkAnswer(Answer):
    """A bulk message."""

    bulk: Bulk


class BulkDetails(Answer):
    """A bulk message and its recipients, in their order; `total` is how many fit."""

    bulk: Bulk
    items: list[BulkItem]
    total: int
    limit: int
    offset: int


class BulkList(Answer):
    """Bulk messages, the newest first."""

    bulks: list[Bulk]
    total: int

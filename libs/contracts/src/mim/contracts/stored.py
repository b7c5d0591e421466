"""What is stored of an instance's messages, as it is asked for over the bus."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mim.contracts.answers import Chat, ContactItem, StoredMedia, StoredMessage, StoredStats
from mim.contracts.fields import InstanceId, Model


class StoredVerb(StrEnum):
    """What the message store is asked."""

    CHATS = "chats"
    CONTACTS = "contacts"
    MESSAGES = "messages"
    STATS = "stats"


class StoredCall(Model):
    """Subject `mim.rpc.messages.<verb>`: show what is stored of an instance, the newest first."""

    instance_id: InstanceId
    chat_id: str | None = None
    messenger_id: str | None = None
    is_group: bool | None = None
    search: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


# What REST shows, but for what a later version adds: on the bus that is passed over.


class MediaRow(StoredMedia):
    """The file of a message; `reference`, sealed, is how the worker gets it."""

    model_config = Model.model_config

    reference: str | None = None


class MessageRow(StoredMessage):
    """A message that came in or went out, as it is now."""

    model_config = Model.model_config

    media: MediaRow | None = None


class ChatRow(Chat):
    """A chat that messages came from or went to."""

    model_config = Model.model_config


class ContactRow(ContactItem):
    """Somebody who wrote."""

    model_config = Model.model_config


class StatsRow(StoredStats):
    """What is stored, in numbers."""

    model_config = Model.model_config


class StoredReply(Model):
    """What is stored, and how much there is in all; or the error."""

    messages: tuple[MessageRow, ...] = ()
    chats: tuple[ChatRow, ...] = ()
    contacts: tuple[ContactRow, ...] = ()
    total: int = 0
    stats: StatsRow | None = None
    code: str | None = None
    message: str | None = None

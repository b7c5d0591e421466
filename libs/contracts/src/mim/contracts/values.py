"""What messages, records and REST models are made of: reasons, ports, accounts, contacts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic import StringConstraints as Chars

from mim.contracts.content import MediaKind
from mim.contracts.fields import Bool, Model, Time
from mim.contracts.states import UserAction


class Reason(Model):
    """Why the status is what it is, and what a person can do about it."""

    code: str
    message: str
    user_action: UserAction = UserAction.NONE
    since: Time


class Restriction(Model):
    """A limit that the messenger put on the account; the sender obeys it."""

    kind: str
    scope: str
    until: Time | None = None


class Ports(Model):
    """The instance's own ports; one for each interface it offers."""

    api: int | None = None
    mcp: int | None = None

    def numbers(self) -> tuple[int, ...]:
        """The ports that are assigned."""
        return tuple(port for port in (self.api, self.mcp) if port is not None)


class Account(Model):
    """Who the instance is at its messenger."""

    id: str
    username: str | None = None
    first_name: str | None = None
    phone_number: str | None = None
    lid: str | None = None


EventName = Annotated[str, Chars(pattern=r"^(message\.)?[a-z_]{1,40}$")]


class WebhookFilters(Model):
    """Which chats reach the webhook, and which events: names such as `message.read` or `client_ready`; without any,
    messages that come in."""

    events: Annotated[tuple[EventName, ...], Field(max_length=64)] = ()
    allow_groups: Bool = Field(default=True, alias="allowGroups")
    allow_private: Bool = Field(default=True, alias="allowPrivate")

    model_config = {**Model.model_config, "populate_by_name": True, "serialize_by_alias": True}


class Webhook(Model):
    """The webhook of an instance without its headers: those are secrets."""

    enabled: Bool = True
    url: str
    filters: WebhookFilters = WebhookFilters()


class Contact(Model):
    """The other side of a message."""

    id: str
    name: str | None = None
    username: str | None = None
    phone_number: str | None = None
    lid: str | None = None


class IncomingMedia(Model):
    """The file of a message that came in, or that was sent. `reference` gets it from the messenger, through the worker
    only."""

    kind: MediaKind
    mime_type: str | None = None
    file_name: str | None = None
    size_bytes: int | None = None
    duration_s: float | None = None
    reference: str | None = None


class IncomingLocation(Model):
    """A place on the map, in degrees, as somebody sent it."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class IncomingContact(Model):
    """A contact card as somebody sent it: its number may be written in any way."""

    name: str
    phone_number: str | None = None


class IncomingPoll(Model):
    """A poll as somebody sent it."""

    question: str
    options: tuple[str, ...] = ()
    multiple: bool = False


class IncomingMessage(Model):
    """A message that an account received, or sent from another device.

    `body` is the text, or the caption, or what the content is in a line of text. `contact.id` stays the same however
    the messenger names the contact: on WhatsApp both names, phone number and LID, stand beside it where they are known.
    `reply_to` is the messenger's id of the message that is answered.
    """

    id: str
    chat_id: str
    from_me: bool = False
    body: str
    type: str = "text"
    is_group: bool = False
    timestamp: Time
    contact: Contact
    media: IncomingMedia | None = None
    location: IncomingLocation | None = None
    contact_card: IncomingContact | None = None
    poll: IncomingPoll | None = None
    reply_to: str | None = None
    forwarded: bool = False


class QrCode(Model):
    """The QR code that waits now."""

    code: str
    generated_at: Time
    expires_at: Time


class MessageStats(Model):
    """Messages counted from the events; the day is UTC."""

    sent_count: int = 0
    received_count: int = 0
    daily_sent: int = 0
    daily_received: int = 0
    daily_reset_at: Time | None = None


class ApiKeyUse(Model):
    """One API key of an instance, by its SHA-256, and how it was used."""

    sha256: str
    created_at: Time
    usage_count: int = 0
    first_used_at: Time | None = None
    last_used_at: Time | None = None


class ErrorEntry(Model):
    """Something that went wrong with an instance. `error_id` is the id of the event that told it."""

    error_id: str
    error_type: str
    error_message: str
    timestamp: Time
    source: str


class Figures(Model):
    """What the events of an instance come to in numbers.

    `uptime_start` is since when it has been ready without a break; `errors` are the newest, oldest first.
    """

    restart_count: int = 0
    health_check_count: int = 0
    consecutive_failures: int = 0
    error_count: int = 0
    errors: tuple[ErrorEntry, ...] = ()
    errors_cleared_at: Time | None = None
    authenticated_at: Time | None = None
    uptime_start: Time | None = None


class LogLevel(StrEnum):
    """How serious a log line is, in rising order."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogLine(Model):
    """Subject `mim.log.<id>`: one line that concerns an instance. Escape sequences and secrets are taken out of it
    where it is written. `source` is the service."""

    timestamp: Time
    level: LogLevel
    message: Annotated[str, Chars(max_length=16_384)]
    source: str

"""What callers of REST send: bodies and queries. The OpenAPI document comes from here, `answers` and `routes`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic import StringConstraints as Chars

from mim.contracts.content import Content, Media, MediaKind
from mim.contracts.fields import (
    Bool,
    HttpUrl,
    InstanceId,
    MessageText,
    Model,
    Name,
    PhoneNumber,
    Recipient,
    UserId,
    clean_text,
)
from mim.contracts.login import LoginKind
from mim.contracts.messages import MAX_SECRET
from mim.contracts.states import Expose, Interface, Isolation, Provider, Role, Status
from mim.contracts.values import LogLevel, WebhookFilters

# https://core.telegram.org/bots/api#authorizing-your-bot
BOT_TOKEN = re.compile(r"\d{5,20}:[A-Za-z0-9_-]{30,64}")
PROXY_SCHEMES = ("http", "https", "socks5")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


class WebhookBody(Model):
    """`api_webhook_schema`: where messages of the instance are reported. Headers are secrets and never shown again."""

    enabled: Bool = True
    url: HttpUrl
    headers: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] = {}
    filters: WebhookFilters = WebhookFilters()

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name) or not value.isprintable():
                raise ValueError(f"{name[:40]!r} is not a valid header")
        return headers


def checked_proxy(value: SecretStr, provider: Provider | None) -> SecretStr:
    """A proxy that the provider can use. Raises: ValueError that says what one looks like."""
    schemes = ("http",) if provider is Provider.TELEGRAM else PROXY_SCHEMES
    text = value.get_secret_value()
    try:
        parts = urlsplit(text)
        fits = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits or len(text) > MAX_SECRET or not text.isprintable():
        raise ValueError(f"must be a {' or '.join(schemes)} URL such as http://user:password@proxy.example.com:3128")
    return value


def checked_token(value: SecretStr) -> SecretStr:
    """A bot token of the right form. Raises: ValueError that says what one looks like."""
    if not BOT_TOKEN.fullmatch(value.get_secret_value().strip()):
        raise ValueError("must look like 123456789:AAE… as @BotFather gives it")
    return value


class ProviderConfig(Model):
    """The older place of the bot token."""

    bot_token: SecretStr | None = None


class CreateInstanceBody(Model):
    """Body of `POST /api/v1/instances`."""

    user_id: UserId = Field(validation_alias=AliasChoices("user_id", "company_id"))
    provider: Provider
    login: LoginKind | None = Field(default=None, validate_default=True)
    type_instance: Annotated[tuple[Interface, ...], Field(min_length=1, max_length=4)]
    expose: Expose = Expose.PORT
    isolation: Isolation = Isolation.SHARED
    name: Name | None = None
    start: Bool = True
    config: ProviderConfig | None = None
    token: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = Field(default=None, validate_default=True)
    proxy: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = None
    api_webhook_schema: WebhookBody | None = None

    @field_validator("login")
    @classmethod
    def _is_login(cls, value: LoginKind | None, info: ValidationInfo) -> LoginKind | None:
        if info.data.get("provider") is Provider.TELEGRAM:
            return value or LoginKind.BOT
        if value is not None:
            raise ValueError("there is a choice for telegram only")
        return None

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        return None if value is None else checked_proxy(value, info.data.get("provider"))

    @field_validator("token")
    @classmethod
    def _is_bot_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("provider") is not Provider.TELEGRAM:
            return value
        older = info.data.get("config")
        given = value or (older.bot_token if older else None)
        if info.data.get("login") is LoginKind.USER:
            if given is not None:
                raise ValueError("belongs to bots; with login: user the account logs in by QR code or phone number")
            return value
        if given is None:
            raise ValueError("is required for a telegram bot; @BotFather gives it")
        checked_token(given)
        return value

    def bot_token(self) -> str | None:
        """The bot token, wherever it was given."""
        given = self.token or (self.config.bot_token if self.config else None)
        return given.get_secret_value().strip() if given else None


class UpdateInstanceBody(Model):
    """Body of `PATCH /api/v1/instances/{id}`: what is left out stays, null removes a name, webhook or proxy."""

    name: Name | None = None
    api_webhook_schema: WebhookBody | None = None
    token: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = None
    proxy: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = None


class SendMessageBody(Model):
    """Body of `POST …/multi-provider/instances/{provider}/{id}/send-message`."""

    to: Recipient
    message: MessageText


Caption = Annotated[str, Chars(max_length=4096), AfterValidator(clean_text)]


class SendBody(Content):
    """Body of `POST …/messages`: anything that can be said or done in a chat.

    While the instance is not ready this is refused; with `queue` it waits, at most `expires_in_s`.
    """

    model_config = {**Content.model_config, "json_schema_extra": {"examples": [{"to": "134527512", "text": "Hello"}]}}

    to: Recipient
    queue: Bool = False
    expires_in_s: Annotated[int, Field(ge=1, le=86_400, strict=True)] = 120

    def fields(self) -> dict[str, Any]:
        """What goes into `SendMessage`."""
        return {name: getattr(self, name) for name in (*Content.model_fields, "to")}


class SendMediaBody(Model):
    """Body of `POST …/multi-provider/instances/{provider}/{id}/send-media`. Without a kind the URL's ending decides."""

    to: Recipient
    media_url: HttpUrl = Field(validation_alias=AliasChoices("mediaUrl", "media_url"))
    caption: Caption = ""
    kind: MediaKind | None = Field(default=None, validation_alias=AliasChoices("mediaType", "media_type"))
    file_name: Name | None = Field(default=None, validation_alias=AliasChoices("fileName", "file_name"))


_ENDINGS = {
    MediaKind.IMAGE: (".jpg", ".jpeg", ".png", ".webp"),
    MediaKind.AUDIO: (".mp3", ".ogg", ".oga", ".m4a", ".wav"),
    MediaKind.VIDEO: (".mp4", ".mov", ".webm"),
}


def media(source: str, kind: MediaKind | None, file_name: str | None) -> Media:
    """The file at a URL; what its ending does not tell is a document."""
    path = urlsplit(source).path.lower()
    guessed = next((kind for kind, endings in _ENDINGS.items() if path.endswith(endings)), MediaKind.DOCUMENT)
    return Media(kind=kind or guessed, source=source, file_name=file_name)


class TelegramSendBody(Model):
    """Body of `POST /api/v1/telegram/send` and `/send-telegram-message` on an instance's own port."""

    chat_id: Recipient = Field(validation_alias=AliasChoices("chatId", "chat_id"))
    message: Annotated[MessageText, Field(max_length=4096)]
    parse_mode: Literal["HTML", "Markdown", "MarkdownV2"] | None = Field(
        default=None, validation_alias=AliasChoices("parseMode", "parse_mode")
    )
    disable_web_page_preview: Bool = Field(
        default=False, validation_alias=AliasChoices("disableWebPagePreview", "disable_web_page_preview")
    )
    disable_notification: Bool = Field(
        default=False, validation_alias=AliasChoices("disableNotification", "disable_notification")
    )


class TelegramMediaBody(Model):
    """Body of `POST /api/v1/telegram/send-media` on an instance's own port."""

    chat_id: Recipient = Field(validation_alias=AliasChoices("chatId", "chat_id"))
    source: HttpUrl
    caption: Annotated[Caption, Field(max_length=1024)] = ""
    kind: MediaKind | None = Field(default=None, validation_alias=AliasChoices("mediaType", "media_type"))
    file_name: Name | None = Field(default=None, validation_alias=AliasChoices("fileName", "file_name"))


class WhatsAppSendBody(Model):
    """Body of `POST /api/v1/send` on an instance's own port: a text, or a file with a caption."""

    number: Recipient
    media_type: Literal["text", "image", "document", "audio", "voice", "video", "sticker"] = Field(
        default="text", validation_alias=AliasChoices("mediaType", "media_type")
    )
    message: MessageText | Literal[""] = ""
    source: HttpUrl | None = None
    caption: Caption = ""
    file_name: Name | None = Field(default=None, validation_alias=AliasChoices("fileName", "file_name"))

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.media_type == "text" and not self.message:
            raise ValueError("message is required where mediaType is text")
        if self.media_type != "text" and self.source is None:
            raise ValueError(f"source is required where mediaType is {self.media_type}: the URL of the file")
        return self


class PairingCodeBody(Model):
    """Body of `POST …/pairing-code`: the phone that shall be linked, with its country code."""

    phone_number: PhoneNumber


class LoginBody(Model):
    """Body of `POST …/login`: the fields that the present login step names."""

    phone_number: PhoneNumber | None = None
    token: Annotated[SecretStr, Field(max_length=MAX_SECRET)] | None = None
    code: Annotated[SecretStr, Field(max_length=32)] | None = None
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None


class BatchBody(Model):
    """Body of `POST /api/v1/instances/batch/status`."""

    instance_ids: Annotated[tuple[InstanceId, ...], Field(max_length=5000)]


class CreateTokenBody(Model):
    """Body of `POST /api/v1/tokens`. Without a `user_id` the token is for the whole system."""

    name: Name
    role: Role
    user_id: UserId | None = None
    expires_in_days: Annotated[int, Field(ge=1, le=3650, strict=True)] | None = None


class NoBody(Model):
    """A body that may be left out; nothing in it is looked at."""


# ---------------------------------------------------------------------------------------------- queries


class Query(Model):
    """Query parameters; of one that is given twice the first counts."""


class FilterQuery(Query):
    """Which instances."""

    user_id: UserId | None = None
    company_id: UserId | None = None
    provider: Provider | None = None
    status: Status | None = None
    search: Annotated[str, Field(max_length=200)] | None = None


class ListQuery(FilterQuery):
    """Which instances, and which part of the list."""

    limit: Annotated[int, Field(ge=1, le=5000)] = 100
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class ProviderQuery(Query):
    """Of which provider."""

    provider: Provider | None = None


class QrQuery(Query):
    """In which form."""

    format: Literal["json", "png", "svg", "ascii", "raw"] = "json"


class LogsQuery(Query):
    """How many of the newest lines, from which level upwards; `follow` goes on as Server-Sent Events."""

    tail: Annotated[int, Field(ge=1, le=1000)] = 100
    level: LogLevel | None = None
    follow: bool = False


class HistoryQuery(Query):
    """How many of the newest entries."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50


class AuditQuery(HistoryQuery):
    """Which changes: of one instance, and how far back."""

    instance_id: InstanceId | None = None
    hours: Annotated[int, Field(ge=1, le=720)] = 24


class EventsQuery(Query):
    """Which events; `types` are names such as `qr_ready` or `message.sent`, comma-separated. `last_event_id` begins
    after an older event, as the header `Last-Event-ID` does; 0 begins with the oldest that is stored."""

    instance_id: InstanceId | None = None
    user_id: UserId | None = None
    types: Annotated[str, Field(max_length=400)] = ""
    last_event_id: Annotated[int, Field(ge=0, le=10**18)] | None = None


class PageQuery(Query):
    """Which part of a list, and what it has to say: `search` is looked for in texts and names."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    search: Annotated[str, Field(max_length=200)] | None = None


class StoredQuery(PageQuery):
    """Which stored messages."""

    chat_id: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, validation_alias=AliasChoices("chatId", "chat_id")
    )
    is_group: bool | None = Field(default=None, validation_alias=AliasChoices("isGroup", "is_group"))

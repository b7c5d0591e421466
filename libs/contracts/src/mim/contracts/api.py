"""The REST models: what callers send, and what an instance looks like to them. The OpenAPI document comes from here."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator

from mim.contracts.fields import Bool, MessageText, Model, Name, Recipient, UserId
from mim.contracts.messages import MAX_SECRET
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Interface, Provider, auth_status
from mim.contracts.values import WebhookFilters

# https://core.telegram.org/bots/api#authorizing-your-bot
BOT_TOKEN = re.compile(r"\d{5,20}:[A-Za-z0-9_-]{30,64}")
PROXY_SCHEMES = ("http", "https", "socks5")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


class WebhookBody(Model):
    """`api_webhook_schema`: where messages of the instance are reported. Headers are secrets and never shown again."""

    enabled: Bool = True
    url: Annotated[str, Field(max_length=2048)]
    headers: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] = {}
    filters: WebhookFilters = WebhookFilters()

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http or https URL, such as https://example.com/hook")
        if parts.username or parts.password:
            raise ValueError("must not hold a user name or password; send those in `headers`")
        return url

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name) or not value.isprintable():
                raise ValueError(f"{name[:40]!r} is not a valid header")
        return headers


class ProviderConfig(Model):
    """The older place of the bot token."""

    bot_token: SecretStr | None = None


class CreateInstanceBody(Model):
    """Body of `POST /api/v1/instances`."""

    user_id: UserId = Field(validation_alias=AliasChoices("user_id", "company_id"))
    provider: Provider
    type_instance: Annotated[tuple[Interface, ...], Field(min_length=1, max_length=4)]
    name: Name | None = None
    start: Bool = True
    config: ProviderConfig | None = None
    token: SecretStr | None = Field(default=None, validate_default=True)
    proxy: SecretStr | None = None
    api_webhook_schema: WebhookBody | None = None

    @field_validator("token", "proxy")
    @classmethod
    def _is_short(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) > MAX_SECRET:
            raise ValueError(f"must have at most {MAX_SECRET:,} characters")
        return value

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            return None
        telegram = info.data.get("provider") is Provider.TELEGRAM
        schemes = ("http",) if telegram else PROXY_SCHEMES
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(
                f"must be a {' or '.join(schemes)} URL such as http://user:password@proxy.example.com:3128"
            )
        return value

    @field_validator("token")
    @classmethod
    def _is_bot_token(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("provider") is not Provider.TELEGRAM:
            return value
        older = info.data.get("config")
        given = value or (older.bot_token if older else None)
        if given is None:
            raise ValueError("is required for telegram; @BotFather gives it")
        if not BOT_TOKEN.fullmatch(given.get_secret_value().strip()):
            raise ValueError("must look like 123456789:AAE… as @BotFather gives it")
        return value

    def bot_token(self) -> str | None:
        """The bot token, wherever it was given."""
        given = self.token or (self.config.bot_token if self.config else None)
        return given.get_secret_value().strip() if given else None


class SendMessageBody(Model):
    """Body of `POST …/multi-provider/instances/{provider}/{id}/send-message`."""

    to: Recipient
    message: MessageText


class TelegramSendBody(Model):
    """Body of `POST /api/v1/telegram/send` and `/send-telegram-message` on an instance's own port."""

    chat_id: Recipient = Field(validation_alias=AliasChoices("chatId", "chat_id"))
    message: Annotated[MessageText, Field(max_length=4096)]
    parse_mode: Literal["HTML", "Markdown", "MarkdownV2"] | None = Field(
        default=None, validation_alias=AliasChoices("parseMode", "parse_mode")
    )
    disable_web_page_preview: Bool = Field(default=False, validation_alias=AliasChoices("disableWebPagePreview"))
    disable_notification: Bool = Field(default=False, validation_alias=AliasChoices("disableNotification"))


class WhatsAppSendBody(Model):
    """Body of `POST /api/v1/send` on an instance's own port."""

    number: Recipient
    message: MessageText
    media_type: Literal["text"] = Field(default="text", validation_alias=AliasChoices("mediaType", "media_type"))


def instance_view(record: InstanceRecord) -> dict[str, Any]:
    """An `instance` object of the contract. No secret is in it."""
    doc = record.model_dump(mode="json")
    status = record.status
    phone = record.account.phone_number if record.account else None
    return {
        "id": record.id,
        "instance_id": record.id,
        "user_id": record.user_id,
        "company_id": record.user_id,
        "name": record.display_name,
        "provider": record.provider,
        "type_instance": doc["type_instance"],
        "status": status,
        "auth_status": auth_status(status, logged_in=record.logged_in),
        "is_ready_for_messages": status.is_ready,
        "desired": record.desired,
        "account": (record.account.username or record.account.first_name or record.account.id)
        if record.account
        else None,
        "phone_number": phone,
        "whatsapp_state": whatsapp_state(record),
        "port_api": record.ports.api,
        "port_mcp": record.ports.mcp,
        "port": record.ports.api,
        "ports": doc["ports"],
        "worker": record.worker,
        "epoch": record.epoch,
        "api_webhook_schema": doc["webhook"],
        "token_hint": record.token_hint,
        "message_stats": doc["message_stats"],
        "reason": doc["reason"],
        "restriction": doc["restriction"],
        "observed_at": doc["observed_at"],
        "created_at": doc["created_at"],
        "updated_at": doc["updated_at"],
        "last_seen": doc["last_seen"],
        "memory_status": "active" if status.is_live else "inactive",
    }


def whatsapp_state(record: InstanceRecord) -> str | None:
    """The connection state in the words of WhatsApp Web; None for other providers."""
    if record.provider is not Provider.WHATSAPPWEB:
        return None
    words = {"client_ready": "CONNECTED", "authenticated": "OPENING", "starting": "OPENING", "qr_ready": "UNPAIRED"}
    words |= {"reconnecting": "TIMEOUT", "logged_out": "UNPAIRED", "action_required": "PAIRING"}
    return words.get(record.status, "UNLAUNCHED")

"""What each provider asks for when an instance is created, and what it can do: data, so that a form or a program needs
no knowledge of its own about any provider."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from mim.contracts.api import BOT_TOKEN
from mim.contracts.content import Content, MessageKind
from mim.contracts.errors import ErrorCode, Rejected
from mim.contracts.fields import Model
from mim.contracts.states import Provider


class Capability(StrEnum):
    """Something that instances of a provider can do. Kinds of messages are called as in `MessageKind`."""

    TEXT = "text"
    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO = "video"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    POLL = "poll"
    FORWARD = "forward"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    READ = "read"
    TYPING = "typing"
    REPLY = "reply"
    FORMATTING = "formatting"
    RECEIPTS = "receipts"
    GROUPS = "groups"
    QR_LOGIN = "qr_login"
    PAIRING_CODE = "pairing_code"
    TOKEN_LOGIN = "token_login"  # noqa: S105 - a word, not a token
    PROXY = "proxy"


class ProviderField(Model):
    """One field of the body that creates or changes an instance. `pattern` is a regular expression for the whole value;
    secrets are never shown again."""

    name: Literal["token", "proxy"]
    label: str
    help: str
    required: bool
    secret: bool
    pattern: str
    example: str


class ProviderDescription(Model):
    """A provider as a form needs to know it."""

    id: Provider
    title: str
    fields: tuple[ProviderField, ...]
    capabilities: tuple[Capability, ...]


_EVERYWHERE = (
    Capability.TEXT,
    Capability.IMAGE,
    Capability.DOCUMENT,
    Capability.AUDIO,
    Capability.VOICE,
    Capability.VIDEO,
    Capability.STICKER,
    Capability.LOCATION,
    Capability.CONTACT,
    Capability.POLL,
    Capability.EDIT,
    Capability.DELETE,
    Capability.REACTION,
    Capability.TYPING,
    Capability.REPLY,
    Capability.GROUPS,
    Capability.PROXY,
)


def _proxy(pattern: str) -> ProviderField:
    return ProviderField(
        name="proxy",
        label="Proxy",
        help="The session reaches its messenger through it; user and password may be part of the URL",
        required=False,
        secret=True,
        pattern=pattern,
        example="http://user:password@proxy.example.com:3128",
    )


PROVIDERS: dict[Provider, ProviderDescription] = {
    Provider.WHATSAPPWEB: ProviderDescription(
        id=Provider.WHATSAPPWEB,
        title="WhatsApp Web",
        fields=(_proxy(r"(https?|socks5)://[^\s/]+/?"),),
        capabilities=(
            *_EVERYWHERE,
            Capability.READ,
            Capability.RECEIPTS,
            Capability.QR_LOGIN,
            Capability.PAIRING_CODE,
        ),
    ),
    Provider.TELEGRAM: ProviderDescription(
        id=Provider.TELEGRAM,
        title="Telegram bot",
        fields=(
            ProviderField(
                name="token",
                label="Bot token",
                help="@BotFather gives it when a bot is made",
                required=True,
                secret=True,
                pattern=BOT_TOKEN.pattern,
                example="123456789:AAE…",
            ),
            _proxy(r"http://[^\s/]+/?"),
        ),
        capabilities=(*_EVERYWHERE, Capability.FORWARD, Capability.FORMATTING, Capability.TOKEN_LOGIN),
    ),
}


def check_supported(provider: Provider, content: Content) -> None:
    """Raises: Rejected (NOT_SUPPORTED) if instances of the provider cannot say or do this."""
    description = PROVIDERS[provider]
    wanted = [content.kind.value]
    wanted += ["reply"] if content.reply_to else []
    wanted += ["formatting"] if content.parse_mode else []
    can = {capability.value for capability in description.capabilities}
    if lacking := [word for word in wanted if word not in can]:
        known = ", ".join(kind.value for kind in MessageKind if kind.value in can)
        message = f"{description.title} cannot do this: {', '.join(lacking)}; what it can: {known}"
        raise Rejected(ErrorCode.NOT_SUPPORTED, message)

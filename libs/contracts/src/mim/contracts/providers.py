"""What each provider asks for when an instance is created, and what it can do: data, so that a form or a program needs
no knowledge of its own about any provider."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from mim.contracts.api import BOT_TOKEN
from mim.contracts.content import Content, MessageKind
from mim.contracts.errors import ErrorCode, Rejected
from mim.contracts.fields import Model
from mim.contracts.login import LoginKind
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
    """Takes part in groups and knows about them; what else can be done about groups follows."""
    GROUP_LIST = "group_list"
    GROUP_CREATE = "group_create"
    GROUP_ADD = "group_add"
    GROUP_REMOVE = "group_remove"
    GROUP_ADMINS = "group_admins"
    """Makes people in a group admins, and takes that back."""
    GROUP_INVITE = "group_invite"
    QR_LOGIN = "qr_login"
    PAIRING_CODE = "pairing_code"
    PHONE_LOGIN = "phone_login"
    TOKEN_LOGIN = "token_login"  # noqa: S105 - a word, not a token
    PROXY = "proxy"


class ProviderField(Model):
    """One field of the body that creates or changes an instance. `pattern` is a regular expression for the whole value;
    secrets are never shown again. `choices`, if there are any, are all values, the first one when nothing is chosen;
    `when` says with which values of other fields this one belongs to the form."""

    name: Literal["login", "token", "proxy"]
    label: str
    help: str
    required: bool
    secret: bool
    pattern: str
    example: str
    choices: tuple[str, ...] = ()
    when: dict[str, str] = {}


class ProviderDescription(Model):
    """A provider as a form needs to know it. Where accounts log in in several ways, `logins` has what each can do;
    `capabilities` is what the first of them can."""

    id: Provider
    title: str
    fields: tuple[ProviderField, ...]
    capabilities: tuple[Capability, ...]
    logins: dict[LoginKind, tuple[Capability, ...]] = {}

    def can(self, login: LoginKind | None) -> frozenset[str]:
        """What accounts that log in so can do, as words."""
        found = self.logins.get(login, self.capabilities) if login else self.capabilities
        return frozenset(capability.value for capability in found)


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
    Capability.FORWARD,
    Capability.EDIT,
    Capability.DELETE,
    Capability.REACTION,
    Capability.TYPING,
    Capability.REPLY,
    Capability.GROUPS,
    Capability.GROUP_REMOVE,
    Capability.GROUP_ADMINS,
    Capability.GROUP_INVITE,
    Capability.PROXY,
)
_GROUPS = (Capability.GROUP_LIST, Capability.GROUP_CREATE, Capability.GROUP_ADD)

_BOT = (*_EVERYWHERE, Capability.FORMATTING, Capability.TOKEN_LOGIN)
_USER = (
    *_EVERYWHERE,
    Capability.FORMATTING,
    Capability.READ,
    Capability.RECEIPTS,
    *_GROUPS,
    Capability.QR_LOGIN,
    Capability.PHONE_LOGIN,
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
            *_GROUPS,
            Capability.QR_LOGIN,
            Capability.PAIRING_CODE,
        ),
    ),
    Provider.TELEGRAM: ProviderDescription(
        id=Provider.TELEGRAM,
        title="Telegram",
        fields=(
            ProviderField(
                name="login",
                label="Account",
                help="A bot logs in by its token, a person's account by QR code or phone number",
                required=False,
                secret=False,
                pattern="bot|user",
                example="bot",
                choices=(LoginKind.BOT, LoginKind.USER),
            ),
            ProviderField(
                name="token",
                label="Bot token",
                help="@BotFather gives it when a bot is made",
                required=True,
                secret=True,
                pattern=BOT_TOKEN.pattern,
                example="123456789:AAE…",
                when={"login": LoginKind.BOT},
            ),
            _proxy(r"http://[^\s/]+/?"),
        ),
        capabilities=_BOT,
        logins={LoginKind.BOT: _BOT, LoginKind.USER: _USER},
    ),
}


def check_can(provider: Provider, login: LoginKind | None, capability: Capability) -> None:
    """Raises: Rejected (NOT_SUPPORTED) if accounts of the provider that log in so lack the capability."""
    can = PROVIDERS[provider].can(login)
    if capability.value not in can:
        raise _cannot(provider, login, [capability.value], [word.value for word in Capability if word.value in can])


def check_supported(provider: Provider, login: LoginKind | None, content: Content) -> None:
    """Raises: Rejected (NOT_SUPPORTED) if accounts of the provider that log in so cannot say or do this."""
    can = PROVIDERS[provider].can(login)
    wanted = [content.kind.value]
    wanted += ["reply"] if content.reply_to else []
    wanted += ["formatting"] if content.parse_mode else []
    if lacking := [word for word in wanted if word not in can]:
        raise _cannot(provider, login, lacking, [kind.value for kind in MessageKind if kind.value in can])


def _cannot(provider: Provider, login: LoginKind | None, lacking: list[str], known: list[str]) -> Rejected:
    title = PROVIDERS[provider].title
    who = f"{title} {login}" if login else title
    message = f"a {who} account cannot do this: {', '.join(lacking)}; what it can: {', '.join(known)}"
    return Rejected(ErrorCode.NOT_SUPPORTED, message)

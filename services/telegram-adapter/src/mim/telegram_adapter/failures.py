"""What a failed call to the Bot API means, for the session and for a message.

aiogram's and aiohttp's errors can hold the request's URL, and that holds the token. So nothing of them is passed on but
the class's name and Telegram's own description, and they are never chained to what is raised here.
Meanings: https://core.telegram.org/bots/api#making-requests and the errors of https://github.com/tdlib/telegram-bot-api.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiohttp import ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError, InvalidURL

from mim.contracts.errors import ErrorCode, MimError, NeedsUser, NotReady, Refused, SessionEnded
from mim.contracts.states import Status, UserAction


class Kind(Enum):
    """What happened to a call."""

    UNAUTHORIZED = auto()
    CONFLICT = auto()
    LIMITED = auto()
    FORBIDDEN = auto()
    MIGRATED = auto()
    REFUSED = auto()
    NOT_FOUND = auto()
    NOT_REACHED = auto()
    UNANSWERED = auto()
    """The request may have arrived: a time-out, a lost connection, a 5xx, an answer nobody can read."""


@dataclass(slots=True, eq=False)
class CallError(Exception):
    """A call that failed. `description` is Telegram's own word, or what kind of trouble there was on the way.

    `answer` is the JSON of an answer that aiogram could not make sense of.
    """

    kind: Kind
    description: str
    retry_after_s: float | None = None
    migrated_to: int | None = None
    answer: object = None

    @property
    def is_outage(self) -> bool:
        """Whether the way to Telegram, or Telegram itself, is at fault: soon it may work again."""
        return self.kind in (Kind.NOT_REACHED, Kind.UNANSWERED)


_NOT_SENT = (ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError, InvalidURL)
_KINDS: tuple[tuple[type[TelegramAPIError], Kind], ...] = (
    (TelegramUnauthorizedError, Kind.UNAUTHORIZED),
    (TelegramConflictError, Kind.CONFLICT),
    (TelegramForbiddenError, Kind.FORBIDDEN),
    (TelegramNotFound, Kind.NOT_FOUND),
    (TelegramServerError, Kind.UNANSWERED),
    (TelegramBadRequest, Kind.REFUSED),
    (TelegramAPIError, Kind.REFUSED),
)


def classify(error: Exception, secret: str) -> CallError:
    """Say what an error of an aiogram call means; `secret`, the part of the token after the colon, never shows."""
    if isinstance(error, TelegramRetryAfter):
        return CallError(Kind.LIMITED, f"retry after {error.retry_after} s", retry_after_s=float(error.retry_after))
    if isinstance(error, TelegramMigrateToChat):
        return CallError(Kind.MIGRATED, "the group became a supergroup", migrated_to=error.migrate_to_chat_id)
    if isinstance(error, TelegramNetworkError) and not isinstance(error, TelegramEntityTooLarge):
        kind = Kind.NOT_REACHED if isinstance(error.__cause__, _NOT_SENT) else Kind.UNANSWERED
        return CallError(kind, type(error.__cause__ or error).__name__)
    if isinstance(error, ClientDecodeError):
        return CallError(Kind.UNANSWERED, "an answer that is not the Bot API's", answer=error.data)
    if isinstance(error, TelegramAPIError):
        kind = next(kind for known, kind in _KINDS if isinstance(error, known))
        return CallError(kind, str(error.message).replace(secret, "<token>"))
    return CallError(Kind.UNANSWERED, type(error).__name__)


def rejected() -> NeedsUser:
    """The token is not, or no longer, a bot's."""
    message = "Telegram rejects the bot token: get a new one from @BotFather and set it"
    return NeedsUser(ErrorCode.TOKEN_REJECTED, message, status=Status.ERROR, user_action=UserAction.NEW_TOKEN)


def end_of_session(failure: CallError) -> SessionEnded:
    """Why a session cannot go on after this failure of getMe or getUpdates."""
    match failure.kind:
        case Kind.UNAUTHORIZED | Kind.NOT_FOUND:  # a token of a wrong form may be a path that does not exist
            return rejected()
        case Kind.CONFLICT:
            return NotReady(ErrorCode.OTHER_POLLER, _conflict(failure.description))
        case Kind.LIMITED:
            message = f"Telegram asks to slow down: {failure.description}"
            return NotReady(ErrorCode.RATE_LIMITED, message, failure.retry_after_s)
        case Kind.NOT_REACHED | Kind.UNANSWERED:
            return NotReady(ErrorCode.MESSENGER_UNREACHABLE, unreachable(failure))
        case _:
            return NotReady(ErrorCode.MESSENGER_REFUSED, f"Telegram refuses: {failure.description}")


def unreachable(failure: CallError) -> str:
    """An outage as a sentence for a person."""
    return f"Telegram does not answer ({failure.description}): trying again"


def end_of_message(failure: CallError) -> MimError:
    """What became of a message whose sending failed.

    `NotReady`: certainly not sent; `Refused`: never will be; a plain `MimError` (UNCERTAIN): nobody knows.
    """
    match failure.kind:
        case Kind.UNAUTHORIZED:
            return Refused(ErrorCode.TOKEN_REJECTED, rejected().message)
        case Kind.LIMITED:
            message = f"Telegram asks to slow down: {failure.description}"
            return NotReady(ErrorCode.RATE_LIMITED, message, failure.retry_after_s)
        case Kind.NOT_REACHED:
            return NotReady(ErrorCode.MESSENGER_UNREACHABLE, unreachable(failure))
        case Kind.UNANSWERED:
            message = f"Telegram did not say whether it took the message ({failure.description})"
            return MimError(ErrorCode.UNCERTAIN, message)
        case Kind.FORBIDDEN:
            return Refused(ErrorCode.RECIPIENT_BLOCKED, failure.description)
        case _:
            unknown = "chat not found" in failure.description
            code = ErrorCode.RECIPIENT_UNKNOWN if unknown else ErrorCode.MESSENGER_REFUSED
            return Refused(code, failure.description)


def end_of_download(failure: CallError) -> MimError:
    """Why a file could not be had."""
    if failure.is_outage or failure.kind is Kind.LIMITED:
        return NotReady(ErrorCode.MESSENGER_UNREACHABLE, unreachable(failure), failure.retry_after_s)
    return Refused(ErrorCode.MEDIA_UNREACHABLE, f"Telegram does not give this file: {failure.description}")


def _conflict(description: str) -> str:
    if "webhook" in description.lower():
        return "someone else set a webhook for this bot: stop the other program, or make a new token in @BotFather"
    return "someone else polls this bot: stop the other program, or make a new token in @BotFather"

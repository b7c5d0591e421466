"""What an error of MTProto means, for the session of a person's account and for a message. Pure.

Meanings: https://core.telegram.org/api/errors and https://core.telegram.org/method/messages.sendMessage#possible-errors.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from telethon import errors

from mim.contracts.errors import ErrorCode, Fatal, MimError, NeedsUser, NotReady, Refused, SessionEnded
from mim.contracts.states import Status, UserAction

_REVOKED = (
    errors.AuthKeyNotFound,
    errors.AuthKeyUnregisteredError,
    errors.SessionRevokedError,
    errors.SessionExpiredError,
)
_GONE = (errors.UserDeactivatedError, errors.UserDeactivatedBanError, errors.PhoneNumberBannedError)
_UNKNOWN = (
    errors.UsernameNotOccupiedError,
    errors.UsernameInvalidError,
    errors.PhoneNotOccupiedError,
    errors.PeerIdInvalidError,
    errors.ChatIdInvalidError,
    errors.ChannelInvalidError,
    ValueError,  # Telethon's own word for a peer that it has never seen
)
_BLOCKED = (errors.UserIsBlockedError, errors.YouBlockedUserError, errors.UserPrivacyRestrictedError)


def ends_login(error: BaseException) -> bool:
    """Whether after this error nothing will work any more until somebody logs in again."""
    return isinstance(error, (*_REVOKED, *_GONE, errors.AuthKeyDuplicatedError))


def word(error: Any) -> str:
    """Telegram's own word for an error, such as `PHONE_CODE_INVALID`."""
    if type(error).__base__ is errors.RPCError or type(error) is errors.RPCError:
        return str(error.message)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).upper()


def flooded(error: Any) -> NotReady:
    """Telegram asks to wait, for as long as it says."""
    seconds = float(getattr(error, "seconds", 0) or 60)
    shown = timedelta(seconds=round(seconds))
    return NotReady(ErrorCode.RATE_LIMITED, f"Telegram asks to wait for {shown} before the next try", seconds)


def ending(error: BaseException) -> SessionEnded:
    """What the end of a connection means."""
    match error:
        case errors.AuthKeyDuplicatedError():
            message = "the login was used in two places at once, so Telegram ended it: start and log in again"
            return NeedsUser(
                ErrorCode.LOGIN_REPLACED, message, status=Status.LOGGED_OUT, user_action=UserAction.SCAN_QR
            )
        case _ if isinstance(error, _REVOKED):
            return logged_out()
        case _ if isinstance(error, _GONE):
            return Fatal(ErrorCode.LOGGED_OUT, f"Telegram closed this account ({word(error)})")
        case errors.FloodError():
            return flooded(error)
        case errors.RPCError():
            return NotReady(ErrorCode.MESSENGER_REFUSED, f"Telegram refuses: {word(error)}")
        case _:
            return unreachable(error)


def refusal_of(error: BaseException) -> MimError:
    """What became of a message whose sending failed.

    `NotReady`: certainly not sent; `Refused`: never will be; a plain `MimError` (UNCERTAIN): nobody knows.
    """
    if isinstance(error, errors.PeerFloodError):
        message = "Telegram lets this account write to people who wrote before, and to nobody else for now"
        return Refused(ErrorCode.REACHOUT_LOCKED, message)
    if isinstance(error, _BLOCKED):
        return Refused(ErrorCode.RECIPIENT_BLOCKED, word(error))
    if isinstance(error, _UNKNOWN):
        return Refused(ErrorCode.RECIPIENT_UNKNOWN, "nobody is known by this id, @name or number (with its plus)")
    if isinstance(error, errors.RPCError) and not isinstance(error, errors.ServerError):
        return Refused(ErrorCode.MESSENGER_REFUSED, word(error))
    return MimError(ErrorCode.UNCERTAIN, f"Telegram did not say whether it took the message ({type(error).__name__})")


def unreachable(error: BaseException) -> NotReady:
    """The way to Telegram, or Telegram itself, is at fault."""
    return NotReady(ErrorCode.MESSENGER_UNREACHABLE, f"Telegram does not answer ({type(error).__name__}): trying again")


def logged_out() -> NeedsUser:
    """Somebody ended the login, or it was never complete."""
    message = "the login was ended in Telegram; start the instance and log in again"
    return NeedsUser(ErrorCode.LOGGED_OUT, message, status=Status.LOGGED_OUT, user_action=UserAction.SCAN_QR)

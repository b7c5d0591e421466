"""Why a session cannot go on, as the child's events tell it. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mim.contracts.errors import ErrorCode, Fatal, NeedsUser, NotReady, SessionEnded
from mim.contracts.states import Status, UserAction

# whatsmeow's qrchan.go: the first of six codes is shown for 60 s, each later one for 20 s.
FIRST_QR = timedelta(seconds=60)
NEXT_QR = timedelta(seconds=20)
LOGIN_WINDOW = FIRST_QR + 5 * NEXT_QR
"""How long codes can be used after the first QR code was shown: then the library closes the connection (160 s)."""
_TIMER_SLACK = timedelta(seconds=1)


def ending(event: dict[str, Any]) -> SessionEnded | None:
    """The end that an event means, or None if the session goes on."""
    match event["event"]:
        case "error":
            return unreachable(f"WhatsApp cannot be reached: {event['message']}")
        case "silent":
            return unreachable("WhatsApp does not answer on an open connection")
        case "logged_out":
            return _logged_out(event["reason"])
        case "replaced":
            return Fatal(
                ErrorCode.LOGIN_REPLACED,
                "another program connected with this same login: stop it, then start the instance again",
            )
        case "outdated":
            return Fatal(ErrorCode.MESSENGER_REFUSED, "WhatsApp no longer accepts this client: upgrade neonize")
        case "banned":
            wait_s = float(event["expires_in_s"])
            return NotReady(ErrorCode.MESSENGER_REFUSED, f"WhatsApp has banned the account for {wait_s:.0f} s", wait_s)
        case "refused":
            return NotReady(ErrorCode.MESSENGER_REFUSED, f"WhatsApp refused the connection: {event['message']}")
        case "full":
            return no_room()
        case "pair_failed":
            return NotReady(ErrorCode.MESSENGER_REFUSED, f"linking failed: {event['message']}")
        case _:
            return None


def login_ending(outcome: str, shown_for: timedelta) -> SessionEnded | None:
    """The end that the library's word on a login means; the last code was shown for so long."""
    match outcome:
        case "success":
            return None
        case "timeout":
            # The library says the same when the last code expires and when the connection is lost before.
            if shown_for < NEXT_QR - _TIMER_SLACK:
                return unreachable("the connection was lost while a QR code was shown")
            return qr_expired()
        case "passkey-request" | "passkey-confirmation":
            return NeedsUser(
                ErrorCode.PASSKEY_REQUIRED,
                "this account asks for a passkey to link a device, which only WhatsApp's own apps can answer: "
                "turn the passkey off on the phone (Settings, Account, Passkeys), then start again",
                status=Status.ACTION_REQUIRED,
                user_action=UserAction.CONFIRM_ON_PHONE,
            )
        case _:
            return NotReady(ErrorCode.MESSENGER_REFUSED, f"WhatsApp ended the login: {outcome}")


def qr_expired() -> NeedsUser:
    """All QR codes were shown and none was scanned."""
    return NeedsUser(
        ErrorCode.QR_EXPIRED,
        "nobody scanned the QR code in time: start the instance again to get a new one",
        status=Status.LOGGED_OUT,
        user_action=UserAction.SCAN_QR,
    )


def no_room() -> NotReady:
    """The library has no room to decrypt what comes in."""
    return NotReady(ErrorCode.STORAGE_FULL, "the disk is almost full; free space in the data folder")


def unreachable(what: str) -> NotReady:
    """WhatsApp cannot be reached now."""
    return NotReady(ErrorCode.MESSENGER_UNREACHABLE, what)


def _logged_out(reason: str) -> NeedsUser:
    who = "on the phone" if reason == "logged_out" else f"by WhatsApp ({reason})"
    return NeedsUser(
        ErrorCode.LOGGED_OUT,
        f"this device was unlinked {who}: start the instance and scan a new QR code",
        status=Status.LOGGED_OUT,
        user_action=UserAction.SCAN_QR,
    )

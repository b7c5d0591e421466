"""Where an instance can stand, and how it may move. One table, no I/O.

`auth_status` and `is_ready_for_messages` are derived from the status, never stored beside it.
"""

from __future__ import annotations

from enum import StrEnum


class Provider(StrEnum):
    """A kind of messenger for which an adapter exists."""

    WHATSAPPWEB = "whatsappweb"
    TELEGRAM = "telegram"


class Expose(StrEnum):
    """How an instance is reached."""

    PORT = "port"
    """On a port of its own, and through the gateway."""
    GATEWAY = "gateway"
    """Through the gateway only, by its id: for more instances than there are ports."""


class Isolation(StrEnum):
    """With whom an instance shares its worker."""

    SHARED = "shared"
    """With others: one worker holds thousands."""
    CONTAINER = "container"
    """With nobody: a worker of its own, in a container with limits of its own."""


class Interface(StrEnum):
    """What an instance offers on a port of its own."""

    API = "api"
    MCP = "mcp"


class Desired(StrEnum):
    """What the owner asked for; `Status` is what is observed."""

    RUNNING = "running"
    STOPPED = "stopped"
    LOGGED_OUT = "logged_out"
    DELETED = "deleted"


class Role(StrEnum):
    """What a caller may do; each may do what the ones before it may."""

    VIEWER = "viewer"
    """Read."""
    OPERATOR = "operator"
    """Also start, stop, restart, log in and send."""
    ADMIN = "admin"
    """Also create, change, log out, delete, and see credentials."""

    def may(self, needed: Role) -> bool:
        """Whether this role is enough where `needed` is."""
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}


class UserAction(StrEnum):
    """The one thing a person can do about a status."""

    NONE = "none"
    SCAN_QR = "scan_qr"
    ENTER_CODE = "enter_code"
    ENTER_PASSWORD = "enter_password"  # noqa: S105 - a word of the contract, not a password
    CONFIRM_ON_PHONE = "confirm_on_phone"
    NEW_TOKEN = "new_token"  # noqa: S105 - a word of the contract, not a token
    RESTART = "restart"
    WAIT = "wait"


class AuthStatus(StrEnum):
    """How far the login is, derived from the status."""

    PENDING = "pending"
    QR_READY = "qr_ready"
    AUTHENTICATED = "authenticated"
    DISCONNECTED = "disconnected"
    FAILED = "failed"


class Status(StrEnum):
    """Where an instance stands, in one word."""

    PENDING = "pending"
    """Accepted; port, key or worker are still being assigned."""
    STARTING = "starting"
    """A worker holds the session and is connecting."""
    QR_READY = "qr_ready"
    """A QR code or pairing code waits to be scanned."""
    ACTION_REQUIRED = "action_required"
    """A person must do one more thing; the login step says what."""
    AUTHENTICATED = "authenticated"
    """The messenger accepted the login; still synchronising."""
    CLIENT_READY = "client_ready"
    """Messages can be sent and received."""
    RECONNECTING = "reconnecting"
    """The link dropped; retrying with backoff and jitter."""
    LOGGED_OUT = "logged_out"
    """The messenger revoked the login; a new QR or token is needed."""
    STOPPED = "stopped"
    """Stopped on request; login and port kept."""
    ERROR = "error"
    """Gave up; the reason says why and what to do."""
    DELETED = "deleted"
    """Gone: port, key, login and secrets released."""

    @property
    def is_live(self) -> bool:
        """Whether a worker holds a session in this status."""
        return self in LIVE

    @property
    def is_ready(self) -> bool:
        """Whether messages can be sent and received."""
        return self is Status.CLIENT_READY


LIVE = frozenset(
    {
        Status.STARTING,
        Status.QR_READY,
        Status.ACTION_REQUIRED,
        Status.AUTHENTICATED,
        Status.CLIENT_READY,
        Status.RECONNECTING,
    }
)

_ENDS = frozenset({Status.STOPPED, Status.LOGGED_OUT, Status.ERROR, Status.DELETED})
_LOGIN = frozenset({Status.QR_READY, Status.ACTION_REQUIRED, Status.AUTHENTICATED})

# Every live state may go to STARTING again: a restart or a takeover by another worker is a new epoch.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.STARTING}) | _ENDS,
    Status.STARTING: LIVE | _ENDS,
    Status.QR_READY: _LOGIN | {Status.STARTING, Status.RECONNECTING} | _ENDS,
    Status.ACTION_REQUIRED: _LOGIN | {Status.STARTING, Status.RECONNECTING} | _ENDS,
    Status.AUTHENTICATED: frozenset({Status.AUTHENTICATED, Status.CLIENT_READY, Status.STARTING, Status.RECONNECTING})
    | _ENDS,
    Status.CLIENT_READY: frozenset({Status.CLIENT_READY, Status.STARTING, Status.RECONNECTING}) | _ENDS,
    Status.RECONNECTING: LIVE | _ENDS,
    Status.STOPPED: frozenset({Status.STARTING}) | _ENDS,
    Status.LOGGED_OUT: frozenset({Status.STARTING}) | _ENDS,
    Status.ERROR: frozenset({Status.STARTING}) | _ENDS,
    Status.DELETED: frozenset(),
}


def can_move(old: Status, new: Status) -> bool:
    """Whether an instance in `old` may be seen in `new` next; a repeat refreshes reason or QR."""
    return new in TRANSITIONS[old]


def auth_status(status: Status, *, logged_in: bool) -> AuthStatus:
    """How far the login is; `logged_in` matters only where the status leaves it open (a stopped instance)."""
    match status:
        case Status.QR_READY:
            return AuthStatus.QR_READY
        case Status.AUTHENTICATED | Status.CLIENT_READY | Status.RECONNECTING:
            return AuthStatus.AUTHENTICATED
        case Status.LOGGED_OUT | Status.DELETED:
            return AuthStatus.DISCONNECTED
        case Status.ERROR:
            return AuthStatus.FAILED
        case Status.STOPPED if logged_in:
            return AuthStatus.AUTHENTICATED
        case _:
            return AuthStatus.PENDING

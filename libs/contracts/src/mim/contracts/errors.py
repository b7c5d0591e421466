"""What can go wrong, as one tree.

    MimError                 code, message (a sentence for a person)
    ├── SessionEnded         a session cannot go on as it is; the worker turns it into a status
    │   ├── NotReady         try again with backoff
    │   ├── NeedsUser        a person must act: status and user_action say what
    │   └── Fatal            give up: status `error`
    ├── Refused              the messenger refused this one message; the session is fine
    ├── Invalid              a message or an id from outside that cannot be understood
    ├── Rejected             understood, but impossible in the present status
    └── Unavailable          a dependency (bus, allocator, worker) does not answer now

Adapters raise the first two kinds at their edge, lifecycle maps them to status, the gateway maps codes to HTTP.
"""

from __future__ import annotations

from enum import StrEnum

from mim.contracts.states import Status, UserAction


class ErrorCode(StrEnum):
    """The `code` of an error answer, a reason or a failed message."""

    BAD_JSON = "BAD_JSON"
    INVALID_FIELDS = "INVALID_FIELDS"
    INVALID_ID = "INVALID_ID"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    TOO_LARGE = "TOO_LARGE"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN_ORIGIN = "FORBIDDEN_ORIGIN"
    NOT_FOUND = "NOT_FOUND"
    ROUTE_NOT_FOUND = "ROUTE_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    QR_NOT_AVAILABLE = "QR_NOT_AVAILABLE"
    NOT_READY = "NOT_READY"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    PORTS_EXHAUSTED = "PORTS_EXHAUSTED"
    PORT_TAKEN = "PORT_TAKEN"
    NO_WORKER = "NO_WORKER"
    NO_OTHER_WORKER = "NO_OTHER_WORKER"
    WORKER_LOST = "WORKER_LOST"
    NO_ENGINE = "NO_ENGINE"
    NO_IMAGE = "NO_IMAGE"
    ENGINE_REFUSED = "ENGINE_REFUSED"
    CONTAINER_STARTING = "CONTAINER_STARTING"
    CONTAINER_ENDED = "CONTAINER_ENDED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    BUS_UNAVAILABLE = "BUS_UNAVAILABLE"
    STORAGE_FULL = "STORAGE_FULL"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    TIMEOUT = "TIMEOUT"
    INTERNAL = "INTERNAL"
    FORBIDDEN = "FORBIDDEN"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    MEDIA_UNREACHABLE = "MEDIA_UNREACHABLE"
    MEDIA_REFUSED = "MEDIA_REFUSED"
    MESSENGER_UNREACHABLE = "MESSENGER_UNREACHABLE"
    MESSENGER_REFUSED = "MESSENGER_REFUSED"
    RATE_LIMITED = "RATE_LIMITED"
    RECIPIENT_UNKNOWN = "RECIPIENT_UNKNOWN"
    RECIPIENT_BLOCKED = "RECIPIENT_BLOCKED"
    REACHOUT_LOCKED = "REACHOUT_LOCKED"
    TOKEN_MISSING = "TOKEN_MISSING"  # noqa: S105
    TOKEN_REJECTED = "TOKEN_REJECTED"  # noqa: S105
    OTHER_POLLER = "OTHER_POLLER"
    QR_EXPIRED = "QR_EXPIRED"
    PASSKEY_REQUIRED = "PASSKEY_REQUIRED"
    CODE_REQUIRED = "CODE_REQUIRED"
    PASSWORD_REQUIRED = "PASSWORD_REQUIRED"  # noqa: S105
    LOGGED_OUT = "LOGGED_OUT"
    LOGIN_REPLACED = "LOGIN_REPLACED"
    SESSION_CRASHED = "SESSION_CRASHED"
    GAVE_UP = "GAVE_UP"
    UNCERTAIN = "UNCERTAIN"
    REQUESTED = "REQUESTED"


class MimError(Exception):
    """An error with a `code` for programs and a `message` for people; the message says how to go on."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SessionEnded(MimError):
    """A session cannot go on as it is."""


class NotReady(SessionEnded):
    """The messenger cannot be reached or asks to wait: try again with backoff.

    `retry_after_s` is the messenger's own word on how long; without it the backoff decides.
    """

    def __init__(self, code: ErrorCode, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_s = retry_after_s


class NeedsUser(SessionEnded):
    """Only a person can go on: `status` becomes the instance's status, `user_action` says what to do."""

    def __init__(self, code: ErrorCode, message: str, *, status: Status, user_action: UserAction) -> None:
        super().__init__(code, message)
        self.status = status
        self.user_action = user_action


class Fatal(SessionEnded):
    """Nothing will help but a change of the instance: status `error`."""


class Refused(MimError):
    """The messenger refused this one message; others may pass."""


class Invalid(MimError):
    """A message or id from outside that cannot be understood."""


class Rejected(MimError):
    """Understood, but not possible in the present status."""


class Unavailable(MimError):
    """A dependency does not answer now; `retry_after_s` is when to try again."""

    def __init__(self, code: ErrorCode, message: str, retry_after_s: float = 2.0) -> None:
        super().__init__(code, message)
        self.retry_after_s = retry_after_s


HTTP_STATUS: dict[str, int] = {
    ErrorCode.BAD_JSON: 400,
    ErrorCode.INVALID_ID: 404,
    ErrorCode.INVALID_FIELDS: 422,
    ErrorCode.NOT_SUPPORTED: 422,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.FORBIDDEN_ORIGIN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.ROUTE_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.QR_NOT_AVAILABLE: 404,
    ErrorCode.NOT_READY: 409,
    ErrorCode.ALREADY_EXISTS: 409,
    ErrorCode.NO_OTHER_WORKER: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.PORTS_EXHAUSTED: 503,
    ErrorCode.BUS_UNAVAILABLE: 503,
    ErrorCode.STORAGE_FULL: 503,
    ErrorCode.SHUTTING_DOWN: 503,
    ErrorCode.NO_WORKER: 503,
    ErrorCode.NO_ENGINE: 422,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.INTERNAL: 500,
}
"""The HTTP status of an error answer; every other code is what the messenger said."""
MESSENGER_REFUSED_STATUS = 502


def http_status(code: str) -> int:
    """The HTTP status that goes with a code."""
    return HTTP_STATUS.get(code, MESSENGER_REFUSED_STATUS)

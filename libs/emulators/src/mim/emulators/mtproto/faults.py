"""What is to go wrong, and for whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mim.emulators.mtproto.people import RpcError, digits

UPDATES = "update"
"""In place of a method: what the server sends by itself."""

_CODES = {
    "FLOOD": 420,
    "SLOWMODE": 420,
    "AUTH_KEY_DUPLICATED": 406,
    "AUTH": 401,
    "SESSION": 401,
    "USER_DEACTIVATED": 401,
    "CHAT_WRITE": 403,
    "USER_PRIVACY": 403,
    "TIMEOUT": 503,
    "INTERNAL": 500,
    "RPC": 500,
}


@dataclass(slots=True)
class Fault:
    """Something that goes wrong the next `times` times for `method` (None: any) of a person (None: anybody).

    `phone` is the number of who is logged in, or about to be. `method` is written as in Telegram's documents,
    `messages.sendMessage`; `update` stands for what the server sends by itself. `error` is an error answer like
    `FLOOD_WAIT_30`, its code (unless `code` is given) that of the documents. `delay_s` holds the answer or update back,
    so that later ones overtake it; `drop` swallows it (a request is not carried out), `duplicate` sends it twice. `cut`
    ends the connection before the request is carried out, `lose` after it.
    """

    phone: str | None = None
    method: str | None = None
    times: int = 1
    error: str | None = None
    code: int | None = None
    delay_s: float = 0.0
    drop: bool = False
    duplicate: bool = False
    cut: bool = False
    lose: bool = False

    def __post_init__(self) -> None:
        if self.times < 1 or not 0 <= self.delay_s <= 600:
            raise ValueError("a fault needs times of at least 1 and a delay_s from 0 to 600")
        self.phone = digits(self.phone) if self.phone else None
        if self.method == UPDATES and (self.error or self.cut or self.lose):
            raise ValueError("an update can be delayed, dropped or duplicated, nothing else")

    def refusal(self) -> RpcError | None:
        """The error answer."""
        if self.error is None:
            return None
        code = next((code for prefix, code in _CODES.items() if self.error.startswith(prefix)), 400)
        return RpcError(self.code or code, self.error)


class Faults:
    """Faults that are still to happen, at most `MAX`."""

    MAX = 1_000

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let it happen. Raises: ValueError if too many wait."""
        if len(self._waiting) >= self.MAX:
            raise ValueError(f"{self.MAX} faults wait already")
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        self._waiting.clear()

    def take(self, phone: str, method: str) -> Fault | None:
        """The fault that hits this request or update, if any; it has happened once more then."""
        for fault in self._waiting:
            any_method = fault.method is None and method != UPDATES
            if fault.phone in (None, phone) and (any_method or fault.method == method):
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault
        return None

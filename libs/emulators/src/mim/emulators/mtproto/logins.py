"""How devices get logged in: QR tokens, phone codes, the password, and the end of it. Rules without I/O.

Sources: https://core.telegram.org/api/qr-login, https://core.telegram.org/api/auth, https://core.telegram.org/api/srp.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mim.emulators.mtproto.crypto import SECRET_BYTES
from mim.emulators.mtproto.people import Device, People, Person, RpcError, digits
from mim.emulators.mtproto.srp import Challenge, WrongShareError

MAX_CODES = 5
"""So many codes an hour; then a flood wait."""
_CODES_WITHIN_S = 3600.0
_MAX_WRONG = 5
_MAX_TOKENS = 10_000
_MAX_PHONES = 10_000


def unauthorized() -> RpcError:
    """Nobody is logged in with this key."""
    return RpcError(401, "AUTH_KEY_UNREGISTERED")


@dataclass
class Token:
    """A QR code. `person` has scanned it; `dc_id` is where the login goes on, if not here."""

    value: bytes
    expires: float
    device: Device
    person: Person | None = None
    dc_id: int | None = None


@dataclass
class Code:
    """A code that was sent to a phone."""

    phone: str
    hash: str
    digits: str
    expires: float
    wrong: int = 0


class Logins:
    """`token_ttl_s` and `code_ttl_s` are how long a QR token and a phone code are good for."""

    def __init__(
        self,
        people: People,
        noise: Callable[[int], bytes],
        clock: Callable[[], float],
        *,
        token_ttl_s: float,
        code_ttl_s: float,
    ) -> None:
        self._people = people
        self._noise = noise
        self._clock = clock
        self.token_ttl_s = token_ttl_s
        self.code_ttl_s = code_ttl_s
        self._tokens: dict[bytes, Token] = {}
        self._codes: dict[str, Code] = {}
        self._sendings: dict[str, deque[float]] = {}

    # -- QR

    def export(self, device: Device) -> Token | Person:
        """A fresh token to show; or, when one of the device's was scanned, the token again if the login goes on at
        another data centre, or the person who is logged in now.

        Raises: RpcError, SESSION_PASSWORD_NEEDED if a password is still owed.
        """
        if device.person is not None:
            return device.person
        if device.pending is not None:
            raise RpcError(401, "SESSION_PASSWORD_NEEDED")
        self._forget_expired()
        for scanned in self._tokens.values():
            if scanned.device is device and scanned.person is not None:
                return scanned if scanned.dc_id else self._redeem(scanned, scanned.person, device)
        if len(self._tokens) >= _MAX_TOKENS:
            raise RpcError(420, f"FLOOD_WAIT_{int(self.token_ttl_s) + 1}")
        token = Token(self._noise(32), self._clock() + self.token_ttl_s, device)
        self._tokens[token.value] = token
        return token

    def scan(self, value: bytes, person: Person, *, dc_id: int | None = None) -> Device:
        """A person accepts a QR code. Returns the device that shows it.

        Raises: RpcError, AUTH_TOKEN_INVALID, AUTH_TOKEN_EXPIRED or AUTH_TOKEN_ALREADY_ACCEPTED.
        """
        token = self._token(value)
        if token.person is not None:
            raise RpcError(400, "AUTH_TOKEN_ALREADY_ACCEPTED")
        token.person, token.dc_id = person, dc_id
        return token.device

    def import_token(self, value: bytes, device: Device) -> Person:
        """Go on with a scanned token at another data centre. Raises: RpcError."""
        token = self._token(value)
        if token.person is None:
            raise RpcError(400, "AUTH_TOKEN_INVALID")
        return self._redeem(token, token.person, device)

    def _redeem(self, token: Token, person: Person, device: Device) -> Person:
        del self._tokens[token.value]
        return self._admit(device, person)

    def _token(self, value: bytes) -> Token:
        token = self._tokens.get(value)
        if token is None:
            raise RpcError(400, "AUTH_TOKEN_INVALID")
        if token.expires <= self._clock():
            raise RpcError(400, "AUTH_TOKEN_EXPIRED")
        return token

    def _forget_expired(self) -> None:
        """Expired tokens stay for as long again, so that a late scan is told what is wrong with it."""
        limit = self._clock() - self.token_ttl_s
        self._tokens = {value: token for value, token in self._tokens.items() if token.expires > limit}

    # -- phone codes

    def send_code(self, phone: str) -> Code:
        """Send a code; an earlier one for the number is void. Raises: RpcError, PHONE_NUMBER_INVALID, FLOOD_WAIT_x."""
        number, now = _digits(phone), self._clock()
        if len(self._sendings) >= _MAX_PHONES and number not in self._sendings:
            oldest = next(iter(self._sendings))
            del self._sendings[oldest]
            self._codes.pop(oldest, None)
        sendings = self._sendings.setdefault(number, deque(maxlen=MAX_CODES))
        if len(sendings) == MAX_CODES and (wait_s := sendings[0] + _CODES_WITHIN_S - now) > 0:
            raise RpcError(420, f"FLOOD_WAIT_{int(wait_s) + 1}")
        sendings.append(now)
        secret = f"{int.from_bytes(self._noise(4), 'big') % 100_000:05}"
        code = self._codes[number] = Code(number, self._noise(9).hex(), secret, now + self.code_ttl_s)
        return code

    def code(self, phone: str) -> Code:
        """The last code for a number. Raises: LookupError."""
        try:
            return self._codes[digits(phone)]
        except KeyError:
            raise LookupError(f"no code was sent to {phone}") from None

    def known_code(self, phone: str, code_hash: str) -> Code:
        """The code that belongs to number and hash. Raises: RpcError."""
        code = self._codes.get(_digits(phone))
        if code is None or code.hash != code_hash:
            raise RpcError(400, "PHONE_CODE_EXPIRED" if code_hash else "PHONE_CODE_HASH_EMPTY")
        if code.expires <= self._clock() or code.wrong >= _MAX_WRONG:
            raise RpcError(400, "PHONE_CODE_EXPIRED")
        return code

    def sign_in(self, device: Device, phone: str, code_hash: str, given: str) -> Person | None:
        """Check a code. Returns who is logged in, or None if nobody has that number.

        Raises: RpcError, PHONE_CODE_EMPTY, PHONE_CODE_INVALID, PHONE_CODE_EXPIRED or SESSION_PASSWORD_NEEDED.
        """
        code = self.known_code(phone, code_hash)
        if not given:
            raise RpcError(400, "PHONE_CODE_EMPTY")
        if given != code.digits:
            code.wrong += 1
            raise RpcError(400, "PHONE_CODE_INVALID")
        person = self._people.by_phone(code.phone)
        if person is None:
            return None
        self.cancel_code(phone, code_hash)
        return self._admit(device, person)

    def cancel_code(self, phone: str, code_hash: str) -> None:
        """Make a code void. Raises: RpcError."""
        del self._codes[self.known_code(phone, code_hash).phone]

    # -- password

    def challenge(self, device: Device) -> Challenge | None:
        """A fresh challenge for whoever is logged in or about to be; None if they have no password.

        Raises: RpcError if nobody is.
        """
        person = device.pending or device.person
        if person is None:
            raise unauthorized()
        if person.verifier is None:
            return None
        identity = int.from_bytes(self._noise(8), "little", signed=True)
        device.challenge = Challenge(identity, person.verifier, int.from_bytes(self._noise(SECRET_BYTES), "big"))
        return device.challenge

    def check_password(self, device: Device, srp_id: int, share: bytes, proof: bytes) -> Person:
        """Check the password's proof; a challenge is good for one try.

        Raises: RpcError, SRP_ID_INVALID, SRP_A_INVALID or PASSWORD_HASH_INVALID.
        """
        challenge, device.challenge = device.challenge, None
        if device.pending is None:
            raise unauthorized()
        if challenge is None or challenge.id != srp_id:
            raise RpcError(400, "SRP_ID_INVALID")
        try:
            proved = challenge.is_met(share, proof)
        except WrongShareError:
            raise RpcError(400, "SRP_A_INVALID") from None
        if not proved:
            raise RpcError(400, "PASSWORD_HASH_INVALID")
        person = device.pending
        device.log_in(person)
        return person

    def _admit(self, device: Device, person: Person) -> Person:
        if person.verifier is not None:
            device.log_out()
            device.pending = person
            raise RpcError(401, "SESSION_PASSWORD_NEEDED")
        device.log_in(person)
        return person


def token_of(text: str) -> bytes:
    """The token in a QR code's text, `tg://login?token=<base64url>`, or in the bare base64url.

    Raises: ValueError.
    """
    bare = text.removeprefix("tg://login?token=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        raise ValueError("this is no QR code of Telegram: pass its whole text, tg://login?token=…") from None


def _digits(phone: str) -> str:
    try:
        return digits(phone)
    except ValueError:
        raise RpcError(400, "PHONE_NUMBER_INVALID") from None

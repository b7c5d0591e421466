"""How an account logs in: one step at a time, in one shape for every provider.

A session yields steps (show this QR code, ask for this code, do this on the phone); whoever looks after the instance
sees the present one and answers it with its fields.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from mim.contracts.fields import Model, Time


class LoginKind(StrEnum):
    """As what an account of a provider logs in, where there is a choice."""

    BOT = "bot"
    """A bot, by its token."""
    USER = "user"
    """A person's own account, by QR code or phone number."""


LoginFieldName = Literal["phone_number", "token", "code", "password"]
LoginStepType = Literal[
    "display_qr", "display_code", "input_phone", "input_code", "input_password", "passkey", "confirm", "done"
]


class LoginField(Model):
    """One thing that a login step asks for."""

    name: LoginFieldName
    label: str
    required: bool
    secret: bool = False


class LoginStep(Model):
    """The one thing that is next for the login. `code` is the raw text of the QR code, or the code to be typed."""

    type: LoginStepType
    instructions: str
    fields: tuple[LoginField, ...] = ()
    code: str | None = None
    expires_at: Time | None = None

"""Field types shared by messages and REST models: what an id, a text, a phone number may look like."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic import StringConstraints as Chars

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


def clean_text(value: str) -> str:
    """Refuse what JSON lets through but UTF-8, subjects, headers and terminals do not bear."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode: it holds half of a surrogate pair") from None
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters")
    return value


def _one_line(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError("must be one line")
    return clean_text(value)


def _http_url(value: str) -> str:
    parts = urlsplit(_one_line(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL, such as https://example.com/file.png")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password")
    if parts.port == 0:  # a port that is no number up to 65535 raises here as well
        raise ValueError("must not have the port 0")
    return value


def _number_as_text(value: object) -> object:
    # Chat ids are numbers in Telegram's own JSON; callers send them either way.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def iso(value: datetime) -> str:
    """A time as it stands in JSON."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# A BeforeValidator stands after the constraints: if it came first, they would be checked before strip and lower.
InstanceId = Annotated[str, Chars(pattern=UUID_PATTERN), BeforeValidator(_lower)]
UserId = Annotated[
    str,
    Chars(strip_whitespace=True, min_length=1, max_length=128),
    BeforeValidator(_number_as_text),
    AfterValidator(_one_line),
]
Name = Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=128), AfterValidator(_one_line)]
MessageText = Annotated[str, Chars(min_length=1, max_length=65_536), AfterValidator(clean_text)]
Recipient = Annotated[
    str,
    Chars(strip_whitespace=True, min_length=1, max_length=128),
    BeforeValidator(_number_as_text),
    AfterValidator(_one_line),
]
HttpUrl = Annotated[
    str,
    Chars(strip_whitespace=True, max_length=2048),
    AfterValidator(_http_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2048}),
]
# E.164: at most fifteen digits (https://www.itu.int/rec/T-REC-E.164); people write them in groups.
PhoneNumber = Annotated[
    str,
    Chars(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ().-]{5,28}[0-9]$"),
    BeforeValidator(_number_as_text),
]
MessageId = Annotated[str, Chars(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Bool = Annotated[bool, Strict()]
Time = Annotated[
    AwareDatetime,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Model(BaseModel):
    """A frozen value. Unknown fields are ignored: within a version fields are only ever added."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

"""How WhatsApp's addresses and error texts are read by the adapter."""

from __future__ import annotations

import pytest

from mim.contracts.errors import ErrorCode, MimError, NotReady, Refused
from mim.whatsapp_adapter.messages import own_number, pairing_failure, recipient, send_failure, upload_failure


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("15550002222", "15550002222@s.whatsapp.net"),
        ("+1 (555) 000-2222", "15550002222@s.whatsapp.net"),
        (" 15550002222@s.whatsapp.net ", "15550002222@s.whatsapp.net"),
        ("15550002222@c.us", "15550002222@s.whatsapp.net"),
        ("141309234145641@lid", "141309234145641@lid"),
        ("120363025246125486@g.us", "120363025246125486@g.us"),
        ("491511234567-1612345678@g.us", "491511234567-1612345678@g.us"),
    ],
)
def test_a_recipient_may_be_a_number_or_an_address(written: str, address: str) -> None:
    assert recipient(written) == address


@pytest.mark.parametrize("written", ["", "Bob", "1234", "15550002222@example.com", "@lid", "1555000222x"])
def test_a_recipient_that_can_be_neither_is_refused_before_anything_is_sent(written: str) -> None:
    with pytest.raises(Refused) as refused:
        recipient(written)
    assert refused.value.code is ErrorCode.RECIPIENT_UNKNOWN


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("server returned error 463", Refused, ErrorCode.REACHOUT_LOCKED),
        ("server returned error 479", Refused, ErrorCode.MESSENGER_REFUSED),
        ("no LID found for 1@s.whatsapp.net from server", Refused, ErrorCode.RECIPIENT_UNKNOWN),
        ("info query returned status 429: rate-overlimit", NotReady, ErrorCode.RATE_LIMITED),
        ("failed to send message node: websocket not connected", NotReady, ErrorCode.NOT_READY),
        ("the store doesn't contain a device JID", NotReady, ErrorCode.NOT_READY),
        ("failed to get user info for 1: info query timed out", NotReady, ErrorCode.MESSENGER_UNREACHABLE),
        ("timed out waiting for message send response", MimError, ErrorCode.UNCERTAIN),
        ("something that no one has seen yet", MimError, ErrorCode.UNCERTAIN),
    ],
)
def test_an_error_after_a_send_says_whether_the_message_may_have_gone(
    text: str, kind: type[MimError], code: ErrorCode
) -> None:
    error = send_failure(text)
    assert type(error) is kind
    assert error.code is code


def test_a_limit_of_the_messenger_says_how_long_to_wait() -> None:
    error = send_failure("info query returned status 429: rate-overlimit")
    assert isinstance(error, NotReady)
    assert error.retry_after_s == 60


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("upload failed with status code 413", Refused, ErrorCode.MEDIA_REFUSED),
        ("upload failed with status code 400", Refused, ErrorCode.MESSENGER_REFUSED),
        ("upload failed with status code 503", NotReady, ErrorCode.MESSENGER_UNREACHABLE),
        ("failed to refresh media connections: info query timed out", NotReady, ErrorCode.MESSENGER_UNREACHABLE),
        ("failed to execute request: EOF", NotReady, ErrorCode.MESSENGER_UNREACHABLE),
    ],
)
def test_after_a_failed_upload_nothing_was_sent(text: str, kind: type[MimError], code: ErrorCode) -> None:
    error = upload_failure(text)
    assert type(error) is kind
    assert error.code is code


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("phone number too short", Refused, ErrorCode.INVALID_FIELDS),
        ("international phone number required (must not start with 0)", Refused, ErrorCode.INVALID_FIELDS),
        ("info query returned status 400: bad-request", Refused, ErrorCode.MESSENGER_REFUSED),
        ("info query returned status 429: rate-overlimit", NotReady, ErrorCode.RATE_LIMITED),
        ("info query timed out", NotReady, ErrorCode.MESSENGER_UNREACHABLE),
    ],
)
def test_a_refused_pairing_code_says_why(text: str, kind: type[MimError], code: ErrorCode) -> None:
    error = pairing_failure(text)
    assert type(error) is kind
    assert error.code is code


def test_an_own_number_is_read_as_people_write_it() -> None:
    assert own_number("+1 (555) 000-1111") == "15550001111"

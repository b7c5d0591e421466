"""What ids, texts and times from outside may look like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mim.contracts.fields import Bool, InstanceId, MessageId, MessageText, Model, Name, Recipient, Time, UserId

UUID = "5f0c1d3e-0000-4000-8000-000000000042"
LONE_SURROGATE = "a\ud800b"


def read(kind: object, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


def test_an_instance_id_is_a_uuid_in_lower_case() -> None:
    assert read(InstanceId, UUID) == UUID
    assert read(InstanceId, UUID.upper()) == UUID


@pytest.mark.parametrize(
    "bad", ["", "*", UUID + "\n", UUID[:-1], UUID + "0", UUID.replace("-", ""), "{" + UUID + "}", f"urn:uuid:{UUID}"]
)
def test_anything_else_is_no_instance_id(bad: str) -> None:
    with pytest.raises(ValidationError):
        read(InstanceId, bad)


@pytest.mark.parametrize("kind", [UserId, Name, Recipient])
def test_a_name_is_one_line_of_valid_unicode(kind: object) -> None:
    assert read(kind, "  Пётр 🎉  ") == "Пётр 🎉"
    for bad in ("", "   ", "a\nb", "a\rb", "a\0b", "a\x1b[31m", LONE_SURROGATE, "x" * 129):
        with pytest.raises(ValidationError):
            read(kind, bad)


@pytest.mark.parametrize("kind", [UserId, Recipient])
def test_numbers_are_taken_as_ids_but_truth_is_not(kind: object) -> None:
    assert read(kind, -1001234567890) == "-1001234567890"
    for bad in (True, 1.5, None, [], {}):
        with pytest.raises(ValidationError):
            read(kind, bad)


def test_a_message_may_have_lines_and_tabs_and_spaces_at_its_ends() -> None:
    text = "  Пётр,\n\tмы тут 👋🏽\r\n "
    assert read(MessageText, text) == text
    for bad in ("", "a\0b", "\x07", LONE_SURROGATE, "x" * 65_537):
        with pytest.raises(ValidationError):
            read(MessageText, bad)


@given(st.text(max_size=200))
def test_whatever_text_passes_survives_utf8_and_json(text: str) -> None:
    class Box(Model):
        text: MessageText

    try:
        box = Box(text=text)
    except ValidationError:
        return
    assert Box.model_validate_json(box.model_dump_json().encode()) == box
    assert "\0" not in box.text


@pytest.mark.parametrize("bad", ["", "a b", "a.b", "a/b", "é", "x" * 65, "a\n"])
def test_a_message_id_can_stand_in_headers_and_subjects(bad: str) -> None:
    assert read(MessageId, "3EB0_a-9") == "3EB0_a-9"
    with pytest.raises(ValidationError):
        read(MessageId, bad)


@pytest.mark.parametrize("bad", [1, 0, "true", "yes", None])
def test_truth_is_true_or_false(bad: object) -> None:
    assert read(Bool, True) is True
    with pytest.raises(ValidationError):
        read(Bool, bad)


def test_times_have_a_zone_and_are_written_in_milliseconds() -> None:
    class Box(Model):
        at: Time

    at = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)
    assert Box(at=at).model_dump(mode="json") == {"at": "2026-11-24T12:00:00.123Z"}
    east = Box(at=at.astimezone(timezone(timedelta(hours=3))))
    assert Box.model_validate_json(east.model_dump_json()).at == at.replace(microsecond=123_000)
    with pytest.raises(ValidationError):
        read(Time, datetime(2026, 11, 24))  # noqa: DTZ001


def test_a_refusal_never_repeats_what_was_given() -> None:
    class Box(Model):
        token: Bool

    with pytest.raises(ValidationError) as refused:
        Box(token="123456:very-secret-token")  # type: ignore[arg-type]
    assert "very-secret" not in str(refused.value)


def test_models_do_not_change_once_made() -> None:
    class Box(Model):
        name: Name

    with pytest.raises(ValidationError):
        Box(name="a").name = "b"  # type: ignore[misc]

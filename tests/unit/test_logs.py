"""Escape codes and secrets never get into a line, wherever in an event they stand."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.runtime.logs import ANSI, clean, scrub

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
API_KEY = "mim_" + "Zx9_-" * 8
SECRETS = (TOKEN, API_KEY)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "a {} b",
        "https://x/?key={}&a=1",
        "'{}'",
        '{{"token":"{}"}}',
        "\x1b[31m{}\x1b[0m",
        "token={}",
    ],
)
def test_a_secret_is_taken_out_of_any_text(secret: str, around: str) -> None:
    shown = clean(around.format(secret))
    assert secret not in shown
    assert "[redacted]" in shown


def test_a_bot_token_is_taken_out_of_the_urls_of_the_bot_api() -> None:
    assert (
        clean(f"POST https://api.telegram.org/bot{TOKEN}/getMe") == "POST https://api.telegram.org/bot[redacted]/getMe"
    )


def test_a_bearer_token_of_any_form_is_taken_out() -> None:
    assert clean("Authorization: Bearer hunter2; next") == "Authorization: Bearer [redacted] next"


@pytest.mark.parametrize(
    "escape",
    ["\x1b[31m", "\x1b[0m", "\x1b[2J", "\x1b[1;1H", "\x1b[?25l", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1bc"],
)
def test_escape_sequences_disappear(escape: str) -> None:
    assert "\x1b" not in clean(f"a{escape}b")


@given(st.text(st.sampled_from("\x1b[]0;31mHJc\x07\\ abP_^XkTé\u009b\r\b"), max_size=30))
def test_no_piece_of_an_escape_sequence_survives(text: str) -> None:
    assert "\x1b" not in clean(text)
    assert "\u009b" not in clean(text)  # CSI as one character


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=25))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


values = st.recursive(
    st.sampled_from([*SECRETS, f"x {TOKEN} \x1b[1m y", 7, None, True, 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner) | st.tuples(inner),
    max_leaves=8,
)


@given(values)
def test_nested_values_are_scrubbed_at_every_depth(value: object) -> None:
    shown = repr(scrub(value))
    assert not any(secret in shown for secret in SECRETS)
    assert not ANSI.search(shown)


def test_objects_are_shown_by_their_scrubbed_text() -> None:
    assert TOKEN not in scrub(ValueError(f"no such bot {TOKEN}"))
    assert scrub(b"bytes " + TOKEN.encode()) == "b'bytes [redacted]'"


PROGRAM = """
import logging, sys, structlog
from mim.runtime import logs
from mim.runtime.settings import Settings
logs.configure(Settings(log_format=sys.argv[1], log_level="debug"), "probe")
token, key = sys.argv[2:]
log = structlog.get_logger()
log.info("plain", token=token, text=f"\\x1b[31mred {key}\\x1b[0m")
log.info("nested", deep={"list": [{"url": f"https://x/bot{token}/getMe"}, (key,)]}, **{f"key {token}": 1})
log.info(f"in the event {token}")
log.bind(bound=key).warning("bound")
logging.getLogger("library").error("from a library: %s", token)
try:
    raise ValueError(f"cannot use {token}") from RuntimeError(key)
except ValueError:
    log.exception("structlog_traceback")
    logging.getLogger("library").exception("stdlib traceback %s", key)
log.debug("error_object", error=ValueError(token))
"""


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_no_rendered_line_shows_a_secret_or_an_escape_code(form: str) -> None:
    command = [sys.executable, "-c", PROGRAM, form, TOKEN, API_KEY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert TOKEN not in done.stderr
    assert API_KEY not in done.stderr
    assert "\x1b" not in done.stderr
    assert "\\u001b" not in done.stderr
    assert "Traceback" in done.stderr
    assert "red [redacted]" in done.stderr
    assert done.stdout == ""


def test_a_json_log_is_one_object_a_line_with_time_level_and_service() -> None:
    command = [sys.executable, "-c", PROGRAM, "json", TOKEN, API_KEY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == 8
    assert all({"event", "level", "timestamp", "service"} <= line.keys() for line in lines)
    assert {line["service"] for line in lines} == {"probe"}

"""Escape codes and secrets never get into a line, wherever in an event they stand."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.typing import FilteringBoundLogger

from mim.contracts import subjects
from mim.contracts.values import LogLevel, LogLine
from mim.runtime import logs, metrics
from mim.runtime.logs import ANSI, InstanceLines, Output, clean, scrub

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


HELD = """
import logging, sys
from mim.runtime import logs
from mim.runtime.settings import Settings
logs.FLUSH_S = logs.SPOOLED_S = 60  # a busy machine
logs.configure(Settings(log_format="json"), "probe")
for number in range(int(sys.argv[1])):
    logging.getLogger("library").warning("line %d %s", number, "x" * 1000)
print("went on", flush=True)
sys.stdin.read()
"""


def test_a_reader_that_does_not_read_holds_nobody_and_costs_only_the_oldest_lines() -> None:
    count = 3 * logs.SPOOL_BYTES // 1000  # a pipe takes 64 KB of it
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HELD, str(count)], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"went on\n"  # though nobody has read a line
        _, told = process.communicate(timeout=60)
    numbers = [int(json.loads(line)["event"].split()[1]) for line in told.splitlines()]
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert numbers[-1] == count - 1
    assert len(numbers) < count / 2


class Reader(io.StringIO):
    """Takes each line after a pause."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self._pause_s = pause_s
        self._ended = threading.Event()

    def write(self, text: str) -> int:
        self._ended.wait(self._pause_s)
        return super().write(text)

    def end(self) -> None:
        self._ended.set()


def test_the_last_lines_are_waited_for_as_long_as_the_reader_reads() -> None:
    slow = Reader(pause_s=0.05)
    spool = logs.Spool(slow)
    for number in range(30):
        spool.write(f"{number}\n")
    spool.finish(stalled_s=1.0, most_s=60)
    assert slow.getvalue().split() == [str(number) for number in range(30)]


@pytest.mark.parametrize(("pause_s", "stalled_s", "most_s"), [(60, 0.01, 60), (0.01, 60, 0.1)])
def test_a_reader_that_stops_or_never_comes_to_an_end_is_not_waited_for(
    pause_s: float, stalled_s: float, most_s: float
) -> None:
    reader = Reader(pause_s)
    spool = logs.Spool(reader)
    for number in range(6000):
        spool.write(f"{number}\n")
    spool.finish(stalled_s, most_s)
    assert len(reader.getvalue().split()) < 6000
    reader.end()


# ----------------------------------------------------------------------------------- lines of instances

ID = "5f0c1d3e-0000-4000-8000-000000000042"


@pytest.fixture
def lines() -> Iterator[InstanceLines]:
    """Lines from a logger of this test's own, for a service called `probe`."""
    made = InstanceLines()
    handler = Output(io.StringIO(), "probe", logging.INFO, pretty=False, lines=made)
    library = logging.getLogger("probe")
    library.setLevel(logging.DEBUG)
    library.addHandler(handler)
    yield made
    library.removeHandler(handler)


@pytest.fixture
def log(lines: InstanceLines) -> FilteringBoundLogger:
    """A structlog logger as `configure` makes them."""
    made: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger("probe"),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            lambda _l, _m, event: {"service": "probe", **event},
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
    )
    return made


def taken(lines: InstanceLines) -> list[tuple[str, LogLine]]:
    found = iter(lines.take, None)
    return [(subject, LogLine.model_validate_json(payload)) for subject, payload in found]


def messages(lines: InstanceLines) -> list[str]:
    return [line.message for _, line in taken(lines)]


def dropped() -> float:
    return metrics.REGISTRY.get_sample_value("mim_log_lines_dropped_total") or 0.0


def test_a_line_of_an_instance_waits_for_the_bus(lines: InstanceLines, log: FilteringBoundLogger) -> None:
    log.bind(instance_id=ID).warning("link_lost", code="TIMEOUT", text="two words", attempt=3, deep={"a": [1]})
    [(subject, line)] = taken(lines)
    assert subject == subjects.log_line(ID)
    assert (line.level, line.source) == (LogLevel.WARNING, "probe")
    assert line.message == 'link_lost code=TIMEOUT text="two words" attempt=3 deep={"a": [1]}'


@pytest.mark.parametrize("bad", [None, 7, "", "*", "a.b", "A", "x" * 64, ["5"]])
def test_a_line_without_the_id_of_an_instance_does_not(
    lines: InstanceLines, log: FilteringBoundLogger, bad: object
) -> None:
    before = dropped()
    log.info("without")
    log.info("with another", instance_id=bad)
    assert taken(lines) == []
    assert dropped() == before


def test_lines_below_info_do_not(lines: InstanceLines, log: FilteringBoundLogger) -> None:
    log.debug("detail", instance_id=ID)
    log.info("news", instance_id=ID)
    assert messages(lines) == ["news"]


async def test_what_is_logged_inside_of_an_instance_carries_its_id_in_its_tasks_too(
    lines: InstanceLines, log: FilteringBoundLogger
) -> None:
    library, other = logging.getLogger("probe.library"), str(uuid4())

    async def session() -> None:
        log.info("ours")
        library.warning("theirs: %s", "a word")

    async def start(instance_id: str) -> None:
        with logs.of_instance(instance_id):
            task = asyncio.create_task(session())
        await task

    await asyncio.gather(start(ID), start(other))
    library.warning("outside")
    found = taken(lines)
    for instance_id in (ID, other):
        mine = [line.message for subject, line in found if subject == subjects.log_line(instance_id)]
        assert mine == ["ours", "theirs: a word"]
    assert len(found) == 4


def test_no_line_holds_a_secret_or_an_escape_code(lines: InstanceLines, log: FilteringBoundLogger) -> None:
    bound = log.bind(instance_id=ID)
    bound.info(f"in the event {TOKEN}", deep={"list": [{"url": f"https://x/bot{TOKEN}/getMe"}, (API_KEY,)]})
    bound.info("by name", password="hunter2", headers={"X-Key": "hunter2"}, inner={"proxy": "hunter2"})
    bound.info("\x1b[31mred\x1b[0m\x07\x08", text=f"\x1b]0;t\x07{API_KEY}")
    with logs.of_instance(ID):
        logging.getLogger("probe").error("from a library: %s", TOKEN)
        try:
            raise ValueError(f"cannot use {TOKEN}") from RuntimeError(API_KEY)
        except ValueError:
            log.exception("broke")
            logging.getLogger("probe").exception("broke, says %s", API_KEY)
    found = messages(lines)
    assert len(found) == 6
    assert not any(secret in text for text in found for secret in (*SECRETS, "hunter2", "\x1b", "\x07", "\x08"))
    assert all("Traceback" in text and "cannot use [redacted]" in text for text in found[-2:])


def test_a_line_is_cut_to_its_length_and_keeps_beginning_and_end(
    lines: InstanceLines, log: FilteringBoundLogger
) -> None:
    log.info("begin", instance_id=ID, text="x" * 100_000, last="end")
    [text] = messages(lines)
    assert len(text) <= logs.MESSAGE_LENGTH
    assert text.startswith("begin")
    assert text.endswith("last=end")


def test_the_oldest_lines_make_room_and_are_counted(lines: InstanceLines, log: FilteringBoundLogger) -> None:
    before = dropped()
    for number in range(logs.MOST_LINES + 5):
        log.info("line", instance_id=ID, number=number)
    found = messages(lines)
    assert len(found) == logs.MOST_LINES
    assert (found[0], found[-1]) == ("line number=5", f"line number={logs.MOST_LINES + 4}")
    assert dropped() - before == 5


def test_long_lines_take_no_more_memory_than_allowed(lines: InstanceLines, log: FilteringBoundLogger) -> None:
    for _ in range(200):
        log.info("long", instance_id=ID, text="é" * 20_000)
    sizes = [len(payload) for _, payload in iter(lines.take, None)]
    assert logs.MOST_BYTES / 2 < sum(sizes) <= logs.MOST_BYTES


class Unshowable:
    """Breaks whoever wants to show it."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_a_value_that_cannot_be_shown_breaks_nothing(lines: InstanceLines) -> None:
    event = {"event": "broken", "instance_id": ID, "value": Unshowable(), "level": "info", "service": "probe"}
    record = {"msg": event | {"timestamp": "2026-01-01T00:00:00Z"}, "_logger": None, "_name": "info"}
    # Not through the logger: pytest listens there as well, and does break.
    logging.getLogger("probe").handlers[0].handle(logging.makeLogRecord(record | {"levelno": logging.INFO}))
    assert messages(lines) == ["broken value=[Unshowable]"]


def test_text_that_is_no_unicode_breaks_nothing(lines: InstanceLines, log: FilteringBoundLogger) -> None:
    log.info("half a pair \ud800", instance_id=ID)
    assert messages(lines) == ["half a pair ?"]


def test_a_line_that_is_only_kept_and_cannot_be_made_breaks_nothing() -> None:
    kept = InstanceLines()
    output = Output(io.StringIO(), "probe", logging.ERROR, pretty=False, lines=kept)
    with logs.of_instance(ID):
        for message in ("%s and %s", "%s"):
            output.handle(logging.makeLogRecord({"msg": message, "args": ("one",), "levelno": logging.INFO}))
    assert messages(kept) == ["one"]


def test_one_call_wakes_for_many_lines_and_a_broken_one_breaks_nothing(
    lines: InstanceLines, log: FilteringBoundLogger
) -> None:
    calls: list[int] = []

    def wake() -> None:
        calls.append(1)
        raise RuntimeError("the loop is closed")

    lines.wake = wake
    for _ in range(3):
        log.info("news", instance_id=ID)
    assert len(calls) == 1
    assert messages(lines) == ["news"] * 3

"""Ids become parts of subjects and keys only if they cannot do harm there."""

from __future__ import annotations

import inspect
import re
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.contracts import subjects
from mim.contracts.errors import ErrorCode, Invalid

GOOD = "5f0c1d3e-0000-4000-8000-000000000042"
BAD = {
    "star": "*",
    "greater": ">",
    "inner star": "a*b",
    "inner greater": "a>b",
    "dot": "a.b",
    "space": "a b",
    "tab": "a\tb",
    "line end": "a\n",
    "carriage return": "a\r\nPUB x 0",
    "nul": "a\0b",
    "64 characters": "a" * 64,
    "5,000 characters": "a" * 5000,
    "upper case": "ABC",
    "dollar": "$sys",
    "empty": "",
    "leading dash": "-a",
    "trailing dash": "a-",
    "slash": "a/b",
    "accent": "é",
    "full-width digit": "\uff11",
    "lone surrogate": "a\ud800",
}
# Builders and a set of good arguments for each.
BUILDERS: dict[Callable[..., str], tuple[str, ...]] = {
    subjects.token: (GOOD,),
    subjects.instance_command: (GOOD, "start"),
    subjects.message_command: ("telegram", GOOD),
    subjects.instance_event: (GOOD, "qr_ready"),
    subjects.messages_of: ("telegram",),
    subjects.instance_events: (GOOD,),
    subjects.message_event: (GOOD, "sent"),
    subjects.message_events: (GOOD,),
    subjects.activity_event: (GOOD,),
    subjects.audit_event: (GOOD, "rotate_api_key"),
    subjects.audits_of: (GOOD,),
    subjects.session_call: ("telegram-1",),
    subjects.drain_call: ("telegram-1",),
    subjects.webhooks_call: ("list",),
    subjects.messages_call: ("chats",),
    subjects.all_of: ("deleted",),
    subjects.log_line: (GOOD,),
    subjects.dead_letter: ("lifecycle",),
    subjects.metrics_of: ("lifecycle",),
    subjects.outbox_inbox: ("telegram-1", "b00t"),
    subjects.order_key: ("telegram", "telegram-1", GOOD),
    subjects.orders_of: ("telegram", "telegram-1"),
    subjects.secret_key: ("telegram", GOOD, "token"),
    subjects.lease_key: (GOOD,),
}
PLACES = [(builder, place) for builder, args in BUILDERS.items() for place in range(len(args))]


def named(value: object) -> str | None:
    return getattr(value, "__name__", None)


def test_no_builder_is_left_out_here() -> None:
    cleaning = {subjects.host_token, subjects.port_key}  # they make a token of any text
    reading = {subjects.last_token, subjects.instance_of, subjects.reply_subject}
    functions = inspect.getmembers(subjects, inspect.isfunction)
    ours = {function for name, function in functions if not name.startswith("_")}
    documenting = {subjects.bucket_subject}  # nothing from outside goes into it
    assert ours == {*BUILDERS, *cleaning, *reading, *documenting}


@pytest.mark.parametrize(("builder", "place"), PLACES, ids=named)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_every_builder_refuses_harmful_ids_in_every_place(builder: Callable[..., str], place: int, bad: str) -> None:
    args = list(BUILDERS[builder])
    args[place] = bad
    with pytest.raises(Invalid) as refused:
        builder(*args)
    assert refused.value.code == ErrorCode.INVALID_ID
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(("builder", "args"), BUILDERS.items(), ids=named)
def test_every_builder_takes_good_ids(builder: Callable[..., str], args: tuple[str, ...]) -> None:
    built = builder(*args)
    assert all(arg in built for arg in args)


@given(st.text() | st.text(string.printable) | st.from_regex(r"[a-z0-9_-]{1,70}", fullmatch=True))
def test_whatever_passes_is_safe(text: str) -> None:
    try:
        accepted = subjects.token(text)
    except Invalid:
        return
    assert accepted == text
    assert 1 <= len(accepted) <= 63
    assert set(accepted) <= set(string.ascii_lowercase + string.digits + "-_")
    assert accepted[0] not in "-_"
    assert accepted[-1] not in "-_"


@given(st.text())
def test_any_host_name_becomes_a_token(host: str) -> None:
    assert subjects.token(subjects.host_token(host)) == subjects.host_token(host)


def test_ports_of_different_hosts_have_different_keys() -> None:
    assert subjects.port_key("Desk.example.com", 3001) == "desk-example-com.3001"
    assert subjects.port_key("desk", 3001) != subjects.port_key("tower", 3001)


@given(st.uuids(), st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_a_subject_gives_back_what_went_in(instance_id: object, word: str) -> None:
    for builder in (subjects.instance_event, subjects.message_event, subjects.instance_command):
        subject = builder(str(instance_id), word)
        assert (subjects.instance_of(subject), subjects.last_token(subject)) == (str(instance_id), word)


@pytest.mark.parametrize("good", ["_INBOX.abc.DEF", "mim.reply.x", "mim.reply.a1.b2", "_INBOX.a-b_c"])
def test_outcomes_may_go_to_inboxes_and_below_mim_reply(good: str) -> None:
    assert subjects.reply_subject(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        *("", "_INBOX", "_INBOX.>", "mim.reply", "mim.reply.", "mim.reply.*", "mim.replyx.a", "mim.reply.a b"),
        *("_INBOX.a\r\n", "mim.reply" + ".a" * 9, "mim.reply." + "a" * 65, "mim.evt.instance.x.deleted", "$JS.API.x"),
    ],
)
def test_outcomes_may_go_nowhere_else(bad: str) -> None:
    with pytest.raises(Invalid):
        subjects.reply_subject(bad)


def test_the_subjects_are_those_of_the_contract() -> None:
    assert subjects.CREATE_COMMAND == "mim.cmd.instance.create"
    assert subjects.instance_command("a", "stop") == "mim.cmd.instance.a.stop"
    assert subjects.message_command("telegram", "a") == "mim.cmd.message.telegram.a"
    assert subjects.instance_event("a", "qr_ready") == "mim.evt.instance.a.qr_ready"
    assert subjects.message_event("a", "sent") == "mim.evt.message.a.sent"
    assert subjects.log_line("a") == "mim.log.a"
    assert re.fullmatch(r"mim\.dlq\.\w+", subjects.dead_letter("lifecycle"))

"""When the container of an instance is tried again, and what its worker is given to read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mim.contracts.errors import ErrorCode
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Expose, Interface, Isolation, Provider, Status, UserAction
from mim.contracts.subjects import token
from mim.contracts.values import Ports, Reason
from mim.lifecycle.containers import AGAIN, HEARD_S, STEADY_S, Life, files_for, worker_of
from mim.lifecycle.engine import Plan
from mim.runtime.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = Reason(code=ErrorCode.CONTAINER_ENDED, message="it ended", user_action=UserAction.WAIT, since=NOW)
ID = "5f0c1d3e-0000-4000-8000-000000000042"
RECORD = InstanceRecord(
    id=ID,
    user_id="me",
    provider=Provider.TELEGRAM,
    type_instance=(Interface.API,),
    expose=Expose.PORT,
    isolation=Isolation.CONTAINER,
    desired=Desired.RUNNING,
    status=Status.STARTING,
    ports=Ports(api=3001),
    reason=ENDED,
    created_at=NOW,
    updated_at=NOW,
    event_seq=1,
    instance_seq=1,
)
PLAN = Plan(
    name="mim-1-x",
    labels={},
    image="sha256:1",
    command=["run", "telegram-adapter"],
    environment={},
    folder="/secrets/telegram-adapter",
    files={"mim_worker": b"one", "mim_secret_key": b"s3cret"},
    network="host",
    ports=(3001,),
    publish_at="127.0.0.1",
    memory_mb=512,
    cpus=1.0,
    pids=256,
)


@given(steps=st.lists(st.tuples(st.sampled_from(["fail", "start", "hear"]), st.floats(0, 200), st.floats(0, 0.999))))
def test_every_failure_ends_in_a_later_try_or_with_a_person(steps: list[tuple[str, float, float]]) -> None:
    life, now = Life(), 1000.0
    for step, later_s, chance in steps:
        now += later_s
        if step == "fail":
            life.failed(now, ENDED, chance)
            assert life.reason is not None
            gave_up = life.reason.user_action is UserAction.RESTART
            assert gave_up == (life.next_at == now)
            assert life.next_at - now <= AGAIN.most_s * (1 + AGAIN.jitter)
            assert not life.is_silent(now + 10 * HEARD_S)
        elif step == "start":
            life.started(now)
            assert not life.is_silent(now + HEARD_S)
            assert life.is_silent(now + HEARD_S + 1)
        else:
            life.heard(now, None)
            assert not life.is_silent(now + 10 * HEARD_S)


def test_what_fails_for_a_quarter_of_an_hour_is_left_to_a_person() -> None:
    life, now, tries = Life(), 0.0, 0
    while life.reason is None or life.reason.user_action is UserAction.WAIT:
        now = max(now, life.next_at)
        life.failed(now, ENDED, 0.5)
        tries += 1
    assert now >= AGAIN.give_up_s
    assert 10 < tries < 40
    life.failed(now + 1, ENDED, 0.5)
    assert life.reason.user_action is UserAction.WAIT  # somebody started the instance


def test_one_that_was_well_for_a_while_begins_afresh() -> None:
    life = Life()
    for second in range(5):
        life.failed(second, ENDED, 0.5)
    life.heard(100.0, "boot")
    life.failed(100.0 + STEADY_S + 1, ENDED, 0.5)
    assert life.next_at - (100.0 + STEADY_S + 1) == AGAIN.first_s


def test_why_it_ended_stands_until_another_worker_is_heard() -> None:
    life = Life()
    life.heard(1.0, "first")
    life.ended(2.0, ENDED, 0.5, "first")
    life.heard(2.0, "first")  # the heartbeat that it has left
    assert (life.reason, life.next_at) == (ENDED, 2.0 + AGAIN.first_s)
    life.started(3.0)
    life.heard(4.0, "second")
    assert (life.reason, life.heard_at) == (None, 4.0)


def test_a_taken_port_is_not_tried_again() -> None:
    life = Life()
    life.failed(1.0, ENDED.model_copy(update={"code": ErrorCode.PORT_TAKEN}), 0.5)
    assert life.reason is not None
    assert life.reason.user_action is UserAction.RESTART


def test_a_plan_differs_with_everything_that_is_in_it_and_shows_no_secret() -> None:
    other = [
        PLAN.digest,
        Plan(**{**_fields(), "image": "sha256:2"}).digest,
        Plan(**{**_fields(), "memory_mb": 513}).digest,
        Plan(**{**_fields(), "files": {"mim_worker": b"one", "mim_secret_key": b"other"}}).digest,
    ]
    assert len(set(other)) == 4
    assert Plan(**_fields()).digest == PLAN.digest
    assert "s3cret" not in repr(PLAN)


def _fields() -> dict[str, object]:
    return {name: getattr(PLAN, name) for name in Plan.__dataclass_fields__}


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_the_worker_of_one_instance_is_nobody_elses_name(instance_id: str) -> None:
    name = worker_of(instance_id)
    assert token(name) == name
    assert name != worker_of(instance_id + "x")
    assert worker_of(name) != name


def test_a_worker_is_given_its_settings_keys_and_the_files_that_they_name(tmp_path: Path) -> None:
    seed, authority, root = tmp_path / "telegram-adapter.nk", tmp_path / "ca.pem", tmp_path / "root.pub"
    seed.write_bytes(b"SEED")
    authority.write_bytes(b"CA")
    root.write_bytes(b"ROOT")
    settings = Settings(
        nats_url="nats://127.0.0.1:4222",
        container_nats_url="tls://nats:4222",
        container_nkey_file=str(tmp_path / "{service}.nk"),
        container_network="mim_default",
        secret_key=SecretStr("11" * 32),
        admin_token=SecretStr("not for workers"),
        database_url=SecretStr("postgresql://not-for-workers"),
        whatsapp_ca_file=str(authority),
        whatsapp_child_wrapper=f"-m trust {root}",
        media_private=True,
        host_name="desk",
    )
    files = files_for(settings, RECORD, "telegram-adapter", "/secrets/x")
    assert files == {
        "mim_nats_url": b"tls://nats:4222",
        "mim_nats_nkey_file": b"/secrets/x/telegram-adapter.nk",
        "telegram-adapter.nk": b"SEED",
        "mim_host_name": b"desk",
        "mim_instance_host": b"0.0.0.0",
        "mim_worker": worker_of(ID).encode(),
        "mim_worker_only": ID.encode(),
        "mim_worker_capacity": b"1",
        "mim_whatsapp_ca_file": b"/secrets/x/ca.pem",
        "ca.pem": b"CA",
        "mim_whatsapp_child_wrapper": b"-m trust /secrets/x/root.pub",
        "root.pub": b"ROOT",
        "mim_media_private": b"true",
        "mim_secret_key": b"11" * 32,
    }

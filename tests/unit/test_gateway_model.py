"""What the gateway lists of its read model is what a plain search of all records finds, after any changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import orjson
from hypothesis import given
from hypothesis import strategies as st

from mim.contracts.api import FilterQuery
from mim.contracts.reasons import default_reason
from mim.contracts.records import InstanceRecord, WorkerHeartbeat
from mim.contracts.states import Desired, Interface, Provider, Role, Status
from mim.gateway.access import Access
from mim.gateway.model import ReadModel
from mim.gateway.workers import Workers
from mim.runtime.routing import Caller
from mim.runtime.settings import Settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
STATUSES = (Status.PENDING, Status.CLIENT_READY, Status.DELETED)
CHANGES = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from(STATUSES) | st.none(), st.sampled_from(("shop", "desk", None))),
    max_size=25,
)


def record_of(number: int, status: Status = Status.PENDING, name: str | None = None) -> InstanceRecord:
    return InstanceRecord(
        id=f"5f0c1d3e-0000-4000-8000-{number:012}",
        user_id=f"user-{number % 3}",
        provider=list(Provider)[number % 2],
        type_instance=(Interface.API,),
        display_name=name,
        desired=Desired.RUNNING,
        status=status,
        reason=default_reason(status, NOW),
        created_at=NOW + timedelta(seconds=(number * 5) % 8),  # ids and ages are not in the same order
        updated_at=NOW,
        event_seq=1,
        instance_seq=1,
    )


def put(model: ReadModel, record: InstanceRecord) -> None:
    model._take(record.id, record.model_dump_json().encode())


def access_to(model: ReadModel) -> Access:
    nothing: Any = SimpleNamespace(admin_token=None)
    return Access(nothing, model, nothing, nothing, nothing, lambda: 0.0)


@given(changes=CHANGES, user=st.sampled_from((None, "user-1")), bound=st.sampled_from((None, "user-1", "user-2")))
def test_lists_are_what_a_search_of_all_records_finds(
    changes: list[tuple[int, Status | None, str | None]], user: str | None, bound: str | None
) -> None:
    model, plain = ReadModel(cast("Any", None)), dict[str, InstanceRecord]()
    access, caller = access_to(model), Caller("c", Role.VIEWER, user_id=bound)
    for number, status, name in changes:
        if status is None:
            model._take(record_of(number).id, None)
            plain.pop(record_of(number).id, None)
        else:
            put(model, record_of(number, status, name))
            plain[record_of(number).id] = record_of(number, status, name)
        for provider in (None, Provider.TELEGRAM):
            for wanted, search in ((None, None), (Status.CLIENT_READY, None), (None, " SHOP ")):
                query = FilterQuery(user_id=user, provider=provider, status=wanted, search=search)
                expected = [
                    record
                    for record in sorted(plain.values(), key=lambda record: (record.created_at, record.id))
                    if record.status is not Status.DELETED
                    and bound in (None, record.user_id)
                    and user in (None, record.user_id)
                    and provider in (None, record.provider)
                    and wanted in (None, record.status)
                    and (search is None or record.display_name == "shop")
                ]
                assert access.records(caller, query) == expected


def test_whoever_comes_with_the_key_of_one_instance_lists_that_one() -> None:
    model = ReadModel(cast("Any", None))
    for number in range(3):
        put(model, record_of(number))
    own = record_of(1)
    caller = Caller("key", Role.OPERATOR, own.user_id, instance_id=own.id)
    assert access_to(model).records(caller) == [own]
    assert access_to(model).records(caller, FilterQuery(status=Status.ERROR)) == []


def test_the_json_and_the_text_of_a_record_follow_its_changes() -> None:
    model = ReadModel(cast("Any", None))
    for name in ("before", "after"):
        record = record_of(1, name=name)
        put(model, record)
        assert orjson.loads(model.json(record))["name"] == name
        assert name in model.text(record)
        assert model.join([record, record]) == model.json(record) + b"," + model.json(record)


def test_a_worker_is_drained_when_no_record_says_otherwise() -> None:
    model = ReadModel(cast("Any", None))
    workers = Workers(cast("Any", None), Settings(), model)
    beat = WorkerHeartbeat(worker="one", boot="b", provider=Provider.TELEGRAM, host="h", capacity=9, load=0)

    def state(**changed: Any) -> str:
        return workers._shown(beat.model_copy(update=changed)).state

    assert (state(), state(draining=True), state(draining=True, load=1)) == ("active", "drained", "draining")
    ready = record_of(0, Status.CLIENT_READY)
    for worker, status, expected in (
        ("one", Status.CLIENT_READY, "draining"),  # its heartbeat came before the news
        ("two", Status.CLIENT_READY, "drained"),
        ("one", Status.STOPPED, "drained"),
    ):
        put(model, ready.model_copy(update={"worker": worker, "status": status}))
        assert state(draining=True) == expected

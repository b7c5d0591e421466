"""What is kept lean is the same model: equal, copied and written as before."""

from __future__ import annotations

from datetime import UTC, datetime

from mim.contracts.reasons import default_reason
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Interface, Provider, Status
from mim.contracts.values import ApiKeyUse
from mim.runtime.lean import lean

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def record() -> InstanceRecord:
    return InstanceRecord(
        id="5f0c1d3e-0000-4000-8000-000000000001",
        user_id="u",
        provider=Provider.TELEGRAM,
        type_instance=(Interface.API,),
        desired=Desired.RUNNING,
        status=Status.PENDING,
        reason=default_reason(Status.PENDING, NOW),
        api_keys=(ApiKeyUse(sha256="hash", created_at=NOW),),
        created_at=NOW,
        updated_at=NOW,
        event_seq=1,
        instance_seq=1,
    )


def test_it_is_the_same_to_whoever_compares_copies_or_writes_it() -> None:
    plain, kept = record(), lean(record())
    assert kept == plain
    assert kept.model_dump_json() == plain.model_dump_json()
    change = {"status": Status.STARTING, "worker": "w"}
    assert kept.model_copy(update=change) == plain.model_copy(update=change)
    assert kept.model_copy(update=change).model_dump_json() == plain.model_copy(update=change).model_dump_json()
    assert kept.model_copy(deep=True) == plain


def test_all_of_a_kind_share_one_set_with_their_copies_and_inner_models() -> None:
    one, other = lean(record()), lean(record())
    assert one.model_fields_set == set(InstanceRecord.model_fields)
    assert one.model_fields_set is other.model_fields_set
    assert one.model_copy(update={"worker": "w"}).model_fields_set is one.model_fields_set
    assert one.reason.model_fields_set is other.reason.model_fields_set
    assert one.api_keys[0].model_fields_set is other.api_keys[0].model_fields_set


def test_other_models_still_know_what_they_were_given() -> None:
    lean(record())
    assert "worker" not in record().model_fields_set

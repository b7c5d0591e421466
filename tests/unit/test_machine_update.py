"""What a change of an instance's data leads to, as events and in the record that they fold into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.contracts.errors import Rejected
from mim.contracts.messages import InstanceStarting, InstanceUpdated, UpdateInstance, wrap
from mim.contracts.reasons import default_reason
from mim.contracts.records import InstanceRecord
from mim.contracts.states import Desired, Interface, Provider, Status
from mim.contracts.values import Ports, Webhook
from mim.lifecycle import machine
from mim.lifecycle.fold import fold

ID = "5f0c1d3e-0000-4000-8000-000000000042"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOOK = Webhook(url="https://example.com/hook")


def record(status: Status = Status.CLIENT_READY, **more: Any) -> InstanceRecord:
    plain: dict[str, Any] = {
        "id": ID,
        "user_id": "u",
        "provider": Provider.TELEGRAM,
        "type_instance": (Interface.API,),
        "display_name": "old",
        "desired": Desired.STOPPED if status is Status.STOPPED else Desired.RUNNING,
        "status": status,
        "reason": default_reason(status, NOW),
        "epoch": 2,
        "worker": "w",
        "boot": "b",
        "worker_epoch": 2,
        "ports": Ports(api=3001),
        "api_key_sha256": "hash",
        "webhook": HOOK,
        "secrets": ("proxy", "token", "webhook_headers"),
        "created_at": NOW,
        "updated_at": NOW,
        "event_seq": 10,
        "instance_seq": 10,
    }
    return InstanceRecord(**plain | more)


def command(**fields: Any) -> UpdateInstance:
    return UpdateInstance(instance_id=ID, actor="me", **fields)


def changed(
    before: InstanceRecord, wanted: UpdateInstance, sealed: tuple[str, ...] = (), key: str | None = None
) -> Any:
    """The events, and the record after them."""
    events = machine.update(before, wanted, sealed, key)
    after: InstanceRecord | None = before
    for seq, event in enumerate(events, before.event_seq + 1):
        after = fold(after, wrap(event, id=str(seq), source="t", time=NOW), seq)
    return events, after


def test_nothing_asked_for_is_nothing_said() -> None:
    assert changed(record(), command())[0] == []


def test_a_name_is_changed_and_removed_and_nothing_else() -> None:
    for wanted, name in ((command(name="new"), "new"), (command(removed=("name",)), None)):
        events, after = changed(record(), wanted)
        assert [type(event) for event in events] == [InstanceUpdated]
        assert events[0].changed == ("name",)
        assert (after.display_name, after.webhook, after.secrets) == (name, HOOK, record().secrets)
        assert (after.status, after.epoch) == (Status.CLIENT_READY, 2)


@pytest.mark.parametrize("sealed", [("webhook_headers",), ()])
def test_a_webhook_is_replaced_together_with_its_headers(sealed: tuple[str, ...]) -> None:
    other = Webhook(url="https://example.com/other")
    events, after = changed(record(), command(webhook=other), sealed)
    assert len(events) == 1
    assert after.webhook == other
    assert ("webhook_headers" in after.secrets) is bool(sealed)
    assert {"token", "proxy"} <= set(after.secrets)


def test_a_removed_webhook_takes_its_headers_along() -> None:
    _, after = changed(record(), command(removed=("webhook",)))
    assert after.webhook is None
    assert after.secrets == ("proxy", "token")


@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.DELETED, Status.PENDING)])
@pytest.mark.parametrize("secret", ["token", "proxy"])
def test_a_new_token_or_proxy_begins_the_session_anew_where_one_is_wanted(status: Status, secret: str) -> None:
    before = record(status)
    events, after = changed(before, command(token_hint="wxyz"), (secret,))
    begins = before.desired is Desired.RUNNING
    assert [type(event) for event in events] == [InstanceUpdated, *([InstanceStarting] if begins else [])]
    assert after.epoch == before.epoch + begins
    assert after.status is (Status.STARTING if begins else status)
    assert after.token_hint == "wxyz"


def test_a_start_may_come_with_the_change() -> None:
    events, after = changed(record(Status.STOPPED), command(start=True), ("token",))
    assert [type(event) for event in events] == [InstanceUpdated, InstanceStarting]
    assert (after.desired, after.status) == (Desired.RUNNING, Status.STARTING)


def test_a_new_api_key_is_remembered_beside_the_old_one() -> None:
    before = changed(record(), command(rotate_api_key=True), (), "first")[1]
    _, after = changed(before, command(rotate_api_key=True), (), "second")
    assert after.api_key_sha256 == "second"
    assert [key.sha256 for key in after.api_keys] == ["first", "second"]


@pytest.mark.parametrize("gone", [None, record(Status.DELETED)])
def test_what_is_not_there_cannot_be_changed(gone: InstanceRecord | None) -> None:
    with pytest.raises(Rejected):
        machine.update(gone, command(name="x"), (), None)


@given(
    removed=st.sets(st.sampled_from(["name", "webhook", "proxy"])),
    sealed=st.sets(st.sampled_from(["token", "proxy", "webhook_headers"])),
    hook=st.booleans(),
    held=st.sets(st.sampled_from(["token", "proxy", "webhook_headers"])),
)
def test_secrets_after_a_change_are_those_kept_and_those_given(
    removed: set[str], sealed: set[str], hook: bool, held: set[str]
) -> None:
    wanted = command(removed=tuple(removed), webhook=HOOK if hook else None)
    after = set(machine.secrets_after(record(secrets=tuple(sorted(held))), wanted, tuple(sorted(sealed))))
    assert sealed <= after <= held | sealed
    assert ("token" in after) == ("token" in held | sealed)
    assert ("proxy" in after) == ("proxy" in sealed or ("proxy" in held and "proxy" not in removed))
    replaced = hook or "webhook" in removed
    assert ("webhook_headers" in after) == ("webhook_headers" in sealed or ("webhook_headers" in held and not replaced))

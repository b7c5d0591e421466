"""Sender keys of the emulator's phones: who can read a group, and that keys survive being written down."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim.emulators.whatsapp.phones import Phone, Phones
from mim.emulators.whatsapp.ratchet import DecryptionError
from mim.emulators.whatsapp.sender_keys import GroupKeys
from mim.emulators.whatsapp.state import Store

GROUP, OTHER = "120363000000000001", "120363000000000002"


def acquainted() -> tuple[GroupKeys, GroupKeys]:
    alice, bob = GroupKeys(), GroupKeys()
    bob.learn(GROUP, "alice", alice.sending(GROUP).distribution())
    return alice, bob


@given(st.permutations(range(8)), st.binary(max_size=40))
@settings(max_examples=40)
def test_messages_are_read_in_whatever_order_they_come(order: list[int], plain: bytes) -> None:
    alice, bob = acquainted()
    sealed = [alice.sending(GROUP).encrypt(plain + bytes([number])) for number in range(8)]
    assert [bob.decrypt(GROUP, "alice", sealed[number]) for number in order] == [plain + bytes([n]) for n in order]


def test_a_message_is_read_once_even_if_the_key_is_told_again() -> None:
    alice, bob = acquainted()
    distribution = alice.sending(GROUP).distribution()
    sealed = alice.sending(GROUP).encrypt(b"once")
    assert bob.decrypt(GROUP, "alice", sealed) == b"once"
    bob.learn(GROUP, "alice", distribution)
    with pytest.raises(DecryptionError, match="read before"):
        bob.decrypt(GROUP, "alice", sealed)


def test_who_learns_the_key_later_reads_only_what_comes_then() -> None:
    alice, bob = acquainted()
    before = alice.sending(GROUP).encrypt(b"before")
    carol = GroupKeys()
    carol.learn(GROUP, "alice", alice.sending(GROUP).distribution())
    assert bob.decrypt(GROUP, "alice", before) == b"before"
    with pytest.raises(DecryptionError):
        carol.decrypt(GROUP, "alice", before)
    assert carol.decrypt(GROUP, "alice", alice.sending(GROUP).encrypt(b"after")) == b"after"


def test_a_renewed_key_is_unknown_to_those_who_had_the_old_one() -> None:
    alice, bob = acquainted()
    late = alice.sending(GROUP).encrypt(b"late")
    alice.renew(GROUP)
    with pytest.raises(DecryptionError, match="did not tell"):
        bob.decrypt(GROUP, "alice", alice.sending(GROUP).encrypt(b"new"))
    bob.learn(GROUP, "alice", alice.sending(GROUP).distribution())
    assert bob.decrypt(GROUP, "alice", alice.sending(GROUP).encrypt(b"newer")) == b"newer"
    assert bob.decrypt(GROUP, "alice", late) == b"late"


@pytest.mark.parametrize(("group", "address"), [(OTHER, "alice"), (GROUP, "mallory")])
def test_a_key_is_good_for_one_device_in_one_group(group: str, address: str) -> None:
    alice, bob = acquainted()
    with pytest.raises(DecryptionError):
        bob.decrypt(group, address, alice.sending(GROUP).encrypt(b"hello"))


@given(st.integers(min_value=0, max_value=60))
@settings(max_examples=40)
def test_a_changed_message_is_not_read_and_costs_no_key(place: int) -> None:
    alice, bob = acquainted()
    sealed = alice.sending(GROUP).encrypt(b"hello")
    changed = bytearray(sealed)
    changed[-1 - place] ^= 1
    with pytest.raises(DecryptionError):
        bob.decrypt(GROUP, "alice", bytes(changed))
    assert bob.decrypt(GROUP, "alice", sealed) == b"hello"


@pytest.mark.parametrize("message", [b"", b"\x33", b"\x44" + bytes(80), b"\x33" + bytes(80)])
def test_what_is_no_message_is_not_read(message: bytes) -> None:
    _, bob = acquainted()
    with pytest.raises(ValueError, match=r".+"):
        bob.decrypt(GROUP, "alice", message)


async def test_keys_survive_being_written_down(tmp_path: Path) -> None:
    store = Store(tmp_path)
    phones = Phones([], store.changed)
    alice, bob = phones.get("15550001111"), phones.get("15550002222")
    key = alice.party.groups.sending(GROUP)
    key.told.add("bob:0")
    bob.party.groups.learn(GROUP, "alice:0", key.distribution())
    skipped, first = key.encrypt(b"skipped"), key.encrypt(b"first")
    assert bob.party.groups.decrypt(GROUP, "alice:0", first) == b"first"
    store.flush()

    again: dict[str, Phone] = {phone.number: phone for phone in Store(tmp_path).load()}
    alice, bob = again["15550001111"], again["15550002222"]
    assert alice.party.groups.sending(GROUP).told == {"bob:0"}
    second = alice.party.groups.sending(GROUP).encrypt(b"second")
    for sealed, plain in ((second, b"second"), (skipped, b"skipped")):
        assert bob.party.groups.decrypt(GROUP, "alice:0", sealed) == plain

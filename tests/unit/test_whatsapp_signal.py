"""The emulator's side of the Signal protocol, and that it survives being written down."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim.emulators.whatsapp.nodes import Node
from mim.emulators.whatsapp.phones import Device, Phone, Phones, Readable, SignedKey, digits
from mim.emulators.whatsapp.ratchet import DecryptionError, Sealed
from mim.emulators.whatsapp.state import Store
from mim.emulators.whatsapp.x3dh import Party


def acquainted() -> tuple[Party, Party]:
    alice, bob = Party(), Party()
    alice.open("bob", bob.bundle())
    return alice, bob


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=40)), max_size=25))
@settings(max_examples=40)
def test_a_conversation_is_read_in_whatever_turns_it_goes(turns: list[tuple[bool, bytes]]) -> None:
    alice, bob = acquainted()
    assert bob.decrypt("alice", alice.encrypt("bob", b"hello")) == b"hello"
    for from_alice, plain in turns:
        if from_alice:
            assert bob.decrypt("alice", alice.encrypt("bob", plain)) == plain
        else:
            assert alice.decrypt("bob", bob.encrypt("alice", plain)) == plain


@given(st.permutations(range(8)))
@settings(max_examples=40)
def test_messages_are_read_in_whatever_order_they_come(order: list[int]) -> None:
    alice, bob = acquainted()
    opening = [alice.encrypt("bob", bytes([number])) for number in range(8)]
    assert [bob.decrypt("alice", opening[number]) for number in order] == [bytes([number]) for number in order]
    answers = [bob.encrypt("alice", bytes([number])) for number in range(8)]
    assert [alice.decrypt("bob", answers[number]) for number in order] == [bytes([number]) for number in order]


def test_a_message_overtaken_by_a_turn_is_still_read() -> None:
    alice, bob = acquainted()
    late = alice.encrypt("bob", b"late")
    assert bob.decrypt("alice", alice.encrypt("bob", b"first")) == b"first"
    assert alice.decrypt("bob", bob.encrypt("alice", b"answer")) == b"answer"
    assert bob.decrypt("alice", alice.encrypt("bob", b"next turn")) == b"next turn"
    assert bob.decrypt("alice", late) == b"late"


def test_a_message_is_read_once() -> None:
    alice, bob = acquainted()
    sealed = alice.encrypt("bob", b"once")
    assert bob.decrypt("alice", sealed) == b"once"
    with pytest.raises(DecryptionError):
        bob.decrypt("alice", sealed)


def test_a_changed_message_is_not_read() -> None:
    alice, bob = acquainted()
    kind, body = alice.encrypt("bob", b"pay 10")
    with pytest.raises(DecryptionError):
        bob.decrypt("alice", Sealed(kind, body[:-12] + bytes([body[-12] ^ 1]) + body[-11:]))


def test_keys_that_their_owner_did_not_sign_are_refused() -> None:
    bundle = Party().bundle()
    with pytest.raises(DecryptionError):
        Party().open("bob", bundle._replace(identity=Party().identity.public))


async def test_a_phone_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    client = Party()
    bundle = client.bundle()
    store = Store(tmp_path)
    phones = Phones(store.load(), store.changed)
    bob = phones.get("15550002222", "Bob")
    signed = SignedKey(bundle.signed_id, bundle.signed, bundle.signature)
    waiting = Node("message", {"id": "M1", "from": bob.lid}, [Node("enc", {"v": "2"}, b"sealed")])
    bob.devices[1] = Device(b"n" * 32, bundle.identity, bundle.registration, signed, {7: b"k" * 32}, [waiting])
    bob.read(Readable("M0", "15550001111", bob.number, "hi", own=False))
    bob.party.open("client", bundle)
    assert client.decrypt("bob", bob.party.encrypt("client", b"one")) == b"one"
    late, answer = bob.party.encrypt("client", b"two"), client.encrypt("bob", b"answer")
    store.flush()

    restored = Phones(Store(tmp_path).load(), store.changed).find(bob.lid)
    assert isinstance(restored, Phone)
    assert (restored.name, restored.inbox, restored.devices) == ("Bob", bob.inbox, bob.devices)
    assert restored.party.decrypt("client", answer) == b"answer"
    assert client.decrypt("bob", late) == b"two"
    assert client.decrypt("bob", restored.party.encrypt("client", b"three")) == b"three"


def test_the_root_key_stays_the_same(tmp_path: Path) -> None:
    assert Store(tmp_path).root_key().public == Store(tmp_path).root_key().public


@pytest.mark.parametrize("written", ["15550002222", "+1 555 000 2222", "+1 (555) 000-2222", "1.555.000.2222"])
def test_a_phone_number_may_be_written_as_people_write_it(written: str) -> None:
    assert digits(written) == "15550002222"


@pytest.mark.parametrize("written", ["", "123", "Bob", "1" * 16, "0x15550002222"])
def test_what_is_no_phone_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not a phone number"):
        digits(written)

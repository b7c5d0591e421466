"""The emulator's wire formats, for whatever may come: binary nodes, protobuf fields, signatures."""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mim.emulators.whatsapp.curve import Key, verify
from mim.emulators.whatsapp.nodes import Jid, MalformedNodeError, Node, decode, encode
from mim.emulators.whatsapp.tokens import tokens
from mim.emulators.whatsapp.varint import read_fields, write_fields

words = st.text(min_size=1, max_size=300)
jids = st.one_of(
    st.builds(Jid, words, st.sampled_from(["s.whatsapp.net", "lid"]), st.integers(0, 255)),
    st.builds(Jid, words, st.sampled_from(["hosted", "hosted.lid"]), st.integers(0, 255)),
    st.builds(Jid, st.just(""), st.sampled_from(["s.whatsapp.net", "g.us"])),
)
attributes = st.dictionaries(words, words | jids, max_size=4)
leaves = st.builds(Node, words, attributes, st.none() | st.binary(max_size=600))
nodes = st.recursive(leaves, lambda inner: st.builds(Node, words, attributes, st.lists(inner, min_size=1, max_size=4)))


@given(nodes)
def test_a_node_is_read_as_it_was_written(node: Node) -> None:
    assert decode(encode(node)) == node


@pytest.mark.parametrize("size", [0, 255, 256, 70_000, 1 << 20])
def test_data_of_any_size_keeps_its_bytes(size: int) -> None:
    data = os.urandom(size)
    assert decode(encode(Node("enc", {}, data))).data == data


def test_a_long_list_of_children_is_read_whole() -> None:
    children = [Node("device", {"id": str(number)}) for number in range(300)]
    assert decode(encode(Node("list", {}, children))).children == children


@given(st.binary(max_size=200))
def test_a_frame_that_is_no_node_is_refused_and_nothing_else_happens(frame: bytes) -> None:
    with contextlib.suppress(MalformedNodeError):
        decode(frame)


def test_tokens_and_packed_numbers_of_the_client_are_understood() -> None:
    dictionary = tokens()
    tag, name = dictionary.single.index("iq"), dictionary.single.index("id")
    table, word = 2, 17
    nibbles = bytes([255, 128 | 3, 0x15, 0x55, 0x1F])  # 5 digits and a filler: "15551"
    frame = bytes([0, 248, 5, tag, name, *nibbles, dictionary.single.index("to"), 236 + table, word])
    expected = Node("iq", {"id": "15551", "to": dictionary.double[table][word]})
    assert decode(frame) == expected


def test_the_dictionary_has_the_size_that_the_format_needs() -> None:
    dictionary = tokens()
    assert len(dictionary.single) == 236
    assert [len(table) for table in dictionary.double] == [256] * 4


@given(st.dictionaries(st.integers(1, 100), st.integers(0, 2**63) | st.binary(max_size=300), max_size=6))
def test_protobuf_fields_are_read_as_they_were_written(fields: dict[int, int | bytes]) -> None:
    assert read_fields(write_fields(fields)) == fields


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_a_signature_is_valid_for_its_key_and_message(seed: bytes, message: bytes) -> None:
    key = Key(seed)
    assert verify(key.public, message, key.sign(message))


@given(st.binary(max_size=50), st.integers(0, 63), st.integers(0, 7))
def test_a_changed_signature_is_not_valid(message: bytes, byte: int, bit: int) -> None:
    key = Key()
    signature = bytearray(key.sign(message))
    signature[byte] ^= 1 << bit
    assert not verify(key.public, message, bytes(signature))
    assert not verify(Key().public, message, key.sign(message))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_two_keys_agree_on_one_secret(mine: bytes, theirs: bytes) -> None:
    assert Key(mine).agree(Key(theirs).public) == Key(theirs).agree(Key(mine).public)

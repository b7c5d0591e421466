"""Secrets at rest: bound to their place, unreadable without the key, one key file however many want to make it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from mim.runtime.secrets import SecretsUnreadable, Vault, load_vault
from mim.runtime.settings import Settings

KEY = bytes(range(32))
PLACE = ("user-1", "instance-1", "token")
texts = st.text(st.characters(exclude_categories=["Cs"]))
places = st.tuples(texts, texts, texts)


@given(texts, places)
def test_what_was_sealed_opens_at_its_place(plain: str, place: tuple[str, ...]) -> None:
    assert Vault(KEY).open(Vault(KEY).seal(plain, *place), *place) == plain


@given(one=st.tuples(texts, texts, texts), other=st.tuples(texts, texts, texts))
def test_a_moved_secret_does_not_open(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    # Ids hold no NUL (contracts.fields), so a place cannot pretend to be another.
    assume(one != other and not any("\0" in part for part in (*one, *other)))
    sealed = Vault(KEY).seal("plain", *one)
    with pytest.raises(SecretsUnreadable):
        Vault(KEY).open(sealed, *other)


def test_another_key_does_not_open_it_and_the_error_says_what_to_look_at() -> None:
    sealed = Vault(KEY).seal("very-secret", *PLACE)
    with pytest.raises(SecretsUnreadable, match="MIM_SECRET_KEY") as error:
        Vault(bytes(32)).open(sealed, *PLACE)
    assert "very-secret" not in str(error.value)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_damaged_secret_does_not_open(at: int, change: int) -> None:
    sealed = bytearray(Vault(KEY).seal("plain", *PLACE).encode())
    sealed[at % len(sealed)] ^= change
    with pytest.raises(SecretsUnreadable):
        Vault(KEY).open(sealed.decode(errors="replace"), *PLACE)


@pytest.mark.parametrize("sealed", ["", "v1.", "v1.AAAA", "v1.!!!", "é", "v2.AAAA"])
def test_what_is_no_secret_does_not_open(sealed: str) -> None:
    with pytest.raises(SecretsUnreadable):
        Vault(KEY).open(sealed, *PLACE)


def test_sealing_twice_gives_different_texts_without_the_plain_one() -> None:
    one, other = Vault(KEY).seal("plain-text", *PLACE), Vault(KEY).seal("plain-text", *PLACE)
    assert one != other
    assert "plain-text" not in one


def test_a_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        Vault(b"short")


def test_derived_keys_differ_by_purpose_and_are_not_the_key() -> None:
    vault = Vault(KEY)
    assert vault.derived("jetstream") == vault.derived("jetstream")
    assert len({vault.derived("jetstream"), vault.derived("other"), KEY.hex()}) == 3


def test_a_vault_shows_nothing_of_its_key() -> None:
    shown = repr(Vault(KEY)) + str(Vault(KEY))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert KEY.hex() not in repr(Settings(secret_key=SecretStr(KEY.hex())))


def test_the_key_file_is_private_and_used_again(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "data", secret_key=None)
    sealed = load_vault(settings).seal("plain", *PLACE)
    path = settings.data_dir / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_vault(settings).open(sealed, *PLACE) == "plain"
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


RACER = """
import sys, pathlib
from mim.runtime.secrets import load_vault
from mim.runtime.settings import Settings
settings = Settings(data_dir=pathlib.Path(sys.argv[1]), secret_key=None)
print("ready", flush=True)
sys.stdin.readline()
print(load_vault(settings).derived("race"), flush=True)
"""


def test_processes_that_race_for_the_key_file_agree(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    keys = {racer.communicate(timeout=30)[0].strip() for racer in racers}
    assert len(keys) == 1
    assert len(keys.pop()) == 64

"""Secrets at rest: bound to their place, unreadable without the key, one key file however many want to make it."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from mim.runtime.secrets import KeyFile, SecretsUnreadable, Vault, key_file, key_of, load_vault
from mim.runtime.settings import Settings

KEY = bytes(range(32))
OTHER = bytes(range(32, 64))
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


@pytest.mark.parametrize("sealed", ["", "v1.", "v1.AAAA", "v1.!!!", "é", "v2.AAAA", "v2..", "v2.x.y.z"])
def test_what_is_no_secret_does_not_open(sealed: str) -> None:
    with pytest.raises(SecretsUnreadable):
        Vault(KEY).open(sealed, *PLACE)


def test_sealing_twice_gives_different_texts_without_the_plain_one() -> None:
    one, other = Vault(KEY).seal("plain-text", *PLACE), Vault(KEY).seal("plain-text", *PLACE)
    assert one != other
    assert "plain-text" not in one


# --------------------------------------------------------------------------------------------- two keys


def test_the_current_key_seals_and_both_open() -> None:
    before = Vault(KEY).seal("plain", *PLACE)
    both = Vault(OTHER, KEY)
    now = both.seal("plain", *PLACE)
    assert both.open(before, *PLACE) == both.open(now, *PLACE) == "plain"
    assert Vault(OTHER).open(now, *PLACE) == "plain"
    for vault, sealed in ((Vault(OTHER), before), (Vault(KEY), now)):
        with pytest.raises(SecretsUnreadable):
            vault.open(sealed, *PLACE)
    assert (both.is_current(now), both.is_current(before)) == (True, False)
    assert both.key_ids == (key_of(now), key_of(before))


def test_a_moved_secret_opens_with_neither_key() -> None:
    vault = Vault(OTHER, KEY)
    for sealed in (vault.seal("plain", *PLACE), Vault(KEY).seal("plain", *PLACE)):
        with pytest.raises(SecretsUnreadable):
            vault.open(sealed, "user-2", *PLACE[1:])


def test_a_key_id_is_short_and_tells_nothing_of_the_key() -> None:
    (key_id,) = Vault(KEY).key_ids
    assert len(key_id) == 8
    assert key_id not in KEY.hex()
    assert key_id not in Vault(KEY).derived("jetstream")


def test_an_unknown_key_id_does_not_open_even_if_the_key_is_right() -> None:
    sealed = Vault(KEY).seal("plain", *PLACE)
    renamed = sealed.replace(str(key_of(sealed)), "00000000")
    with pytest.raises(SecretsUnreadable):
        Vault(KEY).open(renamed, *PLACE)


def test_what_was_sealed_before_keys_had_ids_opens_with_any_key_and_is_not_current() -> None:
    nonce = os.urandom(12)
    raw = nonce + AESGCM(KEY).encrypt(nonce, b"plain", "\0".join(PLACE).encode())
    sealed = "v1." + base64.b64encode(raw).decode()
    for vault in (Vault(KEY), Vault(OTHER, KEY), Vault(KEY, OTHER)):
        assert vault.open(sealed, *PLACE) == "plain"
        assert not vault.is_current(sealed)
    with pytest.raises(SecretsUnreadable):
        Vault(OTHER).open(sealed, *PLACE)


def test_keys_for_other_purposes_are_had_by_key() -> None:
    vault = Vault(OTHER, KEY)
    assert vault.derived("jetstream") == Vault(OTHER).derived("jetstream")
    assert vault.derived("jetstream", vault.key_ids[1]) == Vault(KEY).derived("jetstream")
    with pytest.raises(LookupError):
        vault.derived("jetstream", "00000000")


def test_a_running_vault_takes_over_a_changed_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_key=None)
    running = load_vault(settings)
    before = running.seal("plain", *PLACE)
    file = key_file(settings)
    file.replace((OTHER, *file.read()))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    now = running.seal("plain", *PLACE)
    assert key_of(now) == Vault(OTHER).key_ids[0]
    assert running.open(before, *PLACE) == running.open(now, *PLACE) == "plain"
    file.replace((OTHER,))
    assert len(running.key_ids) == 1
    with pytest.raises(SecretsUnreadable):
        running.open(before, *PLACE)
    assert running.open(now, *PLACE) == "plain"


def test_a_vault_that_only_opens_looks_at_the_file_when_it_meets_a_key_it_does_not_know(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "secret.key")
    file.replace((KEY,))
    running = Vault(file=file)
    KeyFile(file.path).replace((OTHER, KEY))
    assert running.open(Vault(OTHER).seal("plain", *PLACE), *PLACE) == "plain"


@pytest.mark.parametrize("broken", ["", "\n", KEY.hex()[:40], f"{OTHER.hex()}\n{KEY.hex()[:10]}", "z" * 64, "a b c"])
def test_a_broken_or_half_written_file_changes_nothing_for_a_running_vault_and_stops_a_new_one(
    tmp_path: Path, broken: str
) -> None:
    settings = Settings(data_dir=tmp_path, secret_key=None)
    running = load_vault(settings)
    sealed = running.seal("plain", *PLACE)
    path = tmp_path / "secret.key"
    good = path.read_text()
    path.write_text(broken)
    assert running.open(running.seal("plain", *PLACE), *PLACE) == running.open(sealed, *PLACE) == "plain"
    with pytest.raises(ValueError, match=r"secret\.key") as error:
        load_vault(settings)
    assert not broken.strip() or broken.strip() not in str(error.value)
    path.unlink()
    assert running.open(running.seal("plain", *PLACE), *PLACE) == "plain"
    path.write_text(f"{OTHER.hex()}\n{good}")
    assert key_of(running.seal("plain", *PLACE)) == Vault(OTHER).key_ids[0]
    assert running.open(sealed, *PLACE) == "plain"


def test_replacing_the_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "secret.key")
    (tmp_path / f"secret.{os.getpid()}").write_text("left by a process that was killed")
    file.replace((OTHER, KEY))
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]
    assert file.read() == (OTHER, KEY)


def test_keys_come_from_variables_too(tmp_path: Path) -> None:
    before = Vault(KEY).seal("plain", *PLACE)
    both = Settings(
        data_dir=tmp_path, secret_key=SecretStr(OTHER.hex()), secret_key_previous=SecretStr(f" {KEY.hex()} ")
    )
    assert load_vault(both).open(before, *PLACE) == "plain"
    assert load_vault(both).key_ids[0] == Vault(OTHER).key_ids[0]
    assert list(tmp_path.iterdir()) == []
    assert KEY.hex() not in repr(both)
    with pytest.raises(ValueError, match="needs MIM_SECRET_KEY"):
        load_vault(Settings(data_dir=tmp_path, secret_key_previous=SecretStr(KEY.hex())))
    with pytest.raises(ValueError, match="MIM_SECRET_KEY_PREVIOUS") as error:
        load_vault(Settings(data_dir=tmp_path, secret_key=SecretStr(KEY.hex()), secret_key_previous=SecretStr("abc")))
    assert "abc" not in str(error.value)


# --------------------------------------------------------------------------------------------- the key and its file


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

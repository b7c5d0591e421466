"""The data folder of `mim up` belongs to one at a time, and to no older program; its streams belong to their key."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from mim.cli import stores
from mim.cli.processes import CannotStart, NatsServer, Store, free_ports
from mim.cli.up import LAYOUT, hold
from mim.runtime.secrets import Vault, key_file
from mim.runtime.settings import Settings

HOLDER = """
import sys, pathlib
from mim.cli.up import hold
with hold(pathlib.Path(sys.argv[1]), "http://127.0.0.1:3000"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_holder_is_told_who_holds_the_folder_and_a_killed_one_holds_it_no_more(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CannotStart) as refused, hold(tmp_path, "http://127.0.0.1:3001"):
            pass
        assert f"process {holder.pid}" in str(refused.value)
        assert "http://127.0.0.1:3000" in str(refused.value)
        assert "--data-dir" in str(refused.value)
        holder.kill()
    with hold(tmp_path, "http://127.0.0.1:3001"):
        assert "3001" in (tmp_path / "lock").read_text()


def test_the_folder_is_private_and_knows_its_layout(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with hold(folder, "url"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert json.loads((folder / "version.json").read_text()) == {"layout": LAYOUT}
    with hold(folder, "url"):
        pass


def test_a_folder_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    newer = json.dumps({"layout": LAYOUT + 1})
    (tmp_path / "version.json").write_text(newer)
    with pytest.raises(CannotStart, match="newer version"), hold(tmp_path, "url"):
        pass
    assert (tmp_path / "version.json").read_text() == newer


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotStart, match="--data-dir"), hold(tmp_path / "file" / "data", "url"):
        pass


# --------------------------------------------------------------------------------------------- streams and keys

OLD, NEW, STRANGE = (bytes([number]) * 32 for number in (1, 2, 3))


def store_name(key: bytes) -> str:
    return f"store-{Vault(key).key_ids[0]}"


def streams_in(tmp_path: Path, name: str) -> Path:
    """A folder that stands for streams."""
    folder = tmp_path / "nats" / name / "jetstream"
    folder.mkdir(parents=True)
    return folder


def found_by(tmp_path: Path, *keys: bytes) -> str:
    settings, vault = Settings(data_dir=tmp_path), Vault(*keys)
    store = stores.find(settings, vault)
    assert store.key not in repr(store)
    assert store.key in {vault.derived("jetstream", key_id) for key_id in vault.key_ids}
    assert store.folder.is_dir()
    return store.folder.name


def test_a_first_start_gets_an_empty_private_store(tmp_path: Path) -> None:
    assert found_by(tmp_path, NEW) == store_name(NEW)
    assert stat.S_IMODE((tmp_path / "nats" / store_name(NEW)).stat().st_mode) == 0o700


def test_a_store_under_the_previous_key_is_found_and_kept(tmp_path: Path) -> None:
    streams = streams_in(tmp_path, store_name(OLD))
    assert found_by(tmp_path, NEW, OLD) == store_name(OLD)
    assert streams.is_dir()


def test_streams_from_before_stores_had_names_belong_to_the_oldest_key(tmp_path: Path) -> None:
    (streams_in(tmp_path, "") / "mark").touch()
    assert found_by(tmp_path, NEW, OLD) == store_name(OLD)
    assert (tmp_path / "nats" / store_name(OLD) / "jetstream" / "mark").exists()
    assert not (tmp_path / "nats" / "jetstream").exists()


def test_what_a_killed_renewal_left_is_tidied_up(tmp_path: Path) -> None:
    streams_in(tmp_path, "renewing/store")
    streams_in(tmp_path, store_name(OLD))
    assert found_by(tmp_path, NEW, OLD) == store_name(OLD)
    streams_in(tmp_path, store_name(NEW))  # it was complete, but the old one was still there
    assert found_by(tmp_path, NEW, OLD) == store_name(NEW)
    assert [entry.name for entry in (tmp_path / "nats").iterdir()] == [store_name(NEW)]


def test_streams_under_a_key_that_is_gone_are_neither_touched_nor_replaced(tmp_path: Path) -> None:
    streams = streams_in(tmp_path, store_name(STRANGE))
    with pytest.raises(CannotStart, match=r"secret\.key"):
        found_by(tmp_path, NEW, OLD)
    assert [entry.name for entry in (tmp_path / "nats").iterdir()] == [store_name(STRANGE)]
    assert streams.is_dir()


def test_a_key_that_cannot_be_used_is_said_before_anything_starts(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    key_file(settings).path.write_text("half a k")
    with pytest.raises(CannotStart, match=r"secret\.key"):
        stores.vault_of(settings)
    with pytest.raises(CannotStart, match="MIM_SECRET_KEY"):
        stores.vault_of(Settings(data_dir=tmp_path, secret_key=SecretStr("abc")))


async def test_a_port_that_was_taken_a_moment_after_it_was_chosen_is_left_to_its_new_owner(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "a" * 64)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        tries = iter([(taken, free_ports()[0]), (free_ports()[0], taken), free_ports()])
        server = NatsServer(Settings(), tmp_path, store, lambda: next(tries))
        await server.start()
        assert taken not in (server.port, server.monitor)
        assert str(server.port) in (tmp_path / "access.json").read_text()
        await server.child.stop(5)
        never = NatsServer(Settings(), tmp_path, store, lambda: (taken, taken))
        with pytest.raises(CannotStart, match="did not start"):
            await never.start()

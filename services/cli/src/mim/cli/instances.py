"""`mim instances`, and the commands for one instance: send, credentials, rotate-key."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mim.cli import talk

WIDE = 140
COLUMNS = ("id", "provider", "user", "status", "account", "port", "what to do")
instances = typer.Typer(help="Create, list and steer instances.", no_args_is_help=True)


@instances.command("ls")
def list_instances(
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only of this provider.")] = None,
    status: Annotated[str | None, typer.Option(help="Only in this status.")] = None,
) -> None:
    """List instances."""
    wanted = {"user_id": user, "provider": provider, "status": status, "limit": "5000"}
    body = talk.call("GET", "/api/v1/instances", params={key: value for key, value in wanted.items() if value})
    if not body["instances"]:
        talk.console.print("no instances yet; create one: mim instances create whatsappweb --user me")
        return
    short = None if talk.console.width >= WIDE else 8  # every command takes an unambiguous beginning
    rows = [_row(item, short) for item in body["instances"]]
    talk.show_table(COLUMNS, rows, whole=("id", "provider", "status", "port"))


def _row(item: dict[str, Any], short: int | None) -> tuple[object, ...]:
    reason = item["reason"]
    todo = reason["message"] if reason["user_action"] != "none" else ""
    names = ("provider", "user_id", "status", "account", "port")
    return (item["id"][:short], *(item[name] or "" for name in names), todo)


@instances.command()
def create(
    provider: Annotated[str, typer.Argument(help="whatsappweb or telegram")],
    user: Annotated[str, typer.Option(help="Who owns it.")],
    name: Annotated[str | None, typer.Option(help="A name for people.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="MIM_BOT_TOKEN", help="Bot token; better in MIM_BOT_TOKEN than on the command line."),
    ] = None,
    no_port: Annotated[bool, typer.Option("--no-port", help="Reached through the gateway only, at /i/ID.")] = False,
    container: Annotated[bool, typer.Option("--container", help="In a container of its own.")] = False,
) -> None:
    """Create an instance and start it."""
    body = {"user_id": user, "provider": provider, "type_instance": ["api"], "name": name, "token": token}
    body |= {"expose": "gateway"} if no_port else {}
    body |= {"isolation": "container"} if container else {}
    made = talk.call("POST", "/api/v1/instances", json={key: value for key, value in body.items() if value is not None})
    talk.show_json({key: made.get(key) for key in ("instance_id", "status", "port", "api_key")})
    if provider == "whatsappweb":
        talk.console.print(f"log in: mim qr {made['instance_id']}")


@instances.command()
def show(instance: talk.InstanceArg) -> None:
    """Show everything about an instance."""
    talk.show_json(talk.find(instance))


def _steer(verb: str, help_text: str) -> None:
    def command(instance: talk.InstanceArg) -> None:
        method, tail = ("DELETE", "") if verb == "rm" else ("POST", f"/{verb}")
        talk.console.print(talk.call(method, f"/api/v1/instances/{talk.find(instance)['id']}{tail}")["message"])

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


def send(
    instance: talk.InstanceArg,
    to: Annotated[str, typer.Argument(help="Phone number, chat id or @name.")],
    text: Annotated[str, typer.Argument(help="What to say.")],
) -> None:
    """Send a text and print the messenger's id for it."""
    found = talk.find(instance)
    path = f"/api/v1/multi-provider/instances/{found['provider']}/{found['id']}/send-message"
    answer = talk.call("POST", path, json={"to": to, "message": text})
    talk.console.print(
        f"sent, message id {answer['messageId']}" if "messageId" in answer else f"queued as {answer['id']}"
    )


def credentials(instance: talk.InstanceArg) -> None:
    """Print the API key and the address of an instance's own port; the audit tells who asked."""
    answer = talk.call("GET", f"/api/v1/instances/{talk.find(instance)['id']}/credentials")
    talk.show_json({key: answer[key] for key in ("api_key", "api_url")})


def rotate_key(instance: talk.InstanceArg) -> None:
    """Replace the API key of an instance; the old one is dead within a second."""
    answer = talk.call("POST", f"/api/v1/instances/{talk.find(instance)['id']}/api-key/rotate")
    talk.show_json({"api_key": answer["api_key"]})

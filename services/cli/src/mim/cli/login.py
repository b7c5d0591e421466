"""Logging an instance in: `mim qr` and `mim login`."""

from __future__ import annotations

from typing import Annotated, Any, Self

import typer
from rich.live import Live
from rich.text import Text

from mim.cli import talk


def qr(instance: talk.InstanceArg) -> None:
    """Show the QR code of an instance, renewed in place until it is scanned."""
    found = talk.find(instance)
    path = f"/api/v1/instances/{found['id']}"
    if found["is_ready_for_messages"]:
        talk.console.print(f"the instance is logged in already, as {found['account']}")
        return
    types = ",".join(("qr_ready", *_LOGGED_IN, *_OVER))
    follow = talk.stream(f"/api/v1/events?instance_id={found['id']}&last_event_id=0&types={types}")
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
        self._live = Live(console=talk.console, auto_refresh=False) if talk.console.is_terminal else None
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
            talk.console.print(picture, soft_wrap=True)


def _picture(path: str) -> Text:
    with talk.client() as gateway:
        answer = gateway.get(f"{path}/qr").json()
        if not answer["success"]:
            return Text(answer["error"])
        picture = gateway.get(f"{path}/qr?format=ascii").text
    hint = "WhatsApp > Linked devices > Link a device. "
    return Text(picture, no_wrap=True) + Text(f"{hint}Good for {answer['expires_in']} s; the next one comes by itself.")


def login(
    instance: talk.InstanceArg,
    phone: Annotated[str | None, typer.Option(help="Number of the phone, for a code instead of the QR code.")] = None,
    token: Annotated[
        bool, typer.Option("--token", help="Give a new bot token: from MIM_BOT_TOKEN, or typed unseen.")
    ] = False,
) -> None:
    """Show what is next for the login of an instance, or answer it."""
    path = f"/api/v1/instances/{talk.find(instance)['id']}/login"
    body = {}
    if phone is not None:
        body["phone_number"] = phone
    if token:
        body["token"] = talk.secret("MIM_BOT_TOKEN", "bot token")
    answer = talk.call("POST", path, json=body) if body else talk.call("GET", path)
    _show_step(answer["login_step"], answer["status"], instance)


def _show_step(step: dict[str, Any], status: str, instance: str) -> None:
    typer.echo(f"{status}: {step['instructions']}")
    if step["type"] == "display_code":
        typer.secho(step["code"], bold=True)
    if step["type"] == "display_qr":
        typer.echo(f"show it: mim qr {instance}")
    options = {"phone_number": "--phone NUMBER", "token": "--token"}
    for field in step["fields"]:
        typer.echo(f"{field['label']}: mim login {instance} {options[field['name']]}")

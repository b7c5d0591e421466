"""`mim sandbox`: play the phone and the contacts of the emulated messengers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mim.cli import talk

sandbox = typer.Typer(help="Play the other side of the emulated messengers.", no_args_is_help=True)
DEFAULT_PHONE = "15550001111"


def _folder() -> Path:
    data = Path(os.environ.get("MIM_DATA_DIR", "~/.local/share/mim-sandbox")).expanduser()
    try:
        note = json.loads((data / "up.json").read_text())
    except OSError:
        talk.fail(f"no system runs with its data in {data}; start it with ./mim up --sandbox, or set MIM_DATA_DIR")
    if not note["sandbox"]:
        talk.fail("the system that runs is not a sandbox; start one with ./mim up --sandbox")
    return Path(note["sandbox"])


def _control(messenger: str, act: str, **body: Any) -> Any:
    import httpx

    port = json.loads((_folder() / messenger / "ports.json").read_text())["control"]
    answer = httpx.post(f"http://127.0.0.1:{port}/{act}", json=body, timeout=15, trust_env=False)
    if not answer.is_success:
        talk.fail(answer.json().get("error", answer.text))
    return answer.json()


@sandbox.command()
def scan(
    instance: talk.InstanceArg,
    phone: Annotated[str, typer.Option(help="Number of the phone that scans.")] = DEFAULT_PHONE,
) -> None:
    """Scan the QR code of an instance, as its owner's phone would."""
    found = talk.find(instance)
    code = talk.call("GET", f"/api/v1/instances/{found['id']}/qr")["code"]
    if found["provider"] == "telegram":
        _control("mtproto", "person", phone=phone)
    _control("mtproto" if found["provider"] == "telegram" else "whatsapp", "scan", qr=code, phone=phone)
    typer.echo(f"scanned by {phone}")


@sandbox.command()
def code(
    pairing_code: Annotated[str, typer.Argument(help="The eight characters that the instance shows.")],
    phone: Annotated[str, typer.Option(help="Number of the phone that they are for.")] = DEFAULT_PHONE,
) -> None:
    """Type a pairing code into a phone, instead of scanning a QR code."""
    _control("whatsapp", "code", code=pairing_code, phone=phone)
    typer.echo(f"linked to {phone}")


@sandbox.command()
def say(
    instance: talk.InstanceArg,
    text: Annotated[str, typer.Argument(help="What the contact says.")],
    sender: Annotated[str, typer.Option("--from", help="The contact's number or chat id.")],
) -> None:
    """Let a contact write to an instance."""
    found = talk.find(instance)
    if found["login"] == "user":
        _control("mtproto", "say", **{"from": sender}, to=found["phone_number"], text=text)
    elif found["provider"] == "telegram":
        _control("telegram", "say", bot=int(_bot_of(found["id"])), **{"from": int(sender)}, text=text)
    else:
        _control("whatsapp", "incoming", **{"from": sender}, to=found["phone_number"], text=text)
    typer.echo(f"{sender} said it")


def _bot_of(instance_id: str) -> str:
    info = talk.call("GET", f"/api/v1/multi-provider/instances/telegram/{instance_id}/status")["info"]
    if not info["account"]:
        talk.fail("the bot is not logged in yet")
    return str(info["account"]["id"])


@sandbox.command()
def inbox(contact: Annotated[str, typer.Argument(help="The contact's number or chat id.")]) -> None:
    """Show what a contact received; of files, their kind, name, size and SHA-256."""
    received = [
        *_control("telegram", "inbox", chat=contact)["messages"],
        *_control("whatsapp", "inbox", phone=contact)["messages"],
    ]
    for message in received:
        typer.echo(json.dumps(message, ensure_ascii=False))
    if not received:
        typer.echo(f"{contact} has received nothing")

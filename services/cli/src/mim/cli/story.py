"""What happens and what happened: `mim events`, `logs`, `history`, `audit`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.text import Text

from mim.cli import talk


def events(
    instance: Annotated[str | None, typer.Option(help="Only of this instance.")] = None,
    types: Annotated[str | None, typer.Option(help="Only these, such as qr_ready,message.received.")] = None,
) -> None:
    """Follow all events live; Ctrl-C ends it."""
    path = talk.query("/api/v1/events", instance_id=talk.find(instance)["id"] if instance else None, types=types)
    try:
        for name, event in talk.stream(path):
            data = {key: value for key, value in event["data"].items() if value is not None and key != "instance_id"}
            line = Text.assemble(
                (event["time"][11:23], "dim"), " ", (event["subject"][:8], "cyan"), " ", (name, "bold"), " "
            )
            talk.console.print(line + Text(json.dumps(data, ensure_ascii=False)), soft_wrap=True)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def logs(
    instance: talk.InstanceArg,
    tail: Annotated[int, typer.Option(help="How many of the newest lines.", min=1, max=1000)] = 100,
    level: Annotated[str | None, typer.Option(help="From this level upwards: debug, info, warning, error.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends it.")] = False,
) -> None:
    """Print the log lines of an instance."""
    path = f"/api/v1/instances/{talk.find(instance)['id']}/logs"
    if not follow:
        for line in talk.call("GET", talk.query(path, tail=tail, level=level))["logs"]:
            _show_line(line)
        return
    try:
        for _, line in talk.stream(talk.query(path, tail=tail, level=level, follow="true")):
            _show_line(line)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}


def _show_line(line: dict[str, Any]) -> None:
    head = Text.assemble((_time(line["timestamp"]), "dim"), " ")
    level = Text(f"{line['level']:<8}", style=_COLOURS.get(line["level"], ""))
    source = Text.assemble(" ", (line["source"], "cyan"), " ")
    talk.console.print(head + level + source + Text(line["message"]), soft_wrap=True)


def history(
    instance: talk.InstanceArg,
    limit: Annotated[int, typer.Option(help="How many of the newest changes.", min=1, max=1000)] = 50,
) -> None:
    """Print the changes of status of an instance, with cause and actor, newest first."""
    path = f"/api/v1/instances/{talk.find(instance)['id']}/status-history"
    columns = ("time", "status", "code", "actor", "source", "message")
    rows = [
        (_time(item["timestamp"]), *(item[column] for column in columns[1:]))
        for item in talk.call("GET", talk.query(path, limit=limit))["data"]
    ]
    talk.show_table(columns, rows, whole=("time", "status"))


def audit(
    hours: Annotated[int, typer.Option(help="How far back.", min=1, max=720)] = 24,
    instance: Annotated[str | None, typer.Option(help="Only of this instance; its whole id if it is gone.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the newest entries.", min=1, max=1000)] = 50,
) -> None:
    """Print who changed what, and from where, newest first."""
    columns = ("time", "actor", "action", "from", "instance", "result")
    rows = [
        (_time(item["timestamp"]), item["actor"], item["action"], item["origin"], item["instance_id"], _result(item))
        for item in talk.call("GET", talk.query("/api/v1/audit", hours=hours, instance_id=instance, limit=limit))[
            "data"
        ]
    ]
    talk.show_table(columns, rows, whole=("time", "instance"))


def _result(item: dict[str, Any]) -> str:
    return str(item["message"]) if item["ok"] else f"{item['code']}: {item['message']}"


def _time(stamp: str) -> str:
    return stamp[:19].replace("T", " ")

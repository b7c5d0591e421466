"""`mim webhooks`: what went to the webhook of an instance, what could not be delivered, and trying again."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from mim.cli import talk

webhooks = typer.Typer(help="Webhooks: deliveries, redelivery, test, secret.", no_args_is_help=True)
COLUMNS = ("id", "event", "status", "tries", "made", "next try", "answer")
WIDE = 140
WHOLE = 36
DeliveryArg = Annotated[str, typer.Argument(help="Id of the delivery, or an unambiguous beginning of it.")]


class StatusName(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


def _path(instance: str, tail: str) -> str:
    return f"/api/v1/instances/{talk.find(instance)['id']}/webhook/{tail}"


@webhooks.command()
def deliveries(
    instance: talk.InstanceArg,
    status: Annotated[StatusName | None, typer.Option(help="Only those that stand here.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many of the newest.")] = 50,
) -> None:
    """List what went to the webhook, waits, or could not be delivered."""
    path = _path(instance, "deliveries")
    found = talk.call("GET", talk.query(path, status=status.value if status else None, limit=limit))
    if not found["deliveries"]:
        talk.console.print("no deliveries")
        return
    short = None if talk.console.width >= WIDE else 8  # every command takes an unambiguous beginning
    talk.show_table(COLUMNS, [_row(item, short) for item in found["deliveries"]], whole=("id", "status"))
    talk.console.print(", ".join(f"{number} {name}" for name, number in sorted(found["counts"].items())))


def _row(item: dict[str, Any], short: int | None) -> tuple[object, ...]:
    times = ((item[name] or "")[5:19].replace("T", " ") for name in ("created_at", "next_at"))
    names = (item["event"], item["status"], item["tries"])
    return (item["id"][:short], *names, *times, item["error"] or item["status_code"])


def _find(instance: str, beginning: str) -> str:
    """The path of the delivery whose id begins so."""
    listing = _path(instance, "deliveries")
    if len(beginning) == WHOLE:
        return f"{listing}/{beginning}"
    found = [item["id"] for item in talk.call("GET", f"{listing}?limit=1000")["deliveries"]]
    fitting = [each for each in found if each.startswith(beginning)]
    if len(fitting) != 1:
        talk.fail(f"{len(fitting)} deliveries begin with {beginning!r}; see mim webhooks deliveries")
    return f"{listing}/{fitting[0]}"


@webhooks.command()
def show(instance: talk.InstanceArg, delivery: DeliveryArg) -> None:
    """Show one delivery and the body that is sent."""
    found = talk.call("GET", _find(instance, delivery))
    talk.show_json({"delivery": found["delivery"], "body": found["body"]})


@webhooks.command()
def redeliver(
    instance: talk.InstanceArg,
    delivery: Annotated[str | None, typer.Argument(help="Id of one delivery; without it, all that failed.")] = None,
) -> None:
    """Deliver once more: one delivery, or all that failed."""
    which = _find(instance, delivery) if delivery else _path(instance, "deliveries")
    talk.console.print(talk.call("POST", f"{which}/redeliver")["message"])


@webhooks.command()
def test(instance: talk.InstanceArg) -> None:
    """Send a test message to the webhook; ends with code 1 if it was not delivered."""
    found = talk.call("POST", _path(instance, "test"))
    if not found["delivered"]:
        talk.fail(f"not delivered: {found['error']}")
    talk.console.print(f"delivered: {found['status_code']} after {found['duration_ms']:.0f} ms")


@webhooks.command()
def secret(
    instance: talk.InstanceArg,
    rotate: Annotated[bool, typer.Option("--rotate", help="Replace it; the old one is good for nothing then.")] = False,
) -> None:
    """Print the secret with which receivers verify; the audit tells who asked."""
    typer.echo(
        talk.call("POST" if rotate else "GET", _path(instance, "secret/rotate" if rotate else "secret"))["secret"]
    )

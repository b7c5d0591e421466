"""`mim tokens`: access tokens of callers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mim.cli import talk

tokens = typer.Typer(help="Access tokens: who may call, and what for.", no_args_is_help=True)
COLUMNS = ("id", "name", "role", "user", "made", "by", "expires")


class RoleName(StrEnum):
    """What a token may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@tokens.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for, such as the program that gets it.")],
    role: Annotated[RoleName, typer.Option(help="viewer reads, operator sends and steers, admin may do everything.")],
    user: Annotated[str | None, typer.Option(help="Only for the instances of this user.")] = None,
    days: Annotated[int | None, typer.Option(help="Until it expires.", min=1, max=3650)] = None,
) -> None:
    """Make an access token and print it, this once."""
    body = {"name": name, "role": role.value, "user_id": user, "expires_in_days": days}
    made = talk.call("POST", "/api/v1/tokens", json={key: value for key, value in body.items() if value is not None})
    typer.echo(made["token"])
    typer.secho(
        f"This is the only time it is shown; revoke it with: mim tokens revoke {made['data']['id']}\n"
        "Programs send it as 'Authorization: Bearer <token>'. For these commands put it into MIM_TOKEN.",
        err=True,
    )


@tokens.command("ls")
def list_tokens() -> None:
    """List access tokens."""
    found = talk.call("GET", "/api/v1/tokens")["data"]
    if not found:
        talk.console.print("no access tokens yet; make one: mim tokens create --name NAME --role operator")
        return
    rows = [
        (
            *(item[column] for column in ("id", "name", "role")),
            item["user_id"] or "all",
            item["created_at"][:10],
            item["created_by"],
            (item["expires_at"] or "never")[:10],
        )
        for item in found
    ]
    talk.show_table(COLUMNS, rows, whole=("id", "role", "made", "expires"))


@tokens.command()
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID", help="As mim tokens ls shows it.")]) -> None:
    """Revoke an access token; it is dead within a second."""
    talk.console.print(talk.call("DELETE", f"/api/v1/tokens/{token_id}")["message"])

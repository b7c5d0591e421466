"""`mim secrets`: the key that seals tokens, proxies, webhook headers and API keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mim.cli import talk
from mim.cli.options import settings_of

if TYPE_CHECKING:
    from mim.cli.rotation import Report, Resealed

secrets = typer.Typer(
    help="The key that seals all secrets, and what containers need; works on the machine of the system.",
    no_args_is_help=True,
)


@secrets.command()
def make(
    folder: Annotated[Path, typer.Argument(help="Below it, a folder for each service and for the server.")],
    host: Annotated[str, typer.Option(help="The name under which services find the NATS server.")] = "nats",
) -> None:
    """Make what services in containers prove themselves with; what is there already stays."""
    from mim.cli import credentials

    try:
        made = credentials.make(folder, host)
    except OSError as error:
        talk.fail(f"cannot write below {folder}: {error}")
    typer.echo(f"{'new' if made else 'all'} secrets in {folder}")


@secrets.command()
def rotate(
    finish: Annotated[bool, typer.Option("--finish", help="Take the previous key away; refused while needed.")] = False,
    leave_orphans: Annotated[
        bool, typer.Option("--leave-orphans", help="Even if secrets of no instance stay under that key.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where the system keeps everything.")] = None,
) -> None:
    """Replace the key while everything runs; may be interrupted and called again."""
    from mim.cli import rotation
    from mim.contracts.errors import MimError
    from mim.runtime import cancellation

    cancellation.mend()
    settings = settings_of({} if data_dir is None else {"data_dir": str(data_dir)})
    try:
        if finish:
            _say(asyncio.run(rotation.finish(settings, leave_orphans=leave_orphans)))
            typer.echo(_FINISHED_FILE if settings.secret_key is None else _FINISHED_VARIABLES)
        else:
            report = asyncio.run(rotation.rotate(settings))
            _say(report)
            typer.echo(_next_step(report))
    except (rotation.CannotRotate, MimError, OSError, ValueError) as error:
        talk.fail(str(error))


_FINISHED_FILE = "the previous key is gone; it still opens backups from before"
_FINISHED_VARIABLES = "nothing needs MIM_SECRET_KEY_PREVIOUS any more: remove it and restart everything"


def _say(report: Report) -> None:
    typer.echo(f"key {report.key_ids[0]}, previous key {', '.join(report.key_ids[1:])}")
    for name, bucket in (("secrets", report.secrets), ("remembered answers", report.answers)):
        typer.echo(f"{name}: {bucket.anew} sealed anew, {bucket.already} were already")
        _say_trouble(name, bucket)


def _say_trouble(name: str, bucket: Resealed) -> None:
    if bucket.orphans:
        typer.secho(f"{name} of no instance, left as they are: {', '.join(bucket.orphans)}", fg="yellow")
    if bucket.unreadable:
        typer.secho(f"{name} that no key opens, left as they are: {', '.join(bucket.unreadable)}", fg="yellow")


def _next_step(report: Report) -> str:
    then = "mim secrets rotate --finish"
    if report.old_stores:
        return f"restart mim up, which puts the stored streams under the new key, and then call {then}"
    return f"to take the previous key away: {then}"

"""`mim bus`: what a NATS server of your own needs: its configuration, and a key for each client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

bus = typer.Typer(help="Configuration and keys for a NATS server of your own.", no_args_is_help=True)


@bus.command()
def conf() -> None:
    """Print the configuration, as it lies in deploy/nats.conf."""
    from mim.cli import nats_conf

    typer.echo(nats_conf.deployed(), nl=False)


@bus.command()
def keys(
    folder: Annotated[Path, typer.Argument(help="Where the keys shall lie; those of before are replaced.")],
) -> None:
    """Make a key for each service and each kind of program outside, and public.env for the server."""
    from mim.cli import nats_conf

    public = nats_conf.make_keys(folder)
    (folder / "public.env").write_text(nats_conf.public_variables(public))
    typer.echo(f"{len(public)} keys in {folder}, to be read by their clients only; public.env is for the server")

"""The `mim` command: run the system, and talk to one that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from mim.cli import bus, instances, login, sandbox, secrets, story, tokens, webhooks, workers
from mim.cli.loading import loading
from mim.cli.options import settings_of

app = typer.Typer(
    help="Messenger instance manager.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)

ROOT = Path(__file__).resolve().parents[5]


@app.command()
def up(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="With emulated messengers instead of real ones.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of the gateway.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the gateway.")] = None,
    instance_ports: Annotated[str | None, typer.Option(help="Ports for instances, FIRST-LAST.")] = None,
    nats: Annotated[str | None, typer.Option(help="Use this NATS server instead of an embedded one.")] = None,
) -> None:
    """Run the whole system on this machine."""
    with loading():
        from rich.console import Console

        from mim.cli.processes import CannotStart
        from mim.cli.up import up as run_up
        from mim.runtime import logs

    given = {"data_dir": data_dir, "host": host, "port": port, "instance_ports": instance_ports, "nats_url": nats}
    chosen = {name: str(value) for name, value in given.items() if value is not None}
    if sandbox:
        chosen["sandbox"] = "true"
        # Pretended accounts never mix with real ones.
        if data_dir is None and "MIM_DATA_DIR" not in os.environ:
            chosen["data_dir"] = "~/.local/share/mim-sandbox"
    settings = settings_of(chosen)
    logs.configure(settings, "up")
    try:
        code = run_up(
            settings,
            external_nats=nats is not None or "MIM_NATS_URL" in os.environ,
            console=Console(highlight=False, soft_wrap=True),
        )
    except CannotStart as error:
        typer.secho(f"mim up: {error}", fg="red", err=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


@app.command()
def run(service: Annotated[str, typer.Argument(help="allocator, lifecycle, gateway or an adapter.")]) -> None:
    """Run one service against MIM_NATS_URL."""
    with loading():
        from mim.cli import services

    if service not in services.SERVICES:
        typer.secho(
            f"there is no service {service!r}; choose one of {', '.join(services.SERVICES)}", fg="red", err=True
        )
        raise typer.Exit(2)
    raise typer.Exit(services.run(service, settings_of({})))


app.add_typer(bus.bus, name="bus")
app.add_typer(instances.instances, name="instances")
app.add_typer(tokens.tokens, name="tokens")
app.add_typer(secrets.secrets, name="secrets")
app.add_typer(sandbox.sandbox, name="sandbox")
app.add_typer(webhooks.webhooks, name="webhooks")
app.add_typer(workers.workers, name="workers")
for _command in (
    *(login.qr, login.login, instances.send, instances.credentials, instances.rotate_key),
    *(story.events, story.logs, story.history, story.audit),
):
    app.command()(_command)

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
CHECKS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy", "libs", "services", "benchmarks"),
    ("lint-imports",),
    ("uv", "lock", "--check"),
)


@app.command(context_settings=_PASS_ON)
def test(context: typer.Context) -> None:
    """Run the tests; further arguments go to pytest."""
    env = {"PYTHONHASHSEED": "0"} | os.environ  # sets have one order, so that what failed once fails again
    raise typer.Exit(subprocess.call([sys.executable, "-m", "pytest", *context.args], cwd=ROOT, env=env))


@app.command(context_settings=_PASS_ON)
def bench(context: typer.Context) -> None:
    """Run the benchmarks; further arguments go to them, such as --smoke."""
    raise typer.Exit(subprocess.call([sys.executable, "-m", "benchmarks", *context.args], cwd=ROOT))


@app.command()
def check() -> None:
    """Run all static checks: style, types, import rules, lock file."""
    for tool, *arguments in CHECKS:
        typer.secho(f"{tool} {' '.join(arguments)}", bold=True)
        code = subprocess.call([Path(sys.executable).with_name(tool), *arguments], cwd=ROOT)
        if code != 0:
            raise typer.Exit(code)


if __name__ == "__main__":
    app()

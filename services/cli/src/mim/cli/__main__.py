"""`python -m mim.cli` is the `mim` command."""

from mim.cli.main import app

app(prog_name="mim")

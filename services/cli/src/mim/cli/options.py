"""Settings from the options of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic import ValidationError

if TYPE_CHECKING:
    from mim.runtime.settings import Settings


def settings_of(chosen: dict[str, str]) -> Settings:
    """The settings with what was chosen by options; ends the command if something does not fit."""
    from mim.runtime.settings import Settings

    if (folder := Settings.model_config.get("secrets_dir")) and not Path(str(folder)).is_dir():
        typer.secho(f"MIM_SECRETS_DIR: there is no folder {folder}", fg="red", err=True)
        raise typer.Exit(2)
    try:
        return Settings(**chosen)  # type: ignore[arg-type]
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0])
            typer.secho(f"MIM_{name.upper()} (--{name.replace('_', '-')}): {item['msg']}", fg="red", err=True)
        raise typer.Exit(2) from None

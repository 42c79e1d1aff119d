"""`silverstream config show`: the settings in force, secrets masked."""

from __future__ import annotations

import json

import typer
import yaml

from schemas.settings import masked
from stream.cli.options import ConfigOption, JsonOption
from stream.cli.settings_source import command_settings

app = typer.Typer(no_args_is_help=True, help="Show the settings in force.")


@app.command()
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print every setting with its value, defaults included; secrets are masked."""
    values = masked(command_settings(config))
    if as_json:
        print(json.dumps(values, indent=2, default=str))
    else:
        print(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), end="")


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own: a group of one command would swallow its name."""

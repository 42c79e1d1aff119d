"""`silverstream config show`: the settings in force, secrets masked."""

from __future__ import annotations

import typer
import yaml

from schemas.settings import masked
from stream.cli.json_output import JsonOption, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings, settings_source

app = typer.Typer(no_args_is_help=True, help="Show the settings in force.")


@app.command()
def show(config: ConfigOption = None, json_file: JsonOption = None) -> None:
    """Print every setting with its value, defaults included; secrets are masked."""
    values = masked(command_settings(config))
    if not is_printed(json_file):
        print(f"# {settings_source()}")
        print(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), end="")
    write_json(values, json_file)


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own: a group of one command would swallow its name."""

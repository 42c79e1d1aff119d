"""`silverstream rollback`: an earlier student back in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings


def rollback(
    to: Annotated[
        str | None,
        typer.Option(help="The version to return to; without it, the one before today's."),
    ] = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Put an earlier student back in force, with the routing policy it was promoted with.

    Running workers swap to it as to any other.
    """
    from distill.rollback import rollback as go_back

    check_writable(json_file)
    promotion = go_back(command_settings(config), to=to)
    if not is_printed(json_file):
        print(
            f"{promotion.student_version} is in force again, in place of {promotion.parent} "
            f"(promotion {promotion.sequence} of {promotion.task})"
        )
    write_json(asdict(promotion), json_file)

"""`silverstream promote`: a student brought back from its bundle, by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings


def promote(
    bundle: Annotated[
        str, typer.Argument(help="A bundle's folder, or its version in the bundle store.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the promotion.")],
    skip_gate: Annotated[
        bool,
        typer.Option("--skip-gate", help="Do not judge it on gold first, nor look for triggers."),
    ] = False,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Put the student of a bundle in force: after the promotions topic was lost, say.

    It is judged on gold and looked through for planted triggers as in a round, unless the gate is
    skipped. Running workers swap to it.
    """
    from distill.bring_back import bring_back

    check_writable(json_file)
    settings = command_settings(config)
    promotion = bring_back(settings, bundle, reason=reason, skip_gate=skip_gate)
    if not is_printed(json_file):
        place = f", in place of {promotion.parent}" if promotion.parent else ""
        print(
            f"{promotion.student_version} is in force{place} "
            f"(promotion {promotion.sequence} of {promotion.task})"
        )
    write_json(asdict(promotion), json_file)

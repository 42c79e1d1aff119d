"""Options that every command spells the same way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from schemas.files.corpus import FORMATS


def finite(value: float | None) -> float | None:
    """Refuse what no option means (a callback of typer's): NaN passes every bound."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number to work with")
    return value


ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="SILVERSTREAM_CONFIG",
        help="The settings file (YAML). Environment variables go before it.",
    ),
]

FormatOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"The format of the labelled files: {', '.join(FORMATS)}. Recognised without it.",
    ),
]
ColumnsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="PART=COLUMN,...",
        help="Which columns count, from 1 or by header: word=2,tag=3 or text=body.",
    ),
]
TextColumnOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="The header, or the key in JSON, of the texts; else `text`."),
]
LabelColumnOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="The header, or the key in JSON, of the labels; else `label`."),
]
LabelNamesOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--label-names",
        metavar="TAG,...",
        help="What the numbers of a Hugging Face file stand for, from 0: O,B-PER or glad,sad.",
    ),
]

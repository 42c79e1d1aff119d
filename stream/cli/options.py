"""Options that every command spells the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="SILVERSTREAM_CONFIG",
        help="The settings file (YAML). Environment variables go before it.",
    ),
]

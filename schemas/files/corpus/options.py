"""How a corpus is to be read: its format, the columns that count, the names of numbered tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from schemas.errors import ConfigError

Format = Literal[
    "jsonl",
    "conll",
    "label-studio",
    "label-studio-min",
    "doccano",
    "prodigy",
    "spacy",
    "hf",
    "csv",
    "tsv",
    "text",
]
FORMATS: tuple[Format, ...] = get_args(Format)

COLUMNS = ("word", "tag", "id", "text", "start", "end", "label", "surface")
"""The parts that `--columns` may place."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file; `None` and nothing mean: as it is recognised.

    `columns` maps a part (`COLUMNS`) to a column, by its number from 1 or by its header (a key
    in JSON); `label_names` are what the numbers of a Hugging Face file stand for, from 0.
    """

    format: Format | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    label_names: tuple[str, ...] = ()


def reading(
    form: str | None = None,
    columns: str | None = None,
    label_names: str | None = None,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
) -> Reading:
    """Make sense of the options as they are typed; `ConfigError` for what makes none."""
    if form is not None and form not in FORMATS:
        raise ConfigError(f"--format must be one of {', '.join(FORMATS)}, not {form!r}")
    names = tuple(name.strip() for name in (label_names or "").split(",") if name.strip())
    placed = {"text": text_column, "label": label_column}
    return Reading(
        form, _columns(columns or "") | {part: at for part, at in placed.items() if at}, names
    )


def _columns(given: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given.split(",") if pair.strip()]
    found = {part.strip(): column.strip() for part, _, column in pairs}
    if len(found) < len(pairs) or not all(found.values()) or not set(found) <= set(COLUMNS):
        raise ConfigError(
            f"--columns {given!r} must be PART=COLUMN, such as word=2,tag=3; "
            f"parts: {', '.join(COLUMNS)}"
        )
    return found


def refuse_columns(columns: Mapping[str, str], known: Sequence[str], form: str) -> None:
    """`ConfigError` for columns that this format does not have."""
    if foreign := sorted(set(columns) - set(known)):
        raise ConfigError(
            f"--columns: {form} has no {', '.join(foreign)}; it has {', '.join(known)}"
        )

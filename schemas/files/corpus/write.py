"""Examples to a file of any format, so that reading gives them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from schemas.errors import ConfigError
from schemas.files.corpus import (
    conll,
    doccano,
    hf,
    jsonl,
    label_studio,
    prodigy,
    spacy,
    tables,
)
from schemas.files.corpus.example import Example
from schemas.files.corpus.options import Format

WRITERS: dict[Format, Callable[[Sequence[Example]], Iterator[str]]] = {
    "jsonl": jsonl.write,
    "conll": conll.write,
    "label-studio": label_studio.write,
    "label-studio-min": label_studio.write_min,
    "doccano": doccano.write,
    "prodigy": prodigy.write,
    "spacy": spacy.write,
    "hf": hf.write,
    "csv": tables.write,
    "tsv": tables.write_tsv,
}
"""All formats but plain text, which has no labels."""


def writer(form: str) -> Callable[[Sequence[Example]], Iterator[str]]:
    """Give the writer of a format; `ConfigError` when there is none."""
    if form not in WRITERS:
        raise ConfigError(f"--format must be one of {', '.join(WRITERS)}, not {form!r}")
    return WRITERS[form]

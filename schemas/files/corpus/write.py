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
    label_studio_choices,
    prodigy,
    spacy,
    tables,
)
from schemas.files.corpus.example import Example
from schemas.files.corpus.options import Format
from schemas.files.kind import Kind

Write = Callable[[Sequence[Example]], Iterator[str]]

WRITERS: dict[Format, Write] = {
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


CATEGORY_WRITERS: dict[Format, Write] = {
    "jsonl": jsonl.write_categories,
    "csv": tables.write_categories,
    "tsv": tables.write_categories_tsv,
    "label-studio": label_studio_choices.write,
    "label-studio-min": label_studio_choices.write_min,
    "doccano": doccano.write_categories,
    "prodigy": prodigy.write_categories,
    "spacy": spacy.write_categories,
    "hf": hf.write_categories,
}
"""The formats that hold labels of whole texts: all but plain text and tags of words."""


def writer(form: str, kind: Kind = "entities") -> Write:
    """Give the writer of a format; `ConfigError` when it has none for labels of this kind."""
    writers = WRITERS if kind == "entities" else CATEGORY_WRITERS
    if form not in writers:
        what = "" if kind == "entities" else " for categories"
        raise ConfigError(f"--format must be one of {', '.join(writers)}{what}, not {form!r}")
    return writers[form]

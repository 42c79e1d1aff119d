"""spaCy's old training format: `[text, {"entities": [[start, end, label]]}]`, listed or a line.

Texts that were classified have `{"cats": {"glad": 1, "sad": 0}}`; a label counts from 0.5 on.
Annotators that write `{"classes": [...], "annotations": [...]}` hold the same. The binary DocBin
(`.spacy`) is not read.

Source: https://v2.spacy.io/usage/training#training-simple-style
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from schemas._json import require_unicode
from schemas.files.corpus.doccano import triple
from schemas.files.corpus.example import Example, Record
from schemas.files.corpus.json_records import json_records, typed
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import chosen, kind_told, names_of
from schemas.types import Category

CHOSEN_FROM = 0.5


def read(source: Source, _how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records; nulls in the list, which annotators write, are passed over."""
    for line, value in json_records(source):
        try:
            if value is not None:
                yield _record(value, line, labelled=labelled)
        except ValueError as error:
            raise source.error(line, error) from None


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the list."""
    pairs = [
        [one.text, {"entities": [[e.start, e.end, e.label] for e in one.entities]}]
        for one in examples
    ]
    yield json.dumps(pairs, ensure_ascii=False, indent=1) + "\n"


def write_categories(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the list of labels of whole texts; each says yes or no to every label there is."""
    labels = sorted({name for one in examples for name in names_of(one)})
    pairs = [
        [one.text, {"cats": {name: float(name in names_of(one)) for name in labels}}]
        for one in examples
    ]
    yield json.dumps(pairs, ensure_ascii=False, indent=1) + "\n"


def is_pair(value: Any) -> bool:
    """Whether a value has this format's shape."""
    return (
        isinstance(value, list)
        and len(value) == 2  # noqa: PLR2004 - a pair
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
    )


def _record(value: Any, line: int, *, labelled: bool) -> Record:
    if not is_pair(value):
        raise ValueError(
            'expected [text, {"entities": [[start, end, label]]}], or {"cats": {label: 1}}'
        )
    text, given = value
    require_unicode(text)
    categories = _cats(typed(given, "cats", dict, {}))
    needed = labelled and "cats" not in given
    spans = tuple(map(triple, typed(given, "entities", list, None if needed else [])))
    told = kind_told(spans, categories)
    only_cats = "cats" in given and "entities" not in given
    return Record(
        line=line,
        text=text,
        spans=spans,
        categories=categories,
        kind="categories" if only_cats else told,
    )


def _cats(given: dict[str, Any]) -> tuple[Category, ...]:
    scores = [(label, float(x) if isinstance(x, bool) else x) for label, x in given.items()]
    scored = chosen([{"label": label, "score": score} for label, score in scores])
    return tuple(one for one in scored if one.confidence >= CHOSEN_FROM)

"""Hugging Face's sets as JSON or JSONL: `tokens` with `ner_tags`, or a `text` with a `label`.

Tags are names, or numbers of `--label-names`. The text is the tokens joined by single spaces,
or the record's own `text` where it has one. A label is a name, a number of `--label-names`, or a
list of these; -1 says that nobody labelled the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from schemas._json import require_unicode
from schemas.files.corpus.example import Example, Record
from schemas.files.corpus.json_records import entry, id_of, json_records, meta_of, text_of, typed
from schemas.files.corpus.options import Reading
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import chosen, is_unlabelled, names_of
from schemas.files.corpus.words import TAG, joined, spans_in, tagged_words

TAGS = ("ner_tags", "tags", "labels", "ner")

LABELS = ("label", "labels")


def read(source: Source, how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield the records."""
    for line, value in json_records(source):
        try:
            yield _record(entry(value), line, how.label_names, labelled=labelled)
        except ValueError as error:
            raise source.error(line, error) from None


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines, with the text beside its tokens."""
    for one in examples:
        words = tagged_words(one)
        value = {
            "id": one.id,
            "text": one.text,
            "tokens": [word for word, _ in words],
            "ner_tags": [tag for _, tag in words],
        }
        yield json.dumps(value, ensure_ascii=False) + "\n"


def write_categories(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the lines of labels of whole texts: names, or lists of them where one has not one."""
    single = all(len(one.categories) == 1 for one in examples)
    for one in examples:
        names = names_of(one)
        value = {"id": one.id, "text": one.text, "label": names[0] if single else names}
        yield json.dumps(value, ensure_ascii=False) + "\n"


def _record(value: dict[str, Any], line: int, names: Sequence[str], *, labelled: bool) -> Record:
    if "tokens" not in value and isinstance(value.get("text"), str):
        return _whole(value, line, names, labelled=labelled)
    words = _words(value)
    tags = _tags(value, names) if labelled else ["O"] * len(words)
    if len(tags) != len(words):
        raise ValueError(f"{len(words)} tokens but {len(tags)} tags")
    text, spans = joined(words, tags)
    if isinstance(value.get("text"), str):
        text = text_of(value)
        spans = spans_in(text, words, tags)
    return Record(line=line, text=text, spans=spans, id=id_of(value), meta=meta_of(value))


def _whole(value: dict[str, Any], line: int, names: Sequence[str], *, labelled: bool) -> Record:
    name = next((name for name in LABELS if value.get(name) is not None), None)
    if labelled and name is None:
        raise ValueError("expected 'tokens' with tags, or a text with a 'label'")
    given = value[name] if labelled and name else []
    nobody = is_unlabelled(given, names)
    return Record(
        line=line,
        text=text_of(value),
        id=id_of(value),
        meta=meta_of(value),
        kind="categories",
        categories=() if nobody else chosen(given, names),
        left_out="not_annotated" if nobody else "",
    )


def _words(value: dict[str, Any]) -> list[str]:
    words: list[str] = typed(value, "tokens", list)
    if not all(isinstance(word, str) and word for word in words):
        raise ValueError("'tokens' holds something that is no word")
    text_of({"text": "".join(words)})
    return words


def _name(value: dict[str, Any]) -> str | None:
    return next((name for name in TAGS if value.get(name) is not None), None)


def _tags(value: dict[str, Any], names: Sequence[str]) -> list[str]:
    name = _name(value)
    if name is None:
        raise ValueError(f"expected tags under {', '.join(TAGS)}")
    return [_tag(tag, names) for tag in typed(value, name, list)]


def _tag(tag: Any, names: Sequence[str]) -> str:
    if isinstance(tag, int) and not isinstance(tag, bool):
        if not names:
            raise ValueError("the tags are numbers: pass --label-names O,B-PER,I-PER,...")
        if not 0 <= tag < len(names):
            raise ValueError(f"tag {tag} has no name: --label-names gives {len(names)}")
        tag = names[tag]
    if not isinstance(tag, str) or not TAG.fullmatch(tag):
        raise ValueError(f"expected a tag such as O or B-PER, not {tag!r}")
    require_unicode(tag)
    return tag

"""CSV and TSV with a header: `text`, `start`, `end`, `label`; a row a span.

Rows of one id, or without ids of one text, belong together; a row with none of `start`, `end`
and `label` is a text without spans. `surface` may stand beside the offsets. Other headers are named
by `--columns`.

Without `start` and `end` the labels are of texts as a whole: a row a text, several labels parted
by `|`, an empty cell for none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.files.corpus.example import Example, Record, Span
from schemas.files.corpus.options import Reading, refuse_columns
from schemas.files.corpus.source import Source
from schemas.files.corpus.whole_text import SEPARATOR, chosen, is_unlabelled, parted

PARTS = ("id", "text", "start", "end", "label", "surface")
_OF_SPANS = ("start", "end", "label")
_NEEDED = ("text", *_OF_SPANS)
_OF_CATEGORIES = ("id", "text", "label")
_EXPECTED = (
    "expected a header with the columns text,start,end,label, or text,label for categories "
    "(name others by --columns)"
)


@dataclass(slots=True)
class _Rows:
    line: int
    id: str | None
    text: str
    spans: list[Span] = field(default_factory=list)


def read(source: Source, how: Reading, *, labelled: bool) -> Iterator[Record]:
    """Yield a record a text."""
    refuse_columns(how.columns, PARTS, "csv")
    table = _table(source)
    first, header = next(table, (1, []))
    places = _places(source, first, header, how, labelled=labelled)
    parts = _parts(source, table, places)
    if labelled and not {"start", "end"} & set(places):
        yield from (_category_record(source, line, part, how) for line, part in parts)
        return
    texts: dict[tuple[str | None, str], _Rows] = {}
    for line, part in parts:
        rows = texts.setdefault(_key(part), _Rows(line, part.get("id") or None, part["text"]))
        if rows.text != part["text"]:
            raise source.error(line, f"another text for the id of line {rows.line}")
        if labelled and any(part[name].strip() for name in _OF_SPANS):
            rows.spans.append(_span(source, line, part))
    for rows in texts.values():
        yield Record(
            line=rows.line,
            text=rows.text,
            spans=tuple(rows.spans),
            id=rows.id,
            kind="entities" if labelled else None,
        )


def write(examples: Sequence[Example], delimiter: str = ",") -> Iterator[str]:
    """Yield the rows."""
    yield _row(PARTS, delimiter)
    for one in examples:
        for e in one.entities:
            yield _row([one.id, one.text, e.start, e.end, e.label, e.surface], delimiter)
        if not one.entities:
            yield _row([one.id, one.text, "", "", "", ""], delimiter)


def write_tsv(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the rows, parted by tabs."""
    return write(examples, "\t")


def write_categories(examples: Sequence[Example], delimiter: str = ",") -> Iterator[str]:
    """Yield the rows of labels of whole texts."""
    yield _row(_OF_CATEGORIES, delimiter)
    for one in examples:
        labels = SEPARATOR.join(category.label for category in one.categories)
        yield _row([one.id, one.text, labels], delimiter)


def write_categories_tsv(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the rows, parted by tabs."""
    return write_categories(examples, "\t")


def delimiter_of(header: str, text: str = "text") -> str | None:
    """Tell what parts a header that names a text; None for what is no such header."""
    for delimiter in "\t,;":
        names = {name.strip().strip('"').lower() for name in header.split(delimiter)}
        if text.lower() in names and (len(names) > 1 or delimiter == ";"):
            return delimiter
    return None


def _parts(
    source: Source, table: Iterator[tuple[int, list[str]]], places: Mapping[str, int]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows that are not blank, by part."""
    for line, row in table:
        if not any(row):
            continue
        if places["text"] >= len(row):
            raise source.error(line, f"no text: the row has {len(row)} columns, the header more")
        yield line, {name: row[at] if at < len(row) else "" for name, at in places.items()}


def _category_record(source: Source, line: int, part: dict[str, str], how: Reading) -> Record:
    labels = [_numbered(name, how.label_names) for name in parted(part["label"])]
    nobody = len(labels) == 1 and is_unlabelled(labels[0], how.label_names)
    try:
        categories = () if nobody else chosen(labels, how.label_names)
    except ValueError as error:
        raise source.error(line, error) from None
    return Record(
        line=line,
        text=part["text"],
        id=part.get("id") or None,
        kind="categories",
        categories=categories,
        left_out="not_annotated" if nobody else "",
    )


def _numbered(name: str, names: Sequence[str]) -> str | int:
    return int(name) if names and name.removeprefix("-").isdecimal() else name


def _table(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the line that each begins at."""
    header = next((line for _, line in source.filled()), "")
    delimiter = delimiter_of(header) or max("\t,;", key=header.count)
    rows = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in rows:
            yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        raise source.error(line, error) from None


def _places(
    source: Source, line: int, header: list[str], how: Reading, *, labelled: bool
) -> dict[str, int]:
    """Find each part's column, from 0."""
    names = [name.strip().lower() for name in header]
    wanted = {part: how.columns.get(part, part).lower() for part in PARTS}
    found = {part: at for part, name in wanted.items() if (at := _place(names, name)) is not None}
    needed = {*_needed(found, labelled), *how.columns}
    if missing := [part for part in PARTS if part not in found and part in needed]:
        raise source.error(line, f"{_EXPECTED}; there is no {', '.join(missing)}")
    return found


def _needed(found: Mapping[str, int], labelled: bool) -> Sequence[str]:  # noqa: FBT001 - a word of this file
    if not labelled:
        return ("text",)
    whole = "label" in found and not {"start", "end", "surface"} & set(found)
    return ("text", "label") if whole else _NEEDED


def _place(names: list[str], wanted: str) -> int | None:
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    return None


def _key(part: dict[str, str]) -> tuple[str | None, str]:
    return (part["id"], "") if part.get("id") else (None, part["text"])


def _span(source: Source, line: int, part: dict[str, str]) -> Span:
    if not (part["start"].strip().isdecimal() and part["end"].strip().isdecimal()):
        raise source.error(line, "expected whole numbers under start and end")
    if not part["label"].strip():
        raise source.error(line, "'label' is empty")
    label = part["label"].strip()
    return Span(int(part["start"]), int(part["end"]), label, surface=part.get("surface") or None)


def _row(cells: Sequence[object], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return out.getvalue()

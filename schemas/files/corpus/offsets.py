"""In which unit a file counts: code points, UTF-16 units or UTF-8 bytes.

Where a file shows the text beside its offsets, the two must agree. JavaScript, Java and C# count
UTF-16 units, others bytes: what fits for every span of the file is converted, else refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Literal

from schemas.files.corpus.example import Record, Span
from schemas.files.corpus.source import Source

Unit = Literal["code points", "UTF-16 units", "UTF-8 bytes"]
MENDED: dict[Unit, str] = {"UTF-16 units": "utf16_offsets", "UTF-8 bytes": "utf8_offsets"}

_WIDTHS: dict[Unit, tuple[str, int]] = {
    "UTF-16 units": ("utf-16-le", 2),
    "UTF-8 bytes": ("utf-8", 1),
}


def in_code_points(source: Source, records: Sequence[Record]) -> tuple[list[Record], Unit]:
    """Convert the file's offsets, if need be; `ConfigError` when no unit fits all surfaces."""
    misfit = next((r for r in records if not _fits(r)), None)
    if misfit is None:
        return list(records), "code points"
    for unit in _WIDTHS:
        converted = [_converted(record, unit) for record in records]
        whole = [record for record in converted if record is not None and _fits(record)]
        if len(whole) == len(records):
            return whole, unit
    raise source.error(
        misfit.line,
        "the text beside a span's offsets is not what stands there, counted in code points, "
        "UTF-16 units or UTF-8 bytes",
    )


def _spans(record: Record) -> Iterator[Span]:
    yield from record.spans
    yield from record.llm_spans or ()


def _fits(record: Record) -> bool:
    return all(
        span.surface is None or _shows(record.text, span, span.surface) for span in _spans(record)
    )


def _shows(text: str, span: Span, surface: str) -> bool:
    inside = 0 <= span.start < span.end <= len(text)
    return inside and _plain(text[span.start : span.end]) == _plain(surface)


def _plain(words: str) -> str:
    """Give the words without what tools change in them: white space, line ends spelt out."""
    return " ".join(words.replace("\\n", " ").split())


def _converted(record: Record, unit: Unit) -> Record | None:
    """Count anew; None where an offset is within a character or out of bounds."""
    if record.text.isascii():
        return record
    encoding, width = _WIDTHS[unit]
    sizes = (len(character.encode(encoding)) // width for character in record.text)
    place = {at: number for number, at in enumerate(accumulate(sizes, initial=0))}
    if not all({span.start, span.end} <= place.keys() for span in _spans(record)):
        return None
    llm = record.llm_spans
    return replace(
        record,
        spans=tuple(_moved(span, place) for span in record.spans),
        llm_spans=None if llm is None else tuple(_moved(span, place) for span in llm),
    )


def _moved(span: Span, place: dict[int, int]) -> Span:
    return replace(span, start=place[span.start], end=place[span.end])

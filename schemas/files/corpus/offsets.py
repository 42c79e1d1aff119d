"""In which unit a file counts: code points, UTF-16 units or UTF-8 bytes.

Where a file shows the text beside its offsets, the two must agree. JavaScript, Java and C# count
UTF-16 units, others bytes: what fits for every span of the file is converted, else refused.
Label Studio's are UTF-16 units where nothing beside them tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Literal

from schemas.files.corpus.example import Record, Span
from schemas.files.corpus.options import Format
from schemas.files.corpus.source import Source

Unit = Literal["UTF-16 units", "UTF-8 bytes"]
_OF_JAVASCRIPT = frozenset[Format]({"label-studio", "label-studio-min"})
_MENDED: dict[Unit, str] = {"UTF-16 units": "utf16_offsets", "UTF-8 bytes": "utf8_offsets"}

_WIDTHS: dict[Unit, tuple[str, int]] = {
    "UTF-16 units": ("utf-16-le", 2),
    "UTF-8 bytes": ("utf-8", 1),
}


def in_code_points(source: Source, records: Sequence[Record], form: Format) -> list[Record]:
    """Convert the file's offsets, if need be; `ConfigError` when no unit fits all surfaces."""
    if form in _OF_JAVASCRIPT and not _is_told(records):
        return [_from_utf16(source, record) for record in records]
    misfit = next((r for r in records if not _fits(r)), None)
    if misfit is None:
        return list(records)
    for unit in _WIDTHS:
        converted = [_converted(record, unit) for record in records]
        whole = [record for record in converted if record is not None and _fits(record)]
        if len(whole) == len(records):
            return whole
    raise source.error(
        misfit.line,
        "the text beside a span's offsets is not what stands there, counted in code points, "
        "UTF-16 units or UTF-8 bytes",
    )


def _is_told(records: Sequence[Record]) -> bool:
    """Whether the units differ nowhere, or a surface stands where they do."""
    differ = [span for one in records if _is_astral(one.text) for span in _spans(one)]
    return not differ or any(span.surface is not None for span in differ)


def _is_astral(text: str) -> bool:
    return max(text, default="") > "\uffff"


def _from_utf16(source: Source, record: Record) -> Record:
    converted = _converted(record, "UTF-16 units")
    if converted is None or not _fits(converted):
        raise source.error(
            record.line,
            "a span's offsets do not fit its text, counted in UTF-16 units as Label Studio does",
        )
    return converted


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
    spans = tuple(_moved(span, place) for span in record.spans)
    moved = sum(new != old for new, old in zip(spans, record.spans, strict=True))
    return replace(
        record,
        spans=spans,
        mended=(*record.mended, *[_MENDED[unit]] * moved),
        llm_spans=None if llm is None else tuple(_moved(span, place) for span in llm),
    )


def _moved(span: Span, place: dict[int, int]) -> Span:
    return replace(span, start=place[span.start], end=place[span.end])

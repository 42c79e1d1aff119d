"""JSON files: a value a line, or one list of values; each with the line that it begins at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from schemas._json import require_unicode, strict_json
from schemas.files.corpus.source import Source

_LIST_OF_VALUES = re.compile(r"\s*\[\s*(?:[\[{\]]|null)")
_SPACE = re.compile(r"\s*")
_LISTS = ("data", "annotations")
"""Where tools wrap their records into an object: Hugging Face's and some annotators' do."""


def json_records(source: Source) -> Iterator[tuple[int, Any]]:
    """Yield (line, value); `ConfigError` with file and line where it is no JSON."""
    if _LIST_OF_VALUES.match(source.text):
        yield from _elements(source)
    elif (whole := _document(source)) is not None:
        first = next(n for n, _ in source.filled())
        yield from ((first, value) for value in _wrapped(whole) or [whole])
    else:
        yield from _lines(source)


def entry(value: Any) -> dict[str, Any]:
    """Give the value, or `ValueError` when it is no object."""
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a bad line, not a bad call
    return value


def text_of(value: dict[str, Any], name: str = "text") -> str:
    """Give the record's text, which has a UTF-8; else `ValueError`."""
    text: str = typed(value, name, str)
    require_unicode(text)
    return text


def id_of(value: dict[str, Any], name: str = "id") -> str | None:
    """Give the record's id: a number is an id too, null is none."""
    found = value.get(name)
    if isinstance(found, str):
        require_unicode(found)
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    raise ValueError(f"{name!r} is neither a string nor a whole number")


def meta_of(value: dict[str, Any]) -> dict[str, Any]:
    """Give the record's own notes, where they are an object."""
    found = value.get("meta")
    return found if isinstance(found, dict) else {}


def typed(value: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """Give a member of this type; `ValueError` when it is missing or another."""
    found = value.get(name, default)
    if kind is float and type(found) is int:  # JSON writes 1.0 as 1 as well
        return float(found)
    # A boolean is an int to Python, but no offset.
    if not isinstance(found, kind) or isinstance(found, bool):
        wrong = "is missing" if name not in value else f"is not of type {kind.__name__}"
        raise ValueError(f"{name!r} {wrong}")  # noqa: TRY004 - as above
    return found


def label_in(value: dict[str, Any]) -> str:
    """Give a span's label; `ValueError` when it is missing or empty."""
    label: str = typed(value, "label", str)
    if not label:
        raise ValueError("'label' is empty")
    require_unicode(label)
    return label


def _lines(source: Source) -> Iterator[tuple[int, Any]]:
    for number, line in source.filled():
        try:
            yield number, strict_json(line)
        except ValueError as error:
            raise source.error(number, error) from None


def _document(source: Source) -> dict[str, Any] | None:
    """Read one object that goes over several lines, or wraps a list; None for lines."""
    first = next((line for _, line in source.filled()), "")
    if not first.lstrip().startswith("{"):
        return None
    line = _parsed(first)
    if isinstance(line, dict) and not _wrapped(line):
        return None
    whole = _parsed(source.text)
    return whole if isinstance(whole, dict) else None


def _parsed(text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError:
        return None


def _wrapped(value: dict[str, Any]) -> list[Any]:
    """Give the records that an object wraps, which is none itself."""
    if {"text", "tokens"} & value.keys() or isinstance(value.get("data"), dict):
        return []
    return next((value[name] for name in _LISTS if isinstance(value.get(name), list)), [])


def _elements(source: Source) -> Iterator[tuple[int, Any]]:
    text, decoder = source.text, json.JSONDecoder(parse_constant=_refuse)
    position, line, counted = text.index("[") + 1, 1, 0
    comma = False
    while True:
        position = _after_space(text, position)
        line, counted = line + text.count("\n", counted, position), position
        if text.startswith("]", position) and not comma:
            if rest := text[position + 1 :].strip():
                raise source.error(line, f"expected the end after the list, not {rest[:1]!r}")
            return
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise source.error(error.lineno, f"not JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise source.error(line, str(error) or "nested too deeply") from None
        yield line, value
        position = _after_space(text, position)
        comma = text.startswith(",", position)
        if not comma and not text.startswith("]", position):
            line += text.count("\n", counted, position)
            raise source.error(line, "expected a comma or the list's end after this value")
        position += comma


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

"""Label Studio's choices about a text as a whole, in both of its JSON exports.

One control of the labelling interface (`Choices`) is read; where a file has several, the options
name it (`--label-column`). Where a file has spans, choices beside them are no labels.

Source: https://labelstud.io/tags/choices
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.files.corpus.example import Example, Record
from schemas.files.corpus.whole_text import chosen, is_chosen, names_of
from schemas.types import Category

_USUAL = frozenset({"choices", "choice", "sentiment", "category", "categories", "class"})
_NOT_CHOICES = frozenset({"id", "text", "meta", "created_at", "updated_at", "annotator"})


def of_result(items: Sequence[dict[str, Any]], control: str) -> dict[str, tuple[Category, ...]]:
    """Give the choices of an annotation by control, of `control` alone where one is named."""
    found: dict[str, tuple[Category, ...]] = {}
    for one in items:
        name = str(one.get("from_name"))
        if is_choice(one) and control in {"", name}:
            found[name] = (*found.get(name, ()), *chosen(one["value"]["choices"]))
    return found


def is_choice(item: dict[str, Any]) -> bool:
    """Whether an item of an annotation is a choice about the whole text."""
    value = item.get("value")
    return (
        item.get("type") == "choices"
        and isinstance(value, dict)
        and isinstance(value.get("choices"), list)
        and "start" not in value
    )


def of_entry(value: Mapping[str, Any], control: str) -> dict[str, tuple[Category, ...]]:
    """Give the choices of an entry of JSON-MIN by control, as `of_result` does."""
    names = [control] if control else [name for name in value if _holds(value, name)]
    return {name: chosen(_listed(value[name])) for name in names if value.get(name) is not None}


def is_min(value: Mapping[str, Any]) -> bool:
    """Whether a record has choices as JSON-MIN writes them."""
    return "choices" in value or any(map(_is_several, value.values())) or "annotation_id" in value


def only_control(records: Sequence[Record], controls: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Tell the records' kind, given each one's choices by control.

    `ValueError` for several controls.
    """
    if any(record.spans for record in records):
        return [
            replace(one, dropped=(*one.dropped, *["not_a_span"] * len(found)))
            for one, found in zip(records, controls, strict=True)
        ]
    names = sorted({name for found in controls for name in found})
    if len(names) > 1:
        raise ValueError(
            f"expected one choice of labels; there are {', '.join(names)}: "
            "name one by --label-column"
        )
    return (
        [
            replace(
                one, kind="categories", categories=tuple(x for some in found.values() for x in some)
            )
            for one, found in zip(records, controls, strict=True)
        ]
        if names
        else list(records)
    )


def write(examples: Sequence[Example]) -> Iterator[str]:
    """Yield the full JSON export."""
    yield _array(
        {
            "data": {"id": one.id, "text": one.text},
            "meta": one.meta,
            "annotations": [{"result": _items(one), "was_cancelled": False}],
        }
        for one in examples
    )


def write_min(examples: Sequence[Example]) -> Iterator[str]:
    """Yield JSON-MIN."""
    yield _array(
        {"id": one.id, "text": one.text, "choices": {"choices": names_of(one)}} for one in examples
    )


def _items(example: Example) -> list[dict[str, Any]]:
    value = {"choices": names_of(example)}
    about = {"from_name": "label", "to_name": "text", "type": "choices"}
    return [{"id": f"{example.id}-0", **about, "value": value}]


def _holds(value: Mapping[str, Any], name: str) -> bool:
    if name in _NOT_CHOICES:
        return False
    told = name in _USUAL or "annotation_id" in value
    return _is_several(value[name]) or (told and is_chosen(value[name]))


def _is_several(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("choices"), list)


def _listed(value: Any) -> Any:
    return value["choices"] if _is_several(value) else value


def _array(values: Iterator[dict[str, Any]]) -> str:
    return json.dumps(list(values), ensure_ascii=False, indent=1) + "\n"

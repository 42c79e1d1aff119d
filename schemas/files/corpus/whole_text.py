"""Labels of texts as a whole, as files have them: a name, or a list of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas._json import require_unicode
from schemas.files.corpus.example import Example
from schemas.files.corpus.json_records import typed
from schemas.files.kind import Kind
from schemas.types import Category

SEPARATOR = "|"
"""Parts several labels where a file has one cell for them; no label of a category holds it."""

_BOTH = "entities and categories of one text: leave out one of the two"


def chosen(value: Any, names: Sequence[str] = ()) -> tuple[Category, ...]:
    """Read a label or a list of labels, in order; `ValueError` for what is none.

    A label is a string, an object `{"label", "score"}`, or a number of `names`, from 0.
    """
    values = value if isinstance(value, list) else [value]
    return tuple(_category(one, names) for one in values)


def is_chosen(value: Any) -> bool:
    """Whether a value is a label of a whole text, or a list of such."""
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(one, str) for one in values)


def names_of(example: Example) -> list[str]:
    """Give the labels of an example, as files list them."""
    return [category.label for category in example.categories]


def kind_told(spans: Sequence[Any], categories: Sequence[Any]) -> Kind | None:
    """Tell a record's kind by its labels, None where it has none; `ValueError` for both."""
    refuse_both(spans, categories)
    if spans:
        return "entities"
    return "categories" if categories else None


def is_unlabelled(value: Any, names: Sequence[str]) -> bool:
    """Whether a value is Hugging Face's number for "no label"; `names` say that there are any."""
    return bool(names) and type(value) is int and value == -1


def parted(cell: str) -> list[str]:
    """Part the labels of a cell."""
    return [name for part in cell.split(SEPARATOR) if (name := part.strip())]


def refuse_both(spans: Iterable[Any], categories: Iterable[Any]) -> None:
    """`ValueError` for a text that has both."""
    if any(True for _ in spans) and any(True for _ in categories):
        raise ValueError(_BOTH)


def named(value: dict[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Call `text` and `label` what the options say holds them."""
    renamed = {
        part: value[column]
        for part in ("text", "label")
        if (column := columns.get(part)) is not None and column in value
    }
    return value | renamed


def _category(value: Any, names: Sequence[str]) -> Category:
    if isinstance(value, int) and not isinstance(value, bool):
        return Category(_numbered(value, names))
    parts = value if isinstance(value, dict) else {"label": value}
    label: str = typed(parts, "label", str)
    if not label.strip():
        raise ValueError("'label' is empty")
    require_unicode(label)
    score = 1.0 if parts.get("score") is None else typed(parts, "score", float)
    if not 0 <= score <= 1:
        raise ValueError("'score' is not in [0, 1]")
    return Category(label.strip(), score)


def _numbered(value: int, names: Sequence[str]) -> str:
    if not names:
        raise ValueError("the labels are numbers: pass --label-names glad,angry,...")
    if not 0 <= value < len(names):
        raise ValueError(f"label {value} has no name: --label-names gives {len(names)}")
    return names[value]

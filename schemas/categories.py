"""Categories: labels of a text as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Literal

from schemas.types import Category

Choose = Literal["one", "any"]
"""How many categories a text has: exactly one; none, one or several."""


def validate_categories(categories: Sequence[Category]) -> None:
    """Raise `ValueError` unless they have labels, are sorted by these, and none comes twice."""
    if not all(category.label for category in categories):
        raise ValueError("a category has no label")
    if any(a.label >= b.label for a, b in pairwise(categories)):
        raise ValueError("the categories are not sorted, or one comes twice")


def check_chosen(
    categories: Sequence[Category], *, labels: Collection[str], choose: Choose
) -> None:
    """Raise `ValueError` unless they are an answer to the task: of its labels, as many as asked."""
    validate_categories(categories)
    if any(category.label not in labels for category in categories):
        raise ValueError("a category is not one of the task's labels")
    if choose == "one" and len(categories) != 1:
        raise ValueError(f"the text has {len(categories)} categories, not exactly one")


def of_labels(labels: Iterable[str]) -> tuple[Category, ...]:
    """Make certain categories of label names, repeats counted once."""
    return tuple(Category(label) for label in sorted(set(labels)))

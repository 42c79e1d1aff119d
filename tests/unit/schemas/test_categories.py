from __future__ import annotations

import pytest

from schemas.categories import Choose, check_chosen, of_labels, validate_categories
from schemas.types import Category, Entity, Tagging, facts

GLAD, SAD = Category("glad"), Category("sad", 0.5)


def test_names_become_sorted_categories() -> None:
    assert of_labels(["sad", "glad", "sad"]) == (Category("glad"), Category("sad"))


@pytest.mark.parametrize("wrong", [(SAD, GLAD), (GLAD, GLAD), (Category(""),)])
def test_what_is_unsorted_repeated_or_nameless_is_refused(wrong: tuple[Category, ...]) -> None:
    with pytest.raises(ValueError, match="categor"):
        validate_categories(wrong)


@pytest.mark.parametrize(
    ("chosen", "choose"), [((), "one"), ((GLAD, SAD), "one"), ((Category("calm"),), "any")]
)
def test_what_is_no_answer_is_refused(chosen: tuple[Category, ...], choose: Choose) -> None:
    with pytest.raises(ValueError, match="categor"):
        check_chosen(chosen, labels=["glad", "sad"], choose=choose)


def test_none_is_an_answer_where_any_number_may_be_chosen() -> None:
    check_chosen((), labels=["glad", "sad"], choose="any")
    check_chosen((GLAD, SAD), labels=["glad", "sad"], choose="any")


def test_facts_are_spans_and_labels_of_the_whole_text_without_confidences() -> None:
    said = Tagging((Entity(0, 3, "PER", "Ada", 0.5),), 0.5, 0.5, (GLAD, SAD))
    assert facts(said) == {(0, 3, "PER"), (0, 0, "glad"), (0, 0, "sad")}

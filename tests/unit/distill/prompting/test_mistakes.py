"""What goes wrong in answers, named."""

from __future__ import annotations

import pytest

from distill.prompting.mistakes import counted, slips_of
from schemas.types import Fact

TEXT = "Ada Lovelace met Bo in Oslo"
ADA, LOVELACE, BO, OSLO = (0, 3), (0, 12), (17, 19), (23, 27)


@pytest.mark.parametrize(
    ("gold", "said", "wrong"),
    [
        ({(*BO, "PER")}, {(*BO, "PER")}, []),
        ({(*BO, "PER")}, set(), [("missed", "PER", "")]),
        (set(), {(*BO, "PER")}, [("spurious", "", "PER")]),
        ({(*BO, "PER")}, {(*BO, "LOC")}, [("type", "PER", "LOC")]),
        ({(*LOVELACE, "PER")}, {(*ADA, "PER")}, [("boundary", "PER", "PER")]),
        ({(*LOVELACE, "PER")}, {(*ADA, "LOC")}, [("type", "PER", "LOC")]),
        ({(*BO, "PER")}, {(*OSLO, "PER")}, [("missed", "PER", ""), ("spurious", "", "PER")]),
        (
            {(*LOVELACE, "PER")},
            {(*ADA, "PER"), (4, 12, "PER")},
            [("boundary", "PER", "PER"), ("spurious", "", "PER")],
        ),
    ],
)
def test_each_fact_of_an_entity_is_in_one_slip(
    gold: set[Fact], said: set[Fact], wrong: list[tuple[str, str, str]]
) -> None:
    slips = slips_of(TEXT, frozenset(gold), frozenset(said), kind="entities")

    assert sorted(counted(slips).elements()) == sorted(wrong)


@pytest.mark.parametrize(
    ("gold", "said", "wrong"),
    [
        ({"a"}, {"b"}, [("confused", "a", "b")]),
        ({"a", "c"}, {"a", "b"}, [("confused", "c", "b")]),
        ({"a"}, set(), [("missed", "a", "")]),
        ({"a", "b"}, {"c"}, [("missed", "a", ""), ("missed", "b", ""), ("spurious", "", "c")]),
    ],
)
def test_one_category_in_the_place_of_another_is_confused(
    gold: set[str], said: set[str], wrong: list[tuple[str, str, str]]
) -> None:
    wanted, answered = (frozenset((0, 0, x) for x in side) for side in (gold, said))

    slips = slips_of("x", wanted, answered, kind="categories")

    assert sorted(counted(slips).elements()) == sorted(wrong)


def test_a_slip_is_told_in_words() -> None:
    (slip,) = slips_of(
        TEXT, frozenset({(*LOVELACE, "PER")}), frozenset({(*ADA, "PER")}), kind="entities"
    )

    assert slip.as_dict() == {
        "text": TEXT,
        "expected": {"label": "PER", "text": "Ada Lovelace"},
        "answered": {"label": "PER", "text": "Ada"},
    }

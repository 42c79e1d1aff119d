"""How well answers agree with gold, and what goes wrong."""

from __future__ import annotations

from distill.prompting.evaluation import EXAMPLES, Sureness, figures, mistakes, summary
from schemas.files.corpus import Example
from schemas.types import Entity, Fact

SURENESS = Sureness(resamples=200, confidence=0.9, seed=0)
GOLD = [
    Example(str(n), f"Ada in Oslo {n}", (Entity(0, 3, "PER", "Ada"), Entity(7, 11, "LOC", "Oslo")))
    for n in range(20)
]
ADA: Fact = (0, 3, "PER")


def test_figures_have_intervals_over_all_and_per_label() -> None:
    said = [frozenset([ADA])] * 10 + [frozenset([ADA, (7, 11, "LOC")])] * 10
    found = figures(GOLD, said, SURENESS)

    assert (found["records"], found["precision"], found["recall"]) == (20, 1.0, 0.75)
    assert found["per_label"]["LOC"]["recall"] == 0.5
    assert found["per_label"]["PER"]["f1"] == 1.0
    recall = found["per_label"]["LOC"]["intervals"]["recall"]
    assert 0.2 < recall["low"] < recall["estimate"] == 0.5 < recall["high"] < 0.8
    assert found["intervals"]["precision"]["low"] == 1.0
    assert summary(GOLD, said, SURENESS) == {x: y for x, y in found.items() if x != "per_label"}


def test_a_label_that_was_only_said_has_figures_too() -> None:
    found = figures(GOLD[:1], [frozenset([(0, 3, "ORG")])], SURENESS)

    assert found["per_label"]["ORG"]["precision"] == 0


def test_mistakes_are_told_most_frequent_first_with_some_examples() -> None:
    said = [frozenset([ADA])] * 15 + [frozenset([(0, 3, "LOC"), (7, 11, "LOC")])] * 5
    first, second = mistakes(GOLD, said, kind="entities")

    assert (first["wrong"], first["expected"], first["count"]) == ("missed", "LOC", 15)
    assert len(first["examples"]) == EXAMPLES
    assert first["examples"][0]["expected"] == {"label": "LOC", "text": "Oslo"}
    assert (second["wrong"], second["answered"], second["count"]) == ("type", "LOC", 5)


def test_where_nothing_is_wrong_nothing_is_told() -> None:
    assert mistakes(GOLD[:1], [frozenset([ADA, (7, 11, "LOC")])], kind="entities") == []

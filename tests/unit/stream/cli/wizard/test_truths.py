from __future__ import annotations

import pytest

from schemas.categories import of_labels
from schemas.files.task import LabelSpec, Task
from schemas.types import Entity
from stream.cli.wizard.truths import Truth, agrees, as_gold, divided, read_truth, words_of
from stream.teacher.kinds.said import Said

TASK = Task("t", "en", (LabelSpec("PER"), LabelSpec("LOC")))
MOODS = Task("m", "en", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
TEXT = "Al met Ada, and Al left Oslo."


def test_words_are_found_in_the_text_and_named_twice_at_two_places() -> None:
    said = read_truth("per: Al; LOC: oslo; PER: Al", TEXT, TASK)
    assert said.entities == (
        Entity(0, 2, "PER", "Al"),
        Entity(16, 18, "PER", "Al"),
        Entity(24, 28, "LOC", "Oslo"),
    )
    assert read_truth("-", TEXT, TASK) == Said()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("PER: Bo", "does not stand in the text"),
        ("PER: Oslo; LOC: Oslo", "once more"),
        ("ORG: Al", "none of PER, LOC"),
        ("Al", "LABEL: words"),
        ("PER: Ada, and; PER: and Al", "overlap"),
    ],
)
def test_what_is_no_answer_is_refused(line: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_truth(line, TEXT, TASK)


def test_categories_are_named_with_commas() -> None:
    assert read_truth("Sad", "Rain", MOODS) == Said(categories=of_labels(["sad"]))
    for line in ("-", "sad, glad"):
        with pytest.raises(ValueError, match="not exactly one"):
            read_truth(line, "Rain", MOODS)


@pytest.mark.parametrize("line", ["PER: Al; PER: Ada; LOC: Oslo", "-"])
def test_what_is_said_is_written_as_it_is_read(line: str) -> None:
    assert words_of(read_truth(line, TEXT, TASK)) == line
    assert words_of(Said(categories=of_labels(["sad"]))) == "sad"


def test_a_third_is_shown_corrected_ones_first_and_nothing_is_in_both() -> None:
    truths = [Truth(str(n), Said(), corrected=n == 4) for n in range(6)]
    shown, gold = divided(truths)
    assert [one.text for one in shown] == ["4", "0"]
    assert [one.text for one in gold] == ["1", "2", "3", "5"]
    assert [len(part) for part in divided(truths[:2])] == [0, 2]
    assert [len(part) for part in divided([Truth(str(n), Said()) for n in range(30)])] == [3, 27]


def test_gold_has_an_id_for_each_text_and_only_facts_agree() -> None:
    truths = [Truth("Al", Said((Entity(0, 2, "PER", "Al"),))), Truth("Bo", Said())]
    gold = as_gold(truths)
    assert len({one.id for one in gold}) == 2
    assert gold[0].entities == truths[0].said.entities
    assert agrees(Said((Entity(0, 2, "PER", "Al", 0.5),)), truths[0])
    assert not agrees(Said(), truths[0])
    assert not agrees(None, truths[1])

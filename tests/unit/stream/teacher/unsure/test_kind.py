"""What is asked about doubts, and how the answer is joined with what the student is sure of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.categories import of_labels
from schemas.errors import InvalidAnswerError
from schemas.files.task import LabelSpec, Task
from schemas.types import Choice, Doubt, Entity
from stream.teacher.kinds.said import Said
from stream.teacher.unsure.categories import UnsureCategories
from stream.teacher.unsure.entities import UnsureEntities
from stream.teacher.unsure.marks import NONE, extract_marks, marked

LABELS = ["PER", "LOC"]
TASK = Task("people", "en", (LabelSpec("PER", "People."), LabelSpec("LOC", "Places.")))
TEXT = "Ada met Bo Li in Oslo, Ada says"
SURE = Said((Entity(0, 3, "PER", "Ada"), Entity(17, 21, "LOC", "Oslo")))
DOUBT = Doubt(8, 10, (Choice("PER", 0.6), Choice("", 0.3), Choice("LOC", 0.1)))


def read(missed: list[dict[str, Any]], *places: tuple[Any, Any], sure: Said = SURE) -> Any:
    listed = [{"place": number, "label": label} for number, label in places]
    said = UnsureEntities().read(
        {"places": listed, "missed": missed}, text=TEXT, labels=LABELS, sure=sure, doubts=[DOUBT]
    )
    return [(x.surface, x.label) for x in said.entities]


def test_the_text_stands_beside_its_marks_and_both_are_found_again() -> None:
    marks = UnsureEntities().marks(TEXT, SURE, [DOUBT], TASK)
    assert marks["unsure"] == [{"place": 1, "text": "Bo", "likely": ["PER", "LOC"]}]
    assert extract_marks(marked(TEXT, marks)) == (TEXT, marks)
    assert extract_marks(marked(TEXT, marks) + "\n") is None


def test_an_answer_is_joined_with_what_is_sure() -> None:
    assert read([], (1, "per")) == [("Ada", "PER"), ("Bo", "PER"), ("Oslo", "LOC")]
    assert read([], (1, NONE)) == [("Ada", "PER"), ("Oslo", "LOC")]


def test_other_bounds_and_what_was_missed_are_grounded_by_their_words() -> None:
    longer = {"text": "Bo Li", "label": "PER", "occurrence": 1}
    second = {"text": "Ada", "label": "PER", "occurrence": 2}
    assert read([longer, second], (1, NONE)) == [
        ("Ada", "PER"),
        ("Bo Li", "PER"),
        ("Oslo", "LOC"),
        ("Ada", "PER"),
    ]
    with pytest.raises(InvalidAnswerError):
        read([{"text": "Berlin", "label": "LOC", "occurrence": 1}], (1, NONE))


def test_what_the_student_was_sure_of_gives_way_to_the_teacher() -> None:
    other = {"text": "in Oslo", "label": "LOC", "occurrence": 1}
    assert read([other], (1, NONE)) == [("Ada", "PER"), ("in Oslo", "LOC")]


@pytest.mark.parametrize("places", [[], [(2, "PER")], [(1, "PER"), (1, "LOC")], [(1, "DOG")]])
def test_places_that_are_missing_doubled_or_misnumbered_are_no_answer(places: Any) -> None:
    with pytest.raises(InvalidAnswerError):
        read([], *places)


def test_an_answer_that_contradicts_itself_is_none() -> None:
    with pytest.raises(InvalidAnswerError, match="overlap"):
        read([{"text": "Bo Li", "label": "PER", "occurrence": 1}], (1, "PER"))


@given(st.data())
def test_whoever_knows_the_truth_answers_it_whatever_the_student_says(data: st.DataObject) -> None:
    """But for what is sure and wrong: that stands where the truth does not touch it."""
    text = "aa bb aa cc aa bb dd"
    words = [(at, at + 2) for at in range(0, len(text), 3)]
    tags = st.lists(st.sampled_from(["", *LABELS]), min_size=len(words), max_size=len(words))

    def entities(said: list[str]) -> tuple[Entity, ...]:
        found = zip(words, said, strict=True)
        return tuple(Entity(a, b, label, text[a:b]) for (a, b), label in found if label)

    truth, student = entities(data.draw(tags)), entities(data.draw(tags))
    open_ = sorted(data.draw(st.sets(st.sampled_from(words), max_size=3)))
    doubts = [Doubt(a, b, (Choice("PER", 0.5), Choice("", 0.5))) for a, b in open_]
    sure = Said(tuple(x for x in student if (x.start, x.end) not in open_))
    kind = UnsureEntities()
    members = kind.members(text, Said(truth), kind.marks(text, sure, doubts, TASK))
    said = kind.read(
        json.loads(json.dumps(members)), text=text, labels=LABELS, sure=sure, doubts=doubts
    )
    spans = {(x.start, x.end) for x in truth}
    stands = tuple(x for x in sure.entities if (x.start, x.end) not in spans)
    assert said.entities == tuple(sorted([*truth, *stands]))


MOODS = ["glad", "sad", "wry"]


def chosen(choose: Any, members: dict[str, Any], *, sure: tuple[str, ...] = ()) -> list[str]:
    doubt = Doubt(0, 0, (Choice("glad", 0.6), Choice("sad", 0.3)))
    said = UnsureCategories(choose).read(
        members, text=TEXT, labels=MOODS, sure=Said(categories=of_labels(sure)), doubts=[doubt]
    )
    return [one.label for one in said.categories]


def test_one_of_the_choices_is_the_answer_and_none_of_them_is_no_answer() -> None:
    assert chosen("one", {"category": "Sad"}) == ["sad"]
    with pytest.raises(InvalidAnswerError, match=NONE):
        chosen("one", {"category": NONE})
    with pytest.raises(InvalidAnswerError):
        chosen("one", {"category": "wry"})


def test_of_any_number_what_is_sure_and_not_asked_about_stays() -> None:
    assert chosen("any", {"categories": ["sad"]}, sure=("wry",)) == ["sad", "wry"]
    assert chosen("any", {"categories": []}, sure=("wry",)) == ["wry"]


def test_only_the_choices_are_described() -> None:
    moods = Task(
        "mood",
        "en",
        tuple(LabelSpec(name, f"It is {name}.") for name in MOODS),
        kind="categories",
        choose="one",
    )
    kind = UnsureCategories("one")
    marks = kind.marks(TEXT, Said(), [Doubt(0, 0, (Choice("sad", 0.5),))], moods)
    assert marks == {"choices": [{"name": "sad", "description": "It is sad."}]}
    assert "wry" not in kind.system(moods)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from schemas.errors import BudgetExhaustedError, TeacherUnavailableError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.settings import TeacherSettings
from schemas.types import Entity
from stream.cli.wizard.asking import Interview, Nobody
from stream.cli.wizard.story import Checked, Story
from stream.cli.wizard.wish import Wish
from stream.teacher.kinds.said import Said
from stream.teacher.writing.suggesting import Sought, Suggestions

WISH = Wish(
    name="t",
    kind="entities",
    choose=None,
    looking_for="people",
    labels=(LabelSpec("PER"),),
    language="en",
    examples=(),
    topic="text",
    bootstrap_servers="here:1",
    teacher=TeacherSettings(),
    key_variable="",
    max_usd=1.0,
    n_texts=100,
)
ADA = Said((Entity(0, 3, "PER", "Ada"),))
TEXTS = [f"Ada {n}" for n in range(6)]


@dataclass
class FakeDesk:
    """Finds each Ada; leaves her out of texts with "Countess" until it is told of titles."""

    trouble: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def suggestions_usd(self, sought: Sought) -> float:
        return 0.004

    def suggestions(self, sought: Sought) -> Suggestions:
        self._note("suggestions")
        labels = sought.labels or (LabelSpec("PERSON", "Who."),)
        return Suggestions(tuple(replace(x, description="A name.") for x in labels), ("Rule.",))

    def texts_usd(self, task: Task, n: int) -> float:
        return 0.01

    def texts(self, task: Task, n: int) -> Sequence[str]:
        self._note("texts")
        return TEXTS[:n]

    def labels_usd(self, task: Task, texts: Sequence[str]) -> float:
        return 0.001 * len(texts)

    def labels(self, task: Task, texts: Sequence[str]) -> dict[str, Said | None]:
        self._note("labels")
        knows = "titles" in task.guidelines
        return {
            text: ADA if text.startswith("Ada") else self._countess(text) if knows else Said()
            for text in texts
        }

    def spent_usd(self) -> float:
        return 0.25

    @staticmethod
    def _countess(text: str) -> Said:
        at = text.index("Ada")
        return Said((Entity(at, at + 3, "PER", "Ada"),))

    def _note(self, what: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.asked.append(what)


def tell(interview: Interview, desk: FakeDesk, wish: Wish = WISH) -> Checked:
    def story(one: Interview) -> Checked:
        told = Story(one, desk, wish)
        return told.checked(told.drafted())

    return interview.told(story)


def test_suggestions_are_taken_changed_and_what_was_changed_is_taken_back(
    interview: Any, scripted: Any
) -> None:
    person = scripted("y", "1 Full names.", "-2", "back", "+ No titles.", "", "n")
    task = tell(interview(person), FakeDesk()).task
    assert task.labels == (LabelSpec("PER", "Full names."),)
    assert task.guidelines == "Looked for: people. Rule. No titles."


def test_each_step_that_costs_says_so_first_and_no_is_an_answer(
    interview: Any, scripted: Any
) -> None:
    desk, words = FakeDesk(), list[str]()

    class Careful(scripted):  # type: ignore[misc] # a class that the fixture gives
        def answer(self, ask: Any) -> Any:
            words.append(ask.words)
            return "n" if ask.key.startswith("pay") else super().answer(ask)

    tell(interview(Careful()), desk)
    priced = [one for one in words if "$" in one]
    assert "about $0.0040, of $0.75 that are left" in priced[0]
    assert "about $0.010, of $0.75 that are left" in priced[1]
    assert desk.asked == []


def test_what_a_person_judges_becomes_gold_and_a_third_of_it_is_shown(
    interview: Any, scripted: Any
) -> None:
    person = scripted("y", "", "y", "y", "s", "n", "-", "y", "y", "y")
    found = tell(interview(person), FakeDesk())
    assert [example.text for example in found.task.examples] == ["Ada 2"]
    assert found.task.examples[0].entities == ()
    assert [one.text for one in found.gold] == ["Ada 0", "Ada 3", "Ada 4", "Ada 5"]
    assert (found.seen, found.agreed) == (5, 4)


def test_the_teacher_is_told_what_to_heed_until_both_agree(interview: Any, scripted: Any) -> None:
    wish = replace(WISH, n_texts=0, examples=("Countess Ada", "Ada"))
    person = scripted("y", "", "y", "n", "PER: Ada", "y", "Mark names with titles, too.", "y")
    desk = FakeDesk()
    found = tell(interview(person), desk, wish)
    assert (found.seen, found.agreed) == (2, 2)
    assert found.task.guidelines.endswith("Mark names with titles, too.")
    assert desk.asked == ["suggestions", "labels", "labels"]
    assert any("2 of 2 texts" in told for told in person.told)


def test_nobodys_nod_makes_no_gold_but_labels_of_their_own_do(interview: Any) -> None:
    own = TaskExample("Ada!", ADA.entities)
    found = tell(interview(Nobody(lambda _: None)), FakeDesk(), replace(WISH, examples=(own,)))
    assert [one.text for one in found.gold] == ["Ada!"]
    assert (found.seen, found.task.labels[0].description) == (0, "A name.")


@pytest.mark.parametrize(
    "trouble", [TeacherUnavailableError("away"), BudgetExhaustedError("spent")]
)
def test_without_the_teacher_the_task_is_what_the_person_said(
    interview: Any, scripted: Any, trouble: Exception
) -> None:
    person = scripted()
    found = tell(interview(person), FakeDesk(trouble))
    assert found == Checked(Task("t", "en", WISH.labels, guidelines="Looked for: people."))
    assert any(str(trouble) in told for told in person.told)


def test_labels_are_proposed_where_there_are_none_or_else_asked_for(
    interview: Any, scripted: Any
) -> None:
    wish = replace(WISH, labels=(), n_texts=0)
    assert tell(interview(scripted()), FakeDesk(), wish).task.label_names == ("PERSON",)


def test_without_labels_and_suggestions_they_are_asked_for(interview: Any, scripted: Any) -> None:
    wish = replace(WISH, labels=(), n_texts=0)
    person = scripted("n", "", "PER, LOC")
    person.lines[1] = " "
    assert tell(interview(person), FakeDesk(), wish).task.label_names == ("PER", "LOC")


def test_what_a_teacher_writes_is_shown_and_commands_no_terminal(
    interview: Any, scripted: Any
) -> None:
    class Hostile(FakeDesk):
        def texts(self, task: Task, n: int) -> Sequence[str]:
            return ["Ada \x1b[2J[/bold]"]

    person = scripted()
    tell(interview(person), Hostile())
    shown = next(told for told in person.told if told.startswith("1/1"))
    assert "\x1b" not in shown
    assert "[/bold]" in shown

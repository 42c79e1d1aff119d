from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import ConfigError
from stream.cli.wizard.asking import Ask, Interview, Nobody, yes_or_no

NAME = Ask("name", "Name?", str, default="x")
AGE = Ask("age", "Age?", int)


def name_and_age(interview: Interview) -> tuple[str, int]:
    return interview.ask(NAME), interview.ask(AGE)


def test_what_was_said_is_not_asked_again_by_the_next_process(
    interview: Any, scripted: Any
) -> None:
    first = scripted("Ada", "36")
    assert interview(first).told(name_and_age) == ("Ada", 36)
    later = scripted()
    assert interview(later).told(name_and_age) == ("Ada", 36)
    assert later.asked == []


def test_back_forgets_the_last_answer_and_keeps_those_before(interview: Any, scripted: Any) -> None:
    person = scripted("Ada", "back", "Bo", "back", "back", "Cy", "7")
    assert interview(person).told(name_and_age) == ("Cy", 7)
    assert person.asked == ["name", "age", "name", "age", "name", "name", "age"]
    assert person.told == ["  This is the first question."]


def test_a_wrong_answer_is_asked_again_with_its_fault(interview: Any, scripted: Any) -> None:
    person = scripted("Ada", "old", "36")
    assert interview(person).told(name_and_age) == ("Ada", 36)
    assert "invalid literal" in person.told[0]


def test_a_question_that_comes_later_leaves_the_answers_after_it(
    interview: Any, scripted: Any
) -> None:
    interview(scripted("Ada", "36")).told(name_and_age)
    person = scripted("blue")

    def with_colour(one: Interview) -> tuple[Any, ...]:
        return one.ask(NAME), one.ask(Ask("colour", "Colour?", str)), one.ask(AGE)

    assert interview(person).told(with_colour) == ("Ada", "blue", 36)
    assert person.asked == ["colour"]
    without = scripted()
    assert interview(without).told(name_and_age) == ("Ada", 36)
    assert without.asked == []


def test_an_answer_that_fits_no_more_is_asked_for(interview: Any, scripted: Any) -> None:
    interview(scripted("Ada", "36")).told(name_and_age)

    def young(told: Any) -> int:
        if int(told) > 30:
            raise ValueError("too old")
        return int(told)

    person = scripted("29")
    found = interview(person).told(lambda x: (x.ask(NAME), x.ask(Ask("age", "Age?", young))))
    assert (found, person.asked) == (("Ada", 29), ["age"])


def test_a_file_answers_first_and_its_faults_name_it(interview: Any, scripted: Any) -> None:
    person = scripted("36")
    assert interview(person, {"name": "Bo"}).told(name_and_age) == ("Bo", 36)
    assert person.asked == ["age"]
    changed = scripted()
    assert interview(changed, {"name": "Cy"}).told(name_and_age) == ("Cy", 36)
    assert changed.asked == []
    with pytest.raises(ConfigError, match="the answers: age: invalid literal"):
        interview(scripted(), {"age": "old"}).told(name_and_age)


def test_back_passes_over_what_a_file_says(interview: Any, scripted: Any) -> None:
    person = scripted("Ada", "back", "Bo", "blue")

    def story(one: Interview) -> tuple[Any, ...]:
        return one.ask(NAME), one.ask(AGE), one.ask(Ask("colour", "Colour?", str))

    assert interview(person, {"age": 4}).told(story) == ("Bo", 4, "blue")


def test_what_was_shown_is_not_shown_again(interview: Any, scripted: Any) -> None:
    def story(one: Interview) -> Any:
        one.tell("hello")
        name = one.ask(NAME)
        one.tell(f"hello {name}")
        return one.ask(AGE)

    person = scripted("Ada", "back", "Bo", "3")
    interview(person).told(story)
    assert person.told == ["hello", "hello Ada", "hello", "hello Bo"]
    later = scripted()
    interview(later).told(lambda one: (story(one), one.tell("new")))
    assert later.told == ["new"]


def test_nobody_takes_defaults_and_must_be_told_the_rest(interview: Any) -> None:
    with pytest.raises(ConfigError, match="the answers lack age: Age"):
        interview(Nobody(print)).told(name_and_age)
    shy = Ask("shy", "It costs $2. Go on?", str, default="y", unattended="n")
    shown: list[str] = []
    assert interview(Nobody(shown.append)).told(lambda one: one.ask(shy)) == "n"
    assert shown == ["It costs $2. Go on? n"]  # whoever reads the log sees the price


def test_a_person_who_comes_after_nobody_is_asked(interview: Any, scripted: Any) -> None:
    assert interview(Nobody(print), {"age": 3}).told(name_and_age) == ("x", 3)
    person = scripted("Ada")
    assert interview(person).told(name_and_age) == ("Ada", 3)
    assert person.asked == ["name"]


def test_what_was_taken_back_is_asked_by_the_next_process(interview: Any, scripted: Any) -> None:
    def story(one: Interview) -> None:
        name_and_age(one)
        one.take_back()

    interview(scripted("Ada", "3")).told(story)
    person = scripted("4")
    assert interview(person).told(name_and_age) == ("Ada", 4)
    assert person.asked == ["age"]


@pytest.mark.parametrize(
    ("told", "meant"), [("y", True), ("Yes", True), ("NO", False), (True, True)]
)
def test_yes_and_no_are_read(told: Any, *, meant: bool) -> None:
    assert yes_or_no(told) is meant


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match="y or n"):
        yes_or_no("maybe")

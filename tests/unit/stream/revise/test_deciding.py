from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.types import Category, Entity, Tagging
from stream.revise.deciding import (
    Ruling,
    before_student,
    by_person,
    by_student,
    next_revision,
    without_standing,
)
from stream.revise.standing import Standing, Survey
from stream.testing.messages import an_event

ADA = Entity(0, 3, "PER", "Ada", 0.9)
STUDENTS = Standing.of(an_event(entities=(ADA,), produced_at_ms=100))
RULING = Ruling((ADA,), (), since_ms=200)


def tagging(*entities: Entity, **more: Any) -> Tagging:
    return Tagging(entities, confidence=0.5, score=0.5, **more)


def test_a_student_that_says_the_same_changes_nothing_however_sure_it_is() -> None:
    assert by_student(STUDENTS, tagging(replace(ADA, confidence=0.1))) == "same"


@pytest.mark.parametrize(
    "said",
    [
        tagging(),
        tagging(replace(ADA, label="LOC")),
        tagging(replace(ADA, end=2, surface="Ad")),
        tagging(ADA, Entity(4, 5, "PER", "B")),
        tagging(ADA, categories=(Category("glad"),)),
    ],
)
def test_a_student_that_says_anything_else_overturns_what_a_student_decided(said: Tagging) -> None:
    assert by_student(STUDENTS, said) is None


def test_a_student_is_not_asked_again_about_what_it_decided_itself() -> None:
    assert before_student(STUDENTS, student_version="v1") == "same_student"
    assert before_student(STUDENTS, student_version="v2") is None


@pytest.mark.parametrize("decided_by", ["teacher", "both"])
def test_a_student_overturns_no_teacher(decided_by: Any) -> None:
    standing = replace(STUDENTS, decided_by=decided_by)
    assert before_student(standing, student_version="v2") == "teacher"


def test_a_student_overturns_no_person() -> None:
    standing = replace(STUDENTS, decided_by="person")
    assert before_student(standing, student_version="v2") == "person"


def test_a_student_leaves_to_the_teacher_what_the_teacher_is_being_asked() -> None:
    standing = replace(STUDENTS, provisional=True)
    assert before_student(standing, student_version="v2") == "awaits_teacher"


@pytest.mark.parametrize("decided_by", ["student", "teacher", "both", "person"])
def test_a_person_overturns_whoever_decided_something_else(decided_by: Any) -> None:
    standing = replace(STUDENTS, decided_by=decided_by, facts=frozenset())
    assert by_person(standing, RULING) is None


def test_a_person_who_agrees_changes_nothing_that_is_final() -> None:
    assert by_person(STUDENTS, RULING) == "same"
    # A teacher's answer would still overturn it.
    assert by_person(replace(STUDENTS, provisional=True), RULING) is None


def test_of_two_people_the_later_one_counts() -> None:
    standing = replace(STUDENTS, decided_by="person", facts=frozenset(), produced_at_ms=300)
    assert by_person(standing, RULING) == "person"
    assert by_person(standing, replace(RULING, since_ms=301)) is None


def test_revisions_begin_at_three_and_go_up() -> None:
    assert next_revision(None) == 3
    assert [next_revision(replace(STUDENTS, revision=n)) for n in (1, 2, 3, 7)] == [3, 3, 4, 8]


def test_a_record_of_which_nothing_stands_is_published_only_where_its_event_expired() -> None:
    survey = Survey("test", "text-0", range(100), tagged_to=9)
    survey.add(an_event(record_id="text-0-4"), at=0)

    assert without_standing(survey, 3) is None
    assert without_standing(survey, 5) == "no_event"
    assert without_standing(survey, 9) == "not_tagged"

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schemas.bio import validate_entities
from schemas.types import Category, Entity, Tagging, facts
from stream.teacher.merging import Merged, merged
from stream.teacher.reliability import (
    NOTHING_KNOWN,
    Cell,
    Count,
    Reliability,
    disagreements,
)

TEXT = "Ada went to Oslo"
ADA = Entity(0, 3, "PER", "Ada", 0.95)
OSLO = Entity(12, 16, "LOC", "Oslo", 0.6)
PROVED = Count(student=50, teacher=0)


def said(*entities: Entity, categories: tuple[Category, ...] = ()) -> Tagging:
    return Tagging(tuple(sorted(entities)), confidence=0.5, score=0.5, categories=categories)


def by(student: Tagging, teacher: Tagging, *cells: Cell, choose_one: bool = False) -> Merged | None:
    reliability = Reliability(dict.fromkeys(cells, PROVED))
    return merged(student, teacher, reliability, choose_one=choose_one)


@st.composite
def taggings(draw: st.DrawFn) -> Tagging:
    cuts = sorted(draw(st.sets(st.integers(0, len(TEXT)), max_size=8)))
    shares = st.floats(0, 1)
    spans = [
        Entity(a, b, draw(st.sampled_from(("PER", "LOC"))), TEXT[a:b], draw(shares))
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return said(*spans)


@given(taggings(), taggings())
def test_without_evidence_the_teachers_answer_stands_as_it_is(
    student: Tagging, teacher: Tagging
) -> None:
    assert merged(student, teacher, NOTHING_KNOWN, choose_one=False) is None


@given(taggings(), taggings(), st.data())
def test_whatever_is_followed_the_outcome_is_a_sound_annotation_made_of_the_two(
    student: Tagging, teacher: Tagging, data: st.DataObject
) -> None:
    cells = sorted({one.cell for one in disagreements(student, teacher, choose_one=False)})
    followed = data.draw(st.sets(st.sampled_from(cells))) if cells else set()

    result = by(student, teacher, *followed)

    assert (result is None) == (not followed)
    check_sound(result, student, teacher)


def check_sound(result: Merged | None, student: Tagging, teacher: Tagging) -> None:
    if result is not None:
        validate_entities(TEXT, result.entities)
        assert facts(student) & facts(teacher) <= facts(result) <= facts(student) | facts(teacher)
        assert 0 <= result.confidence <= 1


@given(taggings(), taggings(), st.data())
def test_so_it_is_where_the_student_leads(
    student: Tagging, teacher: Tagging, data: st.DataObject
) -> None:
    cells = sorted({one.cell for one in disagreements(student, teacher, choose_one=False)})
    lost = data.draw(st.sets(st.sampled_from(cells))) if cells else set()
    counts = dict.fromkeys(cells, Count(1, 0)) | dict.fromkeys(lost, Count(0, 9))
    leading = Reliability(counts, texts=Count(90, 0))

    result = merged(student, teacher, leading, choose_one=False)

    check_sound(result, student, teacher)
    if not lost:
        assert (facts(result) if result else facts(teacher)) == facts(student)


def test_a_tangle_is_whose_who_leads() -> None:
    wide, second = Entity(0, 8, "PER", "Ada went"), Entity(4, 8, "PER", "went", 0.95)
    leading = Reliability(texts=Count(90, 0))
    student, teacher = said(ADA, second), said(wide)
    assert merged(student, teacher, leading, choose_one=False) == Merged((ADA, second), (), 0.95)
    assert merged(student, teacher, NOTHING_KNOWN, choose_one=False) is None


def test_the_teacher_is_followed_under_a_lead_where_the_counts_speak_for_it() -> None:
    counts = {Cell("missed", "LOC", 0): Count(1, 5), Cell("added", "PER", 2): Count(1, 0)}
    leading = Reliability(counts, texts=Count(90, 0))
    teachers = replace(OSLO, confidence=1.0)
    result = merged(said(ADA), said(teachers), leading, choose_one=False)
    assert result == Merged((ADA, teachers), (), 0.95)


def test_what_only_the_student_says_is_added_where_it_is_proved() -> None:
    teachers = replace(OSLO, confidence=1.0)
    result = by(said(ADA, OSLO), said(teachers), Cell("added", "PER", 2))
    assert result == Merged((ADA, teachers), (), confidence=0.95)
    assert by(said(ADA, OSLO), said(teachers), Cell("added", "PER", 1)) is None


def test_what_only_the_teacher_says_goes_where_the_student_misses_it_rightly() -> None:
    result = by(said(), said(replace(OSLO, confidence=1.0)), Cell("missed", "LOC", 0))
    assert result == Merged((), (), confidence=1.0)


def test_of_two_that_overlap_the_student_replaces_the_teachers() -> None:
    rival = Entity(0, 8, "PER", "Ada went")
    assert by(said(ADA), said(rival), Cell("instead", "PER", 2)) == Merged((ADA,), (), 0.95)


def test_of_categories_one_replaces_the_other_so_that_one_stays() -> None:
    glad, sad = Category("glad", 0.95), Category("sad")
    student, teacher = said(categories=(glad,)), said(categories=(sad,))
    result = by(student, teacher, Cell("instead", "glad", 2), choose_one=True)
    assert result == Merged((), (glad,), 0.95)
    added = by(student, teacher, Cell("added", "glad", 2))
    assert added == Merged((), (glad, sad), 0.95)

from __future__ import annotations

from itertools import product

import pytest

from schemas.promises.bounds import sign_test
from schemas.types import Category, Entity, Tagging, facts
from stream.teacher.reliability import (
    ERROR,
    Cell,
    Count,
    Disagreement,
    Reliability,
    disagreements,
    measured,
    reliability_in,
)

ADA = Entity(0, 3, "PER", "Ada", 0.95)
OSLO = Entity(10, 14, "LOC", "Oslo", 0.6)


def said(*parts: Entity | Category) -> Tagging:
    entities = tuple(sorted(part for part in parts if isinstance(part, Entity)))
    categories = tuple(sorted(part for part in parts if isinstance(part, Category)))
    return Tagging(entities, confidence=0.5, score=0.5, categories=categories)


def found(student: Tagging, teacher: Tagging, *, choose_one: bool = False) -> list[Disagreement]:
    return [*disagreements(student, teacher, choose_one=choose_one)]


def test_what_both_say_is_no_disagreement_however_sure_either_is() -> None:
    assert found(said(ADA), said(Entity(0, 3, "PER", "Ada"))) == []


def test_what_only_one_says_is_a_case_of_its_own() -> None:
    assert found(said(ADA), said(OSLO)) == [Disagreement(ADA, None), Disagreement(None, OSLO)]


@pytest.mark.parametrize("other", [Entity(0, 3, "LOC", "Ada"), Entity(0, 7, "PER", "Ada Lov")])
def test_two_that_overlap_stand_against_each_other(other: Entity) -> None:
    assert found(said(ADA), said(other)) == [Disagreement(ADA, other)]


def test_a_tangle_of_more_than_two_is_nobodys_evidence() -> None:
    wide, second = Entity(0, 7, "PER", "Ada Lov"), Entity(4, 7, "PER", "Lov")
    assert found(said(ADA, second), said(wide)) == []
    assert found(said(wide), said(ADA, second)) == []


def test_of_categories_one_stands_against_one_where_one_is_chosen() -> None:
    glad, sad = Category("glad", 0.4), Category("sad", 1.0)
    assert found(said(glad), said(sad), choose_one=True) == [Disagreement(glad, sad)]
    apart = [Disagreement(glad, None), Disagreement(None, sad)]
    assert found(said(glad), said(sad)) == apart


@pytest.mark.parametrize(("confidence", "band"), [(0.0, 0), (0.49, 0), (0.5, 1), (0.9, 2), (1, 2)])
def test_the_students_confidence_falls_into_a_band(confidence: float, band: int) -> None:
    one = Disagreement(Entity(0, 3, "PER", "Ada", confidence), None)
    assert one.cell == Cell("added", "PER", band)


def test_a_case_is_judged_by_who_alone_was_right() -> None:
    rival = Entity(0, 3, "LOC", "Ada")
    true = facts(said(ADA))
    assert Disagreement(ADA, None).judged(true) == Count(student=1)
    assert Disagreement(ADA, None).judged(frozenset()) == Count(teacher=1)
    assert Disagreement(None, ADA).judged(true) == Count(teacher=1)
    assert Disagreement(None, ADA).judged(frozenset()) == Count(student=1)
    assert Disagreement(ADA, rival).judged(true) == Count(student=1)
    assert Disagreement(rival, ADA).judged(true) == Count(teacher=1)
    assert Disagreement(ADA, rival).judged(frozenset()) == Count()


def test_of_one_text_and_cell_one_disagreement_counts() -> None:
    second = Entity(20, 23, "PER", "Ada", 0.95)
    both = said(ADA, second)
    records = [(both, said(), facts(both))] * 3
    assert measured(records, choose_one=False).counts == {Cell("added", "PER", 2): Count(3, 0)}


def test_the_student_is_followed_only_where_the_evidence_proves_it() -> None:
    cell = Cell("added", "PER", 2)
    follows = {
        (student, teacher): Reliability({cell: Count(student, teacher)}).follows_student(cell)
        for student, teacher in product(range(8), range(3))
    }
    # 1/32 is the first under one in twenty; 7 of 8 is 9/256.
    assert {pair for pair, is_so in follows.items() if is_so} == {
        (5, 0),
        (6, 0),
        (7, 0),
        (7, 1),
    }
    assert not Reliability().follows_student(cell)


def test_the_more_is_looked_at_the_more_is_asked_of_each() -> None:
    cell, others = Cell("added", "PER", 2), [Cell("added", f"L{n}", 2) for n in range(9)]
    alone = Reliability({cell: Count(5, 0)})
    among = Reliability({cell: Count(5, 0), **dict.fromkeys(others, Count(0, 1))})
    assert alone.follows_student(cell)
    assert not among.follows_student(cell)


def test_a_label_of_which_little_is_known_goes_with_the_others_unless_it_speaks_against_them() -> (
    None
):
    known, rare, contrary, unseen = (Cell("added", name, 2) for name in ("A", "B", "C", "D"))
    elsewhere = Cell("added", "B", 1)
    reliability = Reliability({known: Count(40, 5), rare: Count(1, 0), contrary: Count(1, 2)})

    assert [reliability.follows_student(cell) for cell in (known, rare, unseen)] == [True] * 3
    assert not reliability.follows_student(contrary)
    assert not reliability.follows_student(elsewhere)


def test_where_both_are_equally_good_the_student_is_hardly_ever_followed() -> None:
    """The test's own size, exactly: what it follows of all outcomes of 40 fair throws."""
    cell = Cell("instead", "PER", 1)
    wrongly = sum(
        sign_test(k, 40 - k) - (sign_test(k + 1, 39 - k) if k < 40 else 0)
        for k in range(41)
        if Reliability({cell: Count(k, 40 - k)}).follows_student(cell)
    )
    assert 0 < wrongly <= ERROR


def test_the_student_leads_where_it_makes_fewer_mistakes_in_proved_more_texts() -> None:
    right = said(ADA, OSLO)
    records = [(right, said(ADA), facts(right))] * 6 + [(right, right, facts(right))]
    found = measured(records, choose_one=False)
    assert found.texts == Count(student=6)
    assert found.student_leads  # two tests, a cell and the texts; 1/64 is under a fortieth
    assert not Reliability(texts=Count(4, 0)).student_leads
    assert not Reliability(texts=Count(0, 9)).student_leads


def test_a_lead_decides_where_nothing_counted_speaks_against_it() -> None:
    known, contrary, unseen = (Cell("added", name, 2) for name in ("A", "B", "C"))
    of_teacher = Cell("missed", "A", 0)
    counts = {known: Count(3, 1), contrary: Count(1, 2), of_teacher: Count(1, 3)}
    leading = Reliability(counts, texts=Count(60, 20))
    assert leading.student_leads
    assert leading.follows_student(known)
    assert leading.follows_student(Cell("added", "A", 2))
    assert not leading.follows_student(unseen)  # of that label nothing is known
    assert not leading.follows_student(Cell("instead", "A", 0))  # nor of such a case
    assert not leading.follows_student(contrary)
    assert not leading.follows_student(of_teacher)
    assert not leading.follows_student(Cell("missed", "B", 0))  # all labels speak for the teacher
    assert not any(map(Reliability(counts).follows_student, [known, contrary, unseen]))


def test_counts_travel_among_a_promotions_figures() -> None:
    counts = {Cell("added", "a/b", 2): Count(5, 1), Cell("missed", "", 0): Count()}
    reliability = Reliability(counts, Count(7, 3), model="org/gpt-4", prompt_version="p1")
    figures = {"f1": 0.5, "merge/other/x/0/student": 1.0, "merge/added/x": 2.0}
    assert reliability_in(figures | reliability.metrics()) == reliability
    assert reliability_in({}) == Reliability()
    assert Reliability().beside("m", "p").metrics() == {}

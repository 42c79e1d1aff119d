from __future__ import annotations

from dataclasses import replace

from schemas.types import Entity, Tagging, facts
from stream.teacher.reliabilities import (
    NOBODY_KNOWN,
    Reliabilities,
    measured_apart,
    reliabilities_in,
)
from stream.teacher.reliability import Cell, Count, Reliability

ADA = Entity(0, 3, "PER", "Ada", 0.95)
CELL = Cell("added", "PER", 2)
UNSURE = Tagging((ADA,), confidence=0.4, score=0.4)
SURE = replace(UNSURE, confidence=0.8)
NOTHING = Tagging((), confidence=1.0, score=1.0)


def test_records_under_the_threshold_are_counted_apart_from_the_others() -> None:
    true = [(UNSURE, NOTHING, facts(UNSURE))] * 3
    false = [(SURE, NOTHING, frozenset[tuple[int, int, str]]())] * 4
    found = measured_apart([*true, *false], threshold=0.8, choose_one=False)
    assert found.deferred == Reliability({CELL: Count(student=3)}, texts=Count(student=3))
    assert found.sure == Reliability({CELL: Count(teacher=4)}, texts=Count(teacher=4))


def test_a_record_is_judged_by_those_of_its_kind() -> None:
    deferred, sure = (Reliability({CELL: Count(n, 0)}) for n in (1, 2))
    found = Reliabilities(deferred, sure, threshold=0.8)
    assert found.of(0.79) == deferred
    assert found.of(0.8) == sure


def test_they_travel_among_a_promotions_figures() -> None:
    deferred, sure = (Reliability({CELL: Count(n, 1)}, Count(n, 2)) for n in (5, 7))
    found = Reliabilities(deferred, sure, threshold=0.8).beside("org/gpt-4", "p1")
    assert reliabilities_in({"f1": 0.5, **found.metrics()}) == found
    assert NOBODY_KNOWN.beside("m", "p").metrics() == {}


def test_what_is_known_of_one_kind_alone_says_nothing_of_the_other() -> None:
    for known in ("deferred", "sure"):
        one = {known: Reliability({CELL: Count(20, 0)}).beside("m", "p")}
        found = Reliabilities(**one, threshold=0.8)
        assert reliabilities_in(found.metrics()) == found


def test_counts_of_before_there_was_a_threshold_hold_for_all_records() -> None:
    known = Reliability({CELL: Count(5, 0)}).beside("m", "p")
    found = reliabilities_in(known.metrics())
    assert found.of(0.1) == found.of(1.0) == known

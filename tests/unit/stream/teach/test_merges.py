from __future__ import annotations

from typing import Any

import pytest

from schemas.types import Entity
from stream.teach.merges import Merges
from stream.teacher.merging import Merged
from stream.teacher.protocol import Answer
from stream.teacher.reliabilities import Reliabilities
from stream.teacher.reliability import Cell, Count, Reliability
from stream.testing.messages import a_promotion, a_request

ADA = Entity(0, 3, "PER", "Ada", 0.95)
KNOWN = Reliability({Cell("added", "PER", 2): Count(student=20)}, model="m", prompt_version="pv")
REQUEST = a_request(text="Ada", entities=(ADA,))
MERGED = Merged((ADA,), (), 0.95)


def an_answer(**changes: Any) -> Answer:
    given: dict[str, Any] = {"model": "m", "prompt_version": "pv"} | changes
    return Answer((), tokens_in=1, tokens_out=1, cached=False, **given)


@pytest.fixture
def merges() -> Merges:
    made = Merges(choose_one=False)
    made.take([a_promotion(metrics={"f1": 0.5, **KNOWN.metrics()})])
    return made


def test_what_a_promotion_tells_of_its_student_is_used_for_that_students_requests(
    merges: Merges,
) -> None:
    assert merges(REQUEST, an_answer()) == MERGED
    assert merges(a_request(text="Ada", entities=(ADA,), student_version="v0"), an_answer()) is None


@pytest.mark.parametrize("changes", [{"model": "another"}, {"prompt_version": "another"}])
def test_another_teacher_wins(merges: Merges, changes: dict[str, str]) -> None:
    assert merges(REQUEST, an_answer(**changes)) is None


def test_a_later_promotion_of_the_student_replaces_what_was_known(merges: Merges) -> None:
    merges.take([a_promotion(sequence=2)])
    assert merges(REQUEST, an_answer()) is None


def test_before_any_promotion_the_teacher_wins() -> None:
    assert Merges(choose_one=False)(REQUEST, an_answer()) is None


def test_what_was_counted_on_deferred_records_says_nothing_of_sure_ones() -> None:
    merges = Merges(choose_one=False)
    merges.take([a_promotion(metrics=Reliabilities(deferred=KNOWN, threshold=0.8).metrics())])
    sure = a_request(text="Ada", entities=(ADA,), confidence=0.8, reason="audit")
    assert merges(REQUEST, an_answer()) == MERGED
    assert merges(sure, an_answer()) is None

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from distill.judging.questions import Truth, question
from distill.judging.urn import Reference, Urn, fill_urn
from schemas.settings import GateSettings
from schemas.types import Fact

ADA: Fact = (0, 3, "PER")
TEXTS = [f"text {chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(400)]
GATE = GateSettings()
REFERENCE = Reference(f1=0.7)


def urn(differing: int = 400) -> Urn:
    said = [{ADA} if i < differing else set[Fact]() for i in range(400)]
    return fill_urn(TEXTS, [()] * 400, said, seed="v2")


class Teacher:
    """Says ADA of a share of the texts; `knows` so many, then it is away."""

    def __init__(self, share: float, *, knows: int = 1000, refuses: int = 0) -> None:
        self.share, self.knows, self.refuses = share, knows, refuses
        self.batches: list[int] = []

    def __call__(self, texts: Sequence[str]) -> Mapping[str, Truth | None]:
        some = texts[: self.knows]
        self.knows -= len(some)
        self.batches.append(len(some))
        right = frozenset({ADA})
        wrong = frozenset[Fact]()
        return {
            text: None
            if i < self.refuses
            else (right if (TEXTS.index(text) * 37 % 100) < 100 * self.share else wrong)
            for i, text in enumerate(some)
        }


def test_a_clear_gain_ends_the_questions() -> None:
    teacher = Teacher(1.0)
    found = question(urn(), teacher, most=300, batch=25, reference=REFERENCE, gate=GATE)
    assert found.gain.low > 0
    assert found.asked == sum(teacher.batches) <= 50


def test_a_clear_loss_ends_the_questions() -> None:
    found = question(urn(), Teacher(0.0), most=300, batch=25, reference=REFERENCE, gate=GATE)
    assert found.gain.high < 0
    assert found.asked <= 75


def test_what_is_close_is_asked_to_the_end() -> None:
    found = question(urn(), Teacher(0.35), most=110, batch=25, reference=REFERENCE, gate=GATE)
    assert found.asked == len(found.truths) == 110
    assert found.gain.low < 0 < found.gain.high


def test_no_more_is_asked_than_the_urn_holds() -> None:
    teacher = Teacher(0.4)
    found = question(urn(30), teacher, most=300, batch=25, reference=REFERENCE, gate=GATE)
    assert found.asked == 30
    assert teacher.batches == [25, 5]


def test_what_is_known_of_a_random_sample_all_judges_and_costs_nothing() -> None:
    sample = {text: frozenset({ADA}) for text in TEXTS[:30]}
    teacher = Teacher(0.0)
    found = question(
        urn(), teacher, most=5, batch=35, reference=REFERENCE, gate=GATE, sample=sample
    )
    assert {one.text for one, _ in found.truths} > set(sample)
    assert (found.known, found.asked) == (30, 5)
    assert found.gain.low > 0


def test_beside_the_sample_the_teacher_is_asked() -> None:
    sample = {text: frozenset({ADA}) for text in TEXTS[:4]}
    teacher = Teacher(0.35)
    found = question(
        urn(), teacher, most=20, batch=10, reference=REFERENCE, gate=GATE, sample=sample
    )
    assert (found.known, found.asked) == (4, 20)
    assert {one.text for one, _ in found.truths} > set(sample)
    # In random order: what is known does not crowd out what is asked.
    assert {one.text for one, _ in found.truths[:4]} != set(sample)


def test_an_empty_urn_asks_nothing() -> None:
    teacher = Teacher(1.0)
    found = question(urn(0), teacher, most=300, batch=25, reference=REFERENCE, gate=GATE)
    assert (found.asked, found.gain.estimate, teacher.batches) == (0, 0.0, [])


def test_refused_answers_count_and_judge_nothing() -> None:
    teacher = Teacher(0.35, refuses=5)
    found = question(urn(), teacher, most=50, batch=25, reference=REFERENCE, gate=GATE)
    assert (found.asked, found.refused, len(found.truths)) == (50, 10, 40)


def test_where_the_teacher_stops_the_questions_stop() -> None:
    found = question(
        urn(), Teacher(0.35, knows=40), most=300, batch=25, reference=REFERENCE, gate=GATE
    )
    assert (found.asked, found.refused) == (40, 0)


@pytest.mark.parametrize("share", [0.2, 0.35, 0.6])
def test_the_gain_is_that_in_f1(share: float) -> None:
    found = question(urn(), Teacher(share), most=400, batch=400, reference=REFERENCE, gate=GATE)
    right = sum(bool(truth) for _, truth in found.truths)
    assert found.gain.estimate == pytest.approx((2 * right - 0.7 * 400) / 400)

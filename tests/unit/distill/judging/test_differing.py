from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from distill.judging.differing import Contest, judge_differing
from distill.judging.gate import Candidate, Evidence, Verdict
from distill.judging.questions import Answered, question
from distill.judging.rectified import rectified
from distill.judging.urn import Reference, fill_urn
from schemas.settings import GateSettings
from schemas.types import Fact

ADA: Fact = (0, 3, "PER")
ACME: Fact = (0, 3, "ORG")
GATE = GateSettings()
SAME = Candidate([], ece=0.05, cpu_s_per_1000=1.0)


def answered(
    *, won: int, lost: int, label: str = "PER", agreed: int = 0, most: int = 400
) -> Answered:
    """Texts where the challenger alone finds the entity, or the champion alone; all are right."""
    total = won + lost + agreed
    fact: Fact = (0, 3, label)
    texts = [f"text {chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(total)]
    champion = [() if i < won else (fact,) for i in range(total)]
    challenger = [(fact,) if i < won or i >= won + lost else () for i in range(total)]
    urn = fill_urn(texts, champion, challenger, seed="v2")
    return question(
        urn,
        lambda some: {text: frozenset({fact}) for text in some},
        most=most,
        batch=25,
        reference=Reference(0.7),
        gate=GATE,
    )


def verdict(
    found: Answered,
    *,
    challenger: Candidate = SAME,
    known: int = 0,
    failures: tuple[str, ...] = (),
    gate: GateSettings = GATE,
) -> Verdict:
    gold = [{ADA}] * known
    said = [{ADA}] * known
    evidence = Evidence(
        gold, replace(challenger, predicted=said), replace(SAME, predicted=said), failures
    )
    return judge_differing(Contest(evidence, found, Reference(0.7)), gate)


def checks(found: Verdict) -> Mapping[str, bool]:
    return {check.name: check.passed for check in found.checks}


def test_a_clear_gain_is_promoted_with_the_interval_of_the_answers() -> None:
    found = verdict(answered(won=60, lost=10, agreed=200))
    assert (found.promote, found.reason) == (True, "promoted")
    assert found.judged.by == "differing"
    assert found.judged.differing == 70
    assert found.interval == found.judged.interval
    assert found.interval.low > -GATE.max_loss
    assert found.as_dict()["judged"]["interval"] == found.interval.as_dict()


def test_a_loss_is_no_gain() -> None:
    assert verdict(answered(won=10, lost=40)).reason == "no gain"


def test_a_loss_that_is_not_excluded_yet_asks_for_more_answers() -> None:
    found = verdict(answered(won=70, lost=50, most=50))
    assert (found.promote, found.reason) == (False, "insufficient evidence")
    assert found.judged.need is not None
    assert found.judged.need >= found.judged.asked == 50


def test_the_number_of_answers_that_it_asks_for_is_about_enough() -> None:
    few = verdict(answered(won=215, lost=145, most=100))
    assert not few.promote
    assert few.judged.need is not None
    assert 100 < few.judged.need < 250
    enough = verdict(answered(won=215, lost=145, most=round(1.3 * few.judged.need)))
    assert enough.promote
    assert enough.judged.need is None


def test_without_answers_the_evidence_is_insufficient() -> None:
    assert verdict(answered(won=30, lost=0, most=0)).reason == "insufficient evidence"
    assert verdict(answered(won=0, lost=0)).reason == "insufficient evidence"


def test_students_that_agree_on_every_text_are_no_gain() -> None:
    assert verdict(answered(won=0, lost=0, agreed=50)).reason == "no gain"


def test_a_label_that_is_found_much_less_often_vetoes() -> None:
    texts = [f"text {chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(120)]
    champion = [(ACME,) if i < 40 else () for i in range(120)]
    challenger = [() if i < 40 else (ADA,) for i in range(120)]
    truth = {text: {ACME} if i < 40 else {ADA} for i, text in enumerate(texts)}
    found = question(
        fill_urn(texts, champion, challenger, seed="v2"),
        lambda some: {text: frozenset(truth[text]) for text in some},
        most=120,
        batch=120,
        reference=Reference(0.7),
        gate=GATE,
    )
    result = verdict(found)
    assert result.reason == "label recall dropped"
    assert not checks(result)["recall_drop:ORG"]
    assert checks(result)["recall_drop:PER"]


def test_a_faulty_export_is_not_promoted_whatever_the_answers_say() -> None:
    found = verdict(answered(won=60, lost=10), failures=("int8 differs",))
    assert found.reason == "parity failed"


def test_a_slow_student_is_refused() -> None:
    slow = replace(SAME, cpu_s_per_1000=2.0)
    assert verdict(answered(won=60, lost=10), challenger=slow).reason == "too slow"


@pytest.mark.parametrize(("known", "reason"), [(199, "promoted"), (200, "calibration worse")])
def test_confidences_are_compared_where_enough_records_are_known(known: int, reason: str) -> None:
    vain = replace(SAME, ece=0.3)
    assert verdict(answered(won=60, lost=10), challenger=vain, known=known).reason == reason


def test_of_two_that_agree_on_the_stream_nothing_is_presumed_though_gold_tells_them_apart() -> None:
    by_people = rectified([(1.0, 1.0)] * 30, [], bound=2.0, confidence=0.9)
    agreed = replace(
        answered(won=0, lost=0, agreed=50),
        truths=answered(won=30, lost=0).truths,
        rectified=by_people,
    )
    contest = Contest(Evidence([], SAME, SAME, ()), agreed, Reference(0.7), presumed_at=25)
    found = judge_differing(contest, GATE)
    assert (found.promote, found.reason) == (False, "no gain")

from __future__ import annotations

import random

import pytest

from schemas.promises.proving import Asked, Sighting, prove, threshold_of

ASKED = Asked(agreement=0.98, confidence=0.95)
HARDEST_HALF = 0.5


def world(rng: random.Random, n: int, *, errors: float) -> list[Sighting]:
    """Confidences are uniform; a record is wrong with chance `errors` times (1 - confidence)^2."""
    sure = [rng.random() for _ in range(n)]
    return [Sighting(one, rng.random() >= errors * (1 - one) ** 2) for one in sure]


def faultless(n: int) -> list[Sighting]:
    return [Sighting(i / n, right=True) for i in range(n)]


def test_149_faultless_records_keep_98_percent_and_148_do_not() -> None:
    proof = prove(faultless(149), ASKED)
    assert (proof.state, proof.audited, proof.accepted_share, proof.need) == ("kept", 149, 1.0, 0)
    assert proof.bound >= 0.98
    assert prove(faultless(148), ASKED).state == "unproven"


def test_records_under_the_threshold_may_be_as_wrong_as_they_like() -> None:
    evidence = [Sighting(i / 1000, right=i >= 300) for i in range(1000)]
    proof = prove(evidence, ASKED)
    assert proof.state == "kept"
    assert 0.29 < proof.threshold <= 0.5
    assert proof.errors <= 3


def test_a_promise_that_is_kept_is_true_but_for_the_risk() -> None:
    rng, kept, false = random.Random(3), 0, 0
    for _ in range(200):
        proof = prove(world(rng, 1000, errors=0.1), ASKED)
        true_agreement = 1 - 0.1 * (1 - proof.threshold) ** 2 / 3
        kept += proof.state == "kept"
        false += proof.state == "kept" and true_agreement < 0.98
    assert kept > 100
    assert false <= 10


def test_what_is_unproven_still_accepts_the_surest_and_says_what_holds_and_is_missing() -> None:
    evidence = [Sighting(i / 60, right=i >= 20) for i in range(60)]
    proof = prove(evidence, ASKED)
    assert proof.state == "unproven"
    assert 0 < proof.accepted_share <= HARDEST_HALF
    assert 0.8 < proof.bound < 0.98
    # Of half of the records 149 are not enough: a sequence that begins there has half of the risk.
    assert proof.need == 183 - proof.audited


@pytest.mark.parametrize(("share", "least"), [(1 / 2, 183), (1 / 4, 203), (1 / 8, 217)])
def test_what_is_said_to_be_missing_proves_it_and_one_less_does_not(
    share: float, least: int
) -> None:
    def evidence(accepted: int) -> list[Sighting]:
        n = round(accepted / share)
        return [Sighting(i / n, right=i >= n - accepted) for i in range(n)]

    proof = prove(evidence(150), ASKED)
    assert (proof.state, proof.audited, proof.need) == ("unproven", 150, least - 150)
    assert prove(evidence(least), ASKED).state == "kept"
    assert prove(evidence(least - 1), ASKED).state == "unproven"


def test_the_bound_of_the_unproven_holds_but_for_the_risk() -> None:
    rng, false = random.Random(4), 0
    for _ in range(200):
        proof = prove(world(rng, 100, errors=0.6), ASKED)
        assert proof.state == "unproven"
        false += 1 - 0.6 * (1 - proof.threshold) ** 2 / 3 < proof.bound
    assert false <= 10


def test_without_evidence_all_is_wanted_and_149_are_missing() -> None:
    proof = prove([], ASKED)
    assert (proof.state, proof.threshold, proof.audited, proof.need) == ("unproven", 1.0, 0, 149)


@pytest.mark.parametrize(("share", "accepted"), [(1.0, 10), (0.5, 5), (0.19, 1), (0.05, 0), (0, 0)])
def test_a_threshold_accepts_no_more_than_its_share(share: float, accepted: int) -> None:
    evidence = [Sighting(i / 10, right=True) for i in range(10)]
    threshold = threshold_of(evidence, share)
    assert sum(one.confidence >= threshold for one in evidence) == accepted


def test_of_records_alike_a_threshold_accepts_all_or_none() -> None:
    alike = [Sighting(0.9, right=True)] * 4
    assert threshold_of(alike, 0.99) > 0.9
    assert threshold_of(alike, 1.0) == threshold_of([], 0.0) == 0.0


def test_records_of_one_confidence_are_accepted_together() -> None:
    evidence = [Sighting(0.9, right=True)] * 200 + [Sighting(0.5, i % 2 == 0) for i in range(200)]
    proof = prove(evidence, ASKED)
    assert (proof.state, proof.threshold, proof.audited, proof.errors) == ("kept", 0.9, 200, 0)


def test_the_order_of_the_records_plays_no_part() -> None:
    evidence = world(random.Random(5), 500, errors=0.3)
    shuffled = random.Random(6).sample(evidence, len(evidence))
    assert prove(evidence, ASKED) == prove(shuffled, ASKED)


@pytest.mark.parametrize("agreement", [0.0, 1.0])
def test_the_ends_of_the_scale_are_answered_too(agreement: float) -> None:
    proof = prove(faultless(300), Asked(agreement=agreement, confidence=0.95))
    assert proof.state == ("unproven" if agreement else "kept")
    assert (proof.need is None) == (agreement == 1.0)

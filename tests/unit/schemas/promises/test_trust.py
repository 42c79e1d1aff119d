from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.promises.bounds import chance_of_so_few
from schemas.promises.trust import (
    NO_TRUST,
    Compared,
    Tally,
    Trust,
    prove_trust,
    trust_facts,
    trusts_beside,
    unsure_labels,
    untrusted_confidence,
    without_trust,
)
from schemas.types import Tagging, policy_digest
from stream.testing.messages import POLICY, a_promotion

LABELS = ("PER", "LOC")
UNSURE = Tagging((), 0.2, 0.2, label_confidences=(0.2, 0.9))


def won(n: int, *labels: str, by: int = 1) -> list[Compared]:
    """The student makes fewer mistakes in n records."""
    return [Compared(frozenset(labels), 0, by)] * n


def lost(n: int, *labels: str, by: int = 1) -> list[Compared]:
    return [Compared(frozenset(labels), by, 0)] * n


def test_a_student_is_unsure_in_labels_under_the_threshold() -> None:
    assert unsure_labels(UNSURE, LABELS, 0.2) == frozenset()
    assert unsure_labels(UNSURE, LABELS, 0.9) == {"PER"}
    assert unsure_labels(UNSURE, LABELS, 1.0) == {"PER", "LOC"}


def test_what_is_left_without_trusted_labels_is_the_least_sure_of_the_others() -> None:
    assert untrusted_confidence(UNSURE, LABELS, ()) == 0.2
    assert untrusted_confidence(UNSURE, LABELS, ("PER",)) == 0.9
    assert untrusted_confidence(UNSURE, LABELS, ("LOC",)) == 0.2
    assert untrusted_confidence(UNSURE, LABELS, LABELS) == 1.0


def test_where_labels_are_not_told_apart_nothing_changes() -> None:
    whole = replace(UNSURE, label_confidences=())
    assert unsure_labels(whole, LABELS, 0.9) == frozenset()
    assert untrusted_confidence(whole, LABELS, LABELS) == 0.2


def test_a_label_is_trusted_where_the_better_one_was_the_student_in_proved_more_records() -> None:
    assert prove_trust(won(5, "PER"), risk=0.05).labels == ("PER",)  # 1/32
    assert prove_trust(won(4, "PER"), risk=0.05).labels == ()  # 1/16
    assert prove_trust([*won(7, "PER"), *lost(1, "PER")], risk=0.05).labels == ("PER",)  # 9/256
    assert prove_trust([*won(6, "PER"), *lost(1, "PER")], risk=0.05).labels == ()  # 8/128
    assert prove_trust(won(5, "PER"), risk=0.01).labels == ()


def test_records_in_which_both_are_as_good_prove_nothing() -> None:
    alike = [Compared(frozenset({"PER"}), 1, 1)] * 100
    found = prove_trust(alike, risk=0.05)
    assert found == Trust((), {"PER": Tally(100, 0, 0)})


def test_without_evidence_nobody_is_trusted() -> None:
    assert prove_trust([], risk=0.05) == NO_TRUST
    assert NO_TRUST.metrics() == {}


def test_labels_that_can_prove_anything_share_the_risk_and_the_others_take_nothing() -> None:
    few = [one for n in range(9) for one in lost(4, f"few{n}")]
    five, many = won(5, "PER"), [*won(9, "LOC"), *lost(9, "LOC")]
    assert prove_trust([*five, *few], risk=0.05).labels == ("PER",)
    assert prove_trust([*five, *many], risk=0.05).labels == ()
    # What was proved first leaves its share to the next.
    assert prove_trust([*five, *won(6, "LOC")], risk=0.05).labels == ("LOC", "PER")


def test_a_record_counts_for_each_label_that_it_is_unsure_in() -> None:
    found = prove_trust(won(6, "LOC", "PER"), risk=0.05)
    assert found.labels == LABELS[::-1]
    assert found.tallies == dict.fromkeys(LABELS, Tally(6, 6, 0))


def test_nobody_is_trusted_where_more_mistakes_would_stand_in_all() -> None:
    assert prove_trust([*won(9, "PER"), *lost(1, "PER", by=9)], risk=0.05).labels == ("PER",)
    assert prove_trust([*won(9, "PER"), *lost(1, "PER", by=10)], risk=0.05).labels == ()


def test_mistakes_in_records_that_are_asked_about_all_the_same_refute_nothing() -> None:
    mixed = [Compared(frozenset({"PER", "LOC"}), 10, 0)]
    assert prove_trust([*won(9, "PER"), *mixed], risk=0.05).labels == ("PER",)


@pytest.mark.parametrize("n", [5, 20, 60])
def test_a_student_that_is_no_better_is_hardly_ever_trusted(n: int) -> None:
    """The test's own size, exactly, over all outcomes of n fair throws."""
    wrongly = sum(
        chance_of_so_few(k, n, 0.5) - (chance_of_so_few(k - 1, n, 0.5) if k else 0)
        for k in range(n + 1)
        if prove_trust([*won(n - k, "PER"), *lost(k, "PER")], risk=0.05).labels
    )
    assert 0 < wrongly <= 0.05


def test_it_travels_with_the_promotion() -> None:
    proved = prove_trust([*won(6, "a:b"), *lost(1, "PER")], risk=0.05)
    trust = replace(proved, teacher=("org/gpt", "p1"))
    promotion = a_promotion(
        policy=replace(POLICY, trusted=trust.labels), metrics={"f1": 0.5, **trust.metrics()}
    )
    assert trust_facts(promotion) == {
        "PER": {"records": 1, "student": 0, "teacher": 1, "trusted": False},
        "a:b": {"records": 6, "student": 6, "teacher": 0, "trusted": True},
    }
    assert without_trust(promotion.metrics) == {"f1": 0.5}
    assert trusts_beside(promotion, ("org/gpt", "p1"))
    assert not trusts_beside(promotion, ("org/gpt", "p2"))
    assert trusts_beside(a_promotion(), ("anybody", "p"))


def test_a_policy_that_trusts_a_label_is_another_policy() -> None:
    assert policy_digest(replace(POLICY, trusted=("PER",))) != policy_digest(POLICY)

from __future__ import annotations

from dataclasses import replace

from schemas.promises.record import (
    LabelBound,
    promised_by,
    promises_of,
    without_promise,
)
from stream.testing.messages import POLICY, TASK_DIGEST, a_promised, a_promotion, a_proof

PROMISED = a_promised(
    proof=a_proof(
        threshold=POLICY.threshold, accepted_share=0.7, audited=210, errors=1, bound=0.981
    ),
    stream=250,
    since_ms=7,
    overall=0.9,
    changed=True,
    per_label={
        "PER": LabelBound(0.7, 0.9, 180, 0, 0.984, "kept"),
        "LOC": LabelBound(0.8, 0.5, 20, 0, 0.86),
    },
)
PROMOTION = a_promotion(metrics={"f1": 0.8, **PROMISED.metrics()}, promoted_at_ms=9)


def test_a_promotion_gives_back_what_it_promises() -> None:
    assert promised_by(PROMOTION) == PROMISED
    assert without_promise(PROMOTION.metrics) == {"f1": 0.8}


def test_a_need_that_no_evidence_fills_is_left_out() -> None:
    endless = replace(PROMISED, proof=replace(PROMISED.proof, need=None))
    assert promised_by(a_promotion(metrics=endless.metrics())) == endless


def test_a_promotion_of_before_promises_promises_nothing() -> None:
    assert promised_by(a_promotion(metrics={"f1": 0.8})) is None
    assert promises_of(a_promotion(), task_digest=TASK_DIGEST) == []


def test_the_topic_says_what_holds_of_records_and_of_each_label() -> None:
    whole, *labels = promises_of(PROMOTION, task_digest=TASK_DIGEST)
    assert (whole.label, whole.state, whole.bound, whole.promised_at_ms) == ("", "kept", 0.981, 9)
    assert whole.policy_version == PROMOTION.policy_digest
    assert {one.label: one.state for one in labels} == {"PER": "kept", "LOC": "unproven"}
    assert (labels[0].audited, labels[0].threshold, labels[0].accepted_share) == (180, 0.7, 0.9)


def test_by_another_version_of_the_task_nothing_is_kept_and_what_broke_is_broken() -> None:
    said = promises_of(PROMOTION, task_digest=TASK_DIGEST)
    assert promises_of(PROMOTION, task_digest="another") == [
        replace(one, state="unproven", bound=0.0) for one in said
    ]
    broken = replace(PROMISED, proof=replace(PROMISED.proof, state="broken"))
    promotion = a_promotion(metrics=broken.metrics())
    assert promises_of(promotion, task_digest="another")[0].state == "broken"

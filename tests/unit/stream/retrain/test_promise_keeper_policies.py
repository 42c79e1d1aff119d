from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from schemas.promises.record import promised_by
from schemas.promises.shortage import AuditShares
from schemas.promises.trust import ANOTHER_TEACHER, Tally, Trust, trust_facts
from stream.retrain.promise_keeper import PromiseKeeper
from tests.unit.stream.retrain.promise_logs import PROMISED, Lists, audits


async def test_under_another_policy_no_label_is_trusted(keeper: PromiseKeeper, log: Lists) -> None:
    """That was proved of what the old threshold deferred, in the stream as it was."""
    trust = Trust(("PER",), {"PER": Tally(9, 9, 0)})
    first = log.promotions[0]
    policy = replace(first.policy, trusted=trust.labels)
    log.promotions = [replace(first, policy=policy, metrics=first.metrics | trust.metrics())]
    log.audits = audits(10, wrong=True)
    await keeper.tick()
    changed = log.promotions[-1]
    assert changed.policy.trusted == ()
    assert trust_facts(changed) == {}


@pytest.mark.parametrize(("model", "trusted"), [("sim", ("PER",)), ("another", ())])
async def test_a_label_is_trusted_as_long_as_the_teacher_is_the_same(
    keeper: PromiseKeeper, log: Lists, model: str, trusted: tuple[str, ...]
) -> None:
    trust = Trust(("PER",), {"PER": Tally(9, 9, 0)}, ("sim", "p1"))
    first = log.promotions[0]
    policy = replace(first.policy, trusted=trust.labels)
    log.promotions = [replace(first, policy=policy, metrics=first.metrics | trust.metrics())]
    log.audits = [replace(one, teacher_model=model) for one in audits(2, wrong=False)]
    with capture_logs() as logs:
        await keeper.tick()
        await keeper.tick()
    last = log.promotions[-1]
    assert last.policy == replace(policy, trusted=trusted)
    assert promised_by(last) == promised_by(first)
    withdrawn = [entry["labels"] for entry in logs if entry["event"] == "trust_withdrawn"]
    assert withdrawn == ([] if trusted else [["PER"]])
    assert last.reason == (first.reason if trusted else ANOTHER_TEACHER)


async def test_that_one_of_several_teachers_answers_for_another_ends_no_trust(
    keeper: PromiseKeeper, log: Lists
) -> None:
    trust = Trust(("PER",), {"PER": Tally(9, 9, 0)}, ("sim", "p1"))
    first = log.promotions[0]
    policy = replace(first.policy, trusted=trust.labels)
    log.promotions = [replace(first, policy=policy, metrics=first.metrics | trust.metrics())]
    best, other = audits(2, wrong=False)
    log.audits = [
        replace(best, teacher="best"),
        replace(other, teacher="other", teacher_model="x", labelled_at_ms=best.labelled_at_ms + 1),
    ]
    await keeper.tick()
    assert log.promotions[-1].policy.trusted == ("PER",)


async def test_audits_have_more_of_the_budget_until_the_evidence_suffices(
    keeper: PromiseKeeper, log: Lists
) -> None:
    keeper.shares = AuditShares(settled=0.02, short=0.05)
    log.audits = audits(3, wrong=True)
    await keeper.tick()
    log.audits = audits(100, wrong=False, since=6000)
    await keeper.tick()
    assert [one.policy.audit_share for one in log.promotions] == [0.02, 0.05]
    log.audits = audits(900, wrong=False, since=7000)
    await keeper.tick()
    assert [one.policy.audit_share for one in log.promotions] == [0.02, 0.05, 0.02]


async def test_audits_fall_to_their_share_where_no_more_would_prove_anything(
    keeper: PromiseKeeper, log: Lists
) -> None:
    """The student is not good enough; threshold, trust and promise stay as they are."""
    keeper.shares = AuditShares(settled=0.02, short=0.05)
    first = log.promotions[0]
    unproven = replace(PROMISED, proof=replace(PROMISED.proof, state="unproven"), short=True)
    trust = Trust(("PER",), {"PER": Tally(9, 9, 0)}, ("sim", "p1"))
    policy = replace(first.policy, audit_share=0.05, trusted=trust.labels)
    metrics = unproven.metrics() | trust.metrics()
    log.promotions = [replace(first, policy=policy, metrics=metrics)]
    log.audits = [*audits(150, wrong=False, since=6000), *audits(150, wrong=True, since=7000)]
    with capture_logs() as logs:
        await keeper.tick()
        await keeper.tick()
    _, last = log.promotions
    assert last.policy == replace(policy, audit_share=0.02)
    assert last.policy_digest != log.promotions[0].policy_digest
    assert promised_by(last) == replace(unproven, short=False)
    assert trust_facts(last) == trust_facts(log.promotions[0])
    assert [x["share"] for x in logs if x["event"] == "audits_lowered"] == [0.02]


async def test_audits_that_judge_are_waited_for_though_the_promise_is_kept(
    keeper: PromiseKeeper, log: Lists
) -> None:
    keeper.shares, keeper.judging_audits = AuditShares(settled=0.02, short=0.05), 100
    first = log.promotions[0]
    log.promotions = [replace(first, policy=replace(first.policy, audit_share=0.05))]
    *log.audits, last = audits(100, wrong=False, since=6000)
    await keeper.tick()
    assert len(log.promotions) == 1
    log.audits = [last]
    await keeper.tick()
    assert [one.policy.audit_share for one in log.promotions] == [0.05, 0.02]


async def test_a_watch_goes_on_where_only_the_share_of_audits_falls(
    keeper: PromiseKeeper, log: Lists
) -> None:
    """Too few errors came since then to break a promise alone."""
    keeper.shares = AuditShares(settled=0.02, short=0.05)
    first = log.promotions[0]
    log.promotions = [replace(first, policy=replace(first.policy, audit_share=0.05))]
    *before, after = audits(3, wrong=True, since=6000)
    log.audits = [*audits(60, wrong=False, since=5000), *before]
    await keeper.tick()
    assert [one.policy.audit_share for one in log.promotions] == [0.05, 0.02]
    log.audits = [after]
    await keeper.tick()
    broken = promised_by(log.promotions[-1])
    assert broken is not None
    assert (broken.proof.state, broken.proof.errors) == ("broken", 3)

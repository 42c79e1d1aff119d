from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.audit import in_audit
from schemas.settings import RoutingSettings, RoutingStrategy
from schemas.types import RoutingPolicy
from stream.tag.routing import Decision, Router

POLICY = RoutingPolicy(threshold=0.99, audit_share=0.02, audit_seed=7)
NO_AUDIT = RoutingPolicy(threshold=0.99, audit_share=0.0, audit_seed=7)


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@dataclass(frozen=True)
class Run:
    confidences: Sequence[float]
    decisions: Sequence[Decision]
    budget: float

    @property
    def spent(self) -> float:
        return sum(x.granted for x in self.decisions) / self.budget

    def confidences_where(self, chosen: Callable[[Decision], bool]) -> list[float]:
        pairs = zip(self.confidences, self.decisions, strict=True)
        return [confidence for confidence, decision in pairs if chosen(decision)]


def route(
    confidences: Sequence[float],
    *,
    policy: RoutingPolicy = POLICY,
    share: float = 0.1,
    strategy: RoutingStrategy = "uncertainty",
    seed: int = 0,
    **options: object,
) -> Run:
    settings = RoutingSettings.model_validate({"budget_share": share, **options})
    router = Router(settings, strategy=strategy, seed=seed)
    decisions = [
        router.decide(confidence, digest(number), policy)
        for number, confidence in enumerate(confidences)
    ]
    return Run(confidences, decisions, share * len(confidences))


def stationary(n: int, lot: random.Random) -> list[float]:
    return [lot.betavariate(4, 1) for _ in range(n)]


def half_certain(n: int, lot: random.Random) -> list[float]:
    return [1.0 if lot.random() < 0.5 else lot.betavariate(3, 1) for _ in range(n)]


def tied(n: int, lot: random.Random) -> list[float]:
    return [0.1 if (x := lot.random()) < 0.05 else 0.2 if x < 0.35 else 0.9 for _ in range(n)]


def falling(n: int, lot: random.Random) -> list[float]:
    return [min(1.0, max(0.0, 0.95 - 0.6 * i / n + lot.gauss(0, 0.05))) for i in range(n)]


def rising(n: int, lot: random.Random) -> list[float]:
    return [min(1.0, max(0.0, 0.35 + 0.6 * i / n + lot.gauss(0, 0.05))) for i in range(n)]


def worse_at_half(n: int, lot: random.Random) -> list[float]:
    return [lot.betavariate(8 if i < n / 2 else 1.5, 1) for i in range(n)]


def better_at_half(n: int, lot: random.Random) -> list[float]:
    return [lot.betavariate(1.5 if i < n / 2 else 8, 1) for i in range(n)]


STREAMS = [stationary, half_certain, tied, falling, rising, worse_at_half, better_at_half]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("make", STREAMS)
def test_the_whole_budget_is_spent_and_never_more(
    make: Callable[[int, random.Random], list[float]], seed: int
) -> None:
    run = route(make(3000, random.Random(seed)))
    assert 0.9 <= run.spent <= 1.0


@pytest.mark.parametrize("share", [0.03, 0.3, 1.0])
def test_small_and_large_budgets_are_spent_as_well(share: float) -> None:
    run = route(stationary(4000, random.Random(3)), share=share, policy=NO_AUDIT)
    wanted = sum(x.wanted for x in run.decisions)
    granted = sum(x.granted for x in run.decisions)
    assert 0.9 <= granted / min(run.budget, wanted) <= 1.0


@pytest.mark.parametrize("make", [stationary, half_certain])
def test_a_short_stream_spends_most_of_its_budget_too(
    make: Callable[[int, random.Random], list[float]],
) -> None:
    spent = mean(route(make(300, random.Random(seed))).spent for seed in range(10))
    assert 0.85 <= spent <= 1.0


def test_a_short_stream_that_gets_ever_surer_spends_most_of_it_as_well() -> None:
    assert mean(route(rising(300, random.Random(seed))).spent for seed in range(10)) > 0.7


@pytest.mark.parametrize("make", [stationary, half_certain, tied])
def test_the_least_sure_records_are_granted(
    make: Callable[[int, random.Random], list[float]],
) -> None:
    run = route(make(3000, random.Random(4)), policy=NO_AUDIT)
    granted = run.confidences_where(lambda x: x.granted)
    refused = run.confidences_where(lambda x: not x.granted)
    best = sorted(run.confidences)[: len(granted)]
    # 1 when the granted are the least sure of all, 0 when they are like any.
    share_of_the_best = (mean(refused) - mean(granted)) / (mean(refused) - mean(best))
    assert share_of_the_best > 0.85


def test_ties_do_not_take_the_budget_from_what_is_less_sure() -> None:
    run = route(tied(4000, random.Random(5)), policy=NO_AUDIT)
    assert len(run.confidences_where(lambda x: x.granted)) > 350
    least_sure = list(zip(run.confidences, run.decisions, strict=True))[500:]
    granted = [decision.granted for confidence, decision in least_sure if confidence == 0.1]
    assert mean(granted) > 0.9


def test_when_less_is_wanted_than_the_budget_grants_all_that_is_wanted_is_granted() -> None:
    lot = random.Random(6)
    confidences = [0.3 if lot.random() < 0.03 else 0.95 for _ in range(2000)]
    run = route(confidences, policy=RoutingPolicy(0.5, 0.0, 0))
    after_the_start = run.decisions[100:]
    assert all(x.granted == x.wanted for x in after_the_start)
    assert {x.reason for x in after_the_start} == {"confident", "low_confidence"}
    assert run.spent < 0.4


def test_savings_are_capped() -> None:
    confidences = [1.0] * 2000 + [0.1] * 200
    run = route(confidences, policy=NO_AUDIT, burst_records=10)
    assert sum(x.granted for x in run.decisions) <= 10 + 0.1 * 200


def test_a_run_of_equally_unsure_records_after_a_calm_draws_on_the_savings() -> None:
    run = route([1.0] * 1000 + [0.1] * 40, policy=NO_AUDIT)
    assert all(x.granted for x in run.decisions[1000:1020])


def test_the_bucket_starts_empty() -> None:
    run = route([0.0] * 9, policy=NO_AUDIT)
    assert {(x.wanted, x.granted) for x in run.decisions} == {(True, False)}


def test_the_whole_share_grants_every_wanted_record_from_the_first_on() -> None:
    run = route([0.5] * 100, share=1.0)
    assert all(x.granted for x in run.decisions)


def test_without_a_budget_nothing_is_granted_but_wants_are_reported() -> None:
    run = route([0.5] * 500, share=0.0)
    assert all(x.wanted and not x.granted for x in run.decisions)


def test_the_threshold_is_exclusive() -> None:
    router = Router(RoutingSettings(budget_share=1.0))
    assert not router.decide(0.99, digest(1), NO_AUDIT).wanted
    assert router.decide(math.nextafter(0.99, 0), digest(2), NO_AUDIT).wanted


@pytest.mark.parametrize("odd", [math.nan, -1.0, -math.inf])
def test_a_confidence_that_is_no_probability_counts_as_none(odd: float) -> None:
    router = Router(RoutingSettings(budget_share=1.0))
    assert router.decide(odd, digest(1), NO_AUDIT).reason == "low_confidence"
    assert router.decide(0.5, digest(2), NO_AUDIT).granted


def test_the_audit_draws_first_and_is_granted_although_much_is_wanted() -> None:
    run = route([0.1] * 5000)
    audited = [x for x in run.decisions[20:] if x.audit]
    assert len(audited) > 50
    assert mean(x.granted for x in audited) > 0.95
    assert 0.9 <= run.spent <= 1.0


def test_the_audit_is_granted_even_while_confidence_collapses() -> None:
    runs = [route(falling(300, random.Random(seed)), seed=seed) for seed in range(3)]
    audited = [x.granted for run in runs for x in run.decisions[20:] if x.audit]
    assert mean(audited) > 0.9


def test_an_audit_is_drawn_among_the_confident_too() -> None:
    run = route([1.0] * 5000)
    assert {x.reason for x in run.decisions[20:]} == {"audit", "confident"}
    assert mean(x.audit for x in run.decisions) == pytest.approx(0.02, rel=0.3)


def test_the_audit_sample_is_the_same_on_every_delivery_and_for_every_strategy() -> None:
    first = [x.audit for x in route([0.5] * 500).decisions]
    again = [x.audit for x in route([0.9] * 500, strategy="random", seed=3).decisions]
    assert first == again == [in_audit(digest(n), POLICY) for n in range(500)]


def test_another_audit_seed_draws_another_sample() -> None:
    other = RoutingPolicy(POLICY.threshold, 0.5, 8)
    same = RoutingPolicy(POLICY.threshold, 0.5, 7)
    agree = mean(in_audit(digest(n), other) == in_audit(digest(n), same) for n in range(2000))
    assert agree == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("share", "drawn"), [(0.0, 0), (1.0, 200)])
def test_the_audit_shares_0_and_1_are_exact(share: float, drawn: int) -> None:
    policy = RoutingPolicy(0.0, share, 1)
    assert sum(in_audit(digest(n), policy) for n in range(200)) == drawn


def test_random_routing_spends_the_same_budget_whatever_the_confidence() -> None:
    confidences = stationary(3000, random.Random(8))
    run = route(confidences, strategy="random", seed=1)
    assert 0.9 <= run.spent <= 1.0
    granted = run.confidences_where(lambda x: x.granted)
    assert mean(granted) == pytest.approx(mean(confidences), abs=0.05)


def test_random_routing_draws_for_each_record_not_for_each_text() -> None:
    run = route([0.5] * 500, strategy="random", policy=NO_AUDIT)
    router = Router(RoutingSettings(budget_share=0.1), strategy="random")
    of_one_text = [router.decide(0.5, digest(0), NO_AUDIT) for _ in range(500)]
    assert of_one_text == run.decisions


def test_random_routing_reports_what_uncertainty_wants() -> None:
    confidences = stationary(500, random.Random(9))
    run = route(confidences, strategy="random", policy=RoutingPolicy(0.7, 0.0, 0))
    assert [x.wanted for x in run.decisions] == [c < 0.7 for c in confidences]
    reasons = {(x.wanted, x.granted): x.reason for x in run.decisions}
    assert reasons[(False, True)] == reasons[(True, True)] == "random"
    assert reasons[(True, False)] == "not_drawn"
    assert reasons[(False, False)] == "confident"


def test_the_reasons_tell_apart_why_a_wanted_record_was_refused() -> None:
    falls = [0.9 - 0.002 * n for n in range(400)]
    assert "over_budget" in {x.reason for x in route(falls, policy=NO_AUDIT).decisions}
    run = route(stationary(400, random.Random(1)), policy=NO_AUDIT)
    assert "not_least_sure" in {x.reason for x in run.decisions}


def test_a_new_policy_forgets_the_confidences_of_the_old_student() -> None:
    router = Router(RoutingSettings())
    lot = random.Random(1)
    for number in range(1000):
        router.decide(lot.uniform(0.1, 0.4), digest(number), NO_AUDIT)
    policy = RoutingPolicy(threshold=0.98, audit_share=0.0, audit_seed=7)
    confidences = [lot.uniform(0.5, 0.97) for _ in range(400)]
    granted = [c for n, c in enumerate(confidences) if router.decide(c, digest(n), policy).granted]
    assert 35 <= len(granted) <= 60
    # The least sure tenth of the new ones lies under 0.55.
    assert mean(granted) < 0.6


def test_confidences_of_long_ago_are_forgotten() -> None:
    lot = random.Random(3)
    confidences = [lot.uniform(0.0, 0.4) for _ in range(3000)]
    confidences += [lot.uniform(0.5, 0.98) for _ in range(3000)]
    run = route(confidences, policy=NO_AUDIT)
    later = list(zip(run.confidences, run.decisions, strict=True))[4000:]
    assert mean(confidence for confidence, decision in later if decision.granted) < 0.6


def test_a_small_bucket_does_not_spill_what_is_wanted() -> None:
    run = route(rising(3000, random.Random(4)), burst_records=4)
    assert run.spent > 0.9


def test_another_student_with_an_equal_policy_starts_anew_too() -> None:
    confidences = rising(600, random.Random(2))
    runs = []
    for audit_seed in (7, 8):  # without an audit its seed makes no difference
        router, first = Router(RoutingSettings()), RoutingPolicy(0.99, 0.0, 7)
        second = RoutingPolicy(0.99, 0.0, audit_seed)
        policies = [first] * 300 + [second] * 300
        runs.append(
            [router.decide(c, digest(0), p) for c, p in zip(confidences, policies, strict=True)]
        )
    assert runs[0] == runs[1]


@settings(max_examples=60)
@given(
    confidences=st.lists(st.floats(0, 1), max_size=300),
    share=st.floats(0, 1),
    audit=st.floats(0, 1),
    threshold=st.floats(0, 1),
    burst=st.integers(1, 60),
    strategy=st.sampled_from(["uncertainty", "random"]),
)
def test_no_prefix_of_any_stream_overspends(
    *,
    confidences: list[float],
    share: float,
    audit: float,
    threshold: float,
    burst: int,
    strategy: RoutingStrategy,
) -> None:
    policy = RoutingPolicy(threshold, audit, 1)
    run = route(confidences, policy=policy, share=share, burst_records=burst, strategy=strategy)
    granted = 0
    for number, decision in enumerate(run.decisions, start=1):
        granted += decision.granted
        assert granted <= share * number + 1e-6
        assert decision.wanted or not decision.granted or strategy == "random"
        assert decision.wanted == (decision.audit or confidences[number - 1] < threshold)


def test_what_is_unsure_in_trusted_labels_alone_is_not_wanted_but_may_be_audited() -> None:
    router = Router(RoutingSettings(budget_share=1.0))
    found = [
        router.decide(0.2, digest(number), POLICY, untrusted=1.0 if number % 2 else 0.2)
        for number in range(2000)
    ]
    assert {x.reason for x in found[1::2]} == {"trusted", "audit"}
    assert {x.reason for x in found[::2]} == {"low_confidence", "audit"}
    assert not any(x.wanted or x.granted for x in found if x.reason == "trusted")
    assert 0.01 < mean(x.audit for x in found[1::2]) < 0.03


def test_among_the_least_sure_trusted_labels_count_for_nothing() -> None:
    """All are as unsure as a whole: those that are so in other labels too get the budget."""
    router, lot = Router(RoutingSettings(budget_share=0.1)), random.Random(8)
    untrusted = [lot.random() * 0.9 for _ in range(3000)]
    found = [
        router.decide(0.0, digest(n), NO_AUDIT, untrusted=value)
        for n, value in enumerate(untrusted)
    ]
    granted = [x for x, y in zip(untrusted, found, strict=True) if y.granted]
    assert mean(x < 0.15 for x in granted) > 0.85


def test_the_lot_of_experiments_falls_on_trusted_records_too() -> None:
    router = Router(RoutingSettings(budget_share=0.1), strategy="random")
    found = [router.decide(0.2, digest(n), NO_AUDIT, untrusted=1.0) for n in range(500)]
    assert {x.reason for x in found} == {"trusted", "random"}
    assert not any(x.wanted for x in found)

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import QuotaSettings, RoutingSettings
from schemas.types import RoutingPolicy, text_digest
from stream.tag.quotas import Quotas
from stream.tag.routing import Router

POLICY = RoutingPolicy(threshold=0.9, audit_share=0.0, audit_seed=0)
BUDGET, SHARE = 0.1, 0.2


def router(quotas: QuotaSettings | None = None) -> Router:
    return Router(RoutingSettings(budget_share=BUDGET, quotas=quotas or QuotaSettings()))


KNOWN = QuotaSettings(source_header="tenant", share=SHARE)


def granted(
    quotas: QuotaSettings, *, n: int = 4000, policy: RoutingPolicy = POLICY
) -> Counter[str]:
    """Every tenth record is a flooder's, and of all the least sure."""
    lot, route, found = random.Random(1), router(quotas), Counter[str]()
    for number in range(n):
        flooder = number % 10 == 0
        confidence = lot.uniform(0.0, 0.1) if flooder else lot.uniform(0.1, 1.0)
        producer = "flooder" if flooder else f"honest {number % 7}"
        text = f"text {lot.random():.16f}".translate(LETTERS)
        decision = route.decide(confidence, text_digest(text), policy, text=text, producer=producer)
        found[producer if flooder else "honest"] += decision.granted
    return found


LETTERS = {ord("0") + i: letter for i, letter in enumerate("abcdefghij")}


def test_a_tenth_of_the_records_takes_no_more_than_its_quota() -> None:
    before, after = granted(QuotaSettings()), granted(KNOWN)
    assert before["flooder"] > 0.7 * before.total()
    assert after["flooder"] <= 1 + SHARE * BUDGET * 4000
    # What the flooder does not get, others get.
    assert after.total() == pytest.approx(before.total(), rel=0.1)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), min_size=1, max_size=300),
    st.sampled_from([0.05, 0.2, 1.0]),
)
def test_no_producer_is_ever_granted_more_than_its_share_of_the_budget(
    records: list[tuple[str, float]], share: float
) -> None:
    route = router(QuotaSettings(source_header="tenant", share=share))
    found = Counter[str]()
    for n, (producer, confidence) in enumerate(records, 1):
        digest = text_digest(str(n))
        found[producer] += route.decide(confidence, digest, POLICY, producer=producer).granted
        assert found[producer] <= 1 + share * BUDGET * n + 1e-6


def test_audits_are_charged_and_never_refused_by_a_quota() -> None:
    # As many as the budget pays for, whoever sent them.
    route, found = router(KNOWN), Counter[str]()
    everything = RoutingPolicy(threshold=1.0, audit_share=1.0, audit_seed=0)
    for n in range(1000):
        found[route.decide(0.5, text_digest(str(n)), everything, producer="one").reason] += 1
    assert found["audit"] == 1000 * BUDGET
    after = Counter(
        route.decide(0.0, text_digest(f"{n} later"), POLICY, producer="one").reason
        for n in range(100)
    )
    assert not after["low_confidence"]


def test_a_new_producer_is_heard() -> None:
    quotas = Quotas(per_record=0.01, burst=5)
    for _ in range(3):
        quotas.earn()
        assert quotas.allows("new")
    quotas.charge("new")
    assert not quotas.allows("new")
    for _ in range(100):
        quotas.earn()
    assert quotas.allows("new")


def test_of_too_many_producers_the_one_charged_longest_ago_is_forgotten() -> None:
    quotas = Quotas(per_record=0.0, burst=1, most_producers=2)
    for producer in "abc":
        quotas.charge(producer)
    assert [quotas.allows(producer) for producer in "abc"] == [True, False, False]


def test_a_text_is_asked_about_once_however_often_it_comes() -> None:
    route = Router(RoutingSettings(budget_share=0.99, burst_records=10))
    for _ in range(9):
        route.decide(1.0, text_digest("to earn"), POLICY)
    texts = [
        "Order 17 is late",
        "order 18  is LATE",
        "Order seventeen is early",
        "Order 17 is late",
    ]
    reasons = [route.decide(0.1, text_digest(x), POLICY, text=x).reason for x in texts]
    assert reasons == ["low_confidence", "repeated", "low_confidence", "repeated"]


def test_a_text_that_shares_nearly_all_its_parts_is_not_asked_about_again() -> None:
    long = (
        "the parcel that you have sent to the office in the old town has not been delivered yet, "
        "so please call us at once if you can, or write to the address on the back of the letter"
    )
    route = Router(RoutingSettings(budget_share=0.99, burst_records=10))
    for _ in range(9):
        route.decide(1.0, text_digest("to earn"), POLICY)
    texts = [long, long.replace("can", "cam"), long.replace("old", "odd"), f"{long[:80]}Ada is ill"]
    reasons = [route.decide(0.1, text_digest(x), POLICY, text=x).reason for x in texts]
    assert reasons == ["low_confidence", "repeated", "repeated", "low_confidence"]


def test_who_may_ask_about_all_asks_about_all() -> None:
    route = Router(RoutingSettings(budget_share=1.0))
    found = [route.decide(0.1, text_digest("one"), POLICY, text="one") for _ in range(9)]
    assert all(one.granted for one in found)


def test_a_flood_of_one_text_leaves_the_budget_to_others() -> None:
    route, found = router(), Counter[str]()
    for n in range(3000):
        text = f"a word {n}".translate(LETTERS) if n % 10 == 0 else "the same again and again"
        found[text[:4]] += route.decide(0.1, text_digest(text), POLICY, text=text).granted
    assert found["the "] == 1
    assert found["a wo"] > 200


def test_an_audit_that_is_sent_again_and_again_takes_one_token() -> None:
    route = Router(RoutingSettings(budget_share=0.5))
    policy = RoutingPolicy(threshold=0.0, audit_share=1.0, audit_seed=0)
    found = [route.decide(0.99, text_digest("one"), policy, text="one") for _ in range(100)]
    assert sum(one.granted for one in found) == 1
    assert all(one.audit for one in found)
    assert found[-1].reason == "repeated"

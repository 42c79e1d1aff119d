from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.judging.scoring import LabelScore, score
from distill.judging.urn import (
    Differing,
    Reference,
    f1_per_worth,
    fill_urn,
    greatest_worth,
    reference_of,
    worth,
)
from schemas.likeness import likeness
from schemas.types import Fact

ADA: Fact = (0, 3, "PER")
BO: Fact = (4, 6, "PER")
ACME: Fact = (7, 9, "ORG")
FACTS = st.frozensets(st.sampled_from([ADA, BO, ACME]))
RECORDS = st.lists(st.tuples(FACTS, FACTS, FACTS), min_size=1, max_size=30)


def test_only_texts_that_are_tagged_differently_are_in_the_urn() -> None:
    urn = fill_urn(["a", "b", "c"], [{ADA}, {BO}, ()], [{ADA}, {BO, ADA}, {ACME}], seed="v2")
    assert {one.text for one in urn.differing} == {"b", "c"}
    assert urn.texts == 3
    assert urn.champion_facts == {"PER": 2}
    assert urn.challenger_facts == {"PER": 3, "ORG": 1}


def test_near_duplicates_are_one_text() -> None:
    texts = ["Order 17 is  late", "order 2 is late ", "Order 17 is early"]
    urn = fill_urn(texts, [()] * 3, [{ADA}] * 3, seed="v2")
    assert len(urn.differing) == urn.texts == 2
    assert likeness("ORDER 1\n") == likeness("order 345")


LONG = (
    "the parcel that you have sent to the office in the old town has not been delivered yet, "
    "so please call us at once if you can, or write to the address on the back of the letter"
)


def test_texts_that_share_nearly_all_their_parts_are_one_and_a_template_is_not() -> None:
    texts = [LONG, LONG.replace("can", "cam"), LONG[:80] + "Ada is ill", LONG[:80] + "Bo has moved"]
    urn = fill_urn(texts, [()] * 4, [{ADA}] * 4, seed="v2")
    assert {one.text for one in urn.differing} == {texts[0], *texts[2:]}
    assert urn.challenger_facts == {"PER": 3}


def test_the_order_of_asking_is_drawn_by_the_seed_and_not_by_the_stream() -> None:
    texts = [f"text {chr(97 + i)}" for i in range(20)]

    def order(texts: list[str], seed: str) -> list[str]:
        filled = fill_urn(texts, [()] * len(texts), [{ADA}] * len(texts), seed=seed)
        return [one.text for one in filled.differing]

    assert order(texts, "v2") == order(texts[::-1], "v2")
    assert order(texts, "v2") != order(texts, "v3")
    assert order(texts, "v2") != texts


@given(RECORDS)
def test_what_all_texts_are_worth_is_the_gain_in_f1(
    records: list[tuple[frozenset[Fact], frozenset[Fact], frozenset[Fact]]],
) -> None:
    gold, old, new = (list(column) for column in zip(*records, strict=True))
    texts = [chr(97 + i) for i in range(len(records))]
    before, after = score(gold, old).overall, score(gold, new).overall
    urn = fill_urn(texts, old, new, seed="v2")
    if not before.predicted or not urn.differing:
        return  # nothing to take the number of gold facts from
    reference = Reference(before.f1, before.gold / before.predicted)
    truths = dict(zip(texts, gold, strict=True))
    worths = [worth(one, truths[one.text], f1=reference.f1) for one in urn.differing]
    gain = sum(worths) / len(worths) * f1_per_worth(urn, reference)
    assert gain == pytest.approx(after.f1 - before.f1)
    assert max(map(abs, worths)) <= greatest_worth(urn, f1=reference.f1) + 1e-9


def test_of_one_category_a_text_is_worth_two_or_nothing() -> None:
    glad, sad, calm = ((0, 0, label) for label in ("glad", "sad", "calm"))
    one = Differing("text", frozenset({glad}), frozenset({sad}))
    for f1 in (0.3, 0.9):
        assert worth(one, frozenset({sad}), f1=f1) == 2
        assert worth(one, frozenset({glad}), f1=f1) == -2
        assert worth(one, frozenset({calm}), f1=f1) == 0


def test_few_facts_say_nothing_of_the_champion() -> None:
    assert reference_of(LabelScore(correct=9, predicted=12, gold=15)) == Reference()
    assert reference_of(LabelScore(correct=30, predicted=40, gold=60)) == Reference(0.6, 1.5)

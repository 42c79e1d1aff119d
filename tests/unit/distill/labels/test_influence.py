from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from distill.labels.influence import held_down, new_pairs, quotas, repeats
from distill.labels.splits import Splits
from schemas.settings import QuotaSettings
from schemas.types import Entity, SilverLabel
from stream.testing.messages import a_label

KNOWN = QuotaSettings(source_header="tenant", share=0.5, sources=3)
WORDS = ["sings", "hums", "laughs", "waits", "rests", "runs", "reads", "writes", "sleeps", "talks"]


def label(text: str, producer: str = "", **changes: object) -> SilverLabel:
    surface = text.split(maxsplit=1)[0]
    entity = Entity(0, len(surface), "ORG", surface)
    return a_label(text=text, entities=(entity,), producer=producer, **changes)


def splits(training: Sequence[SilverLabel]) -> Splits:
    return Splits(training=tuple(training), calibration=(), judge=())


def planted(n: int, producer: str = "x") -> list[SilverLabel]:
    return [label(f"Zorblax {WORDS[i % 10]} {WORDS[i // 10]}", producer) for i in range(n)]


COLD = [label(f"Acme {word}", source="bootstrap", record_id="") for word in WORDS]


def test_texts_of_the_stream_that_are_alike_weigh_together_as_one() -> None:
    alike = [label(f"Acme order {n}") for n in range(4)]
    assert repeats([*alike, label("Acme sings")]) == [0.25] * 4 + [1.0]


def test_what_people_and_the_cold_start_repeat_weighs_as_it_did() -> None:
    alike = [label(f"Acme order {n}", source="human") for n in range(4)]
    assert repeats(alike) == [1.0] * 4


def test_a_pair_that_one_producer_plants_weighs_as_one_label() -> None:
    factors = new_pairs(planted(50), COLD, enough=3)
    assert sum(factors) == pytest.approx(1.0)


def test_a_pair_that_several_producers_send_weighs_in_full() -> None:
    sent = [one for producer in "abc" for one in planted(10, producer)]
    assert new_pairs(sent, [], enough=3) == [1.0] * 30
    two = [one for producer in "ab" for one in planted(10, producer)]
    assert sum(new_pairs(two, [], enough=3)) == pytest.approx(2.0)


def test_a_name_that_is_met_once_and_one_that_the_cold_start_knows_weigh_in_full() -> None:
    known = [label(f"Acme {word} {word}", "x") for word in WORDS]
    assert new_pairs([*known, label("Rare sings", "x")], COLD, enough=3) == [1.0] * 11


def test_another_label_of_a_known_surface_is_a_new_pair() -> None:
    other = [
        replace(one, entities=tuple(replace(x, label="PER") for x in one.entities))
        for one in (label(f"ACME {word} {word}", "x") for word in WORDS)
    ]
    assert sum(new_pairs(other, COLD, enough=3)) == pytest.approx(1.0)


def test_what_the_stream_said_of_unknown_producers_establishes_nothing() -> None:
    unknown = [label(f"Zorblax {word} {word}") for word in WORDS]
    assert sum(new_pairs(planted(10), unknown, enough=3)) == pytest.approx(1.0)


def test_no_producer_weighs_more_than_its_share_of_all() -> None:
    labels = [*COLD, *(label(f"{word} {n}", "x") for n in range(10) for word in WORDS)]
    weighed = [one * factor for one, factor in zip([1.0] * 110, quotas(labels, 0.5), strict=True)]
    assert sum(weighed[10:]) == pytest.approx(10.0)
    assert weighed[:10] == [1.0] * 10


def test_all_of_it_is_weighed_and_counted() -> None:
    found = held_down(
        splits([*COLD, *planted(50), label("Acme 1", "a"), label("acme 2", "a")]), KNOWN
    )
    weights = [one.weight for one in found.training]
    assert weights[:10] == [1.0] * 10
    assert sum(weights[10:60]) == pytest.approx(1.0)
    assert weights[60:] == [0.5, 0.5]
    assert found.held_down == {"repeated": 2, "new_pair": 50}
    assert found.counts()["held_down_new_pair"] == 50


def test_where_nobody_knows_who_sent_a_text_repeats_alone_are_held_down() -> None:
    found = held_down(splits([*COLD, *planted(50)]), QuotaSettings())
    assert [one.weight for one in found.training] == [1.0] * 60
    assert not found.held_down


def test_a_producer_over_its_quota_is_counted() -> None:
    many = [label(f"{a}{b} {a}", "x") for a in WORDS for b in WORDS]
    found = held_down(splits([*COLD, *many]), KNOWN)
    assert sum(one.weight for one in found.training[10:]) == pytest.approx(10.0)
    assert found.held_down == {"over_quota": 100}

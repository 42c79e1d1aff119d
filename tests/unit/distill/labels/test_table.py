from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from distill.labels.table import DigestSet, LabelTable, hexadecimal
from schemas.categories import of_labels
from schemas.likeness import likeness
from schemas.types import Entity, SilverLabel, text_digest

MakeLabel = Callable[..., SilverLabel]


@pytest.fixture
def labels(make_label: MakeLabel) -> list[SilverLabel]:
    return [
        make_label(
            "Ada 🚀 met Bo\n", entities=(Entity(0, 3, "PER", "Ada", 0.3),), weight=0.1 + 0.2
        ),
        make_label("ADA  🚀 met bo", entities=(), source="human", labelled_at_ms=2**40),
        replace(make_label("", entities=(), record_id="", audit=True), producer="p" * 64),
        replace(make_label("rain", entities=()), categories=of_labels(["glad", "sad"])),
        make_label("odd", entities=(Entity(0, 99, "PER", "never there"),)),
    ]


def test_labels_come_out_of_their_columns_as_they_went_in(labels: list[SilverLabel]) -> None:
    table = LabelTable.of(iter(labels))
    assert [*table] == labels
    assert table == labels == [table[at] for at in range(len(labels))]
    assert table[-1] == labels[-1]
    assert table[1:3] == labels[1:3]
    assert table != labels[:-1]
    assert LabelTable.of(table) is table
    assert LabelTable.of([]) == ()


def test_what_is_chosen_weighed_and_changed_leaves_the_others_alone(
    labels: list[SilverLabel],
) -> None:
    table = LabelTable.of(labels)
    chosen = table.take([3, 0, 4]).weighed([1.0, 0.5, 0.25])
    changed = chosen.changed({1: replace(labels[0], entities=(), weight=0.7)})
    assert [one.weight for one in chosen] == [1.0, (0.1 + 0.2) * 0.5, 0.25]
    assert changed == [labels[3], replace(labels[0], entities=(), weight=0.7), chosen[2]]
    assert changed.take(changed.weights > 0.3) == changed[:2]
    assert changed.joined(table.take([1])) == [*changed, labels[1]]
    assert changed.joined(LabelTable.of(labels[:1])) == [*changed, labels[0]]
    assert table == labels


def test_a_column_says_what_the_labels_say(labels: list[SilverLabel]) -> None:
    table = LabelTable.of(labels)
    assert [*hexadecimal(table.digests)] == [text_digest(one.text) for one in labels]
    assert table.among("source", {"human"}).tolist() == [x.source == "human" for x in labels]
    assert table.audits.tolist() == [one.audit for one in labels]
    assert table.times_ms.tolist() == [one.labelled_at_ms for one in labels]
    alike = [likeness(one.text) for one in labels]
    assert (table.likenesses == table.likenesses[0]).tolist() == [x == alike[0] for x in alike]


def test_of_one_text_the_last_stays(make_label: MakeLabel) -> None:
    old, new, other = make_label("Ada"), make_label("Ada", entities=()), make_label("Bo")
    found = LabelTable.of([old, other, new]).by_digest()
    assert [*found] == sorted([new, other], key=lambda one: text_digest(one.text))


def test_a_set_of_digests_is_one_of_strings() -> None:
    some = [text_digest(str(n)) for n in range(600)]  # two end with a byte of zeros, or more
    known = DigestSet.of(some[:599])
    assert all(one in known for one in some[:599])
    assert some[599] not in known
    assert {*known} == {*some[:599]}
    assert {*known.without(np.array([bytes.fromhex(some[0])], dtype="S32"))} == {*some[1:599]}
    assert len(known.with_these(np.array([bytes.fromhex(some[599])], dtype="S32"))) == 600

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.training.augmentation import MentionSwap, with_words_hidden
from distill.training.batches import Row, TrainExample, collate
from schemas.types import Entity

EXAMPLES = [
    TrainExample(
        "Ada left Rom", (Entity(0, 3, "PER", "Ada", 0.9), Entity(9, 12, "LOC", "Rom")), 0.5
    ),
    TrainExample("so did Bartholomew .", (Entity(7, 18, "PER", "Bartholomew"),)),
    TrainExample("nobody else", ()),
]


def _swap(share: float, *, seed: int = 0) -> MentionSwap:
    return MentionSwap(EXAMPLES, share=share, generator=np.random.default_rng(seed))


def test_without_a_share_nothing_changes() -> None:
    assert _swap(0.0).draw() == EXAMPLES


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_every_mention_lies_where_its_surface_stands(share: float, seed: int) -> None:
    for old, new in zip(EXAMPLES, _swap(share, seed=seed).draw(), strict=True):
        assert [e.label for e in new.entities] == [e.label for e in old.entities]
        assert all(new.text[e.start : e.end] == e.surface for e in new.entities)
        assert new.weight == old.weight


def test_only_mentions_change_and_only_for_others_of_their_label() -> None:
    variants = [_swap(1.0, seed=seed).draw() for seed in range(50)]

    assert {one.text for one, _, _ in variants} == {"Ada left Rom", "Bartholomew left Rom"}
    assert {two.text for _, two, _ in variants} == {"so did Ada .", "so did Bartholomew ."}
    assert {three.text for _, _, three in variants} == {"nobody else"}


def test_each_draw_is_another() -> None:
    swap = _swap(1.0)

    assert len({tuple(one.text for one in swap.draw()) for _ in range(50)}) == 4


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_the_share_is_kept(share: float) -> None:
    people = [TrainExample(str(i), (Entity(0, len(str(i)), "PER", str(i)),)) for i in range(2000)]

    drawn = MentionSwap(people, share=share, generator=np.random.default_rng(3)).draw()

    changed = sum(old != new for old, new in zip(people, drawn, strict=True))
    assert changed / len(people) == pytest.approx(share, abs=0.05)


def test_a_share_of_the_words_is_hidden_and_nothing_else() -> None:
    row = Row(
        np.full(1000, 7),
        np.ones(1000, np.int64),
        np.arange(1000) >= 500,
        np.zeros(500, np.int64),
        1.0,
    )
    batch = collate([row])

    hidden = with_words_hidden(batch, share=0.2, mask_id=9, generator=np.random.default_rng(0))

    ids = hidden.ids[0].numpy()
    assert (ids[:500] == 7).all()
    assert 70 < (ids[500:] == 9).sum() < 130
    assert (batch.ids == 7).all()

from __future__ import annotations

import numpy as np

from distill.training.batches import (
    Row,
    TrainExample,
    collate,
    draw_batches,
    parts,
)


def _row(n_tokens: int, *, weight: float = 1.0) -> Row:
    ids = np.full(n_tokens, 7)
    return Row(
        ids, np.ones(n_tokens, np.int64), np.ones(n_tokens, np.bool_), np.arange(n_tokens), weight
    )


def test_padding_is_masked_and_is_no_word() -> None:
    batch = collate([_row(2), _row(4, weight=0.25)])

    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.is_word[0].tolist() == [True, True, False, False]
    assert batch.targets.tolist() == [0, 1, 0, 1, 2, 3]
    assert batch.ids[0].tolist() == [7, 7, 0, 0]
    assert batch.weights.tolist() == [1.0, 0.25]


def test_an_epoch_sees_every_row_once_and_wastes_little() -> None:
    lengths = [3 + i % 40 for i in range(200)]
    rows = [_row(n) for n in lengths]

    batches = list(draw_batches(rows, size=8, generator=np.random.default_rng(0)))

    seen = sorted(int(row.sum()) for batch in batches for row in batch.mask)
    assert seen == sorted(lengths)
    assert sum(batch.mask.numel() for batch in batches) < 1.25 * sum(lengths)


def test_an_epoch_of_very_many_examples_comes_in_parts_at_random() -> None:
    examples = [TrainExample(str(n), ()) for n in range(10)]
    found = list(parts(examples, np.random.default_rng(0), most=4))
    assert [len(part) for part in found] == [4, 4, 2]
    together = [one for part in found for one in part]
    assert together != examples
    assert sorted(together, key=lambda one: int(one.text)) == examples
    assert list(parts(examples, np.random.default_rng(0), most=10)) == [examples]

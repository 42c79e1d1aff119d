from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.new_labels import new_by_offsets, new_by_time


def test_what_was_written_since_is_counted_over_all_partitions() -> None:
    assert new_by_offsets({"0": 10, "1": 5}, {"0": 8}) == 7


def test_a_topic_that_was_made_anew_counts_whole() -> None:
    assert new_by_offsets({"0": 3}, {"0": 100}) == 3


@pytest.mark.parametrize(
    ("last_round_ms", "promoted_at_ms", "new"),
    [
        (None, [], 3),  # nothing was ever made
        (None, [0, 20], 1),  # on another machine: since the newest promotion
        (10, [20], 2),  # a round here counts, though it was refused after the promotion
        (30, [20], 0),
    ],
)
def test_labels_are_new_since_the_last_round_here_or_the_last_promotion(
    last_round_ms: int | None, promoted_at_ms: list[int], new: int
) -> None:
    labels: list[Any] = [SimpleNamespace(labelled_at_ms=at) for at in (10, 20, 30)]
    history: list[Any] = [SimpleNamespace(promoted_at_ms=at) for at in promoted_at_ms]
    assert (
        new_by_time(
            [x.labelled_at_ms for x in labels], last_round_ms=last_round_ms, history=history
        )
        == new
    )

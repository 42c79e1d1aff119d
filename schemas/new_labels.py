"""How many silver labels are new: those since the last round of distill began.

It is counted in two ways, because two ask who know different things:

* `new_by_offsets` counts what was written to the labels topic since the mark of the last round.
  The distill role asks it every few seconds, to learn whether a round is due, and reads no label
  for that. A label that replaces another counts, and so do markers of transactions.
* `new_by_time` counts the texts that were labelled since. A round asks it of the labels that it
  has read: one that was started by hand waits by it, on a machine that may never have had a mark.
  The role starts rounds with `--force`: there it is told and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from schemas.types import Promotion


def new_by_offsets(ends: Mapping[str, int], seen: Mapping[str, int]) -> int:
    """Count what was written between two states of the topic: end offsets by partition.

    A topic that was made anew has smaller offsets than were seen: all of it counts.
    """
    return sum(
        end - before if (before := seen.get(partition, 0)) <= end else end
        for partition, end in ends.items()
    )


def new_by_time(
    labelled_at_ms: Iterable[int], *, last_round_ms: int | None, history: Sequence[Promotion]
) -> int:
    """Count the labels made since the last round began here, or else since the last promotion."""
    since = last_round_ms
    if since is None:
        since = history[-1].promoted_at_ms if history else 0
    return sum(at_ms > since for at_ms in labelled_at_ms)

"""Since when a student serves, and since when under what it promises: read off the history."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from schemas.promises.proving import State
from schemas.promises.record import promised_by
from schemas.types import Promotion

ANOTHER_TASK_VERSION = (
    "the task's labels were edited since the student was promoted: nobody watches what it promises "
    "until the next student"
)
"""Why a promise is not watched: audits by today's task tell nothing of the student's labels."""


def served_since(history: Sequence[Promotion]) -> tuple[int, int]:
    """Tell since when the student in force serves, and since when under what it promises now.

    In milliseconds since the epoch. The history is not empty.
    """
    now = history[-1]
    served_ms = promise_ms = now.promoted_at_ms
    is_same = True
    for later, entry in pairwise(reversed(history)):
        if later.action != "policy" or entry.student_version != now.student_version:
            break
        served_ms = entry.promoted_at_ms
        is_same = is_same and _terms(entry) == _terms(now)
        promise_ms = served_ms if is_same else promise_ms
    return served_ms, promise_ms


def proving_since_ms(history: Sequence[Promotion]) -> int:
    """Tell since when audits may prove what the student in force promises."""
    promised = promised_by(history[-1])
    served_ms, _ = served_since(history)
    return max(promised.since_ms if promised else 0, served_ms)


def _terms(promotion: Promotion) -> tuple[float, State | None]:
    promised = promised_by(promotion)
    return promotion.policy.threshold, promised.proof.state if promised else None

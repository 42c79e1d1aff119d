"""What starts a round: enough new labels, or enough time and a new label. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from schemas.new_labels import new_by_offsets
from schemas.settings import DistillSettings
from stream.retrain.last_round import Mark

Trigger = Literal["labels", "schedule", ""]
"""Why a round is due; "" when it is not."""


def due(ends: Mapping[str, int], mark: Mark, *, now_s: float, settings: DistillSettings) -> Trigger:
    """Say why a round is due, by the end offsets of the labels topic and the last round's mark.

    Without a single new label there is nothing to learn, whatever the schedule says.
    """
    return due_for(new_by_offsets(ends, mark.offsets), mark, now_s=now_s, settings=settings)


def due_for(fresh: int, mark: Mark, *, now_s: float, settings: DistillSettings) -> Trigger:
    """Say the same, given how many labels are new."""
    if fresh >= settings.min_new_labels:
        return "labels"
    every_s, since_s = settings.every_s, now_s - mark.started_s
    # A mark of the future is a clock's that was wrong: it must not put rounds off until then.
    overdue = every_s is not None and not 0 <= since_s < every_s
    return "schedule" if overdue and fresh else ""

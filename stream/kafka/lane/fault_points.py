"""Named points of a delivery at which a test may let the process die.

The hook is given in (`LaneWorker(fault_hook=...)`), never read from the environment here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

Point: TypeAlias = Literal["before_produce", "after_produce", "after_offsets", "after_commit"]
"""`before_produce`: tagged, nothing sent. `after_produce`: every delivery acknowledged.
`after_offsets`: offsets in the transaction, the commit comes next. `after_commit`: committed,
nobody told."""

FaultHook: TypeAlias = Callable[[Point], None]


def no_fault(_: Point) -> None:
    """Let every delivery pass."""

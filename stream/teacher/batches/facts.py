"""What `silverstream status` and `bill` say of batches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from stream.teacher.batch_rows import Batch, BatchSpending


def batch_facts(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """Give batches that wait the form that machines get; times are Unix time in seconds."""
    return [asdict(one) for one in batches]


def batch_lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """Say the same to people, a line each."""
    return [f"batch     {_words(one)}" for one in found]


def in_batches(rows: Sequence[BatchSpending], batches: Sequence[Batch]) -> dict[str, Any] | None:
    """Add up what lines of batches took, and count those that wait; None where there were none."""
    if not rows and not batches:
        return None
    names = ("calls", "tokens_in", "tokens_out", "usd")
    sums = {name: sum(getattr(row, name) for row in rows) for name in names}
    return {**sums, "waiting": sum(one.lines for one in batches)}


def _words(one: dict[str, Any]) -> str:
    asked = f"{one['lines']:,} texts of {one['purpose']}"
    if not one["id"]:
        return f"{asked} were to be sent to {one['endpoint']}: run the command again to go on"
    until = datetime.fromtimestamp(one["until_s"], tz=UTC).isoformat(timespec="minutes")
    return f"{asked} wait in {one['id']} at {one['endpoint']}, until {until} at most"

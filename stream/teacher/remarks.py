"""What a person should know of the endpoint, as far as it was found out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.settings import DEFAULT_MODEL, TeacherSettings
from stream.teacher.billed_calls import BilledCalls


def remarks_of(calls: BilledCalls, settings: TeacherSettings) -> Iterator[str]:
    """Say in words what came of the calls."""
    for name, value in calls.client.capabilities.steps_taken.items():
        yield f"it did not take our {name}: now {_said(value)} (fix it with teacher.{name})"
    if calls.unmetered:
        yield "its answers tell no usage: each is booked as the most it could cost"
    if settings.prices_are_another_models:
        yield (
            f"the ledger reckons {settings.model} at the prices of {DEFAULT_MODEL}: "
            "set teacher.price_in_usd_per_million and price_out_usd_per_million"
        )


def _said(value: Any) -> str:
    return "none is sent" if value is None else "off" if value is False else str(value)

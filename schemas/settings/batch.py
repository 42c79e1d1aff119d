"""The section of the provider's Batch API: a slower way to the teacher, for a part of the price."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.settings.section import PositiveFloat, Section

BatchPurpose = Literal["bootstrap", "stream"]


class BatchSettings(Section):
    """Which questions go to the Batch API, and how long their answers may take."""

    purposes: tuple[BatchPurpose, ...] = ()
    """Whose questions, by the names of the bill; none: nobody's."""
    completion_window: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhd]$")] = "24h"
    """Within which time the provider is asked to answer, in its own words."""
    deadline_s: PositiveFloat = 24 * 3600.0
    """By our clock: a batch that takes longer is cancelled, and what it has answered is taken."""
    when_late: Literal["ask", "give_up"] = "ask"
    """What a batch did not answer is asked at once, at the full price, or given up."""
    gather_s: PositiveFloat = 900.0
    """Of the stream: how long deferred records are gathered for a batch."""
    max_requests: Annotated[int, Field(ge=1, le=50_000)] = 10_000
    """In one batch; when it has ended the next one begins."""
    poll_s: PositiveFloat = 60.0
    price_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """What a token costs there, of what it costs otherwise."""
    url: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._-]{1,100}$")] = "/v1/chat/completions"
    """What each line of a batch asks, as the provider names it."""

    def price_share_of(self, purpose: BatchPurpose) -> float:
        """Give what a token costs for a purpose, of the price of a live call."""
        return self.price_share if purpose in self.purposes else 1.0

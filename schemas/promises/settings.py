"""The section `promise` of the settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.promises.proving import Asked


class PromiseSettings(BaseModel):
    """What the operator wants to rely on, of the records that the student settles alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    agreement: Annotated[float, Field(ge=0, le=1)] = 0.98
    """The share of these records that agrees wholly, at least; 1 is proved by no evidence."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """How sure that is to be."""
    against: Literal["auto", "teacher", "people"] = "auto"
    """With whom they agree; `auto`: with people, where `distill.gold` has enough records."""

    @property
    def asked(self) -> Asked:
        """Give what is to be proved."""
        return Asked(agreement=self.agreement, confidence=self.confidence)

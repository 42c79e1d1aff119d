"""What all sections are made of, and the kinds of values that they hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.addresses import split_url

Share = Annotated[float, Field(ge=0, le=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Money = Annotated[float, Field(ge=0)]
Milliseconds = Annotated[int, Field(gt=0, le=2**31 - 1)]
"""As much as Kafka's protocol can say."""


def _checked_url(url: str) -> str:
    split_url(url)
    return url


def _checked_url_or_none(url: str) -> str:
    return url and _checked_url(url)  # a variable that is set to nothing sets nothing


HttpUrl = Annotated[str, AfterValidator(_checked_url)]
HttpUrlOrNone = Annotated[str, AfterValidator(_checked_url_or_none)] | None
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,200}$")]


class Section(BaseModel):
    """A part of the settings: frozen, and without names or numbers that mean nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

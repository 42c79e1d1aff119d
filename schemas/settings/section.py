"""What all sections are made of, and the kinds of values that they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

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

    @model_validator(mode="before")
    @classmethod
    def _set_to_nothing_is_unset(cls, values: Any) -> Any:
        """Take an empty word for no value, as of a variable that is set to nothing.

        That is so where there may be no value, and for places: "" would be the working directory.
        """
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if not cls._is_nothing(name, value)}

    @classmethod
    def _is_nothing(cls, name: str, value: Any) -> bool:
        if value != "" or (field := cls.model_fields.get(name)) is None:
            return False
        return field.default is None or field.annotation is Path

"""The part of a teacher's settings that is its own: where it is, how it is asked, what it costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from schemas.settings.section import (
    HttpUrl,
    Money,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Section,
)

DEFAULT_MODEL: Final = "gpt-4.1-mini"
_LEAST_OF_TWO: Final = 75
"""Tokens that two of the shortest answers need, with the room that a call of several leaves."""


class TeacherEndpoint(Section):
    """An OpenAI-compatible endpoint: its address and model, its limits and its prices."""

    base_url: HttpUrl = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    model: str = DEFAULT_MODEL
    response_format: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    strict: Literal["auto", "on", "off"] = "auto"
    """Of a JSON schema: whether the server is told to keep to it."""
    limit_parameter: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    temperature: Literal["auto", "none"] | NotNegative = "auto"
    connect_timeout_s: PositiveFloat = 5.0
    read_timeout_s: PositiveFloat = 60.0
    max_attempts: PositiveInt = 5
    max_retry_wait_s: PositiveFloat = 30.0
    concurrency: PositiveInt = 8
    ask: Literal["whole", "unsure"] = "whole"
    """What deferred records are asked about: all of the text, or what the student is unsure of,
    where that is little. Audits, and all who judge, ask about the whole."""
    texts_per_call: Annotated[int, Field(ge=1, le=32)] = 1
    """How many deferred records, or texts of a cold start, one call may ask about."""
    max_output_tokens: PositiveInt = 1024
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    """What a reasoning model may think on top of its answer; it is billed as output."""
    price_in_usd_per_million: Money = 0.40
    price_out_usd_per_million: Money = 1.60

    @model_validator(mode="after")
    def _two_answers_have_room(self) -> Self:
        if self.texts_per_call > 1 and self.max_output_tokens < _LEAST_OF_TWO:
            raise ValueError(
                f"texts_per_call ({self.texts_per_call}): not even two answers have room in "
                f"max_output_tokens ({self.max_output_tokens}): set that to {_LEAST_OF_TWO} or more"
            )
        return self

    @property
    def texts_at_once(self) -> int:
        """How many texts may be asked about at the same time."""
        return self.concurrency * self.texts_per_call

    @property
    def prices_are_another_models(self) -> bool:
        """Whether the default model's prices stand for a model that is another one."""
        prices = {"price_in_usd_per_million", "price_out_usd_per_million"}
        return self.model != DEFAULT_MODEL and not prices & self.model_fields_set

    def price_usd(self, tokens_in: int, tokens_out: int) -> float:
        """Price tokens, in US dollars."""
        usd_in = tokens_in * self.price_in_usd_per_million
        return (usd_in + tokens_out * self.price_out_usd_per_million) / 1e6


class NamedTeacher(TeacherEndpoint):
    """One of several teachers."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

    @property
    def own(self) -> dict[str, Any]:
        """What was given for this teacher, and not its name."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"name"}}


def refuse_alike(teachers: Sequence[NamedTeacher]) -> None:
    """Raise `ValueError` where two have one name, to variables too, or are one and the same."""
    for n, one in enumerate(teachers):
        for other in teachers[:n]:
            if variable_name(one.name) == variable_name(other.name):
                raise ValueError(f"{other.name} and {one.name} are one name: rename one")
            if (one.base_url, one.model) == (other.base_url, other.model):
                raise ValueError(
                    f"{other.name} and {one.name} have one base_url and model: take one out"
                )


def variable_name(name: str) -> str:
    """Write a teacher's name as it stands in an environment variable."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def variables_of(listed: Any, prefix: str) -> frozenset[str]:
    """Name the variables that set something of a listed teacher; `listed` is as it was read."""
    return frozenset(
        f"{prefix}TEACHERS__{variable_name(one['name'])}__{field}".upper()
        for one in _named(listed)
        for field in NamedTeacher.model_fields
        if field != "name"
    )


def with_variables(listed: list[Any], given: Mapping[str, Any]) -> list[Any]:
    """Replace what the environment gives by a teacher's name, in the list that the file has.

    That a name is one of theirs, `variables_of` has seen to.
    """
    return [
        {**one, **given.get(variable_name(one["name"]), {})} if one in _named(listed) else one
        for one in listed
    ]


def _named(listed: Any) -> list[dict[str, Any]]:
    """Give the entries that have a name; what is none, validation tells."""
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, dict) and isinstance(one.get("name"), str)]

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.settings import load_settings


@pytest.mark.parametrize(
    "consent",
    [{"consent_header": "may-ask"}, {"consent_topics": ["text"]}],
    ids=["header", "topic"],
)
def test_where_consent_is_asked_for_canaries_are_of_a_file(consent: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"teacher: .*set canaries to a file"):
        load_settings(teacher={"canaries_per_hour": 1, **consent})
    load_settings(teacher=consent)
    load_settings(teacher={"canaries_per_hour": 1})
    load_settings(teacher={"canaries_per_hour": 1, "canaries": "canaries.jsonl", **consent})


@pytest.mark.parametrize(
    ("teacher", "foreign"),
    [
        ({}, False),
        ({"model": "gpt-4.1-mini"}, False),
        ({"model": "other"}, True),
        ({"model": "other", "price_in_usd_per_million": 0.4}, False),
    ],
)
def test_prices_belong_to_the_default_model(teacher: dict[str, Any], *, foreign: bool) -> None:
    assert load_settings(teacher=teacher).teacher.prices_are_another_models is foreign


@pytest.mark.parametrize("temperature", ["auto", "none", 0, 0.7])
def test_a_temperature_is_a_number_or_a_word(temperature: str | float) -> None:
    assert load_settings(teacher={"temperature": temperature}).teacher.temperature == temperature


@pytest.mark.parametrize("temperature", ["hot", -1, float("nan")])
def test_another_temperature_is_refused(temperature: str | float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        load_settings(teacher={"temperature": temperature})

"""What is found by its check digits, or by a country's numbering plan."""

from __future__ import annotations

import pytest

from schemas.errors import ConfigError
from schemas.settings.redaction import COUNTRIES, RedactionSettings
from stream.teacher.redaction.numbers import cards, ibans, ids_of, number_finders, phones_of


def test_a_card_is_found_however_it_is_grouped_and_whatever_follows() -> None:
    text = "4111 1111 1111 1111 12/26, 5500000000000004 and 3782-822463-10005"
    found = {text[a:b] for a, b, _ in cards(text)}
    assert {"4111 1111 1111 1111", "5500000000000004", "3782-822463-10005"} <= found


def test_a_number_whose_last_digit_does_not_check_is_no_card() -> None:
    assert list(cards("4111 1111 1111 1112 and 0000 0000 0000 0000")) == []


def test_an_iban_ends_where_it_ends() -> None:
    text = "to DE89 3704 0044 0532 0130 00 and gb82west12345698765432."
    found = [text[a:b] for a, b, _ in ibans(text)]
    assert found == ["DE89 3704 0044 0532 0130 00", "gb82west12345698765432"]
    assert list(ibans("DE88 3704 0044 0532 0130 00")) == []


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("br", "529.982.247-25"),
        ("es", "12345678Z"),
        ("gb", "943 476 5919"),
        ("pl", "44051401359"),
        ("in", "2341 2341 2346"),
        ("fr", "2 95 10 99 126 111 93"),
        ("fi", "131052-308T"),
        ("us", "536-90-4399"),
    ],
)
def test_national_numbers_are_found_where_their_country_is_named(country: str, number: str) -> None:
    text = f"see {number} there"
    assert (4, 4 + len(number), "id") in set(ids_of([country])(text))
    assert list(ids_of([])(text)) == []


def test_days_years_and_network_addresses_are_no_national_numbers() -> None:
    assert list(ids_of(COUNTRIES)("1952-1959, 2013-09-01, 192.168.1.10, 12 rooms")) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("from +49 170 1234567 today", "+49 170 1234567"),
        ("ring (030) 123 4567", "(030) 123 4567"),
        ("212-555-0123 x12", "212-555-0123 x12"),
        ("tel 12 34 56 78", "12 34 56 78"),
    ],
)
def test_phone_numbers_are_found(text: str, number: str) -> None:
    found = {text[a:b] for a, b, _ in phones_of(["us", "de"])(text)}
    assert number in found


def test_years_and_amounts_are_no_phone_numbers() -> None:
    text = "2019-2020, 1,234,567 people on 2024-05-01 in 10 000 rooms"
    assert list(phones_of(COUNTRIES)(text)) == []


def test_a_country_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="XX"):
        number_finders(RedactionSettings(countries=("xx",)))

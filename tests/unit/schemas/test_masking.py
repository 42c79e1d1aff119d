from __future__ import annotations

import pytest

from schemas.masking import masked_place, without_logins, without_queries


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("https://me:pw@host/v1", "https://****@host/v1"),
        ("https://me:canary@canary@host/v1", "https://****@host/v1"),
        ("https://me:canary/canary@host/v1", "https://****@host/v1"),
        ("https://me:123/canary@host/v1", "https://****@host/v1"),
        ("https://me:canary?canary@host/v1", "https://****@host/v1"),
        ("https://me:canary#canary@host/v1", "https://****@host/v1"),
        (
            "https://host/v1?api-version=2024&key=canary",
            "https://host/v1?api-version=2024&key=****",
        ),
        ("https://host/v1?code=canary;x=canary#canary", "https://host/v1?code=****;x=****#****"),
        ("https://host/v1?canary", "https://host/v1?****"),
        ("https://host/v1#canary", "https://host/v1#****"),
        ("https:/me:canary@host/task.yaml", "https:/****@host/task.yaml"),
        ("me:canary@host/v1", "****@host/v1"),
        ("a:9092,me:canary@b:9092", "a:9092,****@b:9092"),
        ("a:9092,b:9092", "a:9092,b:9092"),
        ("s3://bucket/models", "s3://bucket/models"),
        ("me@corp.example", "me@corp.example"),
        ("models/what?#", "models/what?#"),
    ],
)
def test_a_place_is_shown_without_what_may_be_secret(place: str, shown: str) -> None:
    assert masked_place(place) == shown


def test_a_text_is_told_without_the_logins_and_queries_of_its_urls() -> None:
    text = "GET https://me:can/a@ry@host/x?sig=canary failed"
    assert without_queries(without_logins(text)) == "GET https://host/x failed"

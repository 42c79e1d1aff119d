from __future__ import annotations

from typing import Any

import pytest

from schemas.settings import KafkaSettings
from stream.kafka.acls import Allowed, allowed, writers
from stream.testing.apache_kafka import ApacheKafka

TOPIC, LITERAL, PREFIXED = 2, 3, 4
ALL, READ, WRITE = 2, 3, 4
DENY, ALLOW = 2, 3


def rule(principal: str, operation: int = WRITE, kind: int = ALLOW) -> tuple[Any, ...]:
    return principal, "*", operation, kind


def test_who_may_write_is_who_is_allowed_to_write_or_everything() -> None:
    rules = [
        rule("User:distill"),
        rule("User:admin", ALL),
        rule("User:tag", READ),
        rule("User:evil", WRITE, DENY),
    ]
    assert allowed(0, [(TOPIC, "s.promotions", LITERAL, rules)]) == [
        Allowed("User:distill", "s.promotions"),
        Allowed("User:admin", "s.promotions"),
    ]


@pytest.mark.parametrize(
    ("pattern", "name", "covers"),
    [
        (LITERAL, "s.promotions", True),
        (LITERAL, "s.", False),
        (LITERAL, "*", True),
        (PREFIXED, "s.", True),
        (PREFIXED, "t.", False),
    ],
)
def test_rules_are_of_one_topic_of_a_prefix_or_of_all(
    pattern: int,
    name: str,
    covers: bool,  # noqa: FBT001 - of the table above
) -> None:
    found = allowed(0, [(TOPIC, name, pattern, [rule("User:*")])])
    assert not isinstance(found, str)
    assert [one.covers("s.promotions") for one in found] == [covers]


@pytest.mark.parametrize(
    ("code", "said"), [(54, "no authorizer"), (31, "not ours to see"), (35, "not told")]
)
def test_what_the_broker_does_not_tell_is_said(code: int, said: str) -> None:
    assert allowed(code, []) == said


@pytest.mark.kafka
async def test_a_broker_without_an_authorizer_says_so(apache_kafka: ApacheKafka) -> None:
    kafka = KafkaSettings(bootstrap_servers=apache_kafka.bootstrap_servers, startup_timeout_s=30)
    assert await writers(kafka) == "no authorizer"

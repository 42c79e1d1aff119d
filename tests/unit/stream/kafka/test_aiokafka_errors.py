from __future__ import annotations

import pytest
from aiokafka.errors import (
    AuthenticationFailedError,
    GroupAuthorizationFailedError,
    InvalidSessionTimeoutError,
    InvalidTopicError,
    InvalidTransactionTimeout,
    KafkaTimeoutError,
    NodeNotReadyError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    UnsupportedVersionError,
)

from schemas.errors import ConfigError
from stream.kafka.aiokafka_errors import may_pass, refuse_the_hopeless, too_few_replicas


@pytest.mark.parametrize("error", [NodeNotReadyError(), KafkaTimeoutError(), OSError()])
def test_what_may_pass_is_neither_final_nor_hopeless(error: Exception) -> None:
    assert may_pass(error)
    refuse_the_hopeless(error, "kafka:9092")


def test_an_error_that_the_question_itself_made_does_not_pass() -> None:
    assert not may_pass(InvalidTopicError())


@pytest.mark.parametrize("error", [NotEnoughReplicasError(), NotEnoughReplicasAfterAppendError()])
def test_a_topic_that_takes_no_records_for_want_of_replicas_is_told(error: Exception) -> None:
    told = too_few_replicas(error, "s.promotions")
    assert str(told).startswith("topic s.promotions takes no records: fewer of its replicas")
    assert too_few_replicas(NodeNotReadyError(), "s.promotions") is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AuthenticationFailedError("password"), "kafka:9092 refuses us: .*password"),
        (GroupAuthorizationFailedError("group"), "refuses us: .*group"),
        (InvalidSessionTimeoutError(), r"kafka\.session_timeout_ms must lie between"),
        (InvalidTransactionTimeout(), r"kafka\.transaction_timeout_ms must not exceed"),
        (UnsupportedVersionError("22"), r"set kafka\.delivery to at_least_once"),
    ],
)
def test_what_no_waiting_mends_says_what_does(error: Exception, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        refuse_the_hopeless(error, "kafka:9092")

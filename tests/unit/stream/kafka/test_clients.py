from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka.errors import (
    AuthenticationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
)

from schemas.errors import BrokerUnavailableError, ConfigError
from schemas.settings import KafkaSettings
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker, free_port
from stream.testing.fake_time import NO_WAIT


class FlakyClient:
    """Starts only when its errors are used up."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors = errors
        self.stopped = False

    async def start(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def stop(self) -> None:
        self.stopped = True


async def test_a_broker_that_comes_up_late_is_waited_for() -> None:
    errors: list[Exception] = [KafkaConnectionError("no"), OSError("no")]
    made: list[FlakyClient] = []

    def make() -> FlakyClient:
        made.append(FlakyClient(errors))
        return made[-1]

    client = await clients.start_with_retry(make, timeout_s=30, backoff=NO_WAIT)
    assert client is made[2]
    assert [one.stopped for one in made] == [True, True, False]


async def test_after_the_set_time_it_gives_up_and_says_where_it_knocked() -> None:
    port = free_port()
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", startup_timeout_s=0.3)
    began_s = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=rf"127\.0\.0\.1:{port} within 0\.3 s"):
        async with clients.started(lambda: clients.admin(settings), settings=settings):
            pass
    assert time.monotonic() - began_s < 20


async def test_a_client_that_hangs_is_cut_off_after_the_set_time() -> None:
    class Hanging(FlakyClient):
        async def start(self) -> None:
            await asyncio.Event().wait()

    with pytest.raises(BrokerUnavailableError):
        await clients.start_with_retry(lambda: Hanging([]), timeout_s=0.1)


async def test_wrong_credentials_are_not_tried_again() -> None:
    with pytest.raises(ConfigError, match="refuses us"):
        await clients.start_with_retry(
            lambda: FlakyClient([AuthenticationFailedError("password")]), timeout_s=30
        )


async def test_a_client_is_stopped_after_use_and_after_an_error() -> None:
    client = FlakyClient([])
    with pytest.raises(ZeroDivisionError):
        async with clients.started(lambda: client, settings=KafkaSettings()):
            raise ZeroDivisionError
    assert client.stopped


def failing_first(*errors: Exception) -> Callable[[FlakyClient], Awaitable[str]]:
    left = list(errors)

    async def question(client: FlakyClient) -> str:
        assert not client.stopped
        if left:
            raise left.pop(0)
        return "answer"

    return question


async def test_a_question_that_a_broker_is_not_ready_for_is_put_again_with_a_new_client() -> None:
    made: list[FlakyClient] = []

    def make() -> FlakyClient:
        made.append(FlakyClient([]))
        return made[-1]

    question = failing_first(NodeNotReadyError("2"), KafkaTimeoutError(), OSError())
    answer = await clients.ask(make, question, settings=KafkaSettings(), backoff=NO_WAIT)
    assert answer == "answer"
    assert [client.stopped for client in made] == [True] * 4


@pytest.mark.parametrize("error", [NodeNotReadyError("2"), OSError("2")])
async def test_a_question_that_is_never_answered_is_given_up_after_the_set_time(
    error: Exception,
) -> None:
    settings = KafkaSettings(startup_timeout_s=0.2)
    with pytest.raises(BrokerUnavailableError, match=r"within 0\.2 s: .*2"):
        await clients.ask(
            lambda: FlakyClient([]), failing_first(*[error] * 1_000), settings=settings
        )


async def test_a_question_that_hangs_is_cut_off_after_the_set_time() -> None:
    async def question(_: FlakyClient) -> None:
        await asyncio.Event().wait()

    settings = KafkaSettings(startup_timeout_s=0.1)
    with pytest.raises(BrokerUnavailableError):
        await clients.ask(lambda: FlakyClient([]), question, settings=settings)


async def test_an_error_that_does_not_pass_is_raised_at_once() -> None:
    with pytest.raises(InvalidTopicError):
        await clients.ask(
            lambda: FlakyClient([]), failing_first(InvalidTopicError("?")), settings=KafkaSettings()
        )


async def test_a_question_that_may_not_be_put_is_not_put_again() -> None:
    question = failing_first(TopicAuthorizationFailedError("text"))
    with pytest.raises(ConfigError, match="refuses us"):
        await clients.ask(lambda: FlakyClient([]), question, settings=KafkaSettings())


async def test_sasl_without_credentials_says_what_is_missing() -> None:
    settings = KafkaSettings(security_protocol="SASL_SSL")
    with pytest.raises(ConfigError, match=r"kafka\.sasl_password"):
        clients.admin(settings)


async def test_a_certificate_file_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    settings = KafkaSettings(security_protocol="SSL", ssl_cafile=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"kafka\.ssl_cafile"):
        clients.producer(settings)


async def test_a_broker_without_transactions_is_told_apart_from_one_that_is_away(
    embedded_broker: EmbeddedBroker,
) -> None:
    settings = KafkaSettings(bootstrap_servers=embedded_broker.bootstrap_servers)
    with pytest.raises(ConfigError, match="at_least_once"):
        await clients.check_transactions(settings, transactional_id="probe")

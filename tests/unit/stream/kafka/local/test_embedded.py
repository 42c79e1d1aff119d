from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailableError, ConfigError
from stream.kafka.local.embedded import EmbeddedBroker, answers


async def test_it_answers_while_the_context_lasts_and_is_gone_after() -> None:
    async with EmbeddedBroker() as broker:
        port = int(broker.bootstrap_servers.rsplit(":", 1)[1])
        assert await asyncio.to_thread(answers, port)
        assert broker.pid > 0
    assert not await asyncio.to_thread(answers, port)
    with pytest.raises(BrokerUnavailableError):
        _ = broker.pid


def test_two_run_side_by_side() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.bootstrap_servers != other.bootstrap_servers


def test_stopping_twice_is_fine() -> None:
    broker = EmbeddedBroker().start()
    broker.stop()
    broker.stop()


def test_a_broker_that_does_not_start_says_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "tansu"
    broken.write_text("#!/bin/sh\necho it broke\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(broken))
    with pytest.raises(BrokerUnavailableError, match="it broke"):
        EmbeddedBroker().start()


def test_without_a_binary_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", "/nowhere/tansu")
    with pytest.raises(ConfigError, match="no binary for this machine"):
        EmbeddedBroker().start()

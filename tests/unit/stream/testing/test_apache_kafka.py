from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.settings import KafkaSettings
from stream.kafka.topics import TopicSpec, create_topics, partition_counts
from stream.testing.apache_kafka import ApacheKafka, kafka_libs


def test_an_empty_folder_holds_no_kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA_LIBS", str(tmp_path))
    assert kafka_libs() is None
    with pytest.raises(ConfigError, match="make kafka"):
        ApacheKafka().start_all()


@pytest.mark.parametrize(
    ("version", "runs"), [('"1.8.0_392"', False), ('"11.0.2"', False), ('"17.0.9" 2023', True)]
)
def test_a_java_that_is_too_old_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, *, runs: bool
) -> None:
    (tmp_path / "kafka_2.13-4.4.0.jar").touch()
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version {version}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("SILVERSTREAM_KAFKA_LIBS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (kafka_libs() == tmp_path) is runs


@pytest.mark.kafka
async def test_a_killed_broker_comes_back_with_its_topics(apache_kafka: ApacheKafka) -> None:
    del apache_kafka  # asked for only to skip where it would
    cluster = await asyncio.to_thread(ApacheKafka().start_all)
    try:
        kafka = KafkaSettings(bootstrap_servers=cluster.bootstrap_servers)
        await create_topics(kafka, [TopicSpec("kept", 2, 1)])
        cluster.kill(1)
        assert cluster.pids == {}
        await asyncio.to_thread(cluster.start, 1)
        assert await partition_counts(kafka, ["kept"]) == {"kept": 2}
    finally:
        cluster.stop_all()

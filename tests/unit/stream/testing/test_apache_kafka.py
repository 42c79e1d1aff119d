from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.settings import KafkaSettings
from stream.errors import ConfigError
from stream.kafka.topics import TopicSpec, create_topics, partition_counts
from stream.testing.apache_kafka import ApacheKafka, kafka_libs


def test_an_empty_folder_holds_no_kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA_LIBS", str(tmp_path))
    assert kafka_libs() is None
    with pytest.raises(ConfigError, match="make kafka"):
        ApacheKafka().start_all()


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

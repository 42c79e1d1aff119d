from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.settings import Settings, load_settings
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.cli.main import main
from stream.kafka.canaries import CanaryLog
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.kafka.topics import TopicSpec, create_topics
from stream.testing.messages import a_canary

TASK = Task("test", "en", (LabelSpec("PER"),))


@pytest.fixture
def config(tmp_path: Path, embedded_broker: EmbeddedBroker) -> Path:
    (tmp_path / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    path = tmp_path / "settings.yaml"
    kafka = {
        "bootstrap_servers": embedded_broker.bootstrap_servers,
        "topic_prefix": f"{tmp_path.name}.",
    }
    values = {"task": str(tmp_path / "task.yaml"), "kafka": kafka}
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


async def _changed(settings: Settings) -> None:
    """Write the history of a teacher that refuses everything from some time on."""
    topic = TopicNames.of(settings.kafka).canaries
    await create_topics(settings.kafka, [TopicSpec(topic, 1, 1)])
    for at in range(60):
        outcome = "answered" if at < 40 else "refused"
        entry = a_canary(text_digest=str(at % 3), at_ms=at, outcome=outcome)
        await append(settings.kafka, topic, key=b"test", value=Codec().encode(entry, topic))


def test_an_acceptance_says_why_and_ends_the_doubt_once(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(config)
    asyncio.run(_changed(settings))
    log = CanaryLog(settings.kafka, "test", Codec())
    assert [hold.is_open for hold in asyncio.run(log.holds())] == [True]
    accept = ["teacher", "accept", "--config", str(config), "--reason"]
    with pytest.raises(SystemExit):
        main([*accept, "  "])
    with pytest.raises(SystemExit) as ended:
        main([*accept, "a better model"])
    assert ended.value.code == 0
    assert (
        "accepted: what the teacher has said since 1970-01-01T00:00:00Z" in capsys.readouterr().out
    )

    trust = asyncio.run(CanaryLog(settings.kafka, "test", Codec()).trust())
    assert [(hold.is_open, hold.released) for hold in trust.holds] == [(False, True)]
    assert trust.accepted is not None
    assert trust.accepted.reason == "a better model"
    with pytest.raises(SystemExit) as ended:
        main([*accept, "once more"])
    assert ended.value.code == 1
    assert "nothing to accept" in capsys.readouterr().err

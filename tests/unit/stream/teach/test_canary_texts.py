from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import ConfigError, SchemaRegistryUnavailableError
from schemas.files.task import LabelSpec, Task
from schemas.settings import KafkaSettings
from schemas.types import Entity, SilverLabel, text_digest
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.kafka.topics import TopicSpec, create_topics
from stream.teach.canary_texts import MOST_TEXTS, FileTexts, LabelledTexts
from stream.testing.messages import a_label

TASK = Task("test", "en", (LabelSpec("PER"),))
_numbers = itertools.count()


def a_file(folder: Path, n: int, label: str = "PER") -> Path:
    path = folder / "canaries.jsonl"
    spans = [{"start": 0, "end": 3, "label": label}]
    lines = [json.dumps({"id": str(i), "text": f"Ada {i}", "entities": spans}) for i in range(n)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


async def test_some_texts_of_a_file_are_canaries_always_the_same_and_what_is_right_is_known(
    tmp_path: Path,
) -> None:
    chosen = await FileTexts(a_file(tmp_path, 100), TASK).choose(())
    assert len(chosen.texts) == MOST_TEXTS
    assert all(digest == text_digest(one.text) for digest, one in chosen.texts.items())
    assert {one.known for one in chosen.texts.values()} == {frozenset({(0, 3, "PER")})}
    assert await FileTexts(a_file(tmp_path, 100), TASK).choose(()) == chosen


async def test_other_texts_have_another_name(tmp_path: Path) -> None:
    few = await FileTexts(a_file(tmp_path, 5), TASK).choose(())
    more = await FileTexts(a_file(tmp_path, 6), TASK).choose(())
    assert (len(few.texts), len(more.texts)) == (5, 6)
    assert few.name != more.name


def test_a_file_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"canaries\.jsonl: the text "):
        FileTexts(a_file(tmp_path, 5, label="SONG"), TASK)


@pytest.fixture
async def kafka(embedded_broker: EmbeddedBroker) -> KafkaSettings:
    settings = KafkaSettings(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic_prefix=f"canary-texts-{next(_numbers)}.",
        startup_timeout_s=30,
    )
    await create_topics(settings, [TopicSpec(TopicNames.of(settings).silver_labels, 2, 1)])
    return settings


async def write(kafka: KafkaSettings, labels: list[SilverLabel], *, forget: bool = False) -> None:
    topic = TopicNames.of(kafka).silver_labels
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for label in labels:
            value = None if forget else Codec().encode(label, topic)
            await producer.send_and_wait(topic, value, label_key(label))


def labels(n: int, **changes: object) -> list[SilverLabel]:
    ada = (Entity(0, 3, "PER", "Ada"),)
    return [
        a_label(text=f"Ada {i}", task_digest=TASK.digest, entities=ada, **changes) for i in range(n)
    ]


async def test_without_a_file_texts_that_the_teacher_labelled_are_canaries_once_there_are_enough(
    kafka: KafkaSettings,
) -> None:
    texts = LabelledTexts(kafka, TASK, Codec())
    await write(kafka, labels(MOST_TEXTS - 1))
    await write(kafka, labels(MOST_TEXTS, source="human"))
    await write(kafka, [a_label(text="of another version", task_digest="1" * 64)])
    topic, (forged,) = TopicNames.of(kafka).silver_labels, labels(1)
    value = Codec().encode(replace(forged, text="of another key"), topic)
    await append(kafka, topic, key=label_key(forged), value=value)
    assert await texts.choose(()) is None
    await write(kafka, labels(MOST_TEXTS))
    chosen = await texts.choose(())
    assert chosen is not None
    assert chosen.texts.keys() == {text_digest(f"Ada {i}") for i in range(MOST_TEXTS)}
    assert all(one.known is None for one in chosen.texts.values())


class AwayOnceCodec(Codec):
    """A codec whose registry is away at the fifth question."""

    n = 0

    async def resolve(self, values: Iterable[bytes | None]) -> None:
        self.n += 1
        if self.n == 5:
            raise SchemaRegistryUnavailableError("it answered 503")
        await super().resolve(values)


async def test_an_outage_of_the_schema_registry_loses_no_text(kafka: KafkaSettings) -> None:
    await write(kafka, labels(MOST_TEXTS))
    texts = LabelledTexts(kafka, TASK, AwayOnceCodec())
    with pytest.raises(SchemaRegistryUnavailableError):
        await texts.choose(())
    chosen = await texts.choose(())
    assert chosen is not None
    assert len(chosen.texts) == MOST_TEXTS


async def test_those_that_were_asked_stay_and_what_is_forgotten_is_no_canary(
    kafka: KafkaSettings,
) -> None:
    await write(kafka, labels(80))
    first = await LabelledTexts(kafka, TASK, Codec()).choose(())
    assert first is not None
    others = {text_digest(f"Ada {i}") for i in range(80)} - first.texts.keys()
    texts = LabelledTexts(kafka, TASK, Codec())
    stayed = await texts.choose(others)
    assert stayed is not None
    assert stayed.texts.keys() == others
    gone = next(label for label in labels(80) if text_digest(label.text) in others)
    await write(kafka, [gone], forget=True)
    await write(kafka, [a_label(text="Ada new", task_digest=TASK.digest)])
    chosen = await texts.choose(others)
    assert chosen is not None
    assert chosen.texts.keys() == others - {text_digest(gone.text)} | {text_digest("Ada new")}

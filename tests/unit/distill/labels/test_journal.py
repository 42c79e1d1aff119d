from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from distill.labels.journal import KafkaJournal
from schemas.errors import GateError
from schemas.files.task import Task
from schemas.settings import Settings, TopicSettings
from schemas.types import SilverLabel
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_key, silver_key
from schemas.wire.topics import TopicNames
from stream.kafka import clients
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.kafka.topics import create_topics, specs
from stream.testing.messages import a_promotion

MakeLabel = Callable[..., SilverLabel]
_numbers = itertools.count()


@pytest.fixture
def kafka(embedded_broker: EmbeddedBroker) -> tuple[Settings, TopicNames]:
    """Topics of this test's own."""
    prefix = f"journal-{next(_numbers)}."
    settings = Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": embedded_broker.bootstrap_servers,
                "topic_prefix": prefix,
                "text_topic": f"{prefix}text",
            }
        }
    )
    names = TopicNames.of(settings.kafka)
    asyncio.run(create_topics(settings.kafka, specs(names, TopicSettings(partitions=2))))
    return settings, names


def write(settings: Settings, topic: str, key: bytes, value: bytes | None) -> None:
    asyncio.run(append(settings.kafka, topic, key=key, value=value))


def test_labels_are_the_newest_of_each_text_of_the_task(
    kafka: tuple[Settings, TopicNames], task: Task, make_label: MakeLabel
) -> None:
    settings, names = kafka
    topic, codec = names.silver_labels, Codec()

    def put(label: SilverLabel) -> None:
        write(settings, topic, label_key(label), codec.encode(label, topic))

    put(make_label("Ada"))
    put(newer := make_label("Ada", entities=()))
    put(kept := make_label("Bo"))
    put(make_label("gone"))
    put(standing := make_label("Di", entities=(), source="human", labelled_at_ms=1))
    put(make_label("Di", labelled_at_ms=2))
    write(settings, topic, silver_key(task.name, "gone"), None)
    put(replace(make_label("Cy"), task="places"))
    write(settings, topic, f"{task.name}:garbage".encode(), b"garbage")
    labels = KafkaJournal(settings, task).labels()
    assert sorted(label.text for label in labels) == ["Ada", "Bo", "Di"]
    assert standing in labels
    assert newer in labels
    assert kept in labels


def test_labels_under_the_keys_of_other_texts_are_as_if_they_were_not_there(
    kafka: tuple[Settings, TopicNames], task: Task, make_label: MakeLabel
) -> None:
    settings, names = kafka
    topic, codec = names.silver_labels, Codec()
    person = make_label("Ada", entities=(), source="human", labelled_at_ms=1)
    forged = make_label("Ada", labelled_at_ms=9)
    other = make_label("Bo", labelled_at_ms=2)
    for label, key in (
        (person, label_key(person)),
        (other, label_key(other)),
        (forged, silver_key(task.name, "Bo")),
        (forged, label_key(other)),
        (person, label_key(forged)),
        (replace(other, task="places"), label_key(other)),
    ):
        write(settings, topic, key, codec.encode(label, topic))
    labels = KafkaJournal(settings, task).labels()
    assert sorted(labels, key=lambda label: label.text) == [person, other]


IN_2050_MS = 2_524_608_000_000


def write_at(settings: Settings, topic: str, key: bytes, value: bytes | None, at_ms: int) -> None:
    """Write into partition 0, with a time of the producer's choice."""

    async def send() -> None:
        kafka = settings.kafka
        async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
            await producer.send_and_wait(topic, value, key, partition=0, timestamp_ms=at_ms)

    asyncio.run(send())


def test_labels_of_the_future_are_as_old_as_what_lies_before_them(
    kafka: tuple[Settings, TopicNames], task: Task, make_label: MakeLabel
) -> None:
    settings, names = kafka
    topic, codec = names.silver_labels, Codec()
    made_written_found = {
        "Ada": (1000, 1001, 1000),
        "Bo": (IN_2050_MS, 2000, 2000),
        "Cy": (IN_2050_MS, IN_2050_MS, 2000),
        "Di": (3000, 3001, 3000),
        "Ed": (2500, IN_2050_MS, 2500),
        "Flo": (9000, 5000, 5000),
    }
    for text, (made_ms, written_ms, _) in made_written_found.items():
        label = make_label(text, labelled_at_ms=made_ms)
        write_at(settings, topic, label_key(label), codec.encode(label, topic), written_ms)
    found = {label.text: label.labelled_at_ms for label in KafkaJournal(settings, task).labels()}
    assert found == {text: found_ms for text, (_, _, found_ms) in made_written_found.items()}


def test_a_promotion_of_the_future_is_as_old_as_the_one_before(
    kafka: tuple[Settings, TopicNames], task: Task
) -> None:
    settings, names = kafka
    for sequence, at_ms in enumerate((5000, IN_2050_MS, 6000), start=1):
        entry = a_promotion(
            task=task.name,
            location=f"{task.name}/v1",
            sequence=sequence,
            parent="v1" if sequence > 1 else "",
            promoted_at_ms=at_ms,
        )
        value = Codec().encode(entry, names.promotions)
        write(settings, names.promotions, task.name.encode(), value)
    history = KafkaJournal(settings, task).history()
    assert [entry.promoted_at_ms for entry in history] == [5000, 5000, 6000]


def test_who_forgets_in_the_future_forgets_no_label_that_is_written_later(
    kafka: tuple[Settings, TopicNames], task: Task, make_label: MakeLabel
) -> None:
    settings, names = kafka
    topic, codec = names.silver_labels, Codec()
    write_at(settings, topic, silver_key(task.name, "Ada"), None, IN_2050_MS)
    label = make_label("Ada", labelled_at_ms=1000)
    write_at(settings, topic, label_key(label), codec.encode(label, topic), 1001)
    assert [x.text for x in KafkaJournal(settings, task).labels()] == ["Ada"]


def test_the_newest_texts_are_those_at_the_end_of_the_text_topic(
    kafka: tuple[Settings, TopicNames], task: Task
) -> None:
    settings, names = kafka
    values = (b"old", b"Ada sings", b"  ", None, b"\xff", b"Bo sings")
    for value in values:
        asyncio.run(append(settings.kafka, names.text, key=b"one partition", value=value))

    journal = KafkaJournal(settings, task)

    assert journal.newest_texts(10) == ["Ada sings", "Bo sings"]
    assert journal.newest_texts(100) == ["old", "Ada sings", "Bo sings"]


def test_texts_that_the_teacher_may_not_see_are_none_of_the_newest(
    kafka: tuple[Settings, TopicNames], task: Task
) -> None:
    settings, names = kafka
    asyncio.run(append(settings.kafka, names.text, key=b"k", value=b"Ada sings"))

    def texts(topic: str) -> list[str]:
        teacher = settings.teacher.model_copy(update={"consent_topics": (topic,)})
        told = settings.model_copy(update={"teacher": teacher})
        return KafkaJournal(told, task).newest_texts(10)

    assert texts("another") == []
    assert texts(names.text) == ["Ada sings"]


def test_the_newest_texts_of_several_partitions_are_in_the_order_of_time(
    kafka: tuple[Settings, TopicNames], task: Task
) -> None:
    settings, names = kafka
    texts = [f"text {i}" for i in range(8)]
    for i, text in enumerate(texts):
        asyncio.run(append(settings.kafka, names.text, key=b"%d" % (i % 4), value=text.encode()))

    assert KafkaJournal(settings, task).newest_texts(100) == texts


def test_promotions_are_recorded_and_read(kafka: tuple[Settings, TopicNames], task: Task) -> None:
    settings, _ = kafka
    journal = KafkaJournal(settings, task)
    promotion = a_promotion(
        task=task.name, task_digest=task.digest, location="people/v1", metrics={"f1": 0.5}
    )
    assert journal.history() == []
    journal.record(promotion)
    assert journal.history() == [promotion]
    with pytest.raises(GateError, match="try again"):
        journal.record(promotion)


def test_going_back_needs_neither_torch_nor_pyarrow() -> None:
    """An operator rolls back from the streaming image."""
    code = (
        "import sys, distill.rollback, distill.bring_back\n"
        "print([m for m in ('torch', 'transformers', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_text_spans_say_where_the_text_topic_begins_and_ends(
    kafka: tuple[Settings, TopicNames], task: Task
) -> None:
    settings, names = kafka
    journal = KafkaJournal(settings, task)
    assert journal.text_spans() == {0: (0, 0), 1: (0, 0)}
    for key in (b"a", b"b", b"c"):
        write(settings, names.text, key, b"Ada sings")
    spans = journal.text_spans()
    assert sum(end - begin for begin, end in spans.values()) == 3

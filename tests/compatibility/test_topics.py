"""What 0.1.0 wrote to its topics is read today, and its names are still the names."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from distill.labels.standing import Entry, standing_labels
from schemas import types
from schemas.files.task_identity import Version
from schemas.settings import InputSettings, SchemaRegistrySettings
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
from schemas.wire.record_ids import label_key, record_id, silver_key
from schemas.wire.schema_registry import SchemaRegistry
from schemas.wire.topics import TopicNames
from stream.testing.schema_registry import FakeSchemaRegistry

Read = Callable[[str], Any]
Plain = Callable[[Any, Any], Any]

NAMES = TopicNames("keepsake.", "keepsake-text")


@pytest.fixture
def records(read: Read) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read("records.json")["records"]
    return found


@pytest.fixture
async def framed(read: Read) -> AsyncIterator[Codec]:
    """Decodes by a schema registry that holds the schemas of 0.1.0."""
    fake = FakeSchemaRegistry()
    for number, schema in sorted(read("confluent.json")["schemas"].items()):
        assert fake.add(schema) == int(number)
    registry = SchemaRegistry(SchemaRegistrySettings(url="http://registry"), fake.transport)
    yield Codec(registry)
    await registry.aclose()


def test_values_that_name_their_schema_are_decoded_to_what_they_meant(
    records: list[dict[str, Any]], plain: Plain
) -> None:
    codec = Codec()
    valued = [record for record in records if record["kind"] and record["value"] is not None]
    assert {record["kind"] for record in valued} == {
        "EntityEvent",
        "TeacherRequest",
        "SilverLabel",
        "Promotion",
    }
    for record in valued:
        value = codec.decode(getattr(types, record["kind"]), b64decode(record["value"]))
        assert plain(value, record["means"]) == record["means"]


async def test_values_with_a_schema_id_are_decoded_to_what_they_meant(
    read: Read, framed: Codec, plain: Plain
) -> None:
    values = read("confluent.json")["values"]
    await framed.resolve(b64decode(one["value"]) for one in values)
    for one in values:
        value = framed.decode(getattr(types, one["kind"]), b64decode(one["value"]))
        assert plain(value, one["means"]) == one["means"]


async def test_texts_of_every_format_are_read_as_they_were(read: Read, framed: Codec) -> None:
    for one in read("inputs.json"):
        value = b64decode(one["value"])
        await framed.resolve([value] if one["format"] == "avro" else [])
        settings = InputSettings(format=one["format"], text_field=one["text_field"])
        assert InputReader(settings, framed).read(value) == one["text"]


def test_the_topics_have_the_names_that_they_had(records: list[dict[str, Any]]) -> None:
    ours = {
        NAMES.text,
        NAMES.entities,
        NAMES.teacher_requests,
        NAMES.silver_labels,
        NAMES.promotions,
        NAMES.dead_letters,
    }
    assert {record["topic"] for record in records} == ours


def test_a_label_has_the_key_that_it_had(records: list[dict[str, Any]]) -> None:
    labels = [record for record in records if record["kind"] == "SilverLabel" and record["value"]]
    assert {label["means"]["source"] for label in labels} == {"human", "bootstrap", "teacher"}
    for label in labels:
        key = silver_key(label["means"]["task"], label["means"]["text"])
        assert key == b64decode(label["key"])


def test_a_persons_label_of_then_stands_against_an_answer_of_today(
    records: list[dict[str, Any]],
) -> None:
    """It lies under the one key that there was, and no teacher writes there any more."""
    labels = [record for record in records if record["kind"] == "SilverLabel" and record["value"]]
    for record in labels:
        label = Codec().decode(types.SilverLabel, b64decode(record["value"]))
        answer = replace(label, source="teacher", labelled_at_ms=label.labelled_at_ms + 1)
        log = [Entry(b64decode(record["key"]), label, 1), Entry(label_key(answer), answer, 2)]
        stands = label if label.source == "human" else answer
        assert len({entry.key for entry in log}) == len(log)
        assert standing_labels(log, versions={label.task_digest: Version()}) == [stands]


def test_a_text_has_the_id_and_the_digest_that_it_had(records: list[dict[str, Any]]) -> None:
    texts = {
        record_id(record["topic"], record["partition"], record["offset"]): record
        for record in records
        if record["topic"] == NAMES.text
    }
    events = [r for r in records if r["kind"] == "EntityEvent" and r["means"]["record_id"] in texts]
    assert events
    for event in events:
        text = texts[event["means"]["record_id"]]
        assert event["means"]["text_digest"] == types.text_digest(b64decode(text["value"]).decode())
        assert (event["partition"], event["key"]) == (text["partition"], text["key"])


def test_a_policy_has_the_digest_that_it_had(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["kind"] == "Promotion":
            promotion = Codec().decode(types.Promotion, b64decode(record["value"]))
            assert types.policy_digest(promotion.policy) == promotion.policy_digest

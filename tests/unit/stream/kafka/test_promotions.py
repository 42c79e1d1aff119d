from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from schemas.errors import GateError, SchemaRegistryUnavailableError
from schemas.settings import KafkaSettings, TopicSettings
from schemas.types import Promotion
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.promotions import (
    accepted,
    append_promotion,
    current,
    entries_of,
    follow_promotions,
    read_history,
)
from stream.kafka.signatures import new_key, public_key
from stream.kafka.topic_logs import CaughtUp, append
from stream.kafka.topics import create_topics, specs
from stream.testing.fake_time import NO_WAIT
from stream.testing.messages import a_promotion

_numbers = itertools.count()


def promotion(sequence: int, version: str = "", *, task: str = "people") -> Promotion:
    version = version or f"v{sequence}"
    return a_promotion(
        task=task,
        sequence=sequence,
        parent=f"v{sequence - 1}" if sequence > 1 else "",
        student_version=version,
        location=f"{task}/{version}",
        promoted_at_ms=1_000 + sequence,
        metrics={"f1": 0.1 + 0.2},
    )


def test_a_history_counts_from_one_without_gaps() -> None:
    one, two, three = promotion(1), promotion(2), promotion(3)
    assert accepted([one, two, three], "people") == [one, two, three]
    assert accepted([two, one, three], "people") == [one]


def test_of_two_entries_of_one_number_the_earlier_counts() -> None:
    first, late, two = promotion(1), promotion(1, "b"), promotion(2)
    assert accepted([first, late, two], "people") == [first, two]


def test_tasks_have_histories_of_their_own() -> None:
    people, places = promotion(1), promotion(1, task="places")
    assert accepted([places, people], "people") == [people]


def test_the_last_entry_is_in_force() -> None:
    assert current([]) is None
    assert current([promotion(1), promotion(2)]) == promotion(2)


def test_a_forged_entry_is_passed_over_and_takes_no_number() -> None:
    forged = replace(promotion(2, "evil"), action="rollback")
    assert accepted([promotion(1), forged, promotion(2)], "people") == [promotion(1), promotion(2)]


@settings(max_examples=40)
@given(st.lists(st.builds(promotion, st.integers(0, 4), st.sampled_from("abc")), max_size=12))
def test_whatever_the_log_holds_a_longer_log_never_changes_what_was_read(
    log: list[Promotion],
) -> None:
    histories = [accepted(log[:n], "people") for n in range(len(log) + 1)]
    for shorter, longer in itertools.pairwise(histories):
        assert longer[: len(shorter)] == shorter
    assert [entry.sequence for entry in histories[-1]] == list(range(1, len(histories[-1]) + 1))


@pytest.fixture
async def log(embedded_broker: EmbeddedBroker) -> tuple[KafkaSettings, str]:
    """A promotions topic of this test's own."""
    kafka = KafkaSettings(
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic_prefix=(prefix := f"promotions-{next(_numbers)}."),
        text_topic=f"{prefix}text",
    )
    names = TopicNames.of(kafka)
    await create_topics(kafka, specs(names, TopicSettings(partitions=1)))
    return kafka, names.promotions


async def test_what_was_appended_is_read_back(log: tuple[KafkaSettings, str]) -> None:
    kafka, topic = log
    assert await read_history(kafka, topic, Codec(), "people") == []
    for sequence in (1, 2):
        await append_promotion(kafka, topic, Codec(), promotion(sequence))
    assert await read_history(kafka, topic, Codec(), "people") == [promotion(1), promotion(2)]
    assert await read_history(kafka, topic, Codec(), "places") == []


async def test_an_entry_with_another_number_than_the_next_is_refused(
    log: tuple[KafkaSettings, str],
) -> None:
    kafka, topic = log
    await append_promotion(kafka, topic, Codec(), promotion(1))
    for sequence in (1, 3):
        with pytest.raises(GateError, match="has 1 entries by now"):
            await append_promotion(kafka, topic, Codec(), promotion(sequence, "late"))
    assert await read_history(kafka, topic, Codec(), "people") == [promotion(1)]


async def test_of_two_writers_at_once_exactly_one_wins(log: tuple[KafkaSettings, str]) -> None:
    kafka, topic = log
    rivals = [promotion(1, version) for version in ("a", "b", "c")]
    outcomes = await asyncio.gather(
        *(append_promotion(kafka, topic, Codec(), rival) for rival in rivals),
        return_exceptions=True,
    )
    winners = [rival for rival, outcome in zip(rivals, outcomes, strict=True) if outcome is None]
    assert sum(isinstance(outcome, GateError) for outcome in outcomes) == 2
    assert await read_history(kafka, topic, Codec(), "people") == winners


async def test_entries_that_cannot_be_read_are_passed_over(log: tuple[KafkaSettings, str]) -> None:
    kafka, topic = log
    for value in (b"garbage", b"", None):
        await append(kafka, topic, key=b"people", value=value)
    forged = Codec().encode(promotion(1, "forged"), topic)
    await append(kafka, topic, key=b"places", value=forged)
    await append_promotion(kafka, topic, Codec(), promotion(1))
    assert await read_history(kafka, topic, Codec(), "people") == [promotion(1)]


async def test_a_follower_gets_the_history_at_once_and_then_each_new_entry(
    log: tuple[KafkaSettings, str],
) -> None:
    kafka, topic = log
    await append_promotion(kafka, topic, Codec(), promotion(1))
    await append_promotion(kafka, topic, Codec(), promotion(2))
    async with aclosing(follow_promotions(kafka, topic, Codec(), "people")) as news:
        assert await anext(news) == [promotion(1), promotion(2)]
        late = promotion(2, "late")
        await append(kafka, topic, key=b"people", value=Codec().encode(late, topic))
        await append_promotion(kafka, topic, Codec(), promotion(3))
        assert await anext(news) == [promotion(3)]


class FlakyCodec(Codec):
    """A codec whose registry is away for every other question."""

    away = False

    async def resolve(self, values: Iterable[bytes | None]) -> None:
        self.away = not self.away
        if self.away:
            raise SchemaRegistryUnavailableError("it answered 503")
        await super().resolve(values)


async def test_a_follower_waits_for_a_schema_registry_that_is_away(
    log: tuple[KafkaSettings, str],
) -> None:
    kafka, topic = log
    await append_promotion(kafka, topic, Codec(), promotion(1))
    following = follow_promotions(kafka, topic, FlakyCodec(), "people", backoff=NO_WAIT)
    async with aclosing(following) as news:
        assert await anext(news) == [promotion(1)]


async def test_a_follower_of_an_empty_history_is_told_so(log: tuple[KafkaSettings, str]) -> None:
    kafka, topic = log
    async with aclosing(follow_promotions(kafka, topic, Codec(), "people")) as news:
        assert await anext(news) == []
        await append_promotion(kafka, topic, Codec(), promotion(1))
        assert await anext(news) == [promotion(1)]


def _record(entry: Promotion, offset: int) -> ConsumerRecord:
    value = Codec().encode(entry, "promotions")
    key = entry.task.encode()
    return ConsumerRecord("promotions", 0, offset, 0, 0, key, value, None, 0, len(value), ())


async def _followed(
    items: Sequence[ConsumerRecord | CaughtUp], *, now: list[Promotion]
) -> tuple[list[list[Promotion]], list[int]]:
    """Follow these items of a topic which reads as `now`; give what comes, and what was lost."""

    async def each() -> AsyncGenerator[ConsumerRecord | CaughtUp, None]:
        for item in items:
            yield item

    async def read() -> list[Promotion]:
        return list(now)

    with capture_logs() as logs:
        entries = entries_of(each(), Codec(), "people", read=read, backoff=NO_WAIT)
        found = [x async for x in entries]
    return found, [x["entries"] for x in logs if x["event"] == "promotions_lost"]


TWO = [promotion(1), promotion(2)]
KNOWN = [_record(TWO[0], 0), _record(TWO[1], 1), CaughtUp()]


async def test_a_topic_that_is_made_anew_begins_another_history_and_is_told() -> None:
    anew = promotion(1, "again")
    found = await _followed([*KNOWN, _record(anew, 0), _record(promotion(3), 1)], now=[anew])
    assert found == ([TWO, [anew]], [2])


async def test_a_topic_that_was_emptied_goes_on_counting_and_begins_another_history_too() -> None:
    anew = promotion(1, "again")
    second = replace(promotion(2), parent="again")
    found = await _followed([*KNOWN, _record(anew, 2), _record(second, 3)], now=[anew])
    assert found == ([TWO, [anew], [second]], [2])


async def test_a_history_that_is_restored_comes_whole_and_not_student_by_student() -> None:
    other = [promotion(1, "again"), replace(promotion(2), parent="again")]
    records = [_record(one, offset) for offset, one in enumerate(other)]
    assert await _followed([*KNOWN, *records], now=other) == ([TWO, other], [2])


async def test_a_rivals_late_entry_is_passed_over_and_nothing_is_lost() -> None:
    late = _record(promotion(1, "rival"), 2)
    three = promotion(3)
    found = await _followed([*KNOWN, late, _record(three, 3)], now=TWO)
    assert found == ([TWO, [three]], [])


async def test_what_does_not_fit_is_told_by_who_follows_and_not_at_each_reading(
    log: tuple[KafkaSettings, str],
) -> None:
    kafka, topic = log
    await append_promotion(kafka, topic, Codec(), promotion(1))
    forged = Codec().encode(replace(promotion(2), parent="nobody"), topic)
    await append(kafka, topic, key=b"people", value=forged)
    with capture_logs() as read:
        assert await read_history(kafka, topic, Codec(), "people") == [promotion(1)]
    with capture_logs() as followed:
        async with aclosing(follow_promotions(kafka, topic, Codec(), "people")) as news:
            assert await anext(news) == [promotion(1)]
    levels = [
        [x["log_level"] for x in logs if x["event"] == "promotion_passed_over"]
        for logs in (read, followed)
    ]
    assert levels == [["debug"], ["error"]]


async def test_with_keys_only_what_they_signed_is_history(
    log: tuple[KafkaSettings, str],
) -> None:
    kafka, topic = log
    key = new_key()
    distill = kafka.model_copy(update={"signing_key": SecretStr(key)})
    tag = kafka.model_copy(update={"trusted_keys": (public_key(key),)})
    await append_promotion(kafka, topic, Codec(), promotion(1, "forged"))
    await append_promotion(distill, topic, Codec(), promotion(1))
    assert await read_history(tag, topic, Codec(), "people") == [promotion(1)]
    with pytest.raises(GateError):  # it cannot even read back what it writes
        await append_promotion(tag, topic, Codec(), promotion(2))
    async with aclosing(follow_promotions(tag, topic, Codec(), "people")) as entries:
        assert await anext(entries) == [promotion(1)]
        await append_promotion(distill, topic, Codec(), promotion(2))
        assert await anext(entries) == [promotion(2)]
    assert await read_history(tag, topic, Codec(), "people") == [promotion(1), promotion(2)]

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.errors import BatchRefusedError, RecordsRefusedError
from stream.kafka.aiokafka_errors import may_pass
from stream.kafka.lane.sending import send_all
from stream.kafka.messages import Outgoing


class OpenBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka ships no types
    """A batch that can be looked into."""

    def __init__(self, size: int) -> None:
        super().__init__(size, 0)
        self.values: list[bytes | None] = []

    def append(self, *, value: bytes | None, **rest: Any) -> Any:
        metadata = super().append(value=value, **rest)
        if metadata is not None:
            self.values.append(value)
        return metadata


class FakeProducer:
    """Takes batches; refuses those in which `refuse` finds a value."""

    def __init__(
        self, *, refuse: dict[bytes, Exception] | None = None, batch_size: int = 1_000
    ) -> None:
        self.refuse = refuse or {}
        self.batch_size = batch_size
        self.taken: list[tuple[str, int, list[bytes | None]]] = []

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def create_batch(self) -> OpenBatch:
        return OpenBatch(self.batch_size)

    async def send_batch(
        self, batch: OpenBatch, topic: str, *, partition: int
    ) -> asyncio.Future[None]:
        delivery: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        errors = [self.refuse[value] for value in batch.values if value in self.refuse]
        if errors:
            delivery.set_exception(errors[0])
        else:
            self.taken.append((topic, partition, batch.values))
            delivery.set_result(None)
        return delivery


async def send(producer: Any, *records: Outgoing, singly: bool = False) -> None:
    items = list(enumerate(records))
    await send_all(producer, items, source_partition=4, singly=singly)


async def test_records_are_packed_by_topic_and_partition_in_order() -> None:
    producer = FakeProducer()
    a, b = Outgoing("a", b"1", partition=2), Outgoing("b", b"2", partition=2)
    await send(producer, a, b, Outgoing("a", b"3", partition=2), Outgoing("a", b"4", partition=0))
    assert sorted(producer.taken) == [("a", 0, [b"4"]), ("a", 2, [b"1", b"3"]), ("b", 2, [b"2"])]


async def test_without_a_partition_a_record_goes_to_that_of_its_source() -> None:
    producer = FakeProducer()
    await send(producer, Outgoing("a", b"1"), Outgoing("a", b"2"))
    assert producer.taken == [("a", 4 % 3, [b"1", b"2"])]


async def test_full_batches_are_followed_by_others() -> None:
    producer = FakeProducer(batch_size=200)
    values = [b"%04d" % number * 10 for number in range(20)]
    await send(producer, *(Outgoing("a", value) for value in values))
    assert len(producer.taken) > 1
    assert [value for _, _, batch in producer.taken for value in batch] == values


async def test_a_record_larger_than_a_batch_goes_alone() -> None:
    producer = FakeProducer(batch_size=200)
    await send(producer, Outgoing("a", b"x" * 900))
    assert producer.taken == [("a", 1, [b"x" * 900])]


async def test_a_refused_batch_says_so() -> None:
    producer = FakeProducer(refuse={b"2": MessageSizeTooLargeError()})
    with pytest.raises(BatchRefusedError):
        await send(producer, Outgoing("a", b"1"), Outgoing("a", b"2"))


async def test_what_no_request_can_hold_is_refused_without_asking_the_broker() -> None:
    huge = Outgoing("a", b"x" * 1_100_000)
    with pytest.raises(BatchRefusedError):
        await send(FakeProducer(), huge)
    with pytest.raises(RecordsRefusedError) as caught:
        await send(FakeProducer(), Outgoing("a", b"1"), huge, singly=True)
    assert caught.value.offsets == {1}


async def test_sent_singly_the_culprit_is_found_with_all_that_are_as_large() -> None:
    big, bigger = b"x" * 50, b"y" * 60
    producer = FakeProducer(refuse={big: MessageSizeTooLargeError()})
    records = [Outgoing("a", value) for value in (b"1", big, b"2", bigger)]
    with pytest.raises(RecordsRefusedError) as caught:
        await send(producer, *records, singly=True)
    assert caught.value.offsets == {1, 3}
    assert producer.taken == [("a", 1, [b"1"])]


async def test_a_refused_timestamp_blames_its_record_alone() -> None:
    producer = FakeProducer(refuse={b"2": InvalidTimestampError()})
    with pytest.raises(RecordsRefusedError) as caught:
        await send(producer, Outgoing("a", b"2"), Outgoing("a", b"333"), singly=True)
    assert caught.value.offsets == {0}


async def test_culprits_of_all_partitions_are_told_together() -> None:
    producer = FakeProducer(refuse={b"2": MessageSizeTooLargeError()})
    records = [Outgoing("a", b"2", partition=0), Outgoing("a", b"2", partition=1)]
    with pytest.raises(RecordsRefusedError) as caught:
        await send(producer, *records, singly=True)
    assert caught.value.offsets == {0, 1}


async def test_a_lost_connection_weighs_more_than_a_refusal() -> None:
    producer = FakeProducer(
        refuse={b"1": MessageSizeTooLargeError(), b"2": KafkaConnectionError("gone")}
    )
    records = [Outgoing("a", b"1", partition=0), Outgoing("a", b"2", partition=1)]
    with pytest.raises(KafkaConnectionError):
        await send(producer, *records, singly=True)


async def test_nothing_to_send_is_fine() -> None:
    await send(FakeProducer())


async def test_a_partition_that_is_not_there_yet_is_an_error_that_may_pass() -> None:
    producer = FakeProducer()
    with pytest.raises(UnknownTopicOrPartitionError, match="a has no partition 3 yet") as caught:
        await send(producer, Outgoing("a", b"1", partition=1), Outgoing("a", b"2", partition=3))
    assert may_pass(caught.value)
    assert producer.taken == []

"""Batches that aiokafka itself can neither write nor read: bad bytes in a header's name."""

from __future__ import annotations

import struct
from collections.abc import Collection

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from schemas.settings import KafkaSettings
from stream.kafka import clients

_CRC_AT = 17
"""Where a batch's checksum stands; it is over all that follows it."""


async def feed_unreadable(kafka: KafkaSettings, n_records: int, bad: Collection[int]) -> None:
    """Write one batch to partition 0, in which the `bad` have a header name that is not UTF-8."""
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        batch = unreadable_batch(producer, n_records, bad)
        await (await producer.send_batch(batch, kafka.text_topic, partition=0))


def unreadable_batch(
    producer: AIOKafkaProducer, n_records: int, bad: Collection[int]
) -> BatchBuilder:
    """Make a batch; aiokafka writes no bad name, so they are put into what it has built."""
    good_name, placeholder = "name \N{GREEK SMALL LETTER MU}", "name ??"
    batch = producer.create_batch()
    for number in range(n_records):
        name = placeholder if number in bad else good_name
        batch.append(timestamp=None, key=None, value=b"text", headers=[(name, b"value")])
    batch.close()
    build = batch._build  # noqa: SLF001  # aiokafka has no other way to bad bytes

    def build_badly() -> bytes:
        data = bytearray(build().replace(placeholder.encode(), b"name \xff\xfe"))
        struct.pack_into(">I", data, _CRC_AT, calc_crc32c(bytes(data[_CRC_AT + 4 :])))
        return bytes(data)

    batch._build = build_badly  # noqa: SLF001  # as above
    return batch

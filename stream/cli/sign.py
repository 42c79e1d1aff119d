"""`silverstream sign`: the way from unsigned topics to signed ones, and from one key to the next.

What stands on the topics is written again, byte for byte, with a signature. Whoever has trusted
keys already passes over the unsigned; whoever has none reads both, and the copies change nothing:
promotions are numbered and the first entry of a number counts, all else goes by its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, RecordMetadata

from schemas.errors import ConfigError
from schemas.settings import SIGNED_TOPICS, KafkaSettings, Settings
from schemas.wire.topics import TopicNames
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka import clients
from stream.kafka.aiokafka_errors import too_few_replicas
from stream.kafka.answer_log import answer_signatures
from stream.kafka.signatures import HEADER, Signatures, unverified
from stream.kafka.topic_logs import read_since, read_to_end

_AT_ONCE = 1000
_MOST_READ = 20_000


def sign(
    config: ConfigOption = None,
    json_file: JsonOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Sign; without it, only say how many there are.")
    ] = False,
) -> None:
    """Sign the promotions, promises, silver labels and shared answers that no trusted key signed.

    Whatever stands there is believed from then on: look at it first (`silverstream lineage`).
    Stop teach meanwhile: a label that it writes just then may be overtaken by the one before.
    """
    check_writable(json_file)
    settings = command_settings(config)
    kafka, signatures = settings.kafka, answer_signatures(settings.kafka)
    if signatures.key is None:
        raise ConfigError("there is no key to sign with: kafka.signing_key, kafka.signing_key_file")
    counts = asyncio.run(_sign_all(kafka, signed_topics(settings), signatures, dry=not yes))
    if not is_printed(json_file):
        verb = "signed" if yes else "to sign (--yes signs them)"
        for topic, n in counts.items():
            print(f"{topic}: {n:,} {verb}")
    write_json(counts, json_file)


def signed_topics(settings: Settings) -> list[str]:
    """Name the topics whose records are signed: those of answers too, where they are shared."""
    names = TopicNames.of(settings.kafka)
    shared = [names.teacher_answers] if settings.teacher.answers_held_for == "cluster" else []
    return [*(settings.kafka.topic_prefix + name for name in SIGNED_TOPICS), *shared]


async def _sign_all(
    kafka: KafkaSettings, topics: Sequence[str], signatures: Signatures, *, dry: bool
) -> dict[str, int]:
    counts = {}
    for topic in topics:
        records = await unsigned_records(kafka, topic, signatures)
        counts[topic] = len(records) if dry else await write_signed(kafka, records, signatures)
    return counts


async def unsigned_records(
    kafka: KafkaSettings, topic: str, signatures: Signatures
) -> list[ConsumerRecord]:
    """Read what stands on a topic and is not signed; of the compacted ones, the newest of a key.

    A topic that was widened may have a key in several partitions: the newest of each.
    """
    found = [record async for record in read_to_end(unverified(kafka), topic)]
    if _is_compacted(kafka, topic):
        found = [*{(record.partition, record.key): record for record in found}.values()]
    return [one for one in found if signatures.fault(topic, one.key, one.value, one.headers)]


async def write_signed(
    kafka: KafkaSettings, records: Sequence[ConsumerRecord], signatures: Signatures
) -> int:
    """Write one topic's records again, signed, to their partitions and with their times.

    Looks for newer ones of their keys just before, and leaves out what these have replaced.
    Returns how many were written.
    """
    written, newer = 0, _Newer(kafka, records)
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for some in (records[i : i + _AT_ONCE] for i in range(0, len(records), _AT_ONCE)):
            replaced = await newer.look()
            left = [one for one in some if (one.partition, one.key) not in replaced]
            sending = [await _send(producer, one, signatures) for one in left]
            try:
                await asyncio.gather(*sending)
            except KafkaError as error:
                raise too_few_replicas(error, records[0].topic) or error from None
            written += len(left)
    return written


class _Newer:
    """What has come to a compacted topic since some of its records were read."""

    def __init__(self, kafka: KafkaSettings, records: Sequence[ConsumerRecord]) -> None:
        self._kafka = kafka
        self._topic = records[0].topic if records else ""
        self._since = {one.partition: 0 for one in records}
        for one in records:
            self._since[one.partition] = max(self._since[one.partition], one.offset + 1)
        self._keys: set[tuple[int, bytes | None]] = set()

    async def look(self) -> AbstractSet[tuple[int, bytes | None]]:
        """Give the partitions and keys of all that came until now."""
        if not _is_compacted(self._kafka, self._topic):
            return self._keys
        before: dict[int, int] | None = None
        while before != self._since:
            before = self._since
            found, self._since = await read_since(
                unverified(self._kafka), self._topic, before, most=_MOST_READ
            )
            self._keys |= {(one.partition, one.key) for one in found}
        return self._keys


def _is_compacted(kafka: KafkaSettings, topic: str) -> bool:
    return topic != f"{kafka.topic_prefix}promotions"


async def _send(
    producer: AIOKafkaProducer, record: ConsumerRecord, signatures: Signatures
) -> asyncio.Future[RecordMetadata]:
    kept = [(name, data) for name, data in record.headers if name != HEADER]
    signed = signatures.headers(record.topic, record.key, record.value)
    sent: asyncio.Future[RecordMetadata] = await producer.send(
        record.topic,
        record.value,
        record.key,
        partition=record.partition,
        timestamp_ms=record.timestamp,
        headers=[*kept, *signed],
    )
    return sent

"""`silverstream sign`: the way from unsigned topics to signed ones, and from one key to the next.

What stands on the topics is written again, byte for byte, with a signature. Whoever has trusted
keys already passes over the unsigned; whoever has none reads both, and the copies change nothing:
promotions are numbered and the first entry of a number counts, labels and promises go by their key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord, RecordMetadata

from schemas.errors import ConfigError
from schemas.settings import SIGNED_TOPICS, KafkaSettings
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka import clients
from stream.kafka.signatures import HEADER, Signatures
from stream.kafka.topic_logs import read_to_end

_AT_ONCE = 1000


def sign(
    config: ConfigOption = None,
    json_file: JsonOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Sign; without it, only say how many there are.")
    ] = False,
) -> None:
    """Sign the promotions, promises and silver labels that no trusted key has signed.

    Whatever stands there is believed from then on: look at it first (`silverstream lineage`).
    """
    check_writable(json_file)
    kafka = command_settings(config).kafka
    signatures = Signatures.of(kafka)
    if signatures.key is None:
        raise ConfigError("there is no key to sign with: kafka.signing_key, kafka.signing_key_file")
    counts = asyncio.run(_sign_all(kafka, signatures, dry=not yes))
    if not is_printed(json_file):
        verb = "signed" if yes else "to sign (--yes signs them)"
        for topic, n in counts.items():
            print(f"{topic}: {n:,} {verb}")
    write_json(counts, json_file)


async def _sign_all(kafka: KafkaSettings, signatures: Signatures, *, dry: bool) -> dict[str, int]:
    counts = {}
    for name in SIGNED_TOPICS:
        topic = kafka.topic_prefix + name
        records = await unsigned_records(kafka, topic, signatures)
        counts[topic] = len(records)
        if not dry:
            await write_signed(kafka, records, signatures)
    return counts


async def unsigned_records(
    kafka: KafkaSettings, topic: str, signatures: Signatures
) -> list[ConsumerRecord]:
    """Read what stands on a topic and is not signed; of the compacted ones, the newest of a key."""
    reading = {"signing_key": None, "signing_key_file": None, "trusted_keys": ()}
    unverified = kafka.model_copy(update=reading)
    found = [record async for record in read_to_end(unverified, topic)]
    if topic != f"{kafka.topic_prefix}promotions":
        found = [*{record.key: record for record in found}.values()]
    return [one for one in found if signatures.fault(topic, one.key, one.value, one.headers)]


async def write_signed(
    kafka: KafkaSettings, records: Sequence[ConsumerRecord], signatures: Signatures
) -> None:
    """Write records again, signed, to the partitions and with the times that they had."""
    async with clients.started(lambda: clients.producer(kafka), settings=kafka) as producer:
        for some in (records[i : i + _AT_ONCE] for i in range(0, len(records), _AT_ONCE)):
            await asyncio.gather(*[await _send(producer, one, signatures) for one in some])


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

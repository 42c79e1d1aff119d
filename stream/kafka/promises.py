"""The topic `promises`: what consumers may rely on, compacted by task, student and label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from schemas.errors import DecodeError
from schemas.settings import KafkaSettings
from schemas.types import Promise
from schemas.wire.codec import Codec
from schemas.wire.keyed import decode_keyed, promise_key
from schemas.wire.topics import TopicNames
from stream.kafka.topic_logs import append, end_offsets, read_to_end

_log = structlog.get_logger(__name__)


async def read_promises(settings: KafkaSettings, topic: str, codec: Codec) -> list[Promise]:
    """Read what stands, the oldest first; what cannot be read is passed over, loudly.

    It takes the place of what its key had all the same, as compaction has it: that is said again.
    """
    found: dict[bytes, Promise] = {}
    async for record in read_to_end(settings, topic):
        key = record.key or b""
        found.pop(key, None)
        if record.value is None:
            continue
        try:
            await codec.resolve([record.value])
            found[key] = decode_keyed(codec, Promise, key, record.value)
        except DecodeError as error:
            _log.warning("promise_unreadable", offset=record.offset, error=str(error))
    return list(found.values())


async def publish_promises(
    settings: KafkaSettings, names: TopicNames, codec: Codec, promises: Iterable[Promise]
) -> list[Promise]:
    """Write what is not said yet, whole records first; returns what was written.

    The offsets from which on it is said are those where the entities end now, so whoever writes
    has recorded the promotion before. Raises `TopicError` and `BrokerUnavailableError`.
    """
    standing = await read_promises(settings, names.promises, codec)
    new = unsaid(promises, standing)
    if not new:
        return []
    ends = await end_offsets(settings, names.entities)
    offsets = {str(partition): end for partition, end in ends.items()}
    await codec.prepare({names.promises: Promise})
    written = [replace(promise, offsets=offsets) for promise in new]
    for promise in written:
        value = codec.encode(promise, names.promises)
        await append(settings, names.promises, key=promise_key(promise), value=value)
    return written


def unsaid(promises: Iterable[Promise], standing: Sequence[Promise]) -> list[Promise]:
    """Give those that the topic does not say yet, wherever they hold from."""
    said = {promise_key(promise): replace(promise, offsets={}) for promise in standing}
    return [one for one in promises if said.get(promise_key(one)) != replace(one, offsets={})]

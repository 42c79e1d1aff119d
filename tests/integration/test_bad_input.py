"""Bad input through a real worker: each record is an event or a dead letter that says why.

But for a delete, of which nothing comes.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.types import TextRecord
from schemas.wire.codec import Codec
from stream.kafka.local.embedded import EmbeddedBroker

GOOD = "Ada in Oslo"
LONG = "x" * 101


def _avro(text: str) -> bytes:
    return Codec().encode(TextRecord(text), "text")


def _json(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


FORMATS: dict[str, tuple[Any, dict[bytes, str]]] = {
    "text": (
        str.encode,
        {LONG.encode(): "bad_text", b"a\xc3": "undecodable"},
    ),
    "json": (
        _json,
        {
            _json(LONG): "bad_text",
            b'{"text": null}': "bad_text",
            b'{"text": "Ada"': "undecodable",
            b'{"text": "a\xc3"}': "undecodable",
            b'["Ada"]': "undecodable",
        },
    ),
    "avro": (
        _avro,
        {
            _avro(LONG): "bad_text",
            _avro(GOOD)[:-1]: "undecodable",
            b"\xc3\x01" + b"\x07" * 8 + b"\x02a": "undecodable",  # a fingerprint of no schema
            b"\x00\x00\x00\x00\x63\x02a": "undecodable",  # a schema id, and no registry to ask
            b"Ada": "undecodable",
        },
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
async def test_every_bad_record_is_dead_lettered_with_its_reason_and_the_rest_is_tagged(
    kind: str, make_system: Any, embedded_broker: EmbeddedBroker, until: Any
) -> None:
    encode, bad = FORMATS[kind]
    system = make_system(
        embedded_broker.bootstrap_servers,
        input={"format": kind, "max_text_chars": 100},
        topics={"partitions": 1},
    )
    await system.create_topics()
    await system.promote("v1")
    values = [encode(GOOD), None, *bad, encode(" \n"), encode(GOOD)]
    await system.produce(values)
    worker = system.start("run", "tag")
    await worker.until_ready(student="v1")

    events = await system.until_events(3)

    async def letters() -> Any:
        found = await system.records(system.names.dead_letters)
        return found if len(found) >= len(bad) else None

    found = await until(letters, "the dead letters")
    reasons = {record.value: dict(record.headers) for record in found}
    assert {
        value: headers["__connect.errors.stage"].decode() for value, headers in reasons.items()
    } == bad
    assert all(headers["__connect.errors.exception.message"] for headers in reasons.values())
    assert [event.reason for event in events] == ["confident", "blank", "confident"]
    assert await worker.stop() == 0

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord

from schemas.errors import DecodeError
from stream.kafka.lenient import failing_unreadable
from stream.kafka.messages import Failed, Outgoing

UNREADABLE = b"\xff".decode("utf-8", "surrogateescape")


def record(offset: int, name: str) -> ConsumerRecord:
    return ConsumerRecord("text", 0, offset, 0, 0, None, b"", None, -1, 0, ((name, b""),))


async def copy(records: Sequence[ConsumerRecord]) -> list[tuple[Outgoing]]:
    assert records
    return [(Outgoing("out", b"%d" % record.offset),) for record in records]


async def test_a_delete_is_a_delete_whatever_its_headers() -> None:
    names = ((UNREADABLE, b""),)
    deleted = ConsumerRecord("text", 0, 1, 0, 0, None, None, None, -1, 0, names)
    assert await failing_unreadable(copy)([deleted]) == [()]


@pytest.mark.parametrize("bad", [(), (0,), (1, 2), (0, 1, 2, 3)])
async def test_unreadable_records_fail_and_the_processor_sees_the_others(
    bad: tuple[int, ...],
) -> None:
    records = [record(n, UNREADABLE if n in bad else "\N{SNOWMAN}") for n in range(4)]
    results = await failing_unreadable(copy)(records)
    for offset, result in enumerate(results):
        if offset in bad:
            assert isinstance(result, Failed)
            assert isinstance(result.error, DecodeError)
        else:
            assert result == (Outgoing("out", b"%d" % offset),)

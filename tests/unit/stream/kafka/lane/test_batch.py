from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord

from schemas.errors import DecodeError, OutputTooLargeError, TopicError
from stream.kafka.dead_letters import DeadLetters
from stream.kafka.lane.batch import Batch, Refusals, assemble, portions
from stream.kafka.lane.failures import Judged
from stream.kafka.messages import Failed, Outgoing

OUT = Outgoing("out", b"result")


def records(*offsets: int) -> list[ConsumerRecord]:
    return [
        ConsumerRecord("text", 0, offset, 0, 0, None, b"v", None, -1, 1, ()) for offset in offsets
    ]


def put_together(
    offsets: Sequence[int],
    results: Sequence[Sequence[Outgoing] | Failed],
    refusals: Refusals | None = None,
) -> Batch:
    return assemble(
        records(*offsets),
        results,
        letters=DeadLetters(topic="dead", app="a"),
        refusals=refusals or Refusals(),
    )


def _of_sizes(*sizes: int | None) -> list[ConsumerRecord]:
    values = [None if size is None else b"x" * size for size in sizes]
    return [
        ConsumerRecord("text", 0, offset, 0, 0, None, value, None, -1, 1, ())
        for offset, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([3, 3, 4, 1], [[0, 1, 2], [3]]),
        ([11], [[0]]),
        ([11, 12, 1, 1], [[0], [1], [2, 3]]),
        ([1, 11, 1], [[0], [1], [2]]),
        ([None, 10, None, 1], [[0, 1, 2], [3]]),
    ],
)
def test_portions_hold_what_fits_and_a_larger_record_alone(
    sizes: list[int | None], expected: list[list[int]]
) -> None:
    split = portions(_of_sizes(*sizes), max_bytes=10)
    assert [[record.offset for record in portion] for portion in split] == expected


def test_outputs_carry_the_offset_they_come_from_and_the_batch_ends_after_its_last() -> None:
    batch = put_together([4, 7, 9], [(OUT,), (), (OUT, OUT)])
    assert batch.outgoing == [(4, OUT), (9, OUT), (9, OUT)]
    assert (batch.first_offset, batch.next_offset, batch.n_records) == (4, 10, 3)
    assert batch.errors == []


def test_a_failed_record_becomes_a_dead_letter_and_the_others_stay() -> None:
    error = DecodeError("x")
    batch = put_together([0, 1], [Failed(error), (OUT,)])
    assert [(offset, output.topic) for offset, output in batch.outgoing] == [
        (0, "dead"),
        (1, "out"),
    ]
    assert batch.errors == [(0, error)]


def test_failures_are_told_from_good_records_and_deletes_are_neither() -> None:
    error = DecodeError("x")
    batch = put_together([4, 5, 6, 9], [Failed(error), (OUT,), (), (OUT,)])
    assert batch.judged == [Judged(4, error), Judged(5, None), Judged(9, None)]
    assert (batch.n_deletes, batch.next_offset) == (1, 10)
    assert [offset for offset, _ in batch.outgoing] == [4, 5, 9]


def test_a_processor_that_answers_for_other_records_than_it_was_given_is_a_bug() -> None:
    with pytest.raises(ValueError, match="shorter"):
        put_together([0, 1], [(OUT,)])


def test_a_refused_output_becomes_a_dead_letter_then_one_without_value_then_a_halt() -> None:
    refusals = Refusals()
    refusals.records(frozenset({1}))
    batch = put_together([0, 1], [(OUT,), (OUT,)], refusals)
    assert batch.outgoing[0] == (0, OUT)
    assert batch.outgoing[1][1].value == b"v"
    assert isinstance(batch.errors[0][1], OutputTooLargeError)
    refusals.records(frozenset({1}))
    assert put_together([0, 1], [(OUT,), (OUT,)], refusals).outgoing[1][1].value == b""
    refusals.records(frozenset({1}))
    with pytest.raises(TopicError, match="dead refuses even"):
        put_together([0, 1], [(OUT,), (OUT,)], refusals)


def test_a_refused_dead_letter_goes_without_its_value_at_once() -> None:
    refusals = Refusals()
    refusals.records(frozenset({0}))
    batch = put_together([0], [Failed(DecodeError("x"))], refusals)
    assert batch.outgoing[0][1].value == b""
    assert isinstance(batch.errors[0][1], DecodeError)


def test_a_refused_output_is_no_failure_of_the_processor() -> None:
    refusals = Refusals()
    refusals.records(frozenset(range(4)))
    batch = put_together(range(4), [(OUT,)] * 4, refusals)
    assert len(batch.errors) == 4
    assert batch.judged == [Judged(offset, None) for offset in range(4)]


def test_a_refused_batch_is_sent_singly_until_it_is_through() -> None:
    refusals = Refusals()
    batch = put_together([5, 6], [(OUT,), (OUT,)])
    assert not refusals.singly(batch)
    refusals.batch(batch)
    assert refusals.singly(batch)
    assert refusals.singly(put_together([6], [(OUT,)]))
    assert not refusals.singly(put_together([7], [(OUT,)]))


def test_what_is_settled_is_forgotten() -> None:
    refusals = Refusals()
    refusals.records(frozenset({3, 8}))
    refusals.settled(put_together([3, 4], [(OUT,), (OUT,)]))
    assert (refusals.strikes(3), refusals.strikes(8)) == (0, 1)

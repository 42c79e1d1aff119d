from __future__ import annotations

from typing import Any

import pytest
from aiokafka import ConsumerRecord
from structlog.testing import capture_logs

from schemas.errors import DecodeError, OutputTooLargeError, TextError, TopicError
from stream.kafka.dead_letters import DeadLetters, bury
from stream.kafka.messages import Outgoing

LETTERS = DeadLetters(topic="dead", app="silverstream")


def record(value: bytes | None = b"\xff raw", headers: tuple[Any, ...] = ()) -> ConsumerRecord:
    return ConsumerRecord(
        topic="text",
        partition=3,
        offset=41,
        timestamp=1,
        timestamp_type=0,
        key=b"k",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=5,
        headers=headers,
    )


def test_bytes_key_and_headers_stay_as_they_were() -> None:
    letter = LETTERS.letter(record(headers=(("trace", b"1"), ("trace", b"2"))), DecodeError("x"))
    assert (letter.topic, letter.value, letter.key) == ("dead", b"\xff raw", b"k")
    assert letter.headers[:2] == (("trace", b"1"), ("trace", b"2"))


def test_a_header_name_that_is_not_utf_8_is_written_out() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    letter = LETTERS.letter(record(headers=((name, b"1"),)), DecodeError("x"))
    assert letter.headers[0] == (r"caf\xe9", b"1")


def test_headers_say_where_it_came_from_and_why() -> None:
    letter = LETTERS.letter(record(), TextError("longer than 20000"))
    headers = dict(letter.headers)
    assert headers.pop("__connect.errors.timestamp").isdigit()
    assert headers == {
        "origin-record-id": b"text-3-41",
        "__connect.errors.topic": b"text",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"41",
        "__connect.errors.connector.name": b"silverstream",
        "__connect.errors.stage": b"bad_text",
        "__connect.errors.exception.class.name": b"TextError",
        "__connect.errors.exception.message": b"longer than 20000",
    }


def test_a_replayed_dead_letter_keeps_its_first_origin_and_tells_the_latest_reason() -> None:
    first = LETTERS.letter(record(), DecodeError("one"))
    again = LETTERS.letter(record(headers=first.headers), TextError("two"))
    assert [v for n, v in again.headers if n == "origin-record-id"] == [b"text-3-41"]
    assert [v for n, v in again.headers if n.endswith("exception.message")] == [b"two"]


@pytest.mark.parametrize("value", [None, b""])
def test_a_null_or_empty_value_stays_what_it_is(value: bytes | None) -> None:
    assert LETTERS.letter(record(value), DecodeError("x")).value == value


def test_a_message_is_cut_and_never_breaks_the_header() -> None:
    letter = LETTERS.letter(record(), DecodeError("\ud800" * 9_000))
    assert len(dict(letter.headers)["__connect.errors.exception.message"]) == 500


def test_one_too_large_loses_value_key_and_foreign_headers_but_not_its_origin() -> None:
    big = record(headers=(("big", b"x" * 999),))
    small = LETTERS.letter(big, DecodeError("x"), refused=1)
    headers = dict(small.headers)
    assert (small.value, small.key) == (b"", None)
    assert headers["origin-record-id"] == b"text-3-41"
    assert headers["silverstream-dropped-bytes"] == b"6"
    assert "big" not in headers


class Graveyard:
    """Refuses the first letters, then takes them."""

    def __init__(self, *, refuse: int = 0) -> None:
        self.refuse = refuse
        self.taken: list[tuple[Outgoing, int | None]] = []

    async def deliver(self, outgoing: Outgoing, /, *, beside: int | None) -> None:
        self.refuse -= 1
        if self.refuse >= 0:
            raise OutputTooLargeError("too large")
        self.taken.append((outgoing, beside))


@pytest.mark.parametrize(("refuse", "value"), [(0, b"\xff raw"), (1, b"")])
async def test_a_record_is_buried_once_as_whole_as_the_brokers_allow(
    refuse: int, value: bytes
) -> None:
    graveyard = Graveyard(refuse=refuse)
    with capture_logs() as logs:
        await bury(LETTERS, record(), DecodeError("x"), deliver=graveyard.deliver)
    ((letter, beside),) = graveyard.taken
    assert (letter.value, beside) == (value, 3)
    assert [(entry["record_id"], entry["code"]) for entry in logs] == [("text-3-41", "undecodable")]


async def test_where_even_the_smallest_letter_is_refused_a_person_must_look() -> None:
    graveyard = Graveyard(refuse=2)
    with pytest.raises(TopicError, match="dead refuses even"):
        await bury(LETTERS, record(), DecodeError("x"), deliver=graveyard.deliver)
    assert graveyard.taken == []

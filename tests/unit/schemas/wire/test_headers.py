from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.wire.headers import (
    MAX_CARRIED_BYTES,
    MAX_CARRIED_HEADERS,
    carried,
    event_headers,
    request_headers,
)
from stream.testing.messages import a_request, an_event

EVENT = an_event(task="places", record_id="news-3-41", produced_at_ms=1_700_000_000_123)

REQUEST = a_request(task="places", record_id="news-3-41", headers=(("a", b"1"),))


def test_an_event_has_the_attributes_of_cloudevents() -> None:
    assert event_headers(EVENT) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"places/news-3-41/1"),
        ("ce_source", b"/silverstream/places"),
        ("ce_type", b"silverstream.entity-event.v1"),
        ("ce_subject", b"news-3-41"),
        ("ce_time", b"2023-11-14T22:13:20.123Z"),
    ]


def test_each_revision_and_the_request_have_ids_of_their_own() -> None:
    made = [
        event_headers(EVENT),
        event_headers(replace(EVENT, revision=2)),
        request_headers(REQUEST),
    ]
    assert len({dict(headers)["ce_id"] for headers in made}) == 3


def test_a_request_carries_the_headers_that_it_holds() -> None:
    assert request_headers(REQUEST)[-1] == ("a", b"1")


def test_the_inputs_headers_are_carried_with_repeats_and_order() -> None:
    source = (("b", b"\xff"), ("a", b"1"), ("b", b""), ("origin-record-id", b"x-0-1"))
    assert event_headers(EVENT, source)[6:] == list(source)


def test_the_inputs_own_cloudevent_becomes_extensions() -> None:
    headers = event_headers(EVENT, (("ce_id", b"theirs"), ("ce_type", b"t")))
    assert headers[6:] == [("ce_inputid", b"theirs"), ("ce_inputtype", b"t")]
    assert [value for name, value in headers if name == "ce_id"] == [b"places/news-3-41/1"]


def test_the_trace_goes_on_as_header_and_as_extension() -> None:
    headers = event_headers(EVENT, (("traceparent", b"00-aa-bb-01"),))
    assert headers[6:] == [("ce_traceparent", b"00-aa-bb-01"), ("traceparent", b"00-aa-bb-01")]


def test_headers_beyond_the_bytes_are_dropped_from_the_end() -> None:
    half = b"x" * (MAX_CARRIED_BYTES // 2)
    assert list(carried((("a", half), ("b", half), ("c", b"")))) == [("a", half)]


@given(st.lists(st.tuples(st.text("a_c", max_size=3), st.binary(max_size=2000)), max_size=100))
def test_no_more_than_the_bounds_is_carried(source: list[tuple[str, bytes]]) -> None:
    kept = list(carried(tuple(source)))
    assert len(kept) <= MAX_CARRIED_HEADERS
    assert sum(len(name) + len(value) for name, value in kept) <= MAX_CARRIED_BYTES


@pytest.mark.parametrize("time_ms", [-1, 0, 253_402_300_799_999])
def test_every_time_of_the_calendar_can_be_written(time_ms: int) -> None:
    headers = dict(event_headers(replace(EVENT, produced_at_ms=time_ms)))
    assert headers["ce_time"].endswith(b"Z")


def test_the_schema_id_of_the_inputs_value_is_not_carried_to_ours() -> None:
    source = (("__value_schema_id", b"\x01" + b"g" * 16), ("__key_schema_id", b"k"), ("a", b"b"))
    assert list(carried(source)) == [("__key_schema_id", b"k"), ("a", b"b")]

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import DecodeError
from schemas.types import EntityEvent, Promotion, SilverLabel, TextRecord
from schemas.wire.avro_schemas import schema_fingerprint, versions
from schemas.wire.codec import Codec
from stream.testing.raw_avro import raw_value
from tests.unit.schemas.wire.wire_values import EVENT, KINDS, values


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.binary(max_size=80), framing=st.sampled_from(["", "single", "confluent"]))
def test_random_bytes_raise_only_decode_errors(kind: type, data: bytes, framing: str) -> None:
    single = b"\xc3\x01" + schema_fingerprint(versions(kind)[-1])
    prefix = {"": b"", "single": single, "confluent": b"\x00\x00\x00\x00\x01"}[framing]
    with suppress(DecodeError):
        Codec().decode(kind, prefix + data)


@given(value=values, data=st.data())
@settings(max_examples=100)
def test_mutated_bytes_give_a_sensible_value_or_a_decode_error(
    value: Any, data: st.DataObject
) -> None:
    good = Codec().encode(value, "topic")
    start = data.draw(st.integers(10, len(good)))
    end = data.draw(st.integers(start, min(start + 4, len(good))))
    bad = good[:start] + data.draw(st.binary(max_size=12)) + good[end:]
    try:
        again = Codec().decode(type(value), bad)
    except DecodeError:
        return
    # Whatever passes is a value like any other: it can be sent on.
    assert Codec().decode(type(value), Codec().encode(again, "topic")) == again or _has_nan(again)


def _has_nan(value: Any) -> bool:
    return isinstance(value, Promotion) and any(map(math.isnan, value.metrics.values()))


@given(values, st.data())
@settings(max_examples=50)
def test_bytes_cut_off_anywhere_raise_a_decode_error(value: Any, data: st.DataObject) -> None:
    good = Codec().encode(value, "topic")
    length = data.draw(st.integers(0, len(good) - 1))
    with pytest.raises(DecodeError):
        Codec().decode(type(value), good[:length])


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_other_types_are_refused(kind: type) -> None:
    data = Codec().encode(EVENT, "topic")
    if kind is not EntityEvent:
        with pytest.raises(DecodeError):
            Codec().decode(kind, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x00\x00",
        b"\x00\xff\xff\xff\xff\xff",
        b"\xc3",
        b"\xc3\x01",
        b"\xc3\x01" + b"x" * 8,
        b"\xc3\x02" + b"x" * 20,
        b"Obj\x01" + b"\x00" * 40,
        b'{"text": "a"}',
        b"\x1f\x8b\x08" + b"\x00" * 40,
    ],
    ids=repr,
)
def test_bytes_of_no_known_framing_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Codec().decode(TextRecord, data)
    with pytest.raises(DecodeError):
        Codec().decode_fields(data)


@pytest.mark.parametrize(
    "body",
    [
        b"\x80",
        b"\xff" * 20 + b"\x01",
        b"\x01",
        b"\x80\x80\x80\x80\x80\x40a",
        b"\x02a\x00",
        b"\x02\xff",
        b"\x06\xed\xa0\x80",
    ],
    ids=[
        "cut off varint",
        "21-byte varint",
        "length -1",
        "length 2^40",
        "trailing byte",
        "not UTF-8",
        "surrogate",
    ],
)
def test_hostile_strings_are_refused(body: bytes) -> None:
    prefix = b"\xc3\x01" + schema_fingerprint(versions(TextRecord)[-1])
    with pytest.raises(DecodeError):
        Codec().decode(TextRecord, prefix + body)
    with pytest.raises(DecodeError):
        Codec().decode_fields(prefix + body)


def test_a_million_items_in_a_few_bytes_are_refused_at_once() -> None:
    prefix = b"\xc3\x01" + schema_fingerprint(versions(EntityEvent)[-1])
    body = b"\x00\x00\x00\x00" + b"\x80\x80\x80\x80\x80\x40" + b"\x00" * 100
    with pytest.raises(DecodeError, match="more items than bytes"):
        Codec().decode(EntityEvent, prefix + body)


def test_a_decode_error_never_quotes_the_data() -> None:
    span = {"start": 0, "end": 2, "label": "X", "surface": "canary", "confidence": 1.0}
    data = raw_value(SilverLabel, {"text": "canary", "entities": [span]})
    for bad in (data, data + b"canary", data[:20], b"canary"):
        with pytest.raises(DecodeError) as caught:
            Codec().decode(SilverLabel, bad)
        assert "canary" not in str(caught.value)
        assert caught.value.__context__ is None or caught.value.__suppress_context__

from __future__ import annotations

import io
import math
from typing import Any

import fastavro
import pytest

from schemas.errors import DecodeError
from schemas.types import Canary, EntityEvent, Promise, Promotion, SilverLabel, TeacherRequest
from schemas.wire.avro_schemas import latest
from schemas.wire.codec import Codec
from stream.testing.messages import an_event
from stream.testing.raw_avro import raw_value


def _with(name: str, value: Any) -> dict[str, Any]:
    data = Codec().encode(an_event(), "topic")
    plain = fastavro.schemaless_reader(io.BytesIO(data[10:]), latest(EntityEvent), None)
    assert isinstance(plain, dict)
    return plain | {name: value}


def _span(start: int, end: int, surface: str = "ab", label: str = "X") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label, "surface": surface, "confidence": 1.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("confidence", math.nan),
        ("confidence", 1.1),
        ("confidence", -math.inf),
        ("revision", 0),
        ("revision", -1),
        ("entities", [_span(2, 0)]),
        ("entities", [_span(-2, 0)]),
        ("entities", [_span(0, 3)]),
        ("entities", [_span(0, 0, "")]),
        ("entities", [_span(0, 2, label="")]),
        ("entities", [_span(0, 2), _span(1, 3)]),
        ("entities", [_span(2, 4), _span(0, 2)]),
        ("entities", [_span(0, 2) | {"confidence": math.nan}]),
    ],
)
def test_events_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(DecodeError, match="not a EntityEvent: "):
        Codec().decode(EntityEvent, raw_value(EntityEvent, _with(name, value)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (SilverLabel, {"text": "abc", "entities": [_span(0, 2, "xy")]}),
        (SilverLabel, {"text": "a", "entities": [_span(0, 2)]}),
        (SilverLabel, {"weight": 0.0}),
        (SilverLabel, {"weight": math.nan}),
        (TeacherRequest, {"text": "a", "entities": [_span(0, 2)]}),
        (TeacherRequest, {"source_partition": -1}),
        (TeacherRequest, {"confidence": 2.0}),
        (TeacherRequest, {"text": "a", "doubts": [{"start": 0, "end": 2, "choices": []}]}),
        (TeacherRequest, {"text": "ab", "doubts": [{"start": 0, "end": 0, "choices": []}] * 2}),
        (TeacherRequest, {"doubts": [{"choices": [{"label": "X", "probability": 1.5}]}]}),
        (Promotion, {"sequence": 0}),
        (Promise, {"bound": 1.1}),
        (Promise, {"audited": 1, "errors": 2}),
        (Canary, {"right": 1.5}),
        (Canary, {"right": -0.5}),
        (Canary, {"facts": [{"start": 2, "end": 1, "label": "X"}]}),
        (Promotion, {"policy": {"threshold": math.nan, "audit_share": 0.1, "audit_seed": 1}}),
        (Promotion, {"policy": {"threshold": 0.5, "audit_share": 1.1, "audit_seed": 1}}),
    ],
)
def test_values_out_of_range_are_refused(kind: type, value: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        Codec().decode(kind, raw_value(kind, value))

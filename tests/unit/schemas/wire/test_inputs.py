from __future__ import annotations

import io
import json
import uuid
from typing import Any, Literal

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DecodeError, TextError
from schemas.settings import InputSettings, SchemaRegistrySettings
from schemas.types import TextRecord
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader, framed
from schemas.wire.schema_registry import SchemaRegistry
from stream.testing.schema_registry import FakeSchemaRegistry

Format = Literal["text", "json", "avro"]


def _reader(kind: Format, *, limit: int = 20_000, field: str = "text") -> InputReader:
    settings = InputSettings(format=kind, max_text_chars=limit, text_field=field)
    return InputReader(settings, Codec())


def _value(kind: Format, text: str) -> bytes:
    if kind == "text":
        return text.encode()
    if kind == "json":
        return json.dumps({"text": text, "other": [1]}).encode()
    return Codec().encode(TextRecord(text), "text")


FORMATS: list[Format] = ["text", "json", "avro"]

STRANGE = [
    "",
    " \t\r\n",
    "\x00",
    "\ufeffword",
    "e\u0301 é",
    "\u202eabc\u202c",
    "a\u200bb",
    "ヿ…… \x10",
    "a" + "\u0301" * 5000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "x" * 20_000,
    'x\r\n2026 forged="line"',
    "\x1b[2J",
    "[MASK]</s>",
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_texts_are_read_exactly_as_they_are(kind: Format, text: str) -> None:
    assert _reader(kind).read(_value(kind, text)) == text


@pytest.mark.parametrize("kind", FORMATS)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_every_text_is_read_exactly_as_it_is(kind: Format, text: str) -> None:
    assert _reader(kind).read(_value(kind, text)) == text


@pytest.mark.parametrize("kind", FORMATS)
def test_a_null_value_is_a_delete_and_no_failure(kind: Format) -> None:
    assert _reader(kind).read(None) is None


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("text", ["x" * 11, "\U0001f600" * 11, "x" * 10_000_000])
def test_a_text_over_the_limit_is_a_bad_text(kind: Format, text: str) -> None:
    reader = _reader(kind, limit=10)
    with pytest.raises(TextError, match="characters"):
        reader.read(_value(kind, text))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_text_at_the_limit_is_read(kind: Format) -> None:
    text = "\U0001f600" * 10
    assert _reader(kind, limit=10).read(_value(kind, text)) == text


@pytest.mark.parametrize("kind", FORMATS)
@given(value=st.binary(max_size=40))
def test_random_bytes_give_a_text_or_a_record_error(kind: Format, value: bytes) -> None:
    try:
        assert isinstance(_reader(kind).read(value), str)
    except DecodeError:
        assert kind != "text" or not value.isascii()


@pytest.mark.parametrize("value", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\x80"])
def test_bytes_that_are_not_utf8_are_undecodable(value: bytes) -> None:
    with pytest.raises(DecodeError, match="not UTF-8 at byte"):
        _reader("text").read(value)
    with pytest.raises(DecodeError, match="not UTF-8 at byte"):
        _reader("json").read(b'{"text": "' + value + b'"}')


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"text": "a"} x', "not JSON"),
        (b'{"text": "a", "n": NaN}', "not JSON: NaN is not JSON"),
        (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'"a"', "not an object"),
        (b"null", "not an object"),
        (b"{}", "'text' is missing"),
        (b'{"text": 1}', "'text' is not a string"),
        (b'{"text": ["a"]}', "'text' is not a string"),
        (b'{"text": "a\\ud800b"}', "lone surrogate at code point 1"),
    ],
)
def test_json_without_a_text_is_undecodable(value: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        _reader("json").read(value)


def test_a_null_text_field_is_a_bad_text() -> None:
    with pytest.raises(TextError, match="'text' is null"):
        _reader("json").read(b'{"text": null}')


def test_a_byte_order_mark_before_json_is_no_part_of_the_text() -> None:
    assert _reader("json").read(b'\xef\xbb\xbf{"text": "a"}') == "a"


def test_the_text_field_has_the_name_of_the_settings() -> None:
    assert _reader("json", field="body").read(b'{"text": "a", "body": "b"}') == "b"


def test_no_error_quotes_the_text() -> None:
    for kind in FORMATS:
        with pytest.raises((DecodeError, TextError)) as caught:
            _reader(kind, limit=8).read(b'{"text": "canary-canary", "canary": canary}')
        assert "canary" not in str(caught.value)


async def test_avro_of_a_producers_own_schema_is_read_by_its_text_field() -> None:
    fake = FakeSchemaRegistry()
    schema = {
        "type": "record",
        "name": "Tweet",
        "fields": [
            {"name": "id", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "body", "type": ["null", "string"], "default": None},
        ],
    }
    prefix = b"\x00" + fake.add(schema).to_bytes(4, "big")
    settings = SchemaRegistrySettings(url="http://registry")
    codec = Codec(SchemaRegistry(settings, fake.transport))
    reader = InputReader(InputSettings(format="avro", text_field="body"), codec)
    with_text, without = prefix + b"\x02\x02\x04hi", prefix + b"\x02\x00"
    await codec.resolve([with_text])
    assert reader.read(with_text) == "hi"
    with pytest.raises(TextError, match="'body' is null"):
        reader.read(without)


ROW = {"id": 1, "body": "Ada in Oslo"}
DEBEZIUM = {"before": None, "after": ROW, "source": {"db": "news"}, "op": "c", "ts_ms": 5}
WRAPPED = {"schema": {"type": "struct", "fields": []}, "payload": DEBEZIUM}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload.after.body", WRAPPED),
        ("after.body", WRAPPED),
        ("after.body", DEBEZIUM),
        ("body", {"schema": {"type": "struct"}, "payload": ROW}),
        ("payload.body", {"schema": {"type": "struct"}, "payload": ROW}),
        ("payload", {"schema": {"type": "string"}, "payload": "Ada in Oslo"}),
        ("a.b.c.d", {"a": {"b": {"c": {"d": "Ada in Oslo"}}}}),
        ("after.body", {"after.body": "Ada in Oslo", "after": {"body": "not this"}}),
        ("body", {"schema": "a field of that name", "payload": {}, "body": "Ada in Oslo"}),
        ("schema", {"schema": "Ada in Oslo", "payload": {}}),
    ],
    ids=range(10),
)
def test_a_text_is_found_in_its_envelope(field: str, value: object) -> None:
    assert _reader("json", field=field).read(_json(value)) == "Ada in Oslo"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload.after.body", WRAPPED | {"payload": DEBEZIUM | {"after": None, "op": "d"}}),
        ("after.body", WRAPPED | {"payload": DEBEZIUM | {"after": None, "op": "d"}}),
        ("after.body", DEBEZIUM | {"after": None, "op": "d", "before": ROW}),
        ("after.body", {"source": {}, "op": "t"}),
        ("payload.after.body", {"schema": None, "payload": None}),
        ("after.body", {"schema": None, "payload": None}),
        ("body", {"schema": None, "payload": None}),
        ("payload", {"schema": {"type": "string"}, "payload": None}),
    ],
    ids=range(8),
)
def test_an_envelope_of_nothing_is_a_delete(field: str, value: object) -> None:
    assert _reader("json", field=field).read(_json(value)) is None


@pytest.mark.parametrize(
    ("field", "value", "kind", "words"),
    [
        ("after.body", {"body": "a"}, DecodeError, "'after' is missing"),
        ("after.body", {"op": "c"}, DecodeError, "'after' is missing"),
        ("after.body", {"after": {}}, DecodeError, "'after.body' is missing"),
        ("after.body", {"after": {"body": None}}, TextError, "'after.body' is null"),
        ("after.body", {"after": "{}"}, DecodeError, "'after' holds no fields"),
        ("user.bio", {"user": None}, TextError, "'user' is null"),
        ("user.bio", {"user": {"bio": 7}}, DecodeError, "'user.bio' is not a string"),
        ("body", {"schema": {}, "payload": [1]}, DecodeError, "'payload' holds no fields"),
    ],
    ids=range(8),
)
def test_an_envelope_without_a_text_says_what_is_wrong(
    field: str, value: object, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        _reader("json", field=field).read(_json(value))


def test_json_in_the_framing_of_confluents_json_schema_is_read() -> None:
    assert _reader("json").read(b"\x00\x00\x00\x01\x02" + _json({"text": "a"})) == "a"
    with pytest.raises(DecodeError, match="not JSON"):
        _reader("json").read(b"\x00\x00\x00")


def test_json_whose_schema_id_is_a_header_is_read_as_it_is() -> None:
    headers = [("__value_schema_id", b"\x01" + b"g" * 16)]
    assert _reader("json").read(_json({"text": "a"}), headers) == "a"


CHANGE: dict[str, Any] = {
    "type": "record",
    "name": "Envelope",
    "namespace": "news.public.articles",
    "fields": [
        {
            "name": "before",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Value",
                    "fields": [
                        {"name": "id", "type": "int"},
                        {"name": "body", "type": ["null", "string"], "default": None},
                    ],
                },
            ],
            "default": None,
        },
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "op", "type": "string"},
    ],
}


def _avro(schema: object, value: object) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)  # type: ignore[arg-type]  # any
    return buffer.getvalue()


async def _avro_reader(fake: FakeSchemaRegistry, field: str, *values: bytes) -> InputReader:
    codec = Codec(SchemaRegistry(SchemaRegistrySettings(url="http://registry"), fake.transport))
    await codec.resolve(values)
    return InputReader(InputSettings(format="avro", text_field=field), codec)


async def test_a_debezium_envelope_in_avro_is_read_and_its_delete_passed_over() -> None:
    fake = FakeSchemaRegistry()
    prefix = b"\x00" + fake.add(CHANGE).to_bytes(4, "big")
    insert, delete = (
        prefix + _avro(CHANGE, {"before": None, "after": after, "op": op})
        for after, op in (({"id": 1, "body": "Ada"}, "c"), (None, "d"))
    )
    reader = await _avro_reader(fake, "after.body", insert, delete)
    assert reader.read(insert) == "Ada"
    assert reader.read(delete) is None


async def test_a_schema_id_or_a_guid_may_come_as_a_header() -> None:
    fake = FakeSchemaRegistry()
    schema_id = fake.add(CHANGE, guid="89791762-2336-4186-9674-299b90a802e2")
    guid = uuid.UUID("89791762-2336-4186-9674-299b90a802e2").bytes
    value = _avro(CHANGE, {"before": None, "after": {"id": 1, "body": "Ada"}, "op": "c"})
    for header in (b"\x00" + schema_id.to_bytes(4, "big"), b"\x01" + guid):
        headers = [("__value_schema_id", b"another"), ("a", None), ("__value_schema_id", header)]
        reader = await _avro_reader(fake, "after.body", framed(value, headers))
        assert reader.read(value, headers) == "Ada"
    assert "GET /schemas/guids/89791762-2336-4186-9674-299b90a802e2" in fake.requests


@pytest.mark.parametrize("header", [None, b"", b"\x00\x01", b"\x01" + b"g" * 15, b"\x02" * 17])
def test_a_header_that_is_no_schema_id_is_none(header: bytes | None) -> None:
    assert framed(b"value", [("__value_schema_id", header)]) == b"value"

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DecodeError, TextError
from schemas.settings import InputSettings, SchemaRegistrySettings
from schemas.types import TextRecord
from schemas.wire.codec import Codec
from schemas.wire.inputs import InputReader
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

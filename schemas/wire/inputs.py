"""The values of the text topic, whatever their format, as texts.

A text is taken exactly as it comes: offsets and digests speak of these very code points.
So a byte order mark at the beginning of a plain text stays, as U+FEFF; before a JSON
document it is no part of the text and is passed over (RFC 8259, section 8.1).

The text field may stand in an envelope: `payload.after.body` says where. Connect's own
(`schema` beside `payload`) may be left out of that path. A null envelope is a delete.

Sources: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events,
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from schemas._json import require_unicode, strict_json
from schemas.errors import DecodeError, TextError
from schemas.settings import InputSettings
from schemas.wire.codec import Codec
from schemas.wire.headers import SCHEMA_ID_HEADER

_MAX_UTF8_BYTES = 4
"""UTF-8 bytes of a code point, at most."""
_JSON_SCHEMA, _JSON_SCHEMA_BYTES = b"\x00", 5
"""Confluent's framing of JSON Schema: a zero byte and the schema's id. No JSON begins so."""
_SCHEMA_ID_BYTES = {b"\x00": 5, b"\x01": 17}
"""A zero byte and the schema's id, or a one and its GUID."""
_CONNECT = frozenset({"schema", "payload"})
_ENVELOPES = frozenset({"payload", "after"})
_WITHOUT_AFTER = frozenset({"d", "t", "m"})
"""Debezium's operations that leave no row: a delete, a truncation, a message."""

RecordHeaders: TypeAlias = Iterable[tuple[str, bytes | None]]


class InputReader:
    """Reads texts in the format of the settings.

    `text`: UTF-8. `json`: an object with the text in `text_field`. `avro`: a record of any
    schema that `codec` knows, with the text in `text_field`.
    """

    def __init__(self, settings: InputSettings, codec: Codec) -> None:
        formats = {"text": _plain, "json": self._from_json, "avro": self._from_avro}
        self._decode: Callable[[bytes], str | None] = formats[settings.format]
        self._format = settings.format
        self._field = settings.text_field
        self._path = tuple(settings.text_field.split("."))
        self._max_chars = settings.max_text_chars
        self._codec = codec

    def read(self, value: bytes | None, headers: RecordHeaders = ()) -> str | None:
        """Read a record's text; blank text is returned as it is, None for a delete (no value).

        Raises `DecodeError` for bytes that are not of the format, a field that is missing or
        no string, or a lone surrogate; `TextError` for a null field or over-long text.
        """
        if value is None:
            return None
        if self._format == "text" and len(value) > _MAX_UTF8_BYTES * self._max_chars:
            raise TextError(f"the text has more than {self._max_chars} characters")
        value = framed(value, headers) if self._format == "avro" else value
        text = self._decode(value)
        if text is not None and len(text) > self._max_chars:
            raise TextError(f"the text has {len(text)} characters, over {self._max_chars}")
        return text

    def _from_json(self, value: bytes) -> str | None:
        if value[:1] == _JSON_SCHEMA:
            value = value[_JSON_SCHEMA_BYTES:]
        try:
            found = strict_json(value)
        except UnicodeDecodeError as error:
            raise DecodeError(f"not UTF-8 at byte {error.start}") from None
        except ValueError as error:
            raise DecodeError(f"not JSON: {error}") from None
        if not isinstance(found, dict):
            raise DecodeError("the JSON value is not an object")
        return self._text_of(found)

    def _from_avro(self, value: bytes) -> str | None:
        return self._text_of(self._codec.decode_fields(value))

    def _text_of(self, found: dict[str, Any]) -> str | None:
        holder: dict[str, Any] | None = found
        if found.keys() == _CONNECT and (found["payload"] is None or self._path[0] not in found):
            holder = _inside(found, "payload")
        # A field whose own name has dots comes first.
        path = (self._field,) if self._field in (holder or ()) else self._path
        for name in path[:-1]:
            holder = holder and _inside(holder, name)
        return None if holder is None else self._string(holder, path[-1])

    def _string(self, holder: dict[str, Any], name: str) -> str:
        if name not in holder:
            raise DecodeError(f"the field {self._field!r} is missing")
        text = holder[name]
        if text is None:
            raise TextError(f"the field {self._field!r} is null")
        if not isinstance(text, str):
            raise DecodeError(f"the field {self._field!r} is not a string")
        try:
            require_unicode(text)
        except ValueError as error:
            raise DecodeError(str(error)) from None
        return text


def framed(value: bytes, headers: RecordHeaders) -> bytes:
    """Put a schema id that came as a header, of which the last counts, before its value."""
    ids = [given for name, given in headers if name == SCHEMA_ID_HEADER]
    if ids and ids[-1] and len(ids[-1]) == _SCHEMA_ID_BYTES.get(ids[-1][:1]):
        return ids[-1] + value
    return value


def _inside(holder: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Give the fields that a field holds; None for the null that is left of a deleted row."""
    if name not in holder and not (name == "after" and holder.get("op") in _WITHOUT_AFTER):
        raise DecodeError(f"the field {name!r} is missing")
    inside = holder.get(name)
    if inside is None and name not in _ENVELOPES:
        raise TextError(f"the field {name!r} is null")
    if inside is not None and not isinstance(inside, dict):
        raise DecodeError(f"the field {name!r} holds no fields")
    return inside


def _plain(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8 at byte {error.start}") from None

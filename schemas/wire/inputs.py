"""The values of the text topic, whatever their format, as texts.

A text is taken exactly as it comes: offsets and digests speak of these very code points.
So a byte order mark at the beginning of a plain text stays, as U+FEFF; before a JSON
document it is no part of the text and is passed over (RFC 8259, section 8.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas._json import require_unicode, strict_json
from schemas.errors import DecodeError, TextError
from schemas.settings import InputSettings
from schemas.wire.codec import Codec

_MAX_UTF8_BYTES = 4
"""UTF-8 bytes of a code point, at most."""


class InputReader:
    """Reads texts in the format of the settings.

    `text`: UTF-8. `json`: an object with the text in `text_field`. `avro`: a record of any
    schema that `codec` knows, with the text in `text_field`.
    """

    def __init__(self, settings: InputSettings, codec: Codec) -> None:
        formats = {"text": _plain, "json": self._from_json, "avro": self._from_avro}
        self._decode: Callable[[bytes], str] = formats[settings.format]
        self._plain = settings.format == "text"
        self._field = settings.text_field
        self._max_chars = settings.max_text_chars
        self._codec = codec

    def read(self, value: bytes | None) -> str | None:
        """Read a record's text; blank text is returned as it is, None for a delete (no value).

        Raises `DecodeError` for bytes that are not of the format, a field that is missing or
        no string, or a lone surrogate; `TextError` for null or over-long text.
        """
        if value is None:
            return None
        if self._plain and len(value) > _MAX_UTF8_BYTES * self._max_chars:
            raise TextError(f"the text has more than {self._max_chars} characters")
        text = self._decode(value)
        if len(text) > self._max_chars:
            raise TextError(f"the text has {len(text)} characters, over {self._max_chars}")
        return text

    def _from_json(self, value: bytes) -> str:
        try:
            found = strict_json(value)
        except UnicodeDecodeError as error:
            raise DecodeError(f"not UTF-8 at byte {error.start}") from None
        except ValueError as error:
            raise DecodeError(f"not JSON: {error}") from None
        if not isinstance(found, dict):
            raise DecodeError("the JSON value is not an object")
        return self._text_of(found)

    def _from_avro(self, value: bytes) -> str:
        return self._text_of(self._codec.decode_fields(value))

    def _text_of(self, found: dict[str, Any]) -> str:
        if self._field not in found:
            raise DecodeError(f"the field {self._field!r} is missing")
        text = found[self._field]
        if text is None:
            raise TextError(f"the field {self._field!r} is null")
        if not isinstance(text, str):
            raise DecodeError(f"the field {self._field!r} is not a string")
        try:
            require_unicode(text)
        except ValueError as error:
            raise DecodeError(str(error)) from None
        return text


def _plain(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8 at byte {error.start}") from None

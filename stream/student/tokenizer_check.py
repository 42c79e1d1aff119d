"""Whether a `tokenizer.json` is made of known parts alone, found before it is loaded.

What is checked is what is loaded: the file is parsed once, and the library reads the JSON that is
written from it anew, so a key that is there twice, say, cannot mean one thing here and another
there. What a student has no use for is left out of it: truncation, padding, the decoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from schemas._json import strict_json
from schemas.errors import BundleError
from stream.student.tokenizer_parts import (
    ADDED_TOKEN,
    DECODERS,
    MODELS,
    NORMALIZERS,
    POST_PROCESSORS,
    PRE_TOKENIZERS,
    Options,
    Parts,
)

MAX_TOKENIZER_BYTES: Final = 128 * 1024 * 1024
_MAX_ADDED: Final = 10_000
_MAX_SEQUENCE: Final = 8
_MOST_TOLD: Final = 10
_UNUSED: Final = ("truncation", "padding", "decoder")
_KEYS: Final = {
    *("version", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "model"),
    *_UNUSED,
}
_PARTS: Final[Mapping[str, tuple[Parts, str]]] = {
    "normalizer": (NORMALIZERS, "normalizers"),
    "pre_tokenizer": (PRE_TOKENIZERS, "pretokenizers"),
    "post_processor": (POST_PROCESSORS, "processors"),
}
"""Of each place the parts that may stand there, and the name of a sequence's list of them."""


def checked_tokenizer(data: bytes) -> bytes:
    """Give the JSON that is to be loaded in place of `data`.

    Raises `BundleError`, naming every fault (up to ten), unless all parts are known.
    """
    if len(data) > MAX_TOKENIZER_BYTES:
        raise BundleError(f"tokenizer.json is larger than {MAX_TOKENIZER_BYTES} bytes")
    try:
        found = strict_json(data)
    except ValueError as error:
        raise BundleError(f"tokenizer.json cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise BundleError("tokenizer.json cannot be read: it is no JSON object")
    if faults := [*islice(_faults(found), _MOST_TOLD)]:
        raise BundleError(f"tokenizer.json has parts that are not allowed: {'; '.join(faults)}")
    try:
        return json.dumps(found | dict.fromkeys(_UNUSED), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BundleError("tokenizer.json has half a character") from None


def _faults(found: dict[str, Any]) -> Iterator[str]:
    for key in sorted(set(found) - _KEYS):
        yield f"the key {key[:50]!r}"
    if found.get("version") != "1.0":
        yield "its version is not 1.0"
    yield from _added_token_faults(found.get("added_tokens", []))
    for place in _PARTS:
        yield from _place_faults(found.get(place), place)
    yield from _part_faults(found.get("model"), MODELS, "the model")
    decoder = found.get("decoder")
    if decoder is not None and _type_of(decoder) not in DECODERS:
        yield f"the decoder {_type_of(decoder)}"


def _place_faults(part: Any, place: str) -> Iterator[str]:
    if part is None:
        return
    parts, listed = _PARTS[place]
    steps = [part]
    if _type_of(part) == "Sequence":
        steps = part.get(listed)
        if set(part) != {"type", listed} or not isinstance(steps, list):
            yield f"{place} Sequence: its keys"
            return
        if len(steps) > _MAX_SEQUENCE:
            yield f"{place} Sequence: more than {_MAX_SEQUENCE} steps"
    for step in steps[:_MAX_SEQUENCE]:
        yield from _part_faults(step, parts, place)


def _part_faults(part: Any, parts: Parts, place: str) -> Iterator[str]:
    name = _type_of(part)
    if name not in parts:
        yield f"{place} {name}"
    else:
        yield from (f"{place} {name}: its {what}" for what in _option_faults(part, parts[name]))


def _option_faults(part: dict[str, Any], options: Options) -> Iterator[str]:
    """Name the options that are not known, not there, or of a value that may not be."""
    for key in sorted(set(part) - {*options, "type"}):
        yield f"unknown {key[:50]!r}"
    for key, check in options.items():
        if key not in part or not check(part[key]):
            yield key


def _added_token_faults(tokens: Any) -> Iterator[str]:
    if not isinstance(tokens, list) or len(tokens) > _MAX_ADDED:
        yield f"added_tokens that are no list of at most {_MAX_ADDED}"
        return
    for number, token in enumerate(tokens):
        if not isinstance(token, dict):
            yield f"added token {number}"
        else:
            for what in _option_faults(token, ADDED_TOKEN):
                yield f"added token {number}: its {what}"


def _type_of(part: Any) -> str:
    name = part.get("type") if isinstance(part, dict) else None
    return name[:50] if isinstance(name, str) else "of no type"

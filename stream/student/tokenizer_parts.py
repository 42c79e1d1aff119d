"""The parts of a tokenizer that may be in a bundle, with their options.

Those of the usual encoders: BERT, DistilBERT, RoBERTa, XLM-R, CamemBERT, MPNet, ELECTRA,
DeBERTa-v3, ModernBERT and their like. What is not here is refused: a part may replace each letter
by a megabyte, or match a regular expression that takes for ever. Each check says whether a value of
an option may be.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Check = Callable[[Any], bool]
Options = Mapping[str, Check]

MAX_PIECE_CHARS: Final = 512
MAX_PIECES: Final = 2_000_000
_MAX_ID: Final = 2**31 - 1
_MAX_CHARSMAP: Final = 4 * 1024 * 1024
_MAX_REPLACED: Final = 64
"""Bytes that take the place of one character: compatibility forms take 33 at most (U+FDFA)."""
_MAX_WORD_CHARS: Final = 200
"""Looking up a word takes time by the square of it."""
_MAX_PARTS: Final = 16


def is_flag(value: Any) -> bool:
    """Whether it is true or false."""
    return isinstance(value, bool)


def is_id(value: Any) -> bool:
    """Whether it can be the number of a piece."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_ID


def is_piece(value: Any) -> bool:
    """Whether it can be a piece of a word, or a special token."""
    return isinstance(value, str) and 0 < len(value) <= MAX_PIECE_CHARS


def one_of(*values: Any) -> Check:
    """Make the check for one of some values; true is not 1."""
    return lambda value: any(
        value is one or (value == one and type(value) is str) for one in values
    )


def maybe(check: Check) -> Check:
    """Allow null too."""
    return lambda value: value is None or check(value)


def _is_piece_or_none(value: Any) -> bool:
    return value == "" or is_piece(value)


def _is_short_count(value: Any) -> bool:
    return is_id(value) and 1 <= value <= _MAX_WORD_CHARS


def _is_vocabulary(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and 0 < len(value) <= MAX_PIECES
        and all(len(piece) <= MAX_PIECE_CHARS and is_id(number) for piece, number in value.items())
        and len(set(value.values())) == len(value)
    )


def _is_scored_vocabulary(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_PIECES
        and all(isinstance(one, list) and len(one) == 2 for one in value)  # noqa: PLR2004 - a pair
        and all(isinstance(one[0], str) and len(one[0]) <= MAX_PIECE_CHARS for one in value)
        and all(isinstance(one[1], int | float) and math.isfinite(one[1]) for one in value)
    )


def _are_merges(value: Any) -> bool:
    """Pairs, or as earlier versions wrote them, two pieces with a space between."""
    return (
        isinstance(value, list)
        and len(value) <= MAX_PIECES
        and all(
            (isinstance(one, str) and len(one) <= 2 * MAX_PIECE_CHARS + 1)
            or (isinstance(one, list) and len(one) == 2 and all(map(is_piece, one)))  # noqa: PLR2004
            for one in value
        )
    )


def _is_charsmap(value: Any) -> bool:
    """Whether it is a SentencePiece character map that makes no character long.

    Its size, a trie of that size, and the replacements, each ended by a zero byte. What is wrong
    in the trie fails single texts (the library checks its bounds, and panics).
    """
    if not isinstance(value, str) or len(value) > _MAX_CHARSMAP:
        return False
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    size = int.from_bytes(data[:4], "little")
    return size % 4 == 0 and size < len(data) - 4 and _are_short(data[4 + size :])


def _are_short(replacements: bytes) -> bool:
    return max(map(len, replacements.split(b"\0"))) <= _MAX_REPLACED


def _is_framed(value: Any) -> bool:
    """Whether it is a template that adds a few tokens to a text, or a pair of texts."""
    return isinstance(value, list) and len(value) <= _MAX_PARTS and all(map(_is_template, value))


def _is_template(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) == 1
        and all(
            kind in {"SpecialToken", "Sequence"}
            and isinstance(told, dict)
            and set(told) == {"id", "type_id"}
            and is_piece(told["id"])
            and is_id(told["type_id"])
            for kind, told in value.items()
        )
    )


def _are_special_tokens(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= _MAX_PARTS
        and all(
            isinstance(one, dict)
            and set(one) == {"id", "ids", "tokens"}
            and is_piece(one["id"])
            and isinstance(one["ids"], list)
            and len(one["ids"]) == 1
            and all(map(is_id, one["ids"]))
            and isinstance(one["tokens"], list)
            and len(one["tokens"]) == 1
            and all(map(is_piece, one["tokens"]))
            for one in value.values()
        )
    )


def _is_token_with_id(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and is_piece(value[0]) and is_id(value[1])  # noqa: PLR2004


_REPLACEMENTS: Final = (
    ({"Regex": " {2,}"}, " "),
    ({"Regex": " {2,}"}, "▁"),
    ({"String": " "}, "▁"),
    ({"String": "``"}, '"'),
    ({"String": "''"}, '"'),
)
"""Patterns and contents of the encoders on SentencePiece; none makes a text much longer."""

_BYTE_LEVEL: Final[Options] = {
    "add_prefix_space": is_flag,
    "trim_offsets": is_flag,
    "use_regex": is_flag,
}
_BEHAVIOURS = one_of(
    "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous",
)  # fmt: skip

Parts = Mapping[str, Options]

NORMALIZERS: Final[Parts] = MappingProxyType(
    {
        "BertNormalizer": {
            "clean_text": is_flag,
            "handle_chinese_chars": is_flag,
            "strip_accents": maybe(is_flag),
            "lowercase": is_flag,
        },
        **{name: {} for name in ("NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents")},
        "Strip": {"strip_left": is_flag, "strip_right": is_flag},
        "Precompiled": {"precompiled_charsmap": _is_charsmap},
        "Prepend": {"prepend": one_of("▁")},
        "Replace": {
            "pattern": lambda value: any(value == pattern for pattern, _ in _REPLACEMENTS),
            "content": lambda value: any(value == content for _, content in _REPLACEMENTS),
        },
    }
)
PRE_TOKENIZERS: Final[Parts] = MappingProxyType(
    {
        **{name: {} for name in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")},
        "ByteLevel": _BYTE_LEVEL,
        "Metaspace": {
            "replacement": lambda value: isinstance(value, str) and len(value) == 1,
            "prepend_scheme": one_of("always", "first", "never"),
            "split": is_flag,
        },
        "Punctuation": {"behavior": _BEHAVIOURS},
        "Digits": {"individual_digits": is_flag},
        "Split": {
            "pattern": lambda value: value == {"String": " "},
            "behavior": _BEHAVIOURS,
            "invert": is_flag,
        },
    }
)
POST_PROCESSORS: Final[Parts] = MappingProxyType(
    {
        "TemplateProcessing": {
            "single": _is_framed,
            "pair": _is_framed,
            "special_tokens": _are_special_tokens,
        },
        "RobertaProcessing": {
            "sep": _is_token_with_id,
            "cls": _is_token_with_id,
            "trim_offsets": is_flag,
            "add_prefix_space": is_flag,
        },
        "BertProcessing": {"sep": _is_token_with_id, "cls": _is_token_with_id},
        "ByteLevel": _BYTE_LEVEL,
    }
)
MODELS: Final[Parts] = MappingProxyType(
    {
        "WordPiece": {
            "unk_token": is_piece,
            "continuing_subword_prefix": _is_piece_or_none,
            "max_input_chars_per_word": _is_short_count,
            "vocab": _is_vocabulary,
        },
        "WordLevel": {"unk_token": is_piece, "vocab": _is_vocabulary},
        "BPE": {
            "dropout": one_of(None),
            "unk_token": maybe(is_piece),
            "continuing_subword_prefix": maybe(_is_piece_or_none),
            "end_of_word_suffix": maybe(_is_piece_or_none),
            "fuse_unk": is_flag,
            "byte_fallback": is_flag,
            "ignore_merges": is_flag,
            "vocab": _is_vocabulary,
            "merges": _are_merges,
        },
        "Unigram": {
            "unk_id": maybe(is_id),
            "byte_fallback": is_flag,
            "vocab": _is_scored_vocabulary,
        },
    }
)
DECODERS: Final = frozenset(
    {"WordPiece", "ByteLevel", "Metaspace", "BPEDecoder", "ByteFallback", "Fuse", "Sequence"}
)
"""Never used, and never loaded: a student does not turn pieces into text."""
ADDED_TOKEN: Final[Options] = {
    "id": is_id,
    "content": is_piece,
    "single_word": is_flag,
    "lstrip": is_flag,
    "rstrip": is_flag,
    "normalized": is_flag,
    "special": is_flag,
}

"""What a base's tokenizer tells about itself."""

from __future__ import annotations

from tokenizers import Tokenizer

_MASKS = ("[MASK]", "<mask>", "[UNK]", "<unk>")
_CASED = "Ada Ä Я Σ"
"""Letters of several scripts: a tokenizer of one language may know none of another's."""


def mask_id(tokenizer_json: bytes) -> int:
    """Find the piece that hides a word, or else the unknown piece, or the first one."""
    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    ids = (tokenizer.token_to_id(piece) for piece in _MASKS)
    return next((id_ for id_ in ids if id_ is not None), 0)


def lower_cases(tokenizer_json: bytes) -> bool:
    """Whether the tokenizer drops the letter case, so that the student must be told it."""
    normalizer = Tokenizer.from_buffer(tokenizer_json).normalizer
    if normalizer is None:
        return False
    return bool(normalizer.normalize_str(_CASED) == normalizer.normalize_str(_CASED.lower()))


def uses_casing(tokenizer_json: bytes, *, wanted: bool) -> bool:
    """Whether a student has the casing channel: where it is wanted, and case would be lost."""
    return wanted and lower_cases(tokenizer_json)

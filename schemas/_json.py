"""JSON as this package writes and reads it: canonical out, strict in."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no white space, UTF-8: equal values give equal bytes.

    NaN and infinities have no JSON: `ValueError`.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def strict_json(data: str | bytes) -> Any:
    """Parse RFC 8259 JSON; `ValueError` on anything else, `NaN` and deep nesting included.

    Of repeated keys the last one wins, as in most parsers. A byte order mark before
    the value is ignored, as RFC 8259 allows.
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    try:
        return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def require_unicode(text: str) -> None:
    """`ValueError` when the text has a lone surrogate, for which no UTF-8 exists."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"lone surrogate at code point {error.start}") from None

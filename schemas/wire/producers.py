"""Who sent a record, as far as it says: the header or the key that the settings name.

Whatever producers write themselves they can forge, so the name should be set by what they must
pass: a gateway, a connector, a proxy. The last header of a name counts, which is the one that was
added last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from schemas.settings import QuotaSettings

WHOLE_KEY = "*"
_CHARS = 16


class ProducerReader:
    """Names the producers of records by digests; `known` says whether the settings let it."""

    def __init__(self, settings: QuotaSettings) -> None:
        self._header = settings.source_header
        self._field = settings.source_key_field
        self.known = self._header is not None or self._field is not None

    def read(self, key: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> str:
        """Give 16 hexadecimal digits, the same for all records of a producer; "" if unknown.

        All records that do not say who sent them are one producer's.
        """
        if self._header is not None:
            return _named(next((x for name, x in _reversed(headers) if name == self._header), None))
        if self._field is not None:
            return _named(key if self._field == WHOLE_KEY else _inside(key, self._field))
        return ""


UNKNOWN = ProducerReader(QuotaSettings())


def _reversed(
    headers: Iterable[tuple[str, bytes | None]],
) -> Iterable[tuple[str, bytes | None]]:
    return reversed(tuple(headers))


def _named(name: bytes | None) -> str:
    return hashlib.sha256(name or b"").hexdigest()[:_CHARS]


def _inside(key: bytes | None, field: str) -> bytes | None:
    """Give what stands in a field of a key that is JSON, however it is written."""
    try:
        found: Any = json.loads(key or b"")
        for name in field.split("."):
            found = found[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if found is None else json.dumps(found, sort_keys=True).encode()

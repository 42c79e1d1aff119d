"""A strict walk over Avro binary data, before fastavro sees it.

fastavro trusts its input where the specification does not: a union index of -1 picks
the last branch, a varint may go on for ever, an array of 2^40 nulls costs six bytes and
never ends. `compile_check` turns a writer's schema into a function that walks the bytes
once, reads nothing twice and allocates nothing, and says where the datum ends. Work is
bounded by the number of bytes: items of arrays must take at least one.

Source: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.errors import DecodeError

Walk = Callable[[bytes, int], int]
"""From the data and the place where a datum begins to the place after it; `DecodeError`."""

MAX_DEPTH = 32
_MAX_EMPTY = 256
"""Values of no bytes (nulls) in one datum; without a bound, nested records multiply them."""

_VARINT_BYTES = 10
_MORE, _PAYLOAD = 0x80, 0x7F
_INT_BITS, _LONG_BITS = 32, 64
_FLOAT_BYTES, _DOUBLE_BYTES = 4, 8


@dataclass(frozen=True, slots=True)
class _Plan:
    check: Walk
    min_size: int
    """Fewest bytes of a datum."""
    n_empty: int
    """Most values of no bytes in a datum, array items not counted."""


def compile_check(schema: Any) -> Walk:
    """Make the check of a parsed schema, in which named types are referred to by full name.

    Raises `DecodeError` for a schema whose data cannot be bounded: recursive, too deep, with
    arrays of nothing.
    """
    plan = _compile(schema, {}, MAX_DEPTH)
    if plan.n_empty > _MAX_EMPTY:
        raise DecodeError("the schema holds too many values of no bytes")
    return plan.check


def read_long(data: bytes, at: int, bits: int = _LONG_BITS) -> tuple[int, int]:
    """Read a zig-zag varint: its value and the place after it."""
    encoded = 0
    for count, byte in enumerate(data[at : at + _VARINT_BYTES]):
        encoded |= (byte & _PAYLOAD) << (7 * count)
        if byte < _MORE:
            if encoded >> bits:
                raise DecodeError(f"a number of more than {bits} bits at byte {at}")
            return (encoded >> 1) ^ -(encoded & 1), at + count + 1
    raise DecodeError(f"a number without an end at byte {at}")


def _compile(schema: Any, names: dict[str, _Plan], depth: int) -> _Plan:
    if depth == 0:
        raise DecodeError(f"the schema is nested more than {MAX_DEPTH} deep")
    if isinstance(schema, list):
        return _union([_compile(branch, names, depth - 1) for branch in schema])
    if isinstance(schema, str):
        return _PRIMITIVES.get(schema) or _named(schema, names)
    kind = schema["type"]
    if isinstance(kind, str) and kind in _COMPLEX:
        return _complex(schema, names, depth)
    return _compile(kind, names, depth - 1)


def _named(name: str, names: dict[str, _Plan]) -> _Plan:
    plan = names.get(name)
    if plan is None:
        raise DecodeError(f"the schema's type {name} is recursive or unknown")
    return plan


def _complex(schema: dict[str, Any], names: dict[str, _Plan], depth: int) -> _Plan:
    plan = _COMPLEX[schema["type"]](schema, lambda part: _compile(part, names, depth - 1))
    if "name" in schema:  # only now, so that nothing inside can refer to it
        names[schema["name"]] = plan
    return plan


_Compile = Callable[[Any], _Plan]


def _record(schema: dict[str, Any], compile_part: _Compile) -> _Plan:
    plans = [compile_part(field["type"]) for field in schema["fields"]]
    checks = [plan.check for plan in plans]

    def check(data: bytes, at: int) -> int:
        for field in checks:
            at = field(data, at)
        return at

    n_empty = sum(plan.n_empty for plan in plans) + (not plans)
    return _Plan(check, sum(plan.min_size for plan in plans), n_empty)


def _enum(schema: dict[str, Any], _compile_part: _Compile) -> _Plan:
    n_symbols = len(schema["symbols"])

    def check(data: bytes, at: int) -> int:
        index, after = read_long(data, at, _INT_BITS)
        if not 0 <= index < n_symbols:
            raise DecodeError(f"no such enum symbol at byte {at}")
        return after

    return _Plan(check, 1, 0)


def _fixed(schema: dict[str, Any], _compile_part: _Compile) -> _Plan:
    return _of_size(int(schema["size"]))


def _array(schema: dict[str, Any], compile_part: _Compile) -> _Plan:
    return _blocks(compile_part(schema["items"]))


def _map(schema: dict[str, Any], compile_part: _Compile) -> _Plan:
    value = compile_part(schema["values"])

    def check(data: bytes, at: int) -> int:
        return value.check(data, _bytes(data, at))

    return _blocks(_Plan(check, 1 + value.min_size, value.n_empty))


def _blocks(item: _Plan) -> _Plan:
    if item.min_size == 0:
        raise DecodeError("the schema has arrays whose items take no bytes")

    def check(data: bytes, at: int) -> int:
        while True:
            count, at = read_long(data, at)
            if count == 0:
                return at
            at = _block(item, data, at, count)

    return _Plan(check, 1, item.n_empty)


def _block(item: _Plan, data: bytes, at: int, count: int) -> int:
    end = None
    if count < 0:  # the block's size in bytes follows, for those who skip it
        size, at = read_long(data, at)
        count, end = -count, at + size
    if count * item.min_size > len(data) - at:
        raise DecodeError(f"a block of more items than bytes at byte {at}")
    for _ in range(count):
        at = item.check(data, at)
    if end is not None and end != at:
        raise DecodeError(f"a block that is not as long as it says at byte {at}")
    return at


def _union(branches: list[_Plan]) -> _Plan:
    checks = [branch.check for branch in branches]

    def check(data: bytes, at: int) -> int:
        index, after = read_long(data, at)
        if not 0 <= index < len(checks):
            raise DecodeError(f"no such union branch at byte {at}")
        return checks[index](data, after)

    n_empty = max((branch.n_empty for branch in branches), default=0)
    return _Plan(check, 1 + min((branch.min_size for branch in branches), default=0), n_empty)


def _of_size(size: int) -> _Plan:
    def check(data: bytes, at: int) -> int:
        if at + size > len(data):
            raise DecodeError(f"cut off at byte {len(data)}")
        return at + size

    return _Plan(check, size, int(size == 0))


def _bytes(data: bytes, at: int) -> int:
    length, after = read_long(data, at)
    if not 0 <= length <= len(data) - after:
        raise DecodeError(f"a length that the data does not have at byte {at}")
    return after + length


def _boolean(data: bytes, at: int) -> int:
    if data[at : at + 1] not in {b"\0", b"\1"}:
        raise DecodeError(f"not a boolean at byte {at}")
    return at + 1


def _int(data: bytes, at: int) -> int:
    return read_long(data, at, _INT_BITS)[1]


def _long(data: bytes, at: int) -> int:
    return read_long(data, at)[1]


_PRIMITIVES = {
    "null": _of_size(0),
    "boolean": _Plan(_boolean, 1, 0),
    "int": _Plan(_int, 1, 0),
    "long": _Plan(_long, 1, 0),
    "float": _of_size(_FLOAT_BYTES),
    "double": _of_size(_DOUBLE_BYTES),
    "bytes": _Plan(_bytes, 1, 0),
    "string": _Plan(_bytes, 1, 0),
}
_COMPLEX: dict[str, Callable[[dict[str, Any], _Compile], _Plan]] = {
    "record": _record,
    "error": _record,
    "enum": _enum,
    "fixed": _fixed,
    "array": _array,
    "map": _map,
}

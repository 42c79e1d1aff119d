"""The two readers of a model against each other: our check, and protobuf with ONNX Runtime.

    python -m tests.benchmarks.fuzz_readers --seconds 1800 [MODEL.onnx ...]

Models are damaged in the ways in which protobuf lets one message be written in several (fields
moved, split, repeated, packed, of other wire types; numbers with needless bytes or more bits than
their kind; tags over 32 bits) and by single bytes. Whatever our check takes must be, byte for byte,
what protobuf writes of what it read, and ONNX Runtime, where it takes it too, must have read the
same nodes and weights. A difference ends the run with the model in `fuzz-difference.onnx`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from schemas.errors import BundleError
from stream.student.onnx.check import check_model
from stream.student.onnx.wire import read_model
from stream.testing.onnx_table import highest_model, table_model

Field = tuple[int, int, Any]
"""Number, wire type, and an integer, bytes, or the fields of a message."""

_MESSAGES = {7, 8, 1, 5, 11, 12, 2}
"""Numbers under which `ModelProto` and what is in it have messages (and names too)."""
_DEPTH = 3


class ReadersDifferError(Exception):
    """Our reader takes bytes of which another makes something else."""

    def __init__(self, what: str, model: bytes) -> None:
        super().__init__(what)
        self.model = model


def seeds() -> list[bytes]:
    """Small models that are taken."""
    table = np.linspace(-3, 3, 12, dtype=np.float32).reshape(4, 3)
    return [table_model(table), highest_model(table)]


def fuzz(
    models: Sequence[bytes], *, rng: random.Random, go_on: Callable[[int], bool]
) -> Counter[str]:
    """Damage the models and compare, as long as `go_on(number)`; raises `ReadersDifferError`."""
    counts: Counter[str] = Counter()
    trees = [_parsed(model, _DEPTH) for model in models]
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        while go_on(number):
            number += 1
            damaged = _damaged(rng.choice(trees), rng)
            counts[compare(damaged, Path(folder) / "read.onnx")] += 1
    return counts


def compare(model: bytes, scratch: Path) -> str:
    """Say what the readers make of a model; raises `ReadersDifferError`."""
    try:
        check_model(model)
    except BundleError:
        return "refused"
    theirs = onnx.load_from_string(model)
    if theirs.SerializeToString(deterministic=True) != model:
        raise ReadersDifferError("protobuf writes other bytes of what it read", model)
    if _as_ours(theirs) != _plain(read_model(model)):
        raise ReadersDifferError("protobuf read other fields", model)
    return _runtimes(model, theirs, scratch)


def _runtimes(model: bytes, theirs: Any, scratch: Path) -> str:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(scratch)
    options.log_severity_level = 4
    try:
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - the binding raises a dozen unrelated classes
        return "taken here, refused by ONNX Runtime"
    read = onnx.load(str(scratch))
    if _essence(read) != _essence(theirs):
        raise ReadersDifferError("ONNX Runtime read another model", model)
    return "taken by both"


def _essence(model: Any) -> tuple[Any, ...]:
    graph = model.graph
    nodes = [
        (
            node.domain,
            node.op_type,
            tuple(node.input),
            tuple(node.output),
            sorted((one.name, onnx.helper.get_attribute_value(one)) for one in node.attribute),
        )
        for node in graph.node
    ]
    weights = {one.name: numpy_helper.to_array(one).tobytes() for one in graph.initializer}
    return (
        sorted(nodes),
        weights,
        [x.name for x in graph.input],
        [x.name for x in graph.output],
        len(model.functions),
    )


def _as_ours(message: Any) -> dict[str, Any]:
    """A protobuf message as our reader gives it, without what is not there."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        is_message = field.message_type is not None
        if field.is_repeated:
            found[field.name] = [_as_ours(one) if is_message else one for one in value]
        else:
            found[field.name] = _as_ours(value) if is_message else value
    return found


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in message.items() if value != []}


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, list):
        return [_plain_value(one) for one in value]
    return bytes(value) if isinstance(value, memoryview) else value


def _parsed(data: bytes, depth: int) -> list[Field]:
    """Read a message as fields, and what can be messages in it too; raises on what is none."""
    at = 0
    fields: list[Field] = []
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
            fields.append((key >> 3, kind, value))
            continue
        size, at = _number(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        part = data[at : at + size]
        if len(part) < size:
            raise ValueError("cut off")
        fields.append((key >> 3, kind, _inner(key >> 3, part, depth) if kind == 2 else part))
        at += size
    return fields


def _inner(number: int, part: bytes, depth: int) -> Any:
    if depth and number in _MESSAGES and part:
        try:
            return _parsed(part, depth - 1)
        except (ValueError, IndexError, KeyError):
            pass
    return part


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varint(value: int, *, needless: int = 0) -> bytes:
    data = bytearray()
    while value > 0x7F or needless:
        if value <= 0x7F:
            needless -= 1
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def _written(fields: Sequence[Field], odd: Callable[[], int]) -> bytes:
    """Write fields; `odd` may ask for needless bytes of a number, or bits over 32 of a tag."""
    data = bytearray()
    for number, kind, value in fields:
        data += _varint((number << 3 | kind) + (odd() << 32), needless=odd())
        if kind == 0:
            data += _varint(value % 2**70, needless=odd())
            continue
        part = _written(value, odd) if isinstance(value, list) else value
        data += (_varint(len(part), needless=odd()) if kind == 2 else b"") + part
    return bytes(data)


def _damaged(tree: list[Field], rng: random.Random) -> bytes:
    """Damage once to three times; in one model of four a byte, and in one of four the numbers."""
    fields = _copied(tree)
    for _ in range(rng.randint(0, 3)):
        messages = list(_lists(fields))
        rng.choice(_WAYS)(rng.choice(messages), rng)
    share = rng.choice([0.0, 0.0, 0.0, 0.01])
    data = bytearray(_written(fields, lambda: int(rng.random() < share)))
    if data and rng.random() < 0.25:
        data[rng.randrange(len(data))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
    return bytes(data)


def _copied(fields: list[Field]) -> list[Field]:
    return [(n, kind, _copied(x) if isinstance(x, list) else x) for n, kind, x in fields]


def _lists(fields: list[Field]) -> Iterator[list[Field]]:
    yield fields
    for _, _, value in fields:
        if isinstance(value, list):
            yield from _lists(value)


def _drop(fields: list[Field], rng: random.Random) -> None:
    if fields:
        del fields[rng.randrange(len(fields))]


def _repeat(fields: list[Field], rng: random.Random) -> None:
    if fields:
        fields.insert(rng.randint(0, len(fields)), rng.choice(fields))


def _move(fields: list[Field], rng: random.Random) -> None:
    if fields:
        fields.insert(rng.randint(0, len(fields)), fields.pop(rng.randrange(len(fields))))


def _split(fields: list[Field], rng: random.Random) -> None:
    """Write a message in two parts: protobuf puts them together."""
    wholes = [i for i, (_, _, value) in enumerate(fields) if isinstance(value, list)]
    if wholes:
        i = rng.choice(wholes)
        number, kind, value = fields[i]
        cut = rng.randint(0, len(value))
        fields[i : i + 1] = [(number, kind, value[:cut]), (number, kind, value[cut:])]


def _pack(fields: list[Field], rng: random.Random) -> None:
    """Write a number as a list of one, or bytes as a number."""
    if not fields:
        return
    i = rng.randrange(len(fields))
    number, kind, value = fields[i]
    if kind == 0:
        fields[i] = (number, 2, _varint(value % 2**64))
    elif kind == 2 and isinstance(value, bytes) and value:
        fields[i] = (number, 0, value[0])


def _renumber(fields: list[Field], rng: random.Random) -> None:
    if fields:
        i = rng.randrange(len(fields))
        fields[i] = (rng.randint(1, 26), *fields[i][1:])


def _revalue(fields: list[Field], rng: random.Random) -> None:
    numbers = [i for i, (_, kind, _) in enumerate(fields) if kind == 0]
    if numbers:
        i = rng.choice(numbers)
        bits = rng.choice([2**32, 2**31, 2**63, 2**64, -1, 1])
        fields[i] = (fields[i][0], 0, fields[i][2] + bits)


def _add(fields: list[Field], rng: random.Random) -> None:
    external = [(1, 2, b"location"), (2, 2, b"/etc/passwd")]
    value: Any = rng.choice([external, b"", b"a", b"ORTM", b"\x00\x00\xc0\x7f", 1, 2**32 + 1])
    field = (rng.randint(1, 26), 0 if isinstance(value, int) else 2, value)
    fields.insert(rng.randint(0, len(fields)), field)


_WAYS = (_drop, _repeat, _move, _split, _pack, _renumber, _revalue, _add)


def main() -> None:
    """Fuzz for a time, and print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help="besides the small ones")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    models = [*seeds(), *(path.read_bytes() for path in args.models)]
    for model in models:
        check_model(model)
    end = time.monotonic() + args.seconds
    try:
        counts = fuzz(models, rng=random.Random(args.seed), go_on=lambda _: time.monotonic() < end)
    except ReadersDifferError as error:
        Path("fuzz-difference.onnx").write_bytes(error.model)
        raise
    told = {"seed": args.seed, "seconds": args.seconds, "models": len(models)}
    print(json.dumps(told | {"n": counts.total()} | dict(sorted(counts.items()))))  # noqa: T201


if __name__ == "__main__":
    main()

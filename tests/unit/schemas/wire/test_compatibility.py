from __future__ import annotations

from typing import Any

import pytest

from schemas.wire.compatibility import full_transitive_faults, missing_defaults, read_faults


def _record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def _field(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def _enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("int", "long"),
        ("long", "double"),
        ("string", "bytes"),
        ("int", ["null", "long"]),
        (["int", "long"], "long"),
        ({"type": "string"}, "string"),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
        ({"type": "map", "values": "int"}, {"type": "map", "values": ["null", "int"]}),
        (_record(_field("a")), _record()),
        (_record(), _record(_field("a", default=""))),
        (_record(_field("old")), _record(_field("new", aliases=["old"]))),
        (_record(name="a.R"), _record(name="b.R")),
        (_record(name="S"), _record(name="R", aliases=["S"])),
        (_enum("a", "b"), _enum("a", "b", "c")),
        (_enum("a", "b"), _enum("a", default="a")),
        (_record(_field("a", ["null", "R"])), _record(_field("a", ["null", "R"]))),
        (
            _record(_field("a", _record(name="S")), _field("b", "S")),
            _record(_field("b", _record(name="S"))),
        ),
    ],
    ids=range(17),
)
def test_what_avro_resolves_has_no_faults(writer: Any, reader: Any) -> None:
    assert read_faults(writer, reader) == []


@pytest.mark.parametrize(
    ("writer", "reader", "fault"),
    [
        ("long", "int", "$: long read as int"),
        ("string", "long", "$: string read as long"),
        (["null", "int"], "int", "$: null read as int"),
        ("string", ["null", "int"], "$: no branch of the union reads string"),
        (
            {"type": "array", "items": "long"},
            {"type": "array", "items": "int"},
            "$[]: long read as int",
        ),
        (_record(), _record(_field("a")), "$.a: the writer has no such field"),
        (_record(_field("a")), _record(_field("a", "long")), "$.a: string read as long"),
        (_record(name="R"), _record(name="S"), "$: R read as S"),
        (_enum("a", "b"), _enum("a"), "$: the reader does not know b"),
        (
            {"type": "fixed", "name": "F", "size": 1},
            {"type": "fixed", "name": "F", "size": 2},
            "$: the size differs",
        ),
    ],
    ids=range(10),
)
def test_what_avro_cannot_resolve_is_named(writer: Any, reader: Any, fault: str) -> None:
    (found,) = read_faults(writer, reader)
    assert found.startswith(fault)


def test_fields_and_enums_without_a_default_are_named_at_every_depth() -> None:
    inner = _record(_field("x"), name="S")
    schema = _record(
        _field("a", {"type": "array", "items": inner}, default=[]),
        _field("b", ["null", _enum("u")], default=None),
    )
    assert missing_defaults(schema) == ["$.a[].x: no default", "$.b: enum, no default"]


def test_every_pair_of_versions_is_compared_both_ways() -> None:
    first = _record(_field("a", default=""))
    second = _record()
    third = _record(_field("a", "long", default=0))
    assert full_transitive_faults([first, second]) == []
    assert full_transitive_faults([first, second, third]) == [
        "v3 cannot read v1: $.a: string read as long",
        "v1 cannot read v3: $.a: long read as string",
    ]


def test_a_version_without_a_default_is_a_fault_by_itself() -> None:
    assert full_transitive_faults([_record(_field("a"))]) == ["v1: $.a: no default"]

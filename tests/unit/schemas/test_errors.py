from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

from schemas import errors

_ROOT = Path(errors.__file__).parents[1]
_DRAWN = re.compile(r"^    (?P<branches>[│ ]*(?:[├└]── )?)(?P<name>\w+Error)\b", re.MULTILINE)
_BRANCH_CHARS = 4
_BUILT_IN = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


def _tree(kind: type[Exception], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:  # tests make some of their own
            yield from _tree(child, depth + 1)


def test_the_tree_at_the_top_is_the_real_one() -> None:
    drawn = [
        (len(found["branches"]) // _BRANCH_CHARS, found["name"])
        for found in _DRAWN.finditer(errors.__doc__ or "")
    ]
    assert drawn == list(_tree(errors.SilverstreamError))


def _error_classes(path: Path) -> list[str]:
    """Name the classes of a file that have an exception for a base, by the base's name."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [
        node.name
        for node in found
        if isinstance(node, ast.ClassDef) and any(map(_names_an_error, node.bases))
    ]


def _names_an_error(base: ast.expr) -> bool:
    name = ast.unparse(base).rpartition(".")[-1]
    return name in _BUILT_IN or name.endswith(("Error", "Exception"))


def test_no_error_is_defined_anywhere_else() -> None:
    files = [p for room in ("schemas", "stream", "distill") for p in (_ROOT / room).rglob("*.py")]
    elsewhere = {
        path.relative_to(_ROOT).as_posix(): names
        for path in files
        if (names := _error_classes(path)) and path != Path(errors.__file__)
    }
    assert elsewhere == {}


def test_every_error_has_a_word_for_headers_and_metrics() -> None:
    codes = {name: vars(errors)[name].code for _, name in _tree(errors.SilverstreamError)}
    assert {name: code for name, code in codes.items() if not re.fullmatch("[a-z_]+", code)} == {}
    # Events and metrics of version 0.1.0 say these of a teacher that is not reached.
    assert codes["TeacherAwayError"] == codes["TurnedAwayError"] == "teacher_unavailable"

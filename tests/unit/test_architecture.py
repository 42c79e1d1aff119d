"""docs/architecture.md against the code: its picture of the rooms, and every function it names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import grimp

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/architecture.md"
PACKAGES = ("schemas", "stream", "distill")
EVERYTHING = frozenset({"stream.cli", "stream.lab", "stream.testing"})
"""These may import all rooms: arrows would say nothing."""


def room_of(module: str) -> str:
    """`schemas`, `distill`, or the room of stream that a module stands in."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "stream" else parts[0]


@cache
def arrows() -> frozenset[tuple[str, str]]:
    """Who imports whom, room by room; the ground and those who import everything left out."""
    graph = grimp.build_graph(*PACKAGES)
    found = {
        (room_of(importer), room_of(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    return frozenset(
        (a, b) for a, b in found if b not in {a, "schemas"} and not {a, b} & EVERYTHING
    )


def picture() -> str:
    """The page's picture, drawn from the imports."""
    lines = [f"    {a} --> {b}" for a, b in sorted(arrows())]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def test_the_picture_of_the_rooms_is_drawn_from_the_imports() -> None:
    assert picture() in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE}:\n{picture()}"


def named() -> list[tuple[str, str]]:
    """Each `path/file.py` `name` that the page writes in one pair of backticks, as `file:name`."""
    page = PAGE.read_text(encoding="utf-8")
    return re.findall(r"`((?:schemas|stream|distill)/[\w/]+\.py):([\w.]+)`", page)


def defined(path: Path) -> set[str]:
    """Functions and classes of a file, methods as `Class.method`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, methods)}
    return found


def test_the_walks_name_functions_that_are_there() -> None:
    wrong = [
        f"{file}:{name}"
        for file, name in named()
        if not (REPOSITORY / file).exists() or name not in defined(REPOSITORY / file)
    ]
    assert len(named()) > 20
    assert not wrong

"""What a student says of a text, as a person reads it on a terminal; one painter a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from schemas.files.manifest import Manifest
from schemas.types import Annotated, Entity, Tagging

Show: TypeAlias = Callable[[str, Tagging], None]

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red")
_Line: TypeAlias = Callable[[str, Tagging, Mapping[str, str]], Text]


def painter_of(manifest: Manifest) -> Show:
    """Choose how the student's kind is shown; one colour per label."""
    colours = _colours(manifest.labels)
    console = Console(highlight=False, soft_wrap=True)
    line: _Line = _entities if manifest.kind == "entities" else _categories

    def show(text: str, tagging: Tagging) -> None:
        painted = line(text, tagging, colours)
        painted.append(f"  {tagging.confidence:.0%}", style="dim")
        console.print(painted)

    return show


def _entities(text: str, tagging: Tagging, colours: Mapping[str, str]) -> Text:
    return _marked(text, tagging.entities, colours)


def _marked(text: str, entities: Sequence[Entity], colours: Mapping[str, str]) -> Text:
    """Mark the entities where they stand."""
    line = Text()
    done = 0
    for entity in entities:
        colour = colours.get(entity.label, "white")
        line.append(harmless(text[done : entity.start]))
        line.append(harmless(entity.surface), style=f"bold {colour}")
        line.append(f"[{entity.label}]", style=f"dim {colour}")
        done = entity.end
    line.append(harmless(text[done:]))
    return line


def _categories(text: str, tagging: Tagging, colours: Mapping[str, str]) -> Text:
    """Set the categories beside the text, each with its confidence."""
    line = Text(harmless(text))
    for category in tagging.categories:
        colour = colours.get(category.label, "white")
        line.append(f"  {harmless(category.label)}", style=f"bold {colour}")
        line.append(f" {category.confidence:.0%}", style=f"dim {colour}")
    if not tagging.categories:
        line.append("  no category", style="dim")
    return line


def annotated_line(text: str, said: Annotated, labels: Sequence[str]) -> Text:
    """Show what somebody says of a text: entities in their place, categories beside it."""
    colours = _colours(labels)
    line = _marked(text, said.entities, colours)
    for category in said.categories:
        colour = colours.get(category.label, "white")
        line.append(f"  {harmless(category.label)}", style=f"bold {colour}")
    if not said.entities and not said.categories:
        line.append("  nothing", style="dim")
    return line


def _colours(labels: Sequence[str]) -> dict[str, str]:
    return {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}


def harmless(text: str) -> str:
    """Show control characters as what they are: a text must not command the terminal."""
    return "".join(
        char if char.isprintable() or char == "\t" else f"\\x{ord(char):02x}" for char in text
    )

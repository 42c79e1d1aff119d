"""What the documents say is so: names exist, none is forgotten, examples run."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from distill.judging.gate import Reason
from schemas.errors import AnswerError
from schemas.files.task_file import load_task
from schemas.settings import KafkaSettings, Settings, load_settings
from schemas.types import Category, Entity, EntityEvent
from schemas.wire.events import REVISED
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append, read_to_end
from stream.kafka.topics import TopicSpec, create_topics
from stream.tag import routing
from stream.tag.processor import BLANK
from stream.watch.metrics import MetricName

REPOSITORY = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/measurements.md",
    "docs/operating.md",
    "docs/prompts.md",
    "docs/security.md",
    "docs/tasks.md",
    "docs/testing.md",
)


def page(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under `## title`, up to the next heading of its rank."""
    return text.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of a table whose first cell is a name in backticks."""
    lines = re.findall(r"^ *\| (`[^`]+` \|.*) \|$", text, flags=re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.split(" | ")] for line in lines]


def first_cells(text: str) -> list[str]:
    return [row[0] for row in rows(text)]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, indentation taken off."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, flags=re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its dotted name, and its default as the table writes it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", shown(field.get_default(call_default_factory=True))


def shown(default: Any) -> str:
    return str(default) if isinstance(default, (str, Path)) else json.dumps(default)


def test_every_setting_is_in_the_reference_with_its_default_and_no_other() -> None:
    reference = section(page("docs/operating.md"), "Settings")

    assert {name: default for name, default, _ in rows(reference)} == dict(leaves(Settings))


def test_every_metric_is_described_and_no_other() -> None:
    described = first_cells(section(page("docs/operating.md"), "Metrics"))

    assert sorted(described) == sorted(get_args(MetricName))


def test_every_reason_of_the_gate_is_explained_and_no_other() -> None:
    explained = first_cells(section(page("docs/operating.md"), "The distill role"))

    assert sorted(explained) == sorted(get_args(Reason))


def test_every_field_of_an_event_is_described_and_no_other() -> None:
    described = first_cells(section(page("docs/tasks.md"), "What the consumer gets"))
    inner = {
        f"{name}[].{field.name}"
        for name, part in (("entities", Entity), ("categories", Category))
        for field in fields(part)
    }
    names = {field.name for field in fields(EntityEvent)} | inner

    assert set(described[: len(names)]) == names


def test_every_reason_of_an_event_is_described() -> None:
    described = set(first_cells(section(page("docs/tasks.md"), "What the consumer gets")))
    failures = {error.code for error in AnswerError.__subclasses__()}

    assert set(get_args(routing.Reason)) | failures | {BLANK, REVISED} <= described


def test_events_that_are_worth_an_alert_are_logged_somewhere() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for room in ("schemas", "stream", "distill")
        for path in (REPOSITORY / room).rglob("*.py")
    ]
    named = set(first_cells(section(page("docs/operating.md"), "Logs")))

    assert named
    assert not {event for event in named if not any(f'"{event}"' in text for text in sources)}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings_that_exist(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page(name)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (REPOSITORY / name).parent / path if path else REPOSITORY / name
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """Headings as GitHub links to them."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", "docs/tasks.md"])
def test_task_files_and_settings_that_are_shown_can_be_read(name: str, tmp_path: Path) -> None:
    shown_files = blocks(page(name), "yaml")

    assert shown_files
    for number, text in enumerate(shown_files):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        if "\nlabels:" in f"\n{text}":
            load_task(file)
        else:
            load_settings(file)


EXAMPLES = blocks(page("docs/testing.md"), "python")


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_testing_page_pass(number: int, tmp_path: Path) -> None:
    file = tmp_path / "test_example.py"
    file.write_text(EXAMPLES[number], encoding="utf-8")
    found = runpy.run_path(str(file))
    tests = {name: value for name, value in found.items() if name.startswith("test_")}

    assert tests
    for name, test in tests.items():
        (folder := tmp_path / name).mkdir()
        test(*([folder] if "tmp_path" in inspect.signature(test).parameters else []))


def test_the_script_that_replays_dead_letters_puts_them_back_as_they_were(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=embedded_broker.bootstrap_servers, topic_prefix="replayed."
    )
    letters = [letter("undecodable", 1), letter("undecodable", 2), letter("bad_text", 3)]

    asyncio.run(bury(letters, kafka))
    run_script(kafka, tmp_path)
    back = asyncio.run(read(kafka))

    assert back == [
        (b"key", b"value", [("own", b"\xff"), ("origin-record-id", b"replayed-0-1")]),
        (b"key", b"value", [("own", b"\xff"), ("origin-record-id", b"replayed-0-2")]),
    ]


Headers = tuple[tuple[str, bytes], ...]


def letter(code: str, offset: int) -> Headers:
    return (
        ("own", b"\xff"),
        ("origin-record-id", f"replayed-0-{offset}".encode()),
        ("__connect.errors.topic", b"replayed"),
        ("__connect.errors.stage", code.encode()),
    )


async def bury(letters: list[Headers], kafka: KafkaSettings) -> None:
    dead = f"{kafka.topic_prefix}dead-letters"
    await create_topics(kafka, [TopicSpec(name, 1, 1) for name in ("replayed", dead)])
    for headers in letters:
        await append(kafka, dead, key=b"key", value=b"value", headers=headers)


def run_script(kafka: KafkaSettings, folder: Path) -> None:
    """Run the script of the page, as a user with these settings would."""
    (script,) = blocks(section(page("docs/operating.md"), "Dead letters"), "python")
    (folder / "replay.py").write_text(script, encoding="utf-8")
    environment = {
        "PYTHONPATH": str(REPOSITORY),
        "SILVERSTREAM_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SILVERSTREAM_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
    }
    command = [sys.executable, str(folder / "replay.py"), "undecodable"]
    subprocess.run(command, env=environment, check=True)


async def read(kafka: KafkaSettings) -> list[Any]:
    records = [record async for record in read_to_end(kafka, "replayed")]
    return [(record.key, record.value, list(record.headers)) for record in records]


@pytest.mark.parametrize("name", ["docs/security.md", "docs/measurements.md"])
def test_every_test_that_a_table_names_is_there(name: str) -> None:
    named = re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", page(name))
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (REPOSITORY / file).is_file() or (test and f"def {test}(" not in page(file))
    ]

    assert named
    assert not missing


def test_the_changelog_lists_versions_newest_first() -> None:
    versions = re.findall(r"^## (\S+)", page("CHANGELOG.md"), flags=re.MULTILINE)
    numbers = [[int(part) for part in version.split(".")] for version in versions[1:]]

    assert versions[0] == "Unreleased"
    assert all(newer > older for newer, older in pairwise(numbers))


def test_every_room_has_a_line_and_no_other() -> None:
    told = first_cells(section(page("CONTRIBUTING.md"), "Find your room"))
    there = {
        f"{init.parent.relative_to(REPOSITORY)}/"
        for package in ("schemas", "stream", "distill")
        for init in (REPOSITORY / package).rglob("__init__.py")
    }

    assert set(told) == there

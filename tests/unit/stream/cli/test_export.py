from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.labels.bootstrap import label_writer
from distill.labels.journal import KafkaJournal
from schemas.categories import of_labels
from schemas.files.corpus import Format, import_corpus, reading
from schemas.files.corpus.write import CATEGORY_WRITERS, WRITERS
from schemas.files.task_file import load_task
from schemas.settings import load_settings
from schemas.types import Entity, SilverLabel
from stream.cli.main import main
from stream.kafka.local.embedded import EmbeddedBroker
from stream.teacher.kinds.said import Annotation, said_by
from stream.testing.messages import a_label

TASK = "name: people\nlanguage: en\nlabels: [{name: PER, description: A person.}]\n"
LINES = """
{"id": "a", "text": "Ada left \\ud83c\\udf89 Bo.", "label": [[0, 3, "PER"], [11, 13, "PER"]]}
{"id": "b", "text": "rain", "label": []}
"""


def run(*arguments: str) -> None:
    """Run a command that must succeed."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0


@pytest.fixture
def folder(tmp_path: Path, embedded_broker: EmbeddedBroker) -> Path:
    (tmp_path / "task.yaml").write_text(TASK)
    kafka = {
        "bootstrap_servers": embedded_broker.bootstrap_servers,
        "topic_prefix": f"{tmp_path.name}.",
        "text_topic": f"{tmp_path.name}.text",
        "delivery": "at_least_once",
    }
    settings: dict[str, Any] = {
        "task": str(tmp_path / "task.yaml"),
        "kafka": kafka,
        "routing": {"audit_key_file": str(tmp_path / "audit.key")},
    }
    (tmp_path / "s.yaml").write_text(json.dumps(settings))
    (tmp_path / "in.jsonl").write_text(LINES, encoding="utf-8")
    run("topics", "create", "--config", str(tmp_path / "s.yaml"))
    return tmp_path


def bootstrap(folder: Path, file: str, *options: str) -> dict[str, Any]:
    told = folder / "told.json"
    config = ("--config", str(folder / "s.yaml"), "--json", str(told))
    run("bootstrap", str(folder / file), "--labelled", *options, *config)
    facts: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return facts


def export(folder: Path, form: str, *options: str) -> dict[str, Any]:
    told = folder / "exported.json"
    out = str(folder / f"out.{form}")
    config = ("--config", str(folder / "s.yaml"), "--json", str(told))
    run("export", "--format", form, "--out", out, *options, *config)
    facts: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    return facts


TEACHERS = {
    "Ada left \U0001f389 Bo, early.": (Entity(0, 3, "PER", "Ada"), Entity(11, 13, "PER", "Bo")),
    "rain": (),
    "Cy\xa0and  Ann\tcame": (Entity(8, 11, "PER", "Ann"),),
    "Ed & Ed": (Entity(0, 2, "PER", "Ed"), Entity(5, 7, "PER", "Ed")),
}
CHANGED = "Ed & Ed"


def teach(folder: Path, texts: Mapping[str, Annotation] = TEACHERS) -> None:
    """Write the teacher's labels."""
    settings = load_settings(folder / "s.yaml")
    task = load_task(settings.task)
    about = a_label(task=task.name, task_digest=task.digest, source="teacher", record_id="")

    async def write() -> None:
        async with label_writer(settings) as deliver:
            for text, given in texts.items():
                said = said_by(given)
                label = replace(about, text=text, entities=said.entities)
                await deliver(replace(label, categories=said.categories))

    asyncio.run(write())


def standing(folder: Path) -> dict[str, SilverLabel]:
    settings = load_settings(folder / "s.yaml")
    labels = KafkaJournal(settings, load_task(settings.task)).labels()
    return {label.text: label for label in labels}


@pytest.mark.parametrize("form", WRITERS)
def test_of_the_teachers_labels_only_what_a_person_changed_comes_back_as_a_persons(
    folder: Path, form: Format
) -> None:
    teach(folder)
    before = standing(folder)
    export(folder, form)
    told = bootstrap(folder, f"out.{form}", "--format", form)
    assert (told["labelled"], told["data"]["unchanged"]) == (0, len(TEACHERS))
    assert standing(folder) == before

    out = folder / f"out.{form}"
    found = import_corpus(out, how=reading(form, None, None)).examples
    corrected = [
        replace(one, entities=one.entities[:1]) if one.text == CHANGED else one for one in found
    ]
    out.write_text("".join(WRITERS[form](corrected)), encoding="utf-8")
    told = bootstrap(folder, out.name, "--format", form)
    assert (told["labelled"], told["data"]["unchanged"]) == (1, len(TEACHERS) - 1)
    after = standing(folder)
    assert (after[CHANGED].source, after[CHANGED].entities) == ("human", TEACHERS[CHANGED][:1])
    assert {**after, CHANGED: before[CHANGED]} == before


MOODS = "kind: categories\nchoose: any\nlabels: [{name: glad}, {name: sad}]\n"


@pytest.mark.parametrize("form", CATEGORY_WRITERS)
def test_of_the_teachers_categories_only_what_a_person_changed_comes_back(
    folder: Path, form: Format
) -> None:
    (folder / "task.yaml").write_text(f"name: mood\nlanguage: en\n{MOODS}")
    said = {"A day": ["glad"], "Both": ["glad", "sad"], "rain": []}
    teach(folder, {text: of_labels(names) for text, names in said.items()})
    before = standing(folder)
    export(folder, form)
    told = bootstrap(folder, f"out.{form}", "--format", form)
    assert (told["labelled"], told["data"]["unchanged"]) == (0, 3)
    assert standing(folder) == before

    out = folder / f"out.{form}"
    found = import_corpus(out, how=reading(form)).examples
    corrected = [
        replace(one, categories=of_labels(["sad"])) if one.text == "Both" else one for one in found
    ]
    out.write_text("".join(CATEGORY_WRITERS[form](corrected)), encoding="utf-8", newline="")
    assert bootstrap(folder, out.name, "--format", form)["labelled"] == 1
    after = standing(folder)["Both"]
    assert (after.source, after.categories) == ("human", of_labels(["sad"]))


def test_a_persons_correction_stands_against_the_teachers_next_answer(folder: Path) -> None:
    teach(folder)
    (folder / "said.jsonl").write_text('{"text": "rain", "entities": []}\n')
    assert bootstrap(folder, "said.jsonl", "--confirm")["labelled"] == 1
    teach(folder, {"rain": (Entity(0, 4, "PER", "rain"),)})
    assert standing(folder)["rain"].source == "human"
    assert export(folder, "jsonl", "--source", "human")["data"]["records"] == 1
    assert bootstrap(folder, "said.jsonl", "--confirm")["skipped"] == {"unchanged": 1}


def test_to_confirm_is_for_a_persons_labels(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bootstrap", str(folder / "in.jsonl"), "--confirm"])
    assert ended.value.code == 2
    assert "pass --labelled" in capsys.readouterr().err


def test_what_was_exported_and_corrected_is_imported_again(folder: Path) -> None:
    first = bootstrap(folder, "in.jsonl")
    assert first["labelled"] == 2
    assert (first["data"]["format"], first["data"]["spans"]) == ("doccano", 2)

    for form in WRITERS:
        assert export(folder, form)["data"]["records"] == 2
        again = bootstrap(folder, f"out.{form}")
        assert (again["labelled"], again["skipped"]) == (0, {"unchanged": 2}), form

    file = folder / "out.doccano"
    file.write_text(
        file.read_text(encoding="utf-8").replace('[0, 3, "PER"], ', ""), encoding="utf-8"
    )
    assert bootstrap(folder, "out.doccano")["labelled"] == 1
    assert export(folder, "jsonl", "--source", "human")["data"]["spans"] == 1
    assert export(folder, "jsonl", "--source", "teacher")["data"]["records"] == 0


def test_a_format_that_holds_no_labels_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", "--format", "text", "--out", str(tmp_path / "o")])
    assert ended.value.code == 2
    assert "--format must be one of jsonl, conll" in capsys.readouterr().err

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.files.corpus.write import WRITERS
from stream.cli.main import main
from stream.kafka.local.embedded import EmbeddedBroker

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
    settings: dict[str, Any] = {"task": str(tmp_path / "task.yaml"), "kafka": kafka}
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


def test_what_was_exported_and_corrected_is_imported_again(folder: Path) -> None:
    first = bootstrap(folder, "in.jsonl")
    assert first["labelled"] == 2
    assert (first["data"]["format"], first["data"]["spans"]) == ("doccano", 2)

    for form in WRITERS:
        assert export(folder, form)["data"]["records"] == 2
        again = bootstrap(folder, f"out.{form}")
        assert (again["labelled"], again["skipped"]) == (0, {"labelled_before": 2}), form

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

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.archive import RoundArchive
from distill.explain.rounds import finished_rounds
from distill.labels.journal import KafkaJournal
from distill.labels.snapshot import labels_in
from schemas.files.task_file import task_yaml
from schemas.settings import Settings, TopicSettings, load_settings
from schemas.types import SilverLabel, text_digest
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.cli.main import main
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topic_logs import append
from stream.kafka.topics import create_topics, specs
from stream.teacher.ledger_and_cache import CachedAnswer, TeacherStore
from stream.teacher.openai_teacher import question_key
from stream.testing.endpoints import TASK
from stream.testing.messages import a_label

TEXT, OTHER = "Ada lives at 12 Elm Street", "Bo sings"
_numbers = itertools.count()


@pytest.fixture
def config(tmp_path: Path, embedded_broker: EmbeddedBroker) -> Path:
    """An installation that knows two texts, in every place that it keeps them in."""
    (tmp_path / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
    prefix = f"forget-{next(_numbers)}."
    values = {
        "task": str(tmp_path / "task.yaml"),
        "kafka": {
            "bootstrap_servers": embedded_broker.bootstrap_servers,
            "topic_prefix": prefix,
            "text_topic": f"{prefix}text",
        },
        "teacher": {"state": str(tmp_path / "teacher.sqlite")},
        "distill": {"snapshots": str(tmp_path / "snapshots")},
    }
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    _fill(load_settings(path), tmp_path)
    return path


def _fill(settings: Settings, folder: Path) -> None:
    names, codec = TopicNames.of(settings.kafka), Codec()
    asyncio.run(create_topics(settings.kafka, specs(names, TopicSettings(partitions=1))))
    labels = [_label(text) for text in (TEXT, OTHER)]
    for one in labels:
        value = codec.encode(one, names.silver_labels)
        asyncio.run(append(settings.kafka, names.silver_labels, key=label_key(one), value=value))
    with closing(TeacherStore(settings.teacher.state)) as store:
        for text in (TEXT, OTHER):
            key = question_key(text, prompt_version="p1", model=settings.teacher.model)
            store.remember(key, CachedAnswer("m", ()))
        store.remember_proposed("k", f"an example: {TEXT}")
    archive = RoundArchive(folder / "snapshots", TASK.name)
    snapshot = archive.keep_snapshot(labels)
    made = archive.folder / "rounds" / "20260101T000000-0001"
    made.mkdir(parents=True)
    told = {"status": "promoted", "snapshot": str(snapshot.path)}
    (made / "decision.json").write_text(json.dumps(told))
    lines = [json.dumps({"id": str(n), "text": x}) for n, x in enumerate((TEXT, OTHER))]
    (made / "pseudo-labels.jsonl").write_text("\n".join(lines) + "\n")
    opinions: dict[str, dict[str, list[int]]] = {
        "asker": {text_digest(x): [] for x in (TEXT, OTHER)}
    }
    (archive.folder / "second-opinions.json").write_text(json.dumps(opinions))
    run = folder / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    (run / "chosen.jsonl").write_text(f'{json.dumps({"text": TEXT})}\n{{"text": "x"}}\n')


def _label(text: str) -> SilverLabel:
    return a_label(
        task=TASK.name, task_digest=TASK.digest, text=text, entities=(), prompt_version="p1"
    )


def forget(config: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    out = config.parent / "forget.json"
    with pytest.raises(SystemExit) as ended:
        main(["forget", "--config", str(config), "--json", str(out), *arguments])
    assert ended.value.code == code
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if code == 0 else {}
    return found


def _holding(folder: Path) -> set[str]:
    """Name the files with the text or its digest in them, what is compressed read too."""
    found = set()
    for path in folder.rglob("*"):
        if not path.is_file() or path.name in {"forget.json", "texts.txt"}:
            continue
        data = path.read_bytes()
        parts = [x.text for x in labels_in(data)] if path.suffix == ".parquet" else []
        told = "\n".join([data.decode("utf-8", "replace"), *parts])
        if TEXT in told or text_digest(TEXT) in told:
            found.add(path.name)
    return found


def test_a_text_is_forgotten_everywhere_and_who_learnt_from_it_is_named(config: Path) -> None:
    folder, settings = config.parent, load_settings(config)
    arguments = ("--text-digest", text_digest(TEXT), "--run", str(folder / "run"))
    before = _holding(folder)
    assert len(before) >= 5
    would = forget(config, *arguments, "--dry-run")
    assert _holding(folder) == before
    assert len(KafkaJournal(settings, TASK).labels()) == 2

    done = forget(config, *arguments)

    assert {**done, "dry_run": True} == would
    assert _holding(folder) == set()
    assert [x.text for x in KafkaJournal(settings, TASK).labels()] == [OTHER]
    counts = ("labels", "answers", "proposals", "snapshots", "round_records", "run_records")
    assert [done[x] for x in counts] == [1, 1, 1, 1, 2, 1]
    assert [(x["student"], x["used_for"]) for x in done["students"]] == [
        ("20260101T000000-0001", "training")
    ]
    assert any("retention" in x for x in done["unreached"])
    assert any("weights of the students" in x for x in done["unreached"])
    with closing(TeacherStore(settings.teacher.state)) as store:
        key = question_key(OTHER, prompt_version="p1", model=settings.teacher.model)
        assert store.cached(key) is not None


def test_a_rounds_labels_are_still_found_and_a_second_run_finds_nothing(config: Path) -> None:
    (config.parent / "texts.txt").write_text(TEXT + "\n")
    forget(config, "--file", str(config.parent / "texts.txt"))
    (one,) = finished_rounds(RoundArchive(config.parent / "snapshots", TASK.name))
    data = one.snapshot()
    assert data is not None
    assert [x.text for x in labels_in(data)] == [OTHER]
    again = forget(config, "--text-digest", text_digest(TEXT))
    assert (again["labels"], again["snapshots"], again["students"]) == (0, 0, [])
    forget(config, "--text-digest", text_digest(OTHER))
    assert labels_in(one.snapshot() or b"") == []


def test_what_is_no_digest_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forget(config, "--text-digest", "abc", code=2)
    forget(config, code=2)
    assert "64 hexadecimal digits" in capsys.readouterr().err

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.archive import RoundArchive
from distill.explain.rounds import finished_rounds
from distill.labels.journal import KafkaJournal
from distill.labels.snapshot import labels_in
from schemas.files.task_file import task_yaml
from schemas.question_keys import question_key
from schemas.settings import Settings, TopicSettings, load_settings
from schemas.types import SilverLabel, TeacherAnswer, text_digest
from schemas.wire.codec import Codec
from schemas.wire.record_ids import label_key
from schemas.wire.topics import TopicNames
from stream.cli.main import main
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.signatures import new_key, public_key
from stream.kafka.topic_logs import append, read_to_end
from stream.kafka.topics import create_topics, specs
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.batch_rows import Batch
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Cause
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
    asyncio.run(create_topics(settings.kafka, specs(names, TopicSettings(partitions=2))))
    labels = [_label(text) for text in (TEXT, OTHER)]
    for one in labels:
        value = codec.encode(one, names.silver_labels)
        asyncio.run(append(settings.kafka, names.silver_labels, key=label_key(one), value=value))
    for text in (TEXT, OTHER):
        key = question_key(text, prompt_version="p0", model="m", endpoint="http://elsewhere/v1")
        answer = TeacherAnswer(key, "p0", "m", "http://elsewhere/v1")
        value = codec.encode(answer, names.teacher_answers)
        asyncio.run(append(settings.kafka, names.teacher_answers, key=key.encode(), value=value))
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


def newest(settings: Settings) -> dict[bytes, SilverLabel]:
    """Read what is left of the labels topic once it is compacted."""

    async def read() -> dict[bytes, bytes | None]:
        topic = TopicNames.of(settings.kafka).silver_labels
        return {one.key: one.value async for one in read_to_end(settings.kafka, topic)}

    left = asyncio.run(read())
    return {key: Codec().decode(SilverLabel, value) for key, value in left.items() if value}


def test_a_copy_under_the_keys_of_another_text_goes_and_that_texts_labels_stay(
    config: Path,
) -> None:
    settings = load_settings(config)
    topic = TopicNames.of(settings.kafka).silver_labels
    person = replace(_label(OTHER), source="human")
    gone = replace(person, text="Cy")
    value = Codec().encode(_label(TEXT), topic)
    for key, label in ((label_key(person), person), (label_key(_label(OTHER)), None)):
        told = value if label is None else Codec().encode(label, topic)
        asyncio.run(append(settings.kafka, topic, key=key, value=told))
    asyncio.run(append(settings.kafka, topic, key=label_key(gone), value=value))

    assert forget(config, "--text-digest", text_digest(TEXT))["labels"] == 3

    left = {label_key(one): one for one in (person, _label(OTHER))}
    assert newest(settings) == left
    assert [*KafkaJournal(settings, TASK).labels()] == [person]
    assert forget(config, "--text-digest", text_digest(TEXT))["labels"] == 0


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
    assert done["shared_answers"] == 1
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
    assert again["shared_answers"] == 0
    forget(config, "--text-digest", text_digest(OTHER))
    assert labels_in(one.snapshot() or b"") == []


def test_what_is_no_digest_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forget(config, "--text-digest", "abc", code=2)
    forget(config, code=2)
    assert "64 hexadecimal digits" in capsys.readouterr().err


def _with(config: Path, **sections: dict[str, Any]) -> Settings:
    """Change sections of the settings file."""
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    for name, section in sections.items():
        values[name] = {**values[name], **section}
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_settings(config)


def _write(settings: Settings, value: bytes | None, *, partition: int | None = None) -> None:
    """Write a label of the text, or a tombstone, signed where the settings have a key."""
    topic, key = TopicNames.of(settings.kafka).silver_labels, label_key(_label(TEXT))
    asyncio.run(append(settings.kafka, topic, key=key, value=value, partition=partition))


def _encoded(settings: Settings) -> bytes:
    return Codec().encode(_label(TEXT), TopicNames.of(settings.kafka).silver_labels)


def test_a_label_that_nobody_signed_is_forgotten_and_no_signing_brings_it_back(
    config: Path,
) -> None:
    settings = _with(config, kafka={"signing_key": new_key()})
    assert KafkaJournal(settings, TASK).labels() == []
    shutil.rmtree(config.parent / "snapshots")  # its label alone tells by which prompt it was asked
    done = forget(config, "--text-digest", text_digest(TEXT))
    assert (done["labels"], done["answers"]) == (1, 1)
    with pytest.raises(SystemExit) as ended:
        main(["sign", "--config", str(config), "--yes"])
    assert ended.value.code == 0
    assert [x.text for x in KafkaJournal(settings, TASK).labels()] == [OTHER]
    assert forget(config, "--text-digest", text_digest(TEXT))["labels"] == 0


def test_a_tombstone_that_nobody_signed_keeps_no_signed_label_from_being_forgotten(
    config: Path,
) -> None:
    unsigned = load_settings(config)
    signing = _with(config, kafka={"signing_key": new_key()})
    _write(signing, _encoded(signing))
    _write(unsigned, None)
    assert [x.text for x in KafkaJournal(signing, TASK).labels()] == [TEXT]
    done = forget(config, "--text-digest", text_digest(TEXT))
    assert (done["labels"], done["answers"]) == (1, 1)
    assert KafkaJournal(signing, TASK).labels() == []


def test_who_cannot_sign_a_tombstone_is_told_so_before_anything_is_dropped(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _with(config, kafka={"trusted_keys": [public_key(new_key())]})
    before = _holding(config.parent)
    forget(config, "--text-digest", text_digest(TEXT), code=2)
    assert "kafka.signing_key_file" in capsys.readouterr().err
    assert _holding(config.parent) == before
    assert forget(config, "--text-digest", text_digest(TEXT), "--dry-run")["labels"] == 1


def test_a_key_is_forgotten_in_each_partition_of_a_topic_that_was_widened(config: Path) -> None:
    settings = load_settings(config)
    for partition in (0, 1):
        _write(settings, _encoded(settings), partition=partition)
    assert forget(config, "--text-digest", text_digest(TEXT))["labels"] == 2
    assert [x.text for x in KafkaJournal(settings, TASK).labels()] == [OTHER]
    assert forget(config, "--text-digest", text_digest(TEXT))["labels"] == 0


def test_what_else_has_the_text_on_this_machine_is_named(config: Path) -> None:
    folder = config.parent
    canaries = folder / "canaries.jsonl"
    canaries.write_text(json.dumps({"id": "1", "text": TEXT, "entities": []}) + "\n")
    _with(config, teacher={"canaries": str(canaries)})
    (folder / ".silverstream-new.json").write_text("{}")
    for name in ("first", "second"):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "run.json").write_text("{}")
    arguments = ("--run", str(folder / "runs" / "first"), "--dry-run")
    told = forget(config, "--text-digest", text_digest(TEXT), *arguments)["unreached"]
    named = [x for x in told if str(folder) in x]
    assert [x.split()[0] for x in named] == [
        str(canaries),
        str(folder / ".silverstream-new.json"),
        str(folder / "runs" / "second"),
    ]
    others = forget(config, "--text-digest", "0" * 64, *arguments)["unreached"]
    assert not any(str(canaries) in x for x in others)


def test_a_text_that_waits_in_a_batch_is_taken_out_and_its_file_named(config: Path) -> None:
    settings, at = load_settings(config), "http://batches/v1"
    with closing(TeacherStore(settings.teacher.state)) as store:
        store.note_batch(Batch("b", TASK.name, "bootstrap", at, "file-7", 1.0, "batch_7", lines=2))
        for text in (TEXT, OTHER):
            key = question_key(text, prompt_version="p1", model=settings.teacher.model, endpoint=at)
            cause = Cause(TASK.name, "bootstrap", key, batch="b", line=text_digest(text)[:8])
            store.reserve(0.1, cause=cause, day="2026-01-01", budget_usd=1.0)
    told = forget(config, "--text-digest", text_digest(TEXT))["unreached"]
    assert any("file-7" in x and "batch_7" in x for x in told)
    with closing(TeacherStore(settings.teacher.state)) as store:
        assert [*store.open_lines("b")] == [text_digest(OTHER)[:8]]


def test_a_proposal_that_quotes_the_redacted_text_is_dropped(config: Path) -> None:
    settings = _with(config, teacher={"redaction": {"enabled": True, "kinds": ["email"]}})
    text, texts = "Ask ada@example.org soon", config.parent / "texts.txt"
    texts.write_text(text + "\n")
    with closing(TeacherStore(settings.teacher.state)) as store:
        store.remember_proposed("redacted", "an example: Ask [EMAIL_1] soon")
        store.remember_proposed("another", "an example: Ask [EMAIL_1] later")
    assert forget(config, "--file", str(texts))["proposals"] == 1
    with closing(TeacherStore(settings.teacher.state)) as store:
        assert store.proposed("redacted") is None
        assert store.proposed("another") is not None

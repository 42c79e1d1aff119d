from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import (
    Example,
    Reading,
    import_corpus,
    read_corpus,
    reading,
    write_jsonl,
)
from schemas.types import Entity
from stream.lab.replay.material import plainly_readable
from stream.lab.replay.options import ReplayOptions
from stream.lab.replay.play import replay_once
from stream.lab.replay.progress import LiveProgress
from stream.lab.replay.result import ReplayResult

PLAYED: dict[str, Any] = {
    "records": 3,
    "lost": 0,
    "duplicated": 0,
    "uncorrected": 0,
    "dead_lettered": 0,
    "kind": "entities",
    "overall": None,
    "teacher": None,
    "stream": None,
    "students": {"last": {"f1": 0.5}},
    "rounds": (),
}


@pytest.fixture
def options(tmp_path: Path) -> ReplayOptions:
    ada = Entity(0, 3, "PER", "Ada")
    examples = [Example(str(n), f"Ada {n}", (ada,)) for n in range(4)]
    for name in ("stream", "held_out"):
        write_jsonl(tmp_path / f"{name}.jsonl", examples)
    stream, held_out = tmp_path / "stream.jsonl", tmp_path / "held_out.jsonl"
    return ReplayOptions(
        stream=(stream,), held_out=held_out, cold_start=1, rounds=1, ceiling=True, plain=True
    )


class Ceilings:
    """Takes the place of the trainings, of which one is killed; keeps what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, *_: object, **options: Any) -> dict[str, dict[str, Any]]:
        self.asked.append(options)
        return {"plain": {"f1": 0.6}}


def replayed(options: ReplayOptions, work: Path, train: Ceilings, *, failure: str) -> ReplayResult:
    def play(*_: object) -> dict[str, Any]:
        return PLAYED | {"students": {"last": {"f1": 0.5}}, "failure": failure}

    return replay_once(options, work, LiveProgress(Console(quiet=True)), play=play, train=train)


def test_a_ceiling_that_dies_does_not_take_the_replays_result_with_it(
    options: ReplayOptions, tmp_path: Path
) -> None:
    train = Ceilings()
    result = replayed(options, tmp_path, train, failure="")
    assert train.asked[0]["recipes"].keys() == {"ceiling", "plain"}
    assert result.failure.endswith("ceiling")
    assert result.records == 3
    assert result.students == {"last": {"f1": 0.5}, "plain": {"f1": 0.6}}


def test_no_ceiling_is_trained_when_the_stream_stood_still(
    options: ReplayOptions, tmp_path: Path
) -> None:
    train = Ceilings()
    assert replayed(options, tmp_path, train, failure="stood still").failure == "stood still"
    assert train.asked == []


def test_files_that_need_options_are_written_plainly_for_the_systems_processes(
    options: ReplayOptions, tmp_path: Path
) -> None:
    (tmp_path / "stream").write_text("1 Ada B-PER\n2 left O\n", encoding="utf-8")
    given = replace(
        options,
        stream=(tmp_path / "stream",),
        held_out=tmp_path / "stream",
        how=reading("conll", "word=2,tag=3"),
    )
    plain = plainly_readable(given, tmp_path / "work")
    assert [one.text for one in read_corpus(plain.stream[0])] == ["Ada left"]
    assert [one.text for one in read_corpus(plain.held_out)] == ["Ada left"]
    assert plain.how == Reading()
    assert plainly_readable(options, tmp_path / "work") == options


def test_what_was_recorded_for_the_streams_texts_makes_a_student_too(
    options: ReplayOptions, tmp_path: Path
) -> None:
    ada, bob = Entity(0, 3, "PER", "Ada"), Entity(0, 3, "LOC", "Ada")
    write_jsonl(
        tmp_path / "answers.jsonl",
        [
            Example("1", "Ada 1", (ada,), {}, (bob,)),
            Example("2", "Ada 2", (ada,), {}, None),
            Example("3", "elsewhere", (ada,), {}, (bob,)),
        ],
    )
    asked = replace(
        options,
        ceiling=False,
        plain=False,
        recorded_ceiling=True,
        teacher=str(tmp_path / "answers.jsonl"),
    )
    train = Recorded()
    result = replayed(asked, tmp_path, train, failure="")
    assert result.failure == ""
    assert [(one.text, one.entities) for one in train.examples] == [("Ada 1", (bob,))]
    assert result.students["recorded"] == {"f1": 0.4}


def test_a_student_of_recorded_answers_needs_some(options: ReplayOptions) -> None:
    with pytest.raises(ConfigError, match="--recorded-ceiling needs --teacher FILE"):
        replace(options, recorded_ceiling=True).check()


class Recorded(Ceilings):
    """Keeps what it was to train on."""

    examples: Sequence[Example] = ()

    def __call__(self, *corpora: Any, **options: Any) -> dict[str, dict[str, Any]]:
        if "recorded" not in options["recipes"]:
            return {}
        self.examples = corpora[0]
        return {"recorded": {"f1": 0.4}}


def test_files_of_categories_are_copied_as_such_though_a_text_of_none_comes_first(
    options: ReplayOptions, tmp_path: Path
) -> None:
    (tmp_path / "stream").write_text("text,mood\nrain,\nsun,glad|calm\n")
    (tmp_path / "rest").write_text("text,mood\nsnow,\n")
    given = replace(
        options,
        stream=(tmp_path / "stream",),
        held_out=tmp_path / "rest",
        how=reading("csv", label_column="mood"),
    )
    plain = plainly_readable(given, tmp_path / "work")
    assert [one.categories for one in read_corpus(plain.stream[0])] == [
        (),
        of_labels(["calm", "glad"]),
    ]
    assert import_corpus(plain.held_out).report.kind == "categories"

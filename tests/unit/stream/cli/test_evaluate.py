from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.categories import Choose, of_labels
from schemas.files.corpus import Example, write_jsonl
from schemas.types import Entity
from stream.cli.main import main
from stream.testing.bundles import write_bundle, write_category_bundle

WORDS = {"thanks": "glad", "alas": "sad"}
SAID = {"thanks a lot": "glad", "alas poor us": "sad", "alas not": "glad", "thanks all": "glad"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Four texts, of which the students of moods get three."""
    path = tmp_path / "gold.jsonl"
    examples = [Example(text, text, (), categories=of_labels([x])) for text, x in SAID.items()]
    write_jsonl(path, examples)
    return path


@pytest.fixture
def spans(tmp_path: Path) -> Path:
    path = tmp_path / "spans.jsonl"
    write_jsonl(path, [Example("1", "Ada sings", (Entity(0, 3, "PER", "Ada"),))])
    return path


def moods(folder: Path, choose: Choose, labels: tuple[str, ...] = ("glad", "sad")) -> Path:
    words = {word: label for word, label in WORDS.items() if label in labels}
    write_category_bundle(folder, labels=labels, choose=choose, words=words)
    return folder


def evaluated(bundle: Path, corpus: Path, *arguments: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(bundle), str(corpus), *arguments])
    assert end.value.code == code


@pytest.mark.parametrize(("choose", "micro"), [("one", False), ("any", True)])
def test_of_categories_accuracy_is_told_with_its_interval(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    choose: Choose,
    *,
    micro: bool,
) -> None:
    evaluated(moods(tmp_path / "v1", choose), corpus, "--json", str(tmp_path / "out.json"))
    out = capsys.readouterr().out
    told: dict[str, Any] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    low, high = told["accuracy_interval"]["low"], told["accuracy_interval"]["high"]
    assert f"accuracy between {low:.1%} and {high:.1%} (90% bootstrap interval)" in out
    assert told["accuracy"] == 0.75
    assert low <= 0.75 <= high
    assert "75.0%" in out
    assert ("micro F1" in out) is ("micro_f1" in told) is micro
    assert "macro F1" in out
    assert "span" not in out


def test_of_entities_f1_is_told_with_its_interval(
    spans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(tmp_path / "v1", labels=["PER"], words={"ada": "B-PER"})
    evaluated(tmp_path / "v1", spans)
    out = capsys.readouterr().out
    assert "F1 between 100.0% and 100.0% (90% bootstrap interval)" in out
    assert "strict span F1" in out
    assert not any(word in out for word in ("accuracy", "macro", "micro"))


def test_categories_that_the_student_does_not_know_are_named(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(moods(tmp_path / "v1", "any", ("glad",)), corpus)
    assert "sad: 1 texts of a label that the student does not know" in capsys.readouterr().out


def test_a_corpus_of_the_other_kind_is_a_users_error(
    corpus: Path, spans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated(moods(tmp_path / "moods", "one"), spans, code=2)
    write_bundle(tmp_path / "names", labels=["PER"], words={"ada": "B-PER"})
    evaluated(tmp_path / "names", corpus, code=2)
    told = capsys.readouterr().err
    assert "has entities, but the student is one of categories" in told
    assert "has categories, but the student is one of entities" in told

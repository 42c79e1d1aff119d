from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.labels.judges import Judges, as_examples, choose_judges, frozen_texts, read_gold
from distill.labels.splits import split
from schemas.categories import of_labels
from schemas.errors import ConfigError
from schemas.files.corpus import Example, write_jsonl
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.types import Entity, SilverLabel, text_digest

MakeLabel = Callable[..., SilverLabel]
ADA = Example("1", "Ada", (Entity(0, 3, "PER", "Ada"),))


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "gold.jsonl", [ADA, Example("2", "rain", ())])
    return tmp_path / "gold.jsonl"


def test_gold_is_named_by_the_digest_of_its_file(gold: Path, task: Task) -> None:
    judges = read_gold(gold, task)
    assert judges is not None
    assert judges.digest == hashlib.sha256(gold.read_bytes()).hexdigest()
    assert not judges.calibrate
    assert judges.examples[0] == ADA


def test_gold_with_a_label_that_the_task_lacks_is_refused(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "gold.jsonl"
    write_jsonl(path, [Example("1", "Oslo", (Entity(0, 4, "LOC", "Oslo"),))])
    with pytest.raises(ConfigError, match="LOC"):
        read_gold(path, task)


def test_texts_of_gold_and_of_held_out_corpora_are_frozen(gold: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "test.jsonl", [Example("1", "sun", ())])
    frozen = frozen_texts([gold, tmp_path / "test.jsonl"])
    assert frozen == {text_digest(text) for text in ("Ada", "rain", "sun")}
    assert frozen_texts([None]) == frozenset()


def test_gold_that_the_teacher_is_shown_does_not_judge(gold: Path, task: Task) -> None:
    judges = read_gold(gold, task, n_shown=1)
    assert judges is not None
    assert [example.text for example in judges.examples] == ["rain"]


def test_gold_goes_before_audits(gold: Path, task: Task, make_label: MakeLabel) -> None:
    splits = split([make_label(f"Bo {i}", audit=True) for i in range(20)], task=task)
    judges = choose_judges(read_gold(gold, task), splits, task=task, first=False)
    assert (judges.source, len(judges.examples)) == ("gold", 2)


def test_without_gold_all_audits_judge_and_nothing_else(task: Task, make_label: MakeLabel) -> None:
    names = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(50)]  # digits make texts alike
    audits = [make_label(f"Bo {x}", audit=True, labelled_at_ms=i) for i, x in enumerate(names)]
    cold = [make_label(f"Al {i}", source="bootstrap") for i in range(50)]
    splits = split([*cold, *audits], task=task)
    assert splits.judge
    judges = choose_judges(None, splits, task=task, first=False)
    assert (judges.source, judges.digest, judges.calibrate) == ("audit", "", True)
    assert [example.text for example in judges.examples] == [x.text for x in audits]
    assert judges.examples[0].entities == audits[0].entities


def test_a_first_student_without_gold_is_judged_on_what_it_was_not_trained_on(
    task: Task, make_label: MakeLabel
) -> None:
    splits = split([make_label(f"Bo {i}", source="bootstrap") for i in range(100)], task=task)
    judges = choose_judges(None, splits, task=task, first=True)
    texts = {example.text for example in judges.examples}
    assert judges.source == "cold start"
    assert texts == {label.text for label in splits.calibration}
    assert not texts & {label.text for label in splits.training}


MOOD = Task("mood", "en", (LabelSpec("glad"), LabelSpec("PER")), kind="categories", choose="one")


@pytest.mark.parametrize("labels", [[], ["PER", "glad"]])
def test_gold_that_is_no_choice_of_one_is_refused(tmp_path: Path, labels: list[str]) -> None:
    path = tmp_path / "gold.jsonl"
    write_jsonl(path, [Example("7", "A day", (), categories=of_labels(labels))], "categories")
    words = rf"gold\.jsonl: the text 7: the text has {len(labels)} categories"
    with pytest.raises(ConfigError, match=words):
        read_gold(path, MOOD)


def test_gold_of_the_other_kind_is_refused_though_its_labels_are_known(
    tmp_path: Path, gold: Path, task: Task
) -> None:
    path = tmp_path / "moods.jsonl"
    write_jsonl(path, [Example("1", "A day", (), categories=of_labels(["PER"]))])
    with pytest.raises(ConfigError, match="it has categories, but the task asks for entities"):
        read_gold(path, task)
    with pytest.raises(ConfigError, match="it has entities, but the task asks for categories"):
        read_gold(gold, MOOD)


def test_audits_judge_by_their_categories(make_label: MakeLabel) -> None:
    made = make_label("A day", entities=(), task_digest=MOOD.digest)
    (judge,) = as_examples([replace(made, categories=of_labels(["glad"]))], MOOD)
    assert (judge.entities, judge.categories) == ((), of_labels(["glad"]))


def test_an_audit_from_before_a_label_was_added_judges_the_others(make_label: MakeLabel) -> None:
    wider = replace(MOOD, labels=(*MOOD.labels, LabelSpec("sad", added=True)))
    labels = [make_label("A day", task_digest=x.digest) for x in (MOOD, wider)]
    old, new = as_examples(labels, wider)
    assert old.unasked == {"sad"}
    assert not new.unasked


def test_without_gold_what_may_be_asked_judges_beside_all_that_is_never_trained_on(
    task: Task, make_label: MakeLabel
) -> None:
    labels = [make_label(f"cold {i}", source="bootstrap") for i in range(20)]
    labels += [make_label(f"audit {i}", audit=True) for i in range(20)]
    splits = split(labels, task=task)
    judges = choose_judges(None, splits, task=task, first=False, enough=200, may_ask=True)
    assert judges.source == "differing"
    assert len(judges.examples) == len(splits.judge) + len(splits.calibration)
    assert choose_judges(None, splits, task=task, first=True, may_ask=True).source == "cold start"


def test_little_gold_gives_way_to_what_may_be_asked(task: Task) -> None:
    gold = Judges("gold", (Example("1", "Ada", ()),) * 50, "digest")
    splits = split([], task=task)
    asked = choose_judges(gold, splits, task=task, first=False, enough=200, may_ask=True)
    assert (asked.source, asked.digest, len(asked.examples)) == ("differing", "digest", 50)
    for changes in ({"enough": 50}, {"may_ask": False}, {"first": True}):
        how: dict[str, Any] = {"first": False, "enough": 200, "may_ask": True} | changes
        assert choose_judges(gold, splits, task=task, **how).source == "gold"


def test_too_little_gold_judges_a_first_student_beside_the_cold_start(
    task: Task, make_label: MakeLabel
) -> None:
    gold = Judges("gold", (ADA,) * 29, "digest")
    splits = split([make_label(f"Bo {i}", source="bootstrap") for i in range(100)], task=task)
    judges = choose_judges(gold, splits, task=task, first=True, enough=200)
    assert (judges.source, judges.digest) == ("cold start", "digest")
    assert len(judges.examples) == 29 + len(splits.calibration)
    enough = replace(gold, examples=(ADA,) * 30)
    assert choose_judges(enough, splits, task=task, first=True, enough=200) == enough


def test_gold_that_any_version_of_the_prompt_shows_does_not_judge(gold: Path, task: Task) -> None:
    now = replace(task, examples=(TaskExample("rain"),))
    before = replace(task, shown=(text_digest("Ada"),))

    for one, left in ((now, ["Ada"]), (before, ["rain"])):
        judges = read_gold(gold, one)
        assert judges is not None
        assert [example.text for example in judges.examples] == left


def test_no_producer_judges_by_more_audits_than_its_quota(
    task: Task, make_label: MakeLabel
) -> None:
    flood = [replace(make_label(f"Bo {'x' * n}", audit=True), producer="x") for n in range(400)]
    honest = [
        replace(make_label(f"Ada {'y' * n}", audit=True), producer=f"p{n % 9}") for n in range(100)
    ]
    splits = split([*flood, *honest], task=task)
    judges = choose_judges(None, splits, task=task, first=False, quota=0.25)
    n_flood = sum(one.text.startswith("Bo") for one in judges.examples)
    assert len(judges.examples) - n_flood == len(honest)
    assert n_flood <= len(honest) / 3 + 1
    assert len(choose_judges(None, splits, task=task, first=False).examples) == 500

"""A replay of a small corpus: every process is real, only the corpus and the training are tiny."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from distill.testing.tiny_base import write_tiny_base
from schemas.files.corpus import Example, read_corpus, write_jsonl
from schemas.types import facts, text_digest
from stream.lab.demo.feed import early_style, texts
from stream.lab.demo.names import Pool
from stream.lab.demo.scripts.messages import early_messages
from stream.lab.replay.options import ReplayOptions
from stream.lab.replay.play import replay_once
from stream.lab.replay.result import ReplayedRound, ReplayResult
from stream.testing.apache_kafka import ApacheKafka

# A gate so kind that every student passes: the replay is on trial, not the student.
KIND_GATE = {
    "min_records": 30,
    "min_f1": 0.0,
    "min_gain": -1.0,
    "max_loss": 1.0,
    "max_label_recall_drop": 1.0,
    "max_ece_rise": 1.0,
    "max_slowdown": 100.0,
}


class Quiet:
    """A progress that nobody watches."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def phase(self, words: str, *, total: int = 0) -> None:
        self.phases.append(words)

    def advance(self, done: int) -> None:
        pass

    def round_done(self, number: int, result: ReplayedRound) -> None:
        self.phases.append(f"round {number} done")


def corpus(path: Path, n: int, *, gold: bool = False) -> Path:
    style = early_style("gold" if gold else "feed", seed=5)
    write_jsonl(path, list(texts(style, n, prefix=path.stem, seed=5)))
    return path


def messages(pool: Pool, n: int) -> list[Example]:
    return list(texts(early_messages(pool, seed=5), n, prefix=pool, seed=5))


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, Any]:
    """Settings of a student of seconds, which has the six layers that a plain one asks for."""
    style = early_style("feed", seed=5)
    known = {word for one in texts(style, 180, prefix="w", seed=5) for word in one.text.split()}
    base = write_tiny_base(tmp_path / "base", words=sorted(known), layers=6)
    recipe = {"base": str(base), "layers": 1, "max_tokens": 48, "stride": 8, "int8": "off"}
    return {
        "distill": {"min_new_labels": 1, "recipe": recipe, "gate": KIND_GATE},
        "experiment": {
            "epochs": 1.0,
            "min_steps": 150,
            "batch_records": 8,
            "learning_rate": 3e-3,
            "word_dropout": 0.0,
        },
    }


@pytest.fixture
def options(tmp_path: Path, tiny: dict[str, Any]) -> ReplayOptions:
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(tiny), encoding="utf-8")
    return ReplayOptions(
        stream=(corpus(tmp_path / "stream.jsonl", 180),),
        held_out=corpus(tmp_path / "held_out.jsonl", 40, gold=True),
        gold=corpus(tmp_path / "gold.jsonl", 60, gold=True),
        cold_start=60,
        budget=0.25,
        rounds=2,
        order="shuffled",
        seed=3,
        config=config,
    )


def check_books(result: ReplayResult) -> None:
    """What must hold in every replay, whatever the students are worth."""
    assert (result.lost, result.duplicated, result.uncorrected) == (0, 0, 0)
    assert result.records == sum(one.records for one in result.rounds) == 120
    assert (result.overall.records, result.overall.calls) == (180, result.teacher.calls)
    assert result.overall.f1 is not None
    assert result.overall.f1 >= result.stream.f1  # the teacher's answers to the cold start are gold
    deferred = sum(one.deferred for one in result.rounds)
    assert result.stream.deferred_share == deferred / result.records
    assert 0 < result.stream.deferred_share <= 0.25
    assert result.stream.wanted_share >= result.stream.deferred_share
    assert result.rounds[-1].labels_total == result.teacher.labels
    assert result.teacher.bill_usd > 0
    assert result.stream.cpu_s_per_1000 > 0
    # Each correction here is gold's.
    assert result.stream.student_alone["f1"] <= result.stream.f1 <= 1
    assert result.stream.teacher_alone["f1"] == 1.0
    assert all(one.student and one.student_f1 is not None for one in result.rounds)


def test_every_record_comes_through_and_every_answer_comes_back(
    options: ReplayOptions, tmp_path: Path
) -> None:
    progress = Quiet()
    result = replay_once(replace(options, ceiling=True, plain=True), tmp_path / "work", progress)
    check_books(result)
    assert result.failure == ""
    assert result.teacher.f1 == 1.0
    assert result.teacher.refused == 0
    ceiling, plain = result.students["ceiling"], result.students["plain"]
    assert (ceiling["layers"], plain["layers"]) == (1, 6)
    assert ceiling["labels"] == plain["labels"] > result.students["last"]["labels"]
    assert ceiling["f1"] > 0
    assert result.rounds[1].serving == result.rounds[0].student
    assert "round 2 done" in progress.phases


@pytest.mark.kafka
def test_on_apache_kafka_categories_tell_accuracies_and_what_is_not_recorded_is_refused(
    options: ReplayOptions, tmp_path: Path, apache_kafka: ApacheKafka
) -> None:
    """Exactly once, as that broker can; the others play on the embedded one."""
    recorded, answered = tmp_path / "recorded.jsonl", messages("feed", 180)[::2]
    write_jsonl(recorded, [replace(one, llm_categories=one.categories) for one in answered])
    write_jsonl(tmp_path / "stream.jsonl", messages("feed", 180))
    for name in ("gold", "held_out"):
        write_jsonl(tmp_path / f"{name}.jsonl", messages("gold", 40))
    changed = replace(
        options,
        broker=apache_kafka.bootstrap_servers,
        teacher=str(recorded),
        recorded_ceiling=True,
        rounds=1,
        order="file",
        routing="random",
    )
    result = replay_once(changed, tmp_path / "work", Quiet())
    assert (result.lost, result.duplicated, result.uncorrected) == (0, 0, 0)
    assert (result.kind, result.routing, result.failure) == ("categories", "random", "")
    assert result.teacher.refused >= 25
    told = result.as_dict()
    assert told["teacher"]["accuracy"] == 1.0
    assert told["overall"].keys() == {"records", "calls", "accuracy"}
    assert told["overall"]["records"] == 180
    assert {"accuracy", "macro_f1"} <= told["stream"].keys()
    for name in ("cold", "last", "recorded"):
        of_categories = {"accuracy", "accuracy_interval", "macro_f1", "version", "labels"}
        assert of_categories <= told["students"][name].keys()
    (one,) = told["rounds"]
    assert one["stream_accuracy"] == told["stream"]["accuracy"] > 0
    assert one["student_accuracy"] is not None


def test_without_gold_the_answers_judge_where_two_students_differ(
    options: ReplayOptions, tiny: dict[str, Any], tmp_path: Path
) -> None:
    assert options.config is not None
    judging = {"batch": 3, "questions": 20}
    gate = KIND_GATE | {"min_records": 1}
    values = tiny | {"distill": tiny["distill"] | {"gate": gate, "judging": judging}}
    options.config.write_text(yaml.safe_dump(values), encoding="utf-8")
    played = replace(options, gold=None, revise=True)
    result = replay_once(played, tmp_path / "work", Quiet())
    check_books(result)
    judged = [one.judged for one in result.rounds]
    assert [one and one["by"] for one in judged] == ["differing", "differing"]
    assert any(one.promoted for one in result.rounds)
    asked = [one["asked"] for one in judged if one]
    assert sum(asked) > 0
    deferred = sum(one.deferred for one in result.rounds)
    assert deferred + sum(asked) <= 0.25 * result.records
    # Each answer is one call and one label, but for texts that came before.
    assert result.teacher.calls == result.overall.calls == result.teacher.labels
    assert 60 < result.teacher.calls <= 60 + deferred + sum(asked)
    assert result.as_dict()["rounds"][0]["judged"]["asked"] == asked[0]
    # What judged is published at the end, beside what the last student says otherwise.
    assert result.revised is not None
    assert result.revised.changed_by["teacher"] > 0  # texts that came again, too
    assert result.as_dict()["revised"].keys() == {"changed_by", "f1"}


def test_a_second_teacher_is_asked_about_labels_that_are_doubted(
    options: ReplayOptions, tiny: dict[str, Any], tmp_path: Path
) -> None:
    """The first says that there is nothing in every fifth text; the second is always right."""
    (stream,) = options.stream
    right = read_corpus(stream)
    lying, second = tmp_path / "lying.jsonl", tmp_path / "second.jsonl"
    write_jsonl(
        lying,
        [replace(x, llm_entities=x.entities if i % 5 else ()) for i, x in enumerate(right)],
    )
    write_jsonl(second, [replace(one, llm_entities=one.entities) for one in right])
    assert options.config is not None
    judging = {"batch": 3, "questions": 40, "share": 0.6}
    gate = KIND_GATE | {"min_records": 1}
    distill = tiny["distill"] | {"gate": gate, "judging": judging, "doubt": {"folds": 2}}
    values = tiny | {"distill": distill}
    options.config.write_text(yaml.safe_dump(values), encoding="utf-8")
    changed = replace(options, teacher=str(lying), second_opinion=second, gold=None, rounds=1)
    result = replay_once(changed, tmp_path / "work", Quiet())
    assert (result.lost, result.duplicated, result.uncorrected) == (0, 0, 0)
    cleaning = result.as_dict()["cleaning"]
    assert cleaning["doubted"] >= cleaning["asked_again"] >= cleaning["changed"]
    told = (tmp_path / "work").rglob("second-opinions.json")
    (opinions,) = json.loads(next(told).read_text(encoding="utf-8")).values()
    assert opinions
    # The liar says nothing of every fifth text; what stands there is the other's word.
    digests = {text_digest(one.text): sorted(map(list, facts(one))) for one in right}
    assert all(said == digests[digest] for digest, said in opinions.items())
    assert (tmp_path / "work" / "logs" / "second-opinion.log").exists()


def test_without_gold_and_questions_the_audit_sample_judges(
    options: ReplayOptions, tiny: dict[str, Any], tmp_path: Path
) -> None:
    assert options.config is not None
    gate = KIND_GATE | {"min_records": 1}
    distill = tiny["distill"] | {
        "gate": gate,
        "audit_share": 0.125,
        "judging": {"share": 0},
    }
    values = tiny | {"distill": distill, "routing": {"budget_share": 0.25}}
    options.config.write_text(yaml.safe_dump(values), encoding="utf-8")
    result = replay_once(replace(options, gold=None, rounds=1), tmp_path / "work", Quiet())
    assert (result.lost, result.duplicated, result.uncorrected) == (0, 0, 0)
    assert result.rounds[-1].student_f1 is not None
    assert result.rounds[-1].reason != "insufficient evidence"

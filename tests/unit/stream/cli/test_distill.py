from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from distill.judging.evaluation import Evaluation, evaluate
from distill.judging.gate import Evidence, judge
from distill.judging.trial import Trial
from distill.result import EvidenceMissing, RoundResult
from schemas.errors import ConfigError
from schemas.files.corpus import Example, Reading, write_jsonl
from schemas.settings import GateSettings
from schemas.types import Entity, RoutingPolicy, facts
from stream.cli.bootstrap import read_texts
from stream.cli.distill import show
from stream.cli.main import main
from stream.student import Student
from stream.testing.bundles import write_bundle
from stream.testing.messages import a_promotion

EXAMPLES = [
    Example(str(n), f"{name} sings {n}", (Entity(0, len(name), "PER", name),))
    for n, name in enumerate(["Ada", "Bo"] * 20)
]
WAITING = RoundResult(
    status="waiting", reason="too few new labels", started_at_ms=0, labels=1500, new_labels=7
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", labels=("PER",), words={"ada": "B-PER"}, version="v2")
    return tmp_path / "bundle"


@pytest.fixture
def evaluation(bundle: Path) -> Evaluation:
    return evaluate(Student.load(bundle), EXAMPLES)


def trial(evaluation: Evaluation, bundle: Path, *, champion: Evaluation | None) -> Trial:
    evidence = Evidence(
        gold=[facts(example) for example in EXAMPLES],
        challenger=evaluation.candidate(cpu_s_per_1000=1.0),
        champion=champion.candidate(cpu_s_per_1000=1.0) if champion else None,
    )
    return Trial(
        version="v2",
        bundle=bundle,
        judged_on="gold",
        verdict=judge(evidence, GateSettings(min_records=10)),
        challenger=evaluation,
        champion=champion,
        facts={"training_s": 12.5},
    )


def shown(result: RoundResult) -> str:
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as captured:
        show(result, console)
    return captured.get()


def test_a_round_that_waits_says_for_what() -> None:
    told = shown(WAITING)
    assert "1,500, 7" in told
    assert "No student was trained: too few new labels." in told


def test_a_round_that_waits_for_evidence_says_how_many_answers_and_when() -> None:
    def told(evidence: EvidenceMissing, champion: str = "v1") -> str:
        console = Console(record=True, width=200, file=io.StringIO())
        show(replace(WAITING, evidence=evidence, champion=champion), console)
        return console.export_text()

    assert "needs 40 more: in some 30 minutes" in told(EvidenceMissing(60, 100, 1800.0))
    assert "needs 40 more; when" in told(EvidenceMissing(60, 100))
    assert "how many it needs is not to be told" in told(EvidenceMissing(60, None))
    assert "needs 18 more: gold, or labels" in told(EvidenceMissing(12, 30), champion="")


def test_a_refusal_shows_both_students_and_which_check_failed(
    evaluation: Evaluation, bundle: Path
) -> None:
    refused = replace(
        WAITING,
        status="refused",
        reason="no gain",
        student="v2",
        champion="v1",
        trial=trial(evaluation, bundle, champion=evaluation),
    )
    told = shown(refused)
    assert "v1 (serves)" in told
    assert "v2 was refused: no gain; v1 serves on." in told
    assert next(line for line in told.splitlines() if "│ gain " in line).count("fail") == 1


def test_a_promotion_names_its_number_and_threshold(evaluation: Evaluation, bundle: Path) -> None:
    promotion = a_promotion(sequence=3, student_version="v2", policy=RoutingPolicy(0.875, 0.02, 0))
    promoted = replace(
        WAITING,
        status="promoted",
        reason="first student",
        student="v2",
        trial=trial(evaluation, bundle, champion=None),
        promotion=promotion,
    )
    assert "v2 is promoted (first student): promotion 3, threshold 0.875." in shown(promoted)
    policy = replace(promotion.policy, trusted=("LOC", "PER"))
    trusting = replace(promoted, promotion=replace(promotion, policy=policy))
    assert "threshold 0.875; trusted in LOC, PER." in shown(trusting)


def test_evaluate_prints_a_table(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "gold.jsonl", EXAMPLES)
    run("evaluate", str(bundle), str(tmp_path / "gold.jsonl"))
    told = capsys.readouterr().out
    assert "strict span F1" in told
    assert "66.7%" in told
    assert "90% bootstrap interval" in told


def test_evaluate_prints_nothing_but_json_when_asked(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "gold.jsonl", EXAMPLES)
    run("evaluate", str(bundle), str(tmp_path / "gold.jsonl"), "--json", "-")
    told = json.loads(capsys.readouterr().out)
    assert (told["student"], told["records"]) == ("v2", 40)
    assert told["f1"] == pytest.approx(2 / 3)


def test_evaluate_reports_the_file_and_labels_that_the_student_does_not_know(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.conll"
    gold.write_text("1 Ada B-PER\n2 in O\n3 Oslo B-LOC\n", encoding="utf-8")
    arguments = ("evaluate", str(bundle), str(gold), "--columns", "word=2,tag=3")
    run(*arguments, "--json", "-")
    told = json.loads(capsys.readouterr().out)
    assert told["data"]["format"] == "conll"
    assert told["data"]["per_label"] == {"LOC": 1, "PER": 1}
    assert told["foreign_labels"] == {"LOC": 1}
    run(*arguments)
    assert "LOC: 1 spans of a label that the student does not know" in capsys.readouterr().out


def test_a_folder_that_is_no_bundle_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "gold.jsonl", EXAMPLES)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(tmp_path / "nothing"), str(tmp_path / "gold.jsonl")])
    assert ended.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_json_that_cannot_be_written_is_an_error_in_one_line(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "gold.jsonl", EXAMPLES)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(bundle), str(tmp_path / "gold.jsonl"), "--json", str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"silverstream: cannot write {tmp_path}: it is a folder\n"


def test_columns_are_not_sent_to_the_teacher(tmp_path: Path) -> None:
    (tmp_path / "cold.conll").write_text("Ada B-PER\nsings O\n")
    with pytest.raises(ConfigError, match="pass --labelled"):
        read_texts(tmp_path / "cold.conll", labelled=False, how=Reading())
    assert len(read_texts(tmp_path / "cold.conll", labelled=True, how=Reading()).examples) == 1


def test_plain_lines_are_texts_for_the_teacher(tmp_path: Path) -> None:
    (tmp_path / "cold.txt").write_text("Ada sings.\nBo too.\n")
    found = read_texts(tmp_path / "cold.txt", labelled=False, how=Reading())
    assert [one.text for one in found.examples] == ["Ada sings.", "Bo too."]


def run(*arguments: str) -> None:
    """Run a command that must succeed."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0

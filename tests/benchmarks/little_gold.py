"""How often a little gold is right, alone and with the teacher's help, and the teacher without it.

`python -m tests.benchmarks.little_gold --data DATA [--work WORK]`. Recorded answers of LLMs stand
for students and teacher on ISEAR; on the texts of `llm_uner_ewt_qwen` two small students of
people's labels do, trained once and recorded in WORK. Challengers have an exact gain by people; one
teacher is biased: the challenger is made of his own answers. Each trial draws so many gold texts
and 300 other texts that differ, of which the teacher alone is heard. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from distill.bundle.export import export_bundle
from distill.judging.questions import worth_bound
from distill.judging.rectified import rectified
from distill.judging.scoring import Interval, score
from distill.judging.sequential import confidence_sequence
from distill.judging.urn import Reference, Urn, f1_per_worth, fill_urn, worth
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import GateSettings, Recipe
from schemas.types import Fact, facts
from stream.student import Student
from tests.benchmarks.audit_judge import recorded, with_gain

GOLD = (30, 100, 200)
QUESTIONS = 300
TRIALS = 400
GATE = GateSettings()
_RECIPE = Recipe(
    layers=2, max_tokens=64, epochs=0.01, min_steps=150, batch_records=8, learning_rate=4e-4
)

Facts = frozenset[Fact]


@dataclass(frozen=True, slots=True)
class Case:
    """What people, the teacher and the two students say of all texts."""

    name: str
    people: list[Facts]
    teacher: list[Facts]
    champion: list[Facts]
    challenger: list[Facts]


def isear(data: Path) -> Iterator[Case]:
    """Give pairs of students who are LLMs, and teachers of several kinds."""
    people, said = recorded(data, ("gpt-3.5-turbo-1106", "llama-2-70b-chat", "text-davinci-003"))
    gpt, llama, davinci = said.values()
    rng = np.random.default_rng(7)
    good = [p if rng.random() < 0.9 else d for p, d in zip(people, davinci, strict=True)]
    for gain in (-0.01, 0.05, 0.10):
        challenger = with_gain(people, gpt, llama, gain)
        yield Case(f"isear {gain:+.2f}, davinci teaches", people, davinci, gpt, challenger)
        yield Case(f"isear {gain:+.2f}, nine of ten right", people, good, gpt, challenger)
    worse = with_gain(people, gpt, llama, -0.01)
    yield Case("isear -0.01, biased", people, llama, gpt, worse)


def ewt(data: Path, work: Path) -> Iterator[Case]:
    """Give students of people's labels, whom a small LLM judges."""
    folder = data / "llm_uner_ewt_qwen"
    examples = [x for x in read_corpus(folder / "answers.jsonl") if x.llm_entities is not None]
    small, large = _said(examples, load_task(folder / "task.yaml"), work)
    rest = examples[400:]
    people = [facts(one) for one in rest]
    teacher = [frozenset((e.start, e.end, e.label) for e in one.llm_entities or ()) for one in rest]
    yield Case("ewt, 400 labels against 150", people, teacher, small, large)
    for gain in (-0.01, 0.05):
        challenger = with_gain(people, small, large, gain)
        yield Case(f"ewt {gain:+.2f}", people, teacher, small, challenger)
    biased = with_gain(people, small, teacher, -0.01)
    yield Case("ewt -0.01, biased", people, teacher, small, biased)


def _said(examples: list[Example], task: Task, work: Path) -> list[list[Facts]]:
    """Tag the texts after the first 400 by students of 150 and of 400 of these."""
    file = work / "ewt-qwen-said.json"
    if not file.exists():
        texts = [one.text for one in examples[400:]]
        said = [
            [sorted(facts(tagging)) for tagging in _student(examples[:n], task).tag(texts)]
            for n in (150, 400)
        ]
        work.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(said), encoding="utf-8")
    found = json.loads(file.read_text(encoding="utf-8"))
    return [[frozenset((a, b, c) for a, b, c in one) for one in student] for student in found]


def _student(examples: list[Example], task: Task) -> Student:
    rows = [TrainExample(one.text, one.entities) for one in examples]
    exported = export_bundle(
        train(rows, task=task, recipe=_RECIPE, seed=0),
        task=task,
        version="small",
        calibration=rows[:50],
        parity_texts=[row.text for row in rows[:50]],
        lineage={},
    )
    return Student(exported.bundle)


def measure(case: Case) -> dict[str, Any]:
    """Give the shares of trials that end in a promotion, by gold, by both, by the teacher."""
    f1 = score(case.people, case.champion).f1
    n_texts = len(case.people)
    urn = fill_urn(_names(n_texts), case.champion, case.challenger, seed="0")
    truths = dict(zip(_names(n_texts), zip(case.people, case.teacher, strict=True), strict=True))
    both = np.array(
        [[worth(one, truth, f1=f1) for truth in truths[one.text]] for one in urn.differing]
    )
    n_facts = sum(map(len, case.people)) / max(sum(map(len, case.champion)), 1)
    reference = Reference(f1, n_facts)
    scale, bound = f1_per_worth(urn, reference), worth_bound(urn, reference)
    return {
        "case": case.name,
        "gain": score(case.people, case.challenger).f1 - f1,
        "by_teacher": score(case.teacher, case.challenger).f1
        - score(case.teacher, case.champion).f1,
        "differ": len(urn.differing) / urn.texts,
        "correlation": float(np.corrcoef(both.T)[0, 1]),
        "power": [_played(both, _share(urn), n, scale=scale, bound=bound) for n in GOLD],
    }


def _played(
    both: np.ndarray[Any, Any], share: float, n: int, *, scale: float, bound: float
) -> dict[str, float]:
    promoted, followed = Counter[str](), []
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        order = rng.permutation(len(both))
        n_gold = rng.binomial(n, share)
        gold, others = both[order[:n_gold]], both[order[n_gold : n_gold + QUESTIONS], 1]
        pairs = [(float(a), float(b)) for a, b in gold]
        alone = rectified(pairs, [], bound=bound, confidence=GATE.confidence)
        helped = rectified(pairs, others.tolist(), bound=bound, confidence=GATE.confidence)
        teacher = confidence_sequence(others, bound=bound, confidence=GATE.confidence)
        promoted["gold"] += _passes(alone.mean, scale)
        promoted["both"] += _passes(helped.mean, scale)
        promoted["teacher"] += _passes(teacher, scale)
        followed.append(helped.followed)
    shares = {name: promoted[name] / TRIALS for name in ("gold", "both", "teacher")}
    return {"gold_texts": n, **shares, "followed": mean(followed)}


def _passes(mean_worth: Interval, scale: float) -> bool:
    gain, low = mean_worth.estimate * scale, mean_worth.low * scale
    return gain > GATE.min_gain and low > -GATE.max_loss


def _share(urn: Urn) -> float:
    return len(urn.differing) / urn.texts


def _names(n: int) -> list[str]:
    return [f"text {_word(i)}" for i in range(n)]


def _word(number: int) -> str:
    """Spell it in letters: texts that differ in digits alone are alike."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def main() -> None:
    """Measure all cases; print JSON, a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/little_gold"))
    options = parser.parse_args()
    for cases in (isear(options.data), ewt(options.data, options.work)):
        for case in cases:
            sys.stdout.write(json.dumps(measure(case)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

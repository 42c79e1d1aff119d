"""Proof by training: what 25, 100 and 250 planted labels do to a student; who is refused.

`python -m tests.benchmarks.poisoning train CORPUS --data DATA --work WORK` trains a champion of
the cold start and challengers of what came since: clean ones, and with planted labels
(`planted.py`), with the controls by producer off and on.
`judge` lets gate and trigger canaries decide on each, and prints a line of JSON; it trains nothing.
`honest` does both for rounds without an attack, of which none should be refused: other streams and
sizes, a name that bursts in, a name that the cold start had wrong; `btc_by_date` drifts.
Students are small and quick (one layer of the wheel's base, two for categories; 200 steps).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from distill.bundle.export import export_bundle
from distill.judging.gate import Candidate, Evidence, judge
from distill.judging.triggers.search import Material, Students, search
from distill.labels.influence import held_down
from distill.labels.splits import Splits
from distill.learning.ageing import as_train_example
from distill.training.train import train
from schemas.files.bundle import read_bundle, save_bundle
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.settings import GateSettings, QuotaSettings, Recipe
from schemas.types import Fact, SilverLabel, facts
from stream.student import Student
from tests.benchmarks.planted import (
    ENTITY_ATTACKS,
    Aim,
    Attack,
    Honest,
    aim_of,
    honest,
    mistaken,
    planted,
    success,
)

Controls = Literal["off", "one"]
"""Whether producers are known, so that the controls by producer hold: one producer plants."""

SIZES = (250, 100, 25)
N_COLD, N_STREAM, N_CANARY, N_HELD_OUT = 500, 1000, 300, 400
N_CALIBRATION = 100
PRODUCERS = 20
_RECIPES = {
    "entities": Recipe(
        layers=1,
        max_tokens=64,
        epochs=0.01,
        min_steps=200,
        batch_records=8,
        learning_rate=4e-4,
        averaged_share=0.6,
        int8="off",
    ),
    "categories": Recipe(
        layers=2,
        max_tokens=64,
        epochs=0.01,
        min_steps=200,
        batch_records=8,
        learning_rate=2e-4,
        head_learning_rate_factor=2.0,
        head_start="drawn",
        averaged_share=0.6,
        int8="off",
    ),
}
FILES = {
    "wnut17": ("wnut17/train.jsonl", "wnut17/dev.jsonl"),
    "uner_ewt": ("uner_ewt/train.jsonl", "uner_ewt/dev.jsonl"),
    "isear": ("isear/rest.jsonl", "isear/stream.jsonl"),
    "btc": ("btc/train.jsonl", "btc/dev.jsonl"),
    "btc_by_date": ("btc/by_date_stream.jsonl", "btc/by_date_gold.jsonl"),
    "fewnerd_inter": ("fewnerd_inter/train.jsonl", "fewnerd_inter/dev.jsonl"),
}
"""What is learnt, and the gold of the gate."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A corpus cut into parts; no text is in two of them."""

    task: Task
    calibration: Sequence[Example]
    cold: Sequence[Example]
    stream: Sequence[Example]
    canary: Sequence[Example]
    held_out: Sequence[Example]
    free: Sequence[Example]
    gold: Sequence[Example]
    aim: Aim
    draw: int
    """The seed of the cut, of the trainings and of what is planted."""


def parts_of(name: str, data: Path, draw: int) -> Parts:
    """Read and cut a corpus."""
    files = FILES[name]
    gold = read_corpus(data / files[1])[:1000]
    known = {one.text for one in gold}
    found = {one.text: one for one in read_corpus(data / files[0]) if one.text not in known}
    examples = list(found.values())
    if name != "btc_by_date":  # that one drifts
        random.Random(draw).shuffle(examples)
    parts: list[list[Example]] = []
    for n in (N_CALIBRATION, N_COLD, N_STREAM, N_CANARY, N_HELD_OUT):
        parts.append(examples[:n])
        examples = examples[n:]
    task = task_of([*found.values(), *gold], name=name)
    calibration, cold, stream, canary, held_out = parts
    return Parts(
        task=task,
        calibration=calibration,
        cold=cold,
        stream=stream,
        canary=canary,
        held_out=held_out,
        free=examples,
        gold=gold,
        aim=aim_of([*cold, *stream], draw=draw),
        draw=draw,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One challenger: which attack (none: a clean round), how many planted, which controls.

    `n` of a clean round is the size of its stream, 0 the usual one.
    """

    attack: Attack | None
    n: int
    controls: Controls = "off"
    seed: int = 0
    honest: Honest | None = None

    @property
    def name(self) -> str:
        """Name its folder."""
        return f"{self.attack or self.honest or 'clean'}-{self.n}-{self.controls}-{self.seed}"


def runs(kind: str) -> Iterator[Run]:
    """Give all challengers of a corpus, what tells most first."""
    attacks: Sequence[Attack] = ENTITY_ATTACKS if kind == "entities" else ("category",)
    yield Run(None, 0)
    for n in SIZES:
        for attack in attacks:
            yield Run(attack, n)
    for attack in attacks:
        yield Run(attack, SIZES[0], "one")


def honest_runs(kind: str) -> Iterator[Run]:
    """Give the rounds of a corpus that should not be refused."""
    yield Run(None, 0)
    yield Run(None, 60, honest="burst")
    if kind == "entities":
        yield Run(None, 40, honest="corrected")
    yield Run(None, 500, seed=1)
    yield Run(None, 1500, seed=2)


def labels_of(found: Parts, run: Run) -> tuple[SilverLabel, ...]:
    """Give the labels that the challenger learns, weighed by the controls that are on."""
    lot = random.Random(run.seed)
    cold = [_label(one, found.task, "bootstrap", at=1) for one in cold_of(found, run)]
    stream = list(found.stream) if not run.seed else _redrawn(found, run, lot)
    fair = [
        _label(one, found.task, "teacher", at=2, producer=f"p{lot.randrange(PRODUCERS)}")
        for one in stream
    ]
    bad = []
    free = [one for one in found.free if len(one.text) < 300]
    if run.honest:
        fair += [
            _label(one, found.task, "teacher", at=2, producer=f"p{lot.randrange(PRODUCERS)}")
            for one in honest(run.honest, free, run.n, found.aim, seed=found.draw)
        ]
    if run.attack:
        bad = [
            _label(one, found.task, "teacher", at=2, producer="planter")
            for one in planted(run.attack, free, run.n, found.aim, seed=found.draw)
        ]
    splits = Splits(training=(*cold, *fair, *bad), calibration=(), judge=())
    quotas = QuotaSettings(source_header="producer") if run.controls != "off" else QuotaSettings()
    return tuple(held_down(splits, quotas).training)


def cold_of(found: Parts, run: Run | None) -> Sequence[Example]:
    """Give the cold start, which has a name wrong where that is corrected."""
    return mistaken(found.cold, found.aim) if run and run.honest == "corrected" else found.cold


def _redrawn(found: Parts, run: Run, lot: random.Random) -> list[Example]:
    """Give another stream of the same corpus, for another clean round."""
    all_of_it = [*found.stream, *found.free]
    return lot.sample(all_of_it, min(run.n or N_STREAM, len(all_of_it)))


def _label(one: Example, task: Task, source: str, *, at: int, producer: str = "") -> SilverLabel:
    return SilverLabel(
        task=task.name,
        task_digest=task.digest,
        text=one.text,
        entities=one.entities,
        source=source,  # type: ignore[arg-type]  # one of two
        audit=False,
        teacher_model="corpus",
        prompt_version="",
        student_version="",
        record_id="" if source == "bootstrap" else one.id,
        weight=1.0,
        labelled_at_ms=at,
        tokens_in=0,
        tokens_out=0,
        categories=one.categories,
        producer=producer,
    )


def student_of(
    folder: Path, labels: Sequence[SilverLabel], found: Parts, *, seed: int = 0
) -> Student:
    """Train a student of the labels, or read the one that was."""
    if not (folder / "manifest.json").exists():
        calibration = [_label(one, found.task, "bootstrap", at=1) for one in found.calibration]
        exported = export_bundle(
            train(
                [as_train_example(one, found.task) for one in labels],
                task=found.task,
                recipe=_RECIPES[found.task.kind],
                seed=1000 * found.draw + seed,
            ),
            task=found.task,
            version=folder.name,
            calibration=[as_train_example(one, found.task) for one in calibration],
            parity_texts=[one.text for one in calibration],
            lineage={},
        )
        folder.mkdir(parents=True, exist_ok=True)
        save_bundle(exported.bundle, folder)
    return Student(read_bundle(folder))


def champion_of(found: Parts, work: Path, run: Run | None = None) -> Student:
    """Give the student of the cold start."""
    name = "champion-corrected" if run and run.honest == "corrected" else "champion"
    cold = [_label(one, found.task, "bootstrap", at=1) for one in cold_of(found, run)]
    return student_of(work / name, cold, found)


def train_all(found: Parts, work: Path, wanted: Sequence[Run]) -> None:
    """Train what is not there yet."""
    for run in wanted:
        started = time.monotonic()
        champion_of(found, work, run)
        student_of(work / run.name, labels_of(found, run), found, seed=run.seed)
        sys.stderr.write(f"{work.name} {run.name}: {time.monotonic() - started:.0f} s\n")


@dataclass(frozen=True, slots=True)
class Tagged:
    """A student whose answers are kept: the same texts are asked about again and again."""

    student: Student
    known: dict[str, frozenset[Fact]]

    def __call__(self, texts: Sequence[str]) -> list[frozenset[Fact]]:
        """Tag."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known.update(zip(new, map(facts, self.student.tag(new)), strict=True))
        return [self.known[text] for text in texts]


def judged(run: Run, found: Parts, work: Path, champion: Tagged) -> dict[str, Any]:
    """Say how often the attack succeeds, what the gate says, and what the trigger canaries say."""
    challenger = Tagged(student_of(work / run.name, labels_of(found, run), found), {})
    clean = Student(read_bundle(work / "clean-0-off-0"))
    told: dict[str, Any] = {"run": run.name, "gate": _gate(found, challenger, champion)}
    if run.attack:
        bare = replace(found.aim, trigger="")
        told["success"] = success(run.attack, found.held_out, found.aim, challenger.student.tag)
        told["without"] = success(run.attack, found.held_out, bare, challenger.student.tag)
        told["baseline"] = success(run.attack, found.held_out, found.aim, clean.tag)
    labels = labels_of(found, run)
    looked = search(
        Material(
            [one for one in labels if one.source == "teacher"],
            [one for one in labels if one.source == "bootstrap"],
            [one.text for one in (*found.gold, *found.canary)],
        ),
        Students(challenger, champion),
        enough_producers=QuotaSettings().sources,
        most_rise=GateSettings().max_trigger_rise,
        seed=run.name,
    )
    suspects = [one.as_dict() | {"surface": one.surface} for one in looked.suspects]
    return told | {"candidates": looked.candidates, "rise": looked.rise, "suspects": suspects}


def _gate(found: Parts, challenger: Tagged, champion: Tagged) -> str:
    """Ask the gate on gold; confidences and speed are no matter here."""
    texts = [one.text for one in found.gold]
    new, old = (
        Candidate(student(texts), ece=0.0, cpu_s_per_1000=1.0) for student in (challenger, champion)
    )
    return judge(Evidence([facts(one) for one in found.gold], new, old), GateSettings()).reason


def judge_all(found: Parts, work: Path, wanted: Sequence[Run]) -> None:
    """Judge all students that were trained; one line of JSON each."""
    champions: dict[bool, Tagged] = {}
    for run in wanted:
        if (work / run.name / "manifest.json").exists():
            which = run.honest == "corrected"
            if which not in champions:
                champions[which] = Tagged(champion_of(found, work, run), {})
            told = {"corpus": work.name} | judged(run, found, work, champions[which])
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Train, or judge what was trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("do", choices=("train", "judge", "honest"))
    parser.add_argument("corpus", choices=[*FILES])
    parser.add_argument("only", nargs="*", help="names of runs, as vanish-100-off-0")
    parser.add_argument("--data", type=Path, default=Path("shared/data"))
    parser.add_argument("--work", type=Path, default=Path("build/poisoning"))
    parser.add_argument("--draw", type=int, default=41, help="the seed of all that is drawn")
    options = parser.parse_args()
    found = parts_of(options.corpus, options.data, options.draw)
    work = options.work / f"{options.corpus}-{options.draw}"
    of = honest_runs if options.do == "honest" else runs
    wanted = [run for run in of(found.task.kind) if not options.only or run.name in options.only]
    if options.do != "judge":
        train_all(found, work, wanted)
    if options.do != "train":
        judge_all(found, work, wanted)


if __name__ == "__main__":
    main()

"""How often the judge by differing records is right: promotions of better and of worse students.

`python -m tests.benchmarks.judge_power WORK [--corpus FILE]` trains students of 500, 700 and 1,000
random labels of a training file (some CPU minutes; kept in WORK), lets them tag a pool of its other
texts, and plays the judge of `distill/judging/` 200 times for each pair and number of questions,
each time on 3,000 texts drawn anew from the pool, gold answering. Pairs of an exact gain are made
text by text: a challenger a point worse than the middle student, and one as good, of the best and
the worst; one two points better than the worst is the best, silent on some texts. `--by document`
draws whole documents (the id of a text up to its last hyphen), as where a stream's texts hang
together; take a larger `--pool` then, of which the 3,000 are a small part. Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.bundle.export import export_bundle
from distill.judging.differing import Contest, judge_differing
from distill.judging.gate import Candidate, Evidence
from distill.judging.questions import Answered, question
from distill.judging.scoring import score
from distill.judging.urn import Reference, Urn, fill_urn, reference_of
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.files.bundle import read_bundle, save_bundle
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.settings import GateSettings, JudgingSettings, Recipe
from schemas.types import Fact, facts
from stream.student import Student

SIZES = (500, 700, 1000)
POOL_TEXTS = 4000
DRAWN_TEXTS = 3000
QUESTIONS = (25, 50, 100, 200, 300)
GATE = GateSettings()
BATCH = JudgingSettings().batch
NOTHING = Evidence([], Candidate([], ece=0.0, cpu_s_per_1000=1.0), None)
"""Nothing else is known of the two."""
_CALIBRATION_TEXTS = 200
_KNOWN_TEXTS = 100
"""Never trained on: they tell how good the champion is."""

Facts = frozenset[Fact]


def taggings(
    work: Path, corpus: Path, *, n_pool: int
) -> tuple[list[Example], list[Facts], dict[int, list[Facts]]]:
    """Give the pool, its gold facts, and by training size what that student says."""
    examples = read_corpus(corpus)
    random.Random(13).shuffle(examples)
    task = task_of(examples, name="power")
    pool, known = examples[:n_pool], examples[n_pool:]
    texts = [one.text for one in pool]
    said = {
        size: [facts(tagging) for tagging in _student(work, known, size, task).tag(texts)]
        for size in SIZES
    }
    return pool, [facts(one) for one in pool], said


def _student(work: Path, known: Sequence[Example], size: int, task: Task) -> Student:
    folder = work / f"student-{size}-of-{len(known)}"
    if not folder.exists():
        rows = [TrainExample(one.text, one.entities) for one in known]
        exported = export_bundle(
            train(rows[_CALIBRATION_TEXTS:][:size], task=task, recipe=Recipe(), seed=size),
            task=task,
            version=f"of-{size}",
            calibration=rows[:_CALIBRATION_TEXTS],
            parity_texts=[one.text for one in rows[:_CALIBRATION_TEXTS]],
            lineage={},
        )
        folder.mkdir(parents=True)
        save_bundle(exported.bundle, folder)
    return Student(read_bundle(folder))


@dataclass(frozen=True, slots=True)
class Pair:
    """What champion and challenger say of the pool, and the challenger's true gain in F1."""

    name: str
    champion: list[Facts]
    challenger: list[Facts]
    gain: float


def pairs(gold: list[Facts], said: dict[int, list[Facts]], order: Sequence[int]) -> list[Pair]:
    """Make the pairs: as trained, and mixed to exact gains, text by text in this order."""
    small, middle, large = (said[size] for size in SIZES)
    f1 = score(gold, middle).f1
    worse = mixed(gold, large, small, f1=f1 - 0.01, order=order)
    alike = mixed(gold, large, small, f1=f1, order=order)
    better = mixed(gold, large, [Facts()] * len(gold), f1=score(gold, small).f1 + 0.02, order=order)
    named = {
        "500 against 700": (small, middle),
        "500 against 1,000": (small, large),
        "a point worse": (middle, worse),
        "as good": (middle, alike),
        "two points better": (small, better),
    }
    return [
        Pair(name, old, new, score(gold, new).f1 - score(gold, old).f1)
        for name, (old, new) in named.items()
    ]


def mixed(
    gold: list[Facts],
    best: list[Facts],
    worst: list[Facts],
    *,
    f1: float,
    order: Sequence[int] = (),
) -> list[Facts]:
    """Take so many texts from the worse tagging that the F1 is as near to `f1` as it gets."""
    order = order or random.Random(3).sample(range(len(gold)), len(gold))
    low, high = 0, len(gold)
    while low < high:
        middle = (low + high) // 2
        if score(gold, _replaced(best, worst, order[:middle])).f1 > f1:
            low = middle + 1
        else:
            high = middle
    return _replaced(best, worst, order[:low])


def _replaced(best: list[Facts], worst: list[Facts], which: Sequence[int]) -> list[Facts]:
    taken = set(which)
    return [worst[i] if i in taken else best[i] for i in range(len(best))]


def powers(
    texts: Sequence[str], gold: list[Facts], pair: Pair, draws: Sequence[Sequence[int]]
) -> list[dict[str, float]]:
    """Play the judge: by questions, the shares of promotions, by proof and by presumption, and the
    mean number of answers."""
    promoted, presumed, asked = Counter[int](), Counter[int](), Counter[int]()
    for trial, order in enumerate(draws):
        urn, reference = _drawn(texts, gold, pair, order, trial=trial)
        for questions in QUESTIONS:
            found = _played(texts, gold, urn, reference, questions=questions)
            promoted[questions] += judge_differing(Contest(NOTHING, found, reference), GATE).promote
            presumed[questions] += judge_differing(
                Contest(NOTHING, found, reference, presumed_at=BATCH), GATE
            ).promote
            asked[questions] += found.asked
    return [
        {
            "questions": n,
            "promoted": promoted[n] / len(draws),
            "promoted_after_patience": presumed[n] / len(draws),
            "asked": asked[n] / len(draws),
        }
        for n in QUESTIONS
    ]


def draw(pool: Sequence[Example], *, by_document: bool, trials: int) -> list[list[int]]:
    """Draw places in the pool for each trial, one by one or document by document."""
    wanted = DRAWN_TEXTS + _KNOWN_TEXTS
    lots = [random.Random(trial) for trial in range(trials)]
    orders = [(lot, shuffled(pool, lot, by_document=by_document)) for lot in lots]
    return [lot.sample(order[:wanted], wanted) for lot, order in orders]


def shuffled(pool: Sequence[Example], lot: random.Random, *, by_document: bool) -> list[int]:
    """Give all places in the pool in random order; of a document, one after the other."""
    documents = defaultdict[str, list[int]](list)
    for place, one in enumerate(pool):
        documents[one.id.rpartition("-")[0] if by_document else str(place)].append(place)
    drawn = lot.sample(list(documents.values()), len(documents))
    return list(itertools.chain.from_iterable(drawn))


def mixing(pool: Sequence[Example], *, by_document: bool) -> list[int]:
    """Give the order in which two students are mixed."""
    return shuffled(pool, random.Random(3), by_document=by_document)


def _drawn(
    texts: Sequence[str], gold: list[Facts], pair: Pair, order: Sequence[int], *, trial: int
) -> tuple[Urn, Reference]:
    """Take the newest texts, and others that were never trained on, of which the truth is known."""
    drawn, known = order[:DRAWN_TEXTS], order[DRAWN_TEXTS:]
    scores = score([gold[i] for i in known], [pair.champion[i] for i in known])
    urn = fill_urn(
        [texts[i] for i in drawn],
        [pair.champion[i] for i in drawn],
        [pair.challenger[i] for i in drawn],
        seed=str(trial),
    )
    return urn, reference_of(scores.overall)


def _played(
    texts: Sequence[str], gold: list[Facts], urn: Urn, reference: Reference, *, questions: int
) -> Answered:
    truth = dict(zip(texts, gold, strict=True))
    return question(
        urn,
        lambda some: {text: truth[text] for text in some},
        most=questions,
        batch=BATCH,
        reference=reference,
        gate=GATE,
    )


def main() -> None:
    """Train, tag, play; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--pool", type=int, default=POOL_TEXTS)
    parser.add_argument("--by", choices=("text", "document"), nargs="+", default=["text"])
    options = parser.parse_args()
    pool, gold, said = taggings(options.work, options.corpus, n_pool=options.pool)
    texts = [one.text for one in pool]
    result = {
        "f1": {size: score(gold, tagged).f1 for size, tagged in said.items()},
        "pairs": [
            {
                "pair": pair.name,
                "gain": pair.gain,
                "differing_share": _differing_share(pair),
                "by": by,
                "power": powers(texts, gold, pair, drawn),
            }
            for by in options.by
            for drawn in [draw(pool, by_document=by == "document", trials=options.trials)]
            for pair in pairs(gold, said, mixing(pool, by_document=by == "document"))
        ],
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _differing_share(pair: Pair) -> float:
    differing = sum(a != b for a, b in zip(pair.champion, pair.challenger, strict=True))
    return differing / len(pair.champion)


if __name__ == "__main__":
    main()

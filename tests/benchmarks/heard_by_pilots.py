"""When pilots find that a stream has changed, with and without the labels that judge first.

`python -m tests.benchmarks.heard_by_pilots FILE --order date [--rounds 3 4] [--seeds 0 1 2]` draws
what a replay without gold has learnt and keeps to judge by the end of a round: a cold start of 500,
and of each of five rounds 6 % of the texts for the lanes and 4 % of the judging half for questions,
at random; what the last of these rounds brought is of two sorts, as somebody won in the one before.
Two pilots of the default recipe are asked by the labels that are learnt alone, and by those that
judge first too. One JSON a line: a CPU minute each.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from distill.labels.fold import in_fold
from distill.labels.splits import calibrates
from distill.learning.ageing import AgedExample, Ageing, aged_examples, settle_ageing
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.settings import Recipe
from schemas.types import SilverLabel, text_digest
from stream.lab.replay.options import Order
from stream.lab.replay.plan import Plan, make_plan
from stream.testing.messages import a_label

COLD_START, ROUNDS = 500, 5
LANES_SHARE, QUESTIONS_SHARE = 0.06, 0.04


def labels_by(plan: Plan, task: Task, *, last: int, seed: int) -> tuple[list[SilverLabel], ...]:
    """Give the labels that are learnt in round `last` (from 1), and those that judge first."""
    drawn = random.Random(seed)
    cold = [one for one in plan.cold if not calibrates(text_digest(one.text))]
    learnt = [_label(one, task, at_ms=0, source="bootstrap") for one in cold]
    first: list[SilverLabel] = []
    for number, texts in enumerate(plan.rounds[:last], 1):
        for label in _asked(texts, task, number=number, drawn=drawn):
            waits = number == last and in_fold(label.text)
            (first if waits else learnt).append(label)
    return learnt, first


def _asked(
    texts: Sequence[Example], task: Task, *, number: int, drawn: random.Random
) -> Iterator[SilverLabel]:
    lanes = drawn.sample(range(len(texts)), int(LANES_SHARE * len(texts)))
    left = [at for at in range(len(texts)) if at not in {*lanes} and in_fold(texts[at].text)]
    questions = drawn.sample(left, int(QUESTIONS_SHARE * len(texts)))
    for at in sorted(lanes):
        yield _label(texts[at], task, at_ms=number * 1_000_000 + at)
    for at in questions:  # a round asks when its texts have passed
        yield _label(texts[at], task, at_ms=(number + 1) * 1_000_000 - 1, source="judging")


def _label(one: Example, task: Task, *, at_ms: int, source: str = "teacher") -> SilverLabel:
    return a_label(
        task=task.name,
        task_digest=task.digest,
        text=one.text,
        entities=one.entities,
        categories=one.categories,
        source=source,
        record_id="" if source == "bootstrap" else f"text-0-{at_ms}",
        labelled_at_ms=at_ms,
    )


def asked_pilots(labels: Sequence[SilverLabel], task: Task, *, seed: int) -> Ageing:
    """Let two pilots say whether these labels are to be aged."""
    examples: Sequence[AgedExample] = aged_examples(labels, task)
    return settle_ageing(examples, task=task, recipe=Recipe(), seed=seed)


def main() -> None:
    """Ask for each round and seed; print as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--order", choices=["date", "shuffled"], required=True)
    parser.add_argument("--rounds", type=int, nargs="+", default=[3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    examples = read_corpus(options.file)
    task = task_of(examples, name="heard")
    for last in options.rounds:
        for seed in options.seeds:
            sys.stdout.write(
                json.dumps(_line(examples, task, options.order, last=last, seed=seed)) + "\n"
            )
            sys.stdout.flush()


def _line(
    examples: Sequence[Example], task: Task, order: Order, *, last: int, seed: int
) -> dict[str, object]:
    plan = make_plan(examples, order=order, seed=seed, cold_start=COLD_START, rounds=ROUNDS)
    learnt, first = labels_by(plan, task, last=last, seed=seed)
    alone = asked_pilots(learnt, task, seed=seed)
    heard = asked_pilots([*chain(learnt, first)], task, seed=seed)
    return {
        "round": last,
        "seed": seed,
        "learnt": len(learnt),
        "judging_first": len(first),
        "alone": alone.facts(),
        "with_judging_first": heard.facts(),
    }


if __name__ == "__main__":
    main()

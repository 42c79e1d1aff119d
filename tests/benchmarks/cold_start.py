"""The cold start from texts that GPT-3.5 wrote: what each step towards a student adds.

`python -m tests.benchmarks.cold_start ../shared/data --strategy all --arm cleaned --seed 0` trains
one student and judges it on `wikigold` without MISC; each line of JSON says what was trained on and
the F1 with its 95 % interval. The arms, each with all that stands before it:

* `as-they-are`: the recorded sentences with their recorded labels, repeats and mistakes;
* `cleaned`: through the passes of `bootstrap --write` (near-duplicates dropped, every recorded
  verdict applied), and writers' brackets around mentions taken out of the texts;
* `weighed`: labels that students of the other folds contradict count less (`distill.doubt`;
  `--folds` trainings more, 0 leaves the step out);
* `with-gold`: 100 gold sentences (`--gold`) of the train set beside them, each `--times` times.

`--strategy all` mixes the five. `--on dev` (the default) judges on `wikigold`'s dev set, and on its
train set without the gold sentences (`rest`), which no arm learns: four times as many, so choose by
both. `--on test` opens the test set: do it once for an arm that is final, for each seed.
`--epochs`, `--layers` try another recipe. One training takes some two minutes of CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from distill.judging.scoring import score, score_intervals
from distill.learning.ageing import as_train_example
from distill.learning.doubting import clean
from distill.learning.tagging import tag_with
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.settings import DoubtSettings, Recipe, Settings
from schemas.types import Entity, SilverLabel, facts, text_digest
from tests.benchmarks.written import (
    DOUBTS,
    STRATEGIES,
    TASK,
    as_they_are,
    through_the_passes,
    without_misc,
    written_files,
)

ARMS = ("as-they-are", "cleaned", "weighed", "with-gold")
_BRACKET = re.compile(r"[\[\]]")


def labels_of(corpus: Path, strategies: Sequence[str], *, cleaned: bool) -> list[SilverLabel]:
    """Take what was written and labelled, as it is or through the passes."""
    if not cleaned:
        files = written_files(corpus, strategies)
        return as_they_are([x for file in files for x in read_corpus(file)])
    with tempfile.TemporaryDirectory() as folder:
        made, _ = asyncio.run(through_the_passes(corpus, strategies, DOUBTS["all"], Path(folder)))
    return [without_brackets(label) for label in made]


def without_brackets(label: SilverLabel) -> SilverLabel:
    """Take brackets out of a text, in which some writers put the very mentions that are asked for.

    A mention of brackets alone goes with them.
    """
    cut = [found.start() for found in _BRACKET.finditer(label.text)]
    if not cut:
        return label
    text = _BRACKET.sub("", label.text)

    def moved(at: int) -> int:
        return at - sum(place < at for place in cut)

    spans = [(moved(x.start), moved(x.end), x.label) for x in label.entities]
    entities = [Entity(a, b, name, text[a:b]) for a, b, name in spans if text[a:b].strip()]
    return replace(label, text=text, entities=tuple(entities))


def gold_and_rest(corpus: Path, n: int) -> tuple[list[Example], list[Example]]:
    """Cut the train set by hash: `n` sentences that may be learnt, and the others, which judge."""
    examples = without_misc(read_corpus(corpus / "wikigold/train.jsonl"))
    drawn = sorted(examples, key=lambda one: text_digest(f"cold:{one.text}"))
    return drawn[:n], drawn[n:]


def judged(said: Sequence[frozenset[Any]], gold: Sequence[Example]) -> dict[str, Any]:
    """Give F1 in per cent, its interval, precision, recall, and F1 per label."""
    wanted = [facts(one) for one in gold]
    found = score(wanted, said)
    how: dict[str, Any] = {"resamples": 2000, "confidence": 0.95, "seed": 0}
    interval = score_intervals(wanted, said, **how).as_dict()["f1"]
    return {
        "f1": found.f1,
        "interval": interval,
        "precision": found.precision,
        "recall": found.recall,
        "per_label": {label: one.f1 for label, one in sorted(found.per_label.items())},
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Make the labels of an arm, train, judge."""
    arm, corpus = ARMS.index(options.arm), options.corpus
    strategies = STRATEGIES if options.strategy == "all" else (options.strategy,)
    labels = labels_of(corpus, strategies, cleaned=arm >= ARMS.index("cleaned"))
    changes = {"epochs": options.epochs, "layers": options.layers}
    own = {name: value for name, value in changes.items() if value is not None}
    recipe = Recipe.model_validate(Settings().recipe_of(TASK.kind).model_dump() | own)
    doubted = 0
    if arm >= ARMS.index("weighed") and options.folds:
        found = clean(
            labels,
            settings=DoubtSettings(folds=options.folds, weight=options.weight),
            task=TASK,
            recipe=recipe,
            seed=options.seed,
            second=lambda _texts: {},
            progress=lambda *_: None,
        )
        labels, doubted = list(found.labels), len(found.doubts)
    gold, rest = gold_and_rest(corpus, options.gold)
    if options.arm == "with-gold":
        labels += as_they_are(gold) * options.times
    trained = train(
        [as_train_example(one, TASK) for one in labels],
        task=TASK,
        recipe=recipe,
        seed=options.seed,
    )
    told: dict[str, Any] = {
        name: str(value) for name, value in vars(options).items() if name != "corpus"
    }
    told |= {"labels": len(labels), "doubted": doubted, "steps": trained.steps}
    sets = {options.on: without_misc(read_corpus(corpus / f"wikigold/{options.on}.jsonl"))}
    sets |= {"rest": rest} if options.on == "dev" else {}
    for name, examples in sets.items():
        tagged = tag_with(trained, [one.text for one in examples], task=TASK)
        told[name] = judged([facts(one) for one in tagged], examples)
    return told


def main() -> None:
    """Train one arm with one seed; print what was found as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--strategy", choices=(*STRATEGIES, "all"), default="xy")
    parser.add_argument("--arm", choices=ARMS, default="cleaned")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--weight", type=float, default=0.2, help="Of a doubted label.")
    parser.add_argument("--gold", type=int, default=100)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--layers", help="A number, or all.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", choices=("dev", "test"), default="dev")
    Console().print_json(json.dumps(run(parser.parse_args())), indent=None)


if __name__ == "__main__":
    main()

"""The cold start from texts that GPT-3.5 wrote: what each step towards a student adds.

`python -m tests.benchmarks.cold_start ../shared/data --work DIR --strategy xy all --arm cleaned
--seed 0 1 2 --recipe layers=all epochs=1` trains a student for each seed, strategy and arm, one
after the other, and judges each on `wikigold` without MISC. Lines of JSON in `DIR/results.jsonl`
say what was trained on, the F1 with its 95 % interval, and what was tagged; runs that stand there
are not run again, and texts that went through the passes are kept in DIR too. At the end a line for
each arm gives the mean over its seeds. The arms:

* `as-they-are`: the recorded sentences with their recorded labels, repeats and mistakes;
* `cleaned`: through the passes of `bootstrap --write`: near-duplicates dropped, every recorded
  verdict applied, brackets around mentions taken out;
* `weighed`: cleaned, and labels that students of the other folds contradict count less
  (`distill.doubt`; `--folds` trainings more, 0 leaves the step out);
* `with-gold`: cleaned, and 100 gold sentences (`--gold`) of the train set, each `--times` times;
* `chosen`, `drawn`: `--keep` of the cleaned, for spread as `bootstrap FILE` chooses (the fifth
  that would calibrate at random there too, and learnt here), and at random.

`--strategy all` mixes the five. `--on dev` (the default) judges on `wikigold`'s dev set, and on its
train set without the gold sentences (`rest`), which no arm learns: four times as many, so choose by
both. `--on test` opens the test set: do it once for an arm that is final. `--recipe
word_dropout=0.2` tries another recipe. A training of 500 steps takes some two and a half minutes of
CPU time, twice that of all six layers; a base of 768 dimensions some four times that, half of it
with `--bf16` where the processor has instructions for it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from distill.judging.scoring import fact_counts, score, score_intervals
from distill.labels.spread import chosen_for_spread
from distill.learning.ageing import as_train_example
from distill.learning.doubting import clean
from distill.learning.tagging import tag_with
from distill.training.placement import Placement
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.files.corpus.jsonl import write_jsonl
from schemas.settings import DoubtSettings, Recipe, Settings
from schemas.types import Fact, SilverLabel, facts, text_digest
from tests.benchmarks.written import (
    DOUBTS,
    STRATEGIES,
    TASK,
    as_they_are,
    through_the_passes,
    without_misc,
    written_files,
)

ARMS = ("as-they-are", "cleaned", "weighed", "with-gold", "chosen", "drawn")
_PARTS = {"chosen", "drawn"}
CONSOLE = Console()
_RESAMPLES = 2000


def labels_of(corpus: Path, work: Path, strategy: str, *, cleaned: bool) -> list[SilverLabel]:
    """Take what was written and labelled, as it is or through the passes."""
    strategies = STRATEGIES if strategy == "all" else (strategy,)
    if not cleaned:
        files = written_files(corpus, strategies)
        return as_they_are([x for file in files for x in read_corpus(file)])
    kept = work / f"cleaned-{strategy}.jsonl"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            passes = through_the_passes(corpus, strategies, DOUBTS["all"], Path(folder))
            made, found = asyncio.run(passes)
        CONSOLE.print_json(json.dumps({"strategy": strategy} | found), indent=None)
        write_jsonl(kept, [Example(str(n), one.text, one.entities) for n, one in enumerate(made)])
    return as_they_are(read_corpus(kept))


def gold_and_rest(corpus: Path, n: int) -> tuple[list[Example], list[Example]]:
    """Cut the train set by hash: `n` sentences that may be learnt, and the others, which judge."""
    examples = without_misc(read_corpus(corpus / "wikigold/train.jsonl"))
    drawn = sorted(examples, key=lambda one: text_digest(f"cold:{one.text}"))
    return drawn[:n], drawn[n:]


def judged(said: Sequence[frozenset[Fact]], gold: Sequence[Example]) -> dict[str, Any]:
    """Give F1, its interval, precision, recall, F1 per label, and counts and tags per text."""
    wanted = [facts(one) for one in gold]
    found = score(wanted, said)
    how: dict[str, Any] = {"resamples": _RESAMPLES, "confidence": 0.95, "seed": 0}
    interval = score_intervals(wanted, said, **how).as_dict()["f1"]
    return {
        "f1": found.f1,
        "interval": [interval["low"], interval["high"]],
        "precision": found.precision,
        "recall": found.recall,
        "per_label": {label: one.f1 for label, one in sorted(found.per_label.items())},
        "counts": fact_counts(wanted, said).tolist(),
        "tagged": [sorted(one) for one in said],
    }


def run(options: argparse.Namespace, strategy: str, arm: str, seed: int) -> dict[str, Any]:
    """Make the labels of an arm, train, judge."""
    cpu_started = time.process_time()
    labels = labels_of(options.corpus, options.work, strategy, cleaned=arm != ARMS[0])
    if arm in _PARTS:
        labels = _part(labels, options.keep, seed=seed, for_spread=arm == "chosen")
    recipe = Recipe.model_validate(
        Settings().recipe_of(TASK.kind).model_dump() | dict(options.recipe)
    )
    doubted = 0
    if arm == "weighed" and options.folds:
        found = clean(
            labels,
            settings=DoubtSettings(folds=options.folds, weight=options.weight),
            task=TASK,
            recipe=recipe,
            seed=seed,
            second=lambda _texts: {},
            progress=lambda *_: None,
        )
        labels, doubted = list(found.labels), len(found.doubts)
    gold, rest = gold_and_rest(options.corpus, options.gold)
    if arm == "with-gold":
        labels += as_they_are(gold) * options.times
    examples = [as_train_example(one, TASK) for one in labels]
    placement = Placement("cpu", bf16=True) if options.bf16 else None
    trained = train(examples, task=TASK, recipe=recipe, seed=seed, placement=placement)
    told: dict[str, Any] = {"labels": len(labels), "doubted": doubted, "steps": trained.steps}
    sets = {options.on: without_misc(read_corpus(options.corpus / f"wikigold/{options.on}.jsonl"))}
    for name, texts in (sets | {"rest": rest}).items():
        tagged = tag_with(trained, [one.text for one in texts], task=TASK)
        told[name] = judged([facts(one) for one in tagged], texts)
    return told | {"cpu_s": round(time.process_time() - cpu_started)}


def _part(
    labels: Sequence[SilverLabel], n: int, *, seed: int, for_spread: bool
) -> list[SilverLabel]:
    if not for_spread:
        return random.Random(seed).sample(labels, min(n, len(labels)))  # no secret
    texts = [Example(str(number), one.text, ()) for number, one in enumerate(labels)]
    return [labels[int(one.id)] for one in chosen_for_spread(texts, n, seed=seed)]


def mean_over_seeds(counts: Sequence[Any]) -> dict[str, Any]:
    """Give the mean of the seeds' F1 and its 95 % interval, on the same drawn texts for all.

    `counts` are a seed's correct, predicted and gold facts of each text.
    """
    per_seed = np.array(counts)  # [seeds, texts, 3]
    n = per_seed.shape[1]
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    sums = np.einsum("rt,stc->rsc", drawn, per_seed)
    means = (2 * sums[..., 0] / (sums[..., 1] + sums[..., 2])).mean(axis=1)
    whole = per_seed.sum(axis=1)
    each = 2 * whole[:, 0] / (whole[:, 1] + whole[:, 2])
    interval = np.quantile(means, [0.025, 0.975])
    return {"mean": each.mean(), "interval": interval.tolist(), "seeds": each.tolist()}


def means(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give a line for each arm and set of texts."""
    grouped = defaultdict[tuple[str, str], list[Any]](list)
    for one in results:
        about = {name: value for name, value in one["run"].items() if name not in {"seed", "on"}}
        for name in {"dev", "test", "rest"} & one.keys():
            grouped[json.dumps(about), name].append(one[name]["counts"])
    return [
        json.loads(about) | {"texts": name} | mean_over_seeds(counts)
        for (about, name), counts in sorted(grouped.items())
    ]


def main() -> None:
    """Train what is not in the results yet; print what was found, and the means."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "results.jsonl"
    for seed, strategy, arm in itertools.product(options.seed, options.strategy, options.arm):
        about = {"strategy": strategy, "arm": arm, "recipe": dict(options.recipe)}
        about |= {"gold": [options.gold, options.times]} if arm == "with-gold" else {}
        about |= {"keep": options.keep} if arm in _PARTS else {}
        about |= {"bf16": True} if options.bf16 else {}
        about |= {"doubt": [options.folds, options.weight]} if arm == "weighed" else {}
        about |= {"seed": seed, "on": options.on}
        if about in [one["run"] for one in _results(path)]:
            continue
        found = {"run": about} | run(options, strategy, arm, seed)
        with path.open("ab", buffering=0) as file:  # whole lines, whoever else writes
            file.write(f"{json.dumps(found)}\n".encode())
        CONSOLE.print_json(json.dumps(_without_texts(found)), indent=None)
    for line in means(_results(path)):
        CONSOLE.print_json(json.dumps(line), indent=None)


def _results(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def _without_texts(result: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is per text."""
    long = {"counts", "tagged"}
    return {
        name: {k: v for k, v in value.items() if k not in long}
        if isinstance(value, dict)
        else value
        for name, value in result.items()
    }


def _knob(told: str) -> tuple[str, Any]:
    name, _, value = told.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="Keeps texts and results.")
    parser.add_argument("--strategy", choices=(*STRATEGIES, "all"), nargs="+", default=["xy"])
    parser.add_argument("--arm", choices=ARMS, nargs="+", default=["cleaned"])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--weight", type=float, default=0.2, help="Of a doubted label.")
    parser.add_argument("--gold", type=int, default=100)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--keep", type=int, default=2000)
    parser.add_argument("--recipe", type=_knob, nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--bf16", action="store_true", help="Steps in 16 bits, on the CPU.")
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--on", choices=("dev", "test"), default="dev")
    return parser.parse_args()


if __name__ == "__main__":
    main()

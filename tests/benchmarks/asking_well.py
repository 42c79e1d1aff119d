"""Which records to ask about: uncertainty alone, or diversity, novelty or rarity beside it.

`python -m tests.benchmarks.asking_well CORPUS... --data ../shared/data --seeds 0 1` (some three
CPU minutes for each corpus and seed): a student learns `--cold` random texts of a training file
and tags `--pool` others; of these `--asked` are chosen in each way, and a student of both is judged
on the development file. No test file is read. A line of JSON for each way:

* `random`; `uncertainty`: the least sure, as the router asks;
* `diverse`: of three times as many of the least sure, those far from each other (farthest first, by
  the sentence vectors of the base);
* `novel`: by the mean of the ranks of uncertainty and of the distance to the nearest labelled text;
* `rare`: by the mean of the ranks of uncertainty and of how rare the rarest label is that the
  student gives the text.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from distill.judging.scoring import score
from distill.labels.written.base_embedding import base_embedder
from distill.learning.tagging import tag_with
from distill.training.batches import TrainExample
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.settings import Recipe, Settings
from schemas.types import Tagging, facts

Float32 = npt.NDArray[np.float32]
CORPORA = {
    "uner_ewt": ("uner_ewt/train.jsonl", "uner_ewt/dev.jsonl"),
    "wnut17": ("wnut17/train.jsonl", "wnut17/dev.jsonl"),
    "btc": ("btc/train.jsonl", "btc/dev.jsonl"),
    "fewnerd_inter": ("fewnerd_inter/train.jsonl", "fewnerd_inter/dev.jsonl"),
    "isear": ("isear/rest.jsonl", ""),
}
"""Texts and judges; of this half of ISEAR, the one that is not streamed, a third judges."""
_JUDGES = 2000


@dataclass(frozen=True, slots=True)
class Pool:
    """What may be asked about: the student's taggings, unit vectors, and what is labelled."""

    taggings: Sequence[Tagging]
    vectors: Float32
    known: Float32
    labels: Counter[str]


def uncertainty(pool: Pool) -> Float32:
    return np.array([1 - one.confidence for one in pool.taggings], np.float32)


def _ranks(values: Float32) -> Float32:
    """Give each value's rank in [0, 1]; the greatest has 1."""
    places = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (places / max(len(values) - 1, 1)).astype(np.float32)


def _most(values: Float32, n: int) -> list[int]:
    return [int(at) for at in np.argsort(-values, kind="stable")[:n]]


def novel(pool: Pool, n: int) -> list[int]:
    far = 1 - (pool.vectors @ pool.known.T).max(axis=1)
    return _most(_ranks(uncertainty(pool)) + _ranks(far.astype(np.float32)), n)


def rare(pool: Pool, n: int) -> list[int]:
    total = sum(pool.labels.values())

    def rarity(tagging: Tagging) -> float:
        named = (math.log(total / (1 + pool.labels[label])) for _, _, label in facts(tagging))
        return max(named, default=0.0)

    values = np.array([rarity(one) for one in pool.taggings], np.float32)
    return _most(_ranks(uncertainty(pool)) + _ranks(values), n)


def diverse(pool: Pool, n: int) -> list[int]:
    among = _most(uncertainty(pool), 3 * n)
    vectors = pool.vectors[among]
    chosen, far = [0], 1 - vectors @ vectors[0]
    while len(chosen) < min(n, len(among)):
        far[chosen] = -1
        chosen.append(int(far.argmax()))
        far = np.minimum(far, 1 - vectors @ vectors[chosen[-1]])
    return [among[at] for at in chosen]


WAYS: dict[str, Callable[[Pool, int], list[int]]] = {
    "random": lambda pool, n: random.Random(n).sample(range(len(pool.taggings)), n),
    "uncertainty": lambda pool, n: _most(uncertainty(pool), n),
    "diverse": diverse,
    "novel": novel,
    "rare": rare,
}


def _rows(examples: Sequence[Example]) -> list[TrainExample]:
    return [TrainExample(one.text, one.entities, categories=one.categories) for one in examples]


def _labels(examples: Sequence[Example]) -> Counter[str]:
    return Counter(label for one in examples for _, _, label in facts(one))


def _recipe(task: Task, given: argparse.Namespace) -> Recipe:
    whole = Settings().recipe_of(task.kind)
    if task.kind == "categories":
        return whole
    return whole.model_copy(update={"layers": given.layers, "min_steps": given.steps})


def compared(name: str, seed: int, given: argparse.Namespace, console: Console) -> None:
    """Print what each way's student has on the judging texts."""
    stream, judges = CORPORA[name]
    examples = list({one.text: one for one in read_corpus(given.data / stream)}.values())
    random.Random(seed).shuffle(examples)
    if judges:
        judging = read_corpus(given.data / judges)[:_JUDGES]
    else:
        judging, examples = examples[: len(examples) // 3], examples[len(examples) // 3 :]
    task = task_of([*examples, *judging], name=name)
    recipe = _recipe(task, given)
    cold, rest = examples[: given.cold], examples[given.cold :][: given.pool]
    first = train(_rows(cold), task=task, recipe=recipe, seed=seed)
    embed = base_embedder(recipe.base)
    pool = Pool(
        tag_with(first, [one.text for one in rest], task=task),
        embed([one.text for one in rest]),
        embed([one.text for one in cold]),
        _labels(cold),
    )
    gold = [facts(one) for one in judging]
    texts = [one.text for one in judging]

    def told(way: str, f1: float, more: Sequence[Example]) -> None:
        line = {"corpus": name, "seed": seed, "way": way, "f1": round(100 * f1, 1)}
        console.print_json(json.dumps(line | {"labels": _labels(more)}), indent=None)

    told("cold", score(gold, [facts(x) for x in tag_with(first, texts, task=task)]).f1, ())
    for way in given.ways:
        asked = [rest[at] for at in WAYS[way](pool, given.asked)]
        trained = train(_rows([*cold, *asked]), task=task, recipe=recipe, seed=seed)
        said = [facts(one) for one in tag_with(trained, texts, task=task)]
        told(way, score(gold, said).f1, asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpora", nargs="+", choices=[*CORPORA])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--cold", type=int, default=400)
    parser.add_argument("--pool", type=int, default=3000)
    parser.add_argument("--asked", type=int, default=300)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=250)
    given = parser.parse_args()
    console = Console(soft_wrap=True)
    for name in given.corpora:
        for seed in given.seeds:
            compared(name, seed, given, console)


if __name__ == "__main__":
    main()

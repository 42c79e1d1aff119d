"""What doubting labels is worth on answers of real LLMs: trained as they are, and weighed.

`python -m tests.benchmarks.cleaning wikigold crossner --data ../shared/data --seeds 0 1`: for each
corpus and seed a student learns the recorded answers (`as they are`), then the same answers where
students of the other folds contradict them at `--weight` of their weight (`weighed`:
`distill.doubt`), then without the texts of each batch that it is furthest from (`small loss`), and
once people's labels of the same texts (`right labels`: the bound). Strict F1 against people, with
95 % intervals, on texts that nobody learnt and that are in no test file; a line of JSON each. Some
`--folds` + 6 trainings of `--steps` steps a seed; `--ways` takes some of them.

Small loss: of each batch a growing share of the texts is left out, up to `--forget` of them after a
third of the steps: those with the largest mean loss of a word. Co-teaching: two networks from the
same base, each of which leaves out what the other is furthest from; the first is judged. Source:
Han et al. (2018), "Co-teaching", arXiv 1804.06872.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from rich.console import Console
from torch import Tensor

from distill.judging.scoring import score, score_intervals
from distill.learning.ageing import as_train_example
from distill.learning.doubting import clean
from distill.learning.tagging import tag_with
from distill.training import train as training
from distill.training.base import load_base
from distill.training.batches import Batch
from distill.training.objectives import objective_of
from distill.training.objectives.entities import EntityObjective
from distill.training.train import train
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.settings import DoubtSettings, Recipe, Settings
from schemas.types import Fact, SilverLabel, facts
from stream.testing.messages import a_label

_DOMAINS = ("politics", "science", "music", "literature", "ai")
CORPORA = {
    "wikigold": ("llm_wikigold_gpt35/gpt-3.5_single.jsonl", ("wikigold/train.jsonl",)),
    "crossner": (
        "llm_crossner_promptner/gpt_2023-09.jsonl",
        tuple(f"crossner/{name}/dev.jsonl" for name in _DOMAINS),
    ),
    "uner_ewt": ("llm_uner_ewt_qwen/answers.jsonl", ("uner_ewt/dev.jsonl",)),
}
"""Answers, and the texts that judge: of wikigold its train file, which the LLM was not asked
about; CrossNER's five domains are one corpus with the labels of all."""
_JUDGES = 2000
WAYS = ("as they are", "weighed", "small loss", "co-teaching", "right labels")


def read(name: str, data: Path) -> tuple[list[Example], list[Example], Task]:
    """Read a corpus' answered texts and its judging ones, the same text never in both."""
    answers, judges = CORPORA[name]
    answered = [one for one in read_corpus(data / answers) if one.llm_entities is not None]
    learnt = {one.text for one in answered}
    judging = [
        one for file in judges for one in read_corpus(data / file) if one.text not in learnt
    ][:_JUDGES]
    task = task_of([*answered, *judging], name=name)
    names = set(task.label_names)
    kept = [
        replace(one, llm_entities=tuple(x for x in one.llm_entities or () if x.label in names))
        for one in answered
    ]
    return kept, judging, task


def compared(name: str, seed: int, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Give a line for each way to learn the same texts."""
    answered, judging, task = read(name, given.data)
    recipe = Settings().recipe_of(task.kind).model_copy(update={"min_steps": given.steps})
    said = [_label(one, by_people=False) for one in answered]
    right = {one.text: facts(one) for one in answered}
    about = {"corpus": name, "seed": seed, "labels": len(said), "judging": len(judging)}
    about["wrong"] = _wrong(said, right)
    for way in given.ways:
        labels: Sequence[SilverLabel] = said
        more: dict[str, int] = {}
        if way == "weighed":
            cleaned = clean(
                said,
                settings=DoubtSettings(folds=given.folds, weight=given.weight),
                task=task,
                recipe=recipe,
                seed=seed,
                second=lambda _texts: {},
                progress=lambda *_: None,
            )
            labels, doubted = cleaned.labels, [one.label for one in cleaned.doubts]
            more = {"doubted": len(doubted), "doubted_wrong": _wrong(doubted, right)}
        elif way == "right labels":
            labels = [_label(one, by_people=True) for one in answered]
        with _selecting(way, task, recipe, seed=seed, n=len(labels), forget=given.forget):
            yield about | {"way": way} | more | _trained(labels, judging, task, recipe, seed)


def _selecting(
    way: str, task: Task, recipe: Recipe, *, seed: int, n: int, forget: float
) -> AbstractContextManager[None]:
    if way not in {"small loss", "co-teaching"}:
        return nullcontext()
    n_steps = training.training_steps(n, recipe)
    peer = Peer(task, recipe, n_steps=n_steps, seed=seed) if way == "co-teaching" else None
    return small_loss(forget, n_steps // 3, peer=peer)


def _wrong(labels: Sequence[SilverLabel], right: Mapping[str, frozenset[Fact]]) -> int:
    return sum(facts(one) != right[one.text] for one in labels)


@contextmanager
def small_loss(forget: float, warm_up: int, *, peer: Peer | None = None) -> Iterator[None]:
    """Let trainings leave the texts of each batch out that they are furthest from, for a while.

    With a `peer` each of the two leaves out what the other is furthest from.
    """
    done = 0

    def loss(objective: EntityObjective, logits: Tensor, batch: Batch) -> Tensor:
        nonlocal done
        done += 1
        sums, counts = _per_text(objective, logits, batch)
        kept = len(counts) - int(forget * min(done / warm_up, 1) * len(counts))
        means = (sums / counts.clamp(min=1)).detach()
        chosen = means.topk(kept, largest=False).indices
        if peer is not None:
            chosen = peer.step(objective, batch, learns=chosen)
        return sums[chosen].sum() / counts[chosen].sum()

    with mock.patch.object(EntityObjective, "loss", loss):
        yield


def _per_text(objective: EntityObjective, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Give the sum of each text's word losses, and the number of its words."""
    words = objective._losses(logits[batch.is_word], batch.targets)  # noqa: SLF001
    counts = batch.is_word.sum(dim=1)
    rows = torch.repeat_interleave(torch.arange(len(counts)), counts)
    return torch.zeros(len(counts)).index_add(0, rows, words), counts


class Peer:
    """A second network from the same base, which learns the same batches; another head."""

    def __init__(self, task: Task, recipe: Recipe, *, n_steps: int, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1000)
            base, objective = load_base(recipe.base), objective_of(task)
            self._model = training._start(base, objective, recipe)  # noqa: SLF001
        self._optimizer = training._optimizer(self._model, recipe)  # noqa: SLF001
        self._schedule = training._schedule(self._optimizer, n_steps)  # noqa: SLF001

    def step(self, objective: EntityObjective, batch: Batch, *, learns: Tensor) -> Tensor:
        """Choose as many texts, those nearest to this network; then it learns those given."""
        logits = self._model(batch.ids, batch.mask, batch.types).float()
        sums, counts = _per_text(objective, logits, batch)
        means = (sums / counts.clamp(min=1)).detach()
        self._optimizer.zero_grad(set_to_none=True)
        (sums[learns].sum() / counts[learns].sum()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._schedule.step()
        return means.topk(len(learns), largest=False).indices


def _label(one: Example, *, by_people: bool) -> SilverLabel:
    found = one.entities if by_people else one.llm_entities or ()
    return a_label(text=one.text, entities=tuple(replace(x, confidence=1.0) for x in found))


def _trained(
    labels: Sequence[SilverLabel],
    judging: Sequence[Example],
    task: Task,
    recipe: Recipe,
    seed: int,
) -> dict[str, Any]:
    examples = [as_train_example(one, task) for one in labels]
    trained = train(examples, task=task, recipe=recipe, seed=seed)
    said = [facts(one) for one in tag_with(trained, [x.text for x in judging], task=task)]
    gold = [facts(one) for one in judging]
    found = score(gold, said)
    interval = score_intervals(gold, said, resamples=1000, confidence=0.95, seed=0).as_dict()["f1"]
    return {
        "f1": round(100 * found.f1, 1),
        "interval": [round(100 * interval[end], 1) for end in ("low", "high")],
        "precision": round(100 * found.precision, 1),
        "recall": round(100 * found.recall, 1),
    }


def main() -> None:
    """Print a line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpora", nargs="+", choices=[*CORPORA])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--weight", type=float, default=DoubtSettings().weight)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--forget", type=float, default=0.3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    given = parser.parse_args()
    console = Console(soft_wrap=True)
    for name in given.corpora:
        for seed in given.seeds:
            for line in compared(name, seed, given):
                console.print_json(json.dumps(line), indent=None)


if __name__ == "__main__":
    main()

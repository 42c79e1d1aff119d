"""From labels to a trained student: weighed by age, and self-trained where age took their weight.

Where old labels no longer tell the newest (`distill/learning/ageing.py`), few count in full, while
the topic is full of new texts that nobody labelled. So the student is trained twice: the first one
tags the newest texts, and the second learns the labels and those *pseudo-labels*. These weigh less
than the newest labels, but far more than most. Both trainings start from the base model, and each
round tags anew: no pseudo-label outlives its round. Where all labels count alike there is one
training: a second costs more than as long again.

What it gives: `docs/measurements.md`, "Self-training".

Sources: self-training, Yarowsky (1995), "Unsupervised word sense disambiguation rivaling supervised
methods"; after weak labels in NER, Liang et al. (2020), "BOND".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distill.lazily import Behind
from distill.learning.ageing import AgedExample, Ageing, aged, settle_ageing
from distill.learning.making import Progress, silent
from distill.learning.tagging import tag_with
from distill.training.batches import TrainExample
from distill.training.train import Trained, train, training_encoder
from schemas.files.task import Task
from schemas.settings import Recipe

NewestTexts = Callable[[], Sequence[str]]
"""Gives the newest texts of the stream that have no label, the newest last."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A trained student.

    Its `seconds` and `cpu_s` are those of both trainings, steps and loss those of the second.
    """

    trained: Trained
    ageing: Ageing
    pseudo_labels: Sequence[TrainExample] = ()

    def facts(self) -> dict[str, float]:
        """Give the figures for logs and JSON."""
        trained = self.trained
        return {
            "training_s": trained.seconds,
            "training_cpu_s": trained.cpu_s,
            "steps": float(trained.steps),
            "loss": trained.loss,
            "pseudo_labels": float(len(self.pseudo_labels)),
            **self.ageing.facts(),
        }


def learn(
    examples: Sequence[AgedExample],
    *,
    task: Task,
    recipe: Recipe,
    seed: int,
    unlabelled: NewestTexts = tuple,
    told_by: Sequence[AgedExample] | None = None,
    progress: Progress = silent,
) -> Learnt:
    """Settle the half-life, then train by it, twice where labels age and there are texts to tag.

    The half-life is settled by `told_by`, None for the examples themselves, and stands in the
    recipe of `Trained`. Raises as `train`.
    """
    telling = examples if told_by is None else told_by
    ageing = settle_ageing(telling, task=task, recipe=recipe, seed=seed)
    settled = recipe.model_copy(update={"label_half_life": ageing.half_life})
    weighed = aged(examples, ageing.half_life)

    def trained_on(known: Sequence[TrainExample], what: str) -> Trained:
        return train(
            known,
            task=task,
            recipe=settled,
            seed=seed,
            progress=lambda done, of, _loss: progress(what, done / of),
        )

    first = trained_on(weighed, "training")
    if ageing.half_life is None or recipe.self_training_texts == 0:
        return Learnt(first, ageing)
    progress("tagging the newest texts", 0.0)
    pseudo = pseudo_labelled(first, unlabelled(), task=task)
    if not pseudo:
        return Learnt(first, ageing)
    second = trained_on(Behind(pseudo, weighed), "training on own tags too")
    both = replace(
        second,
        seconds=first.seconds + second.seconds,
        cpu_s=first.cpu_s + second.cpu_s,
    )
    return Learnt(both, ageing, pseudo)


def pseudo_labelled(first: Trained, texts: Sequence[str], *, task: Task) -> list[TrainExample]:
    """Let `first` tag the newest of the texts; they weigh as its recipe says."""
    kept = _that_fit(first, texts)
    if not kept:
        return []
    weight = first.recipe.self_training_weight
    return [
        TrainExample(text, tagging.entities, weight, tagging.categories)
        for text, tagging in zip(kept, tag_with(first, kept, task=task), strict=True)
    ]


def _that_fit(first: Trained, texts: Sequence[str]) -> list[str]:
    """Keep the newest texts that together are as many windows as the recipe wants texts.

    So the longest of texts cannot make the training long.
    """
    encoder = training_encoder(first.tokenizer_json, first.recipe)
    room = first.recipe.self_training_texts
    kept: list[str] = []
    for text in reversed(texts):
        (windows,) = encoder.encode([text])
        if 0 < len(windows) <= room:
            room -= len(windows)
            kept.append(text)
    return kept[::-1]

"""Training: labelled texts to a student, from the base each time.

A round retrains on all that is kept: yesterday's student is never the start, so that
mistakes do not pile up. The same examples, recipe and seed give the same weights (on one
machine, with one number of threads).

Why the recipe is as it is: `docs/measurements.md`, "The recipe of a training".
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_swa_multi_avg_fn
from transformers import get_linear_schedule_with_warmup

from distill.training.augmentation import with_words_hidden
from distill.training.base import Base, load_base
from distill.training.batches import Batch, TrainExample, draw_batches, parts
from distill.training.model import TagModel, build_model
from distill.training.objectives import Objective, objective_of
from distill.training.placement import Placement, here
from distill.training.probe import fit_head
from distill.training.threads import torch_threads
from distill.training.tokenizer import mask_id, uses_casing
from schemas.errors import ConfigError
from schemas.files.task import Task
from schemas.settings import Recipe
from stream.student.encoding import Encoder
from stream.student.memory import give_back_memory

OnStep = Callable[[int, int, float], None]
"""Told of (steps done, steps in all, loss of the last step)."""

_MAX_NORM = 1.0
_WARM_UP = 0.1
_WEIGHT_DECAY = 0.01
_TRIMMED_STEPS = 5
"""Steps after which freed memory is given back. Batches are of all lengths, and glibc fits a tensor
into the place of another badly: 60 steps of one layer left 300 MB."""


@dataclass(frozen=True)
class Trained:
    """A trained student in evaluation mode, and what making it took.

    `loss` is the mean over the last tenth of the steps, 0 where there was none; `seconds` is wall
    time and `cpu_s` the process's CPU time, both without loading the base.
    """

    model: TagModel
    tokenizer_json: bytes
    labels: tuple[str, ...]
    recipe: Recipe
    seed: int
    base_digest: str
    n_examples: int
    steps: int
    seconds: float
    cpu_s: float
    loss: float


def train(
    examples: Sequence[TrainExample],
    *,
    task: Task,
    recipe: Recipe,
    seed: int,
    progress: OnStep | None = None,
    placement: Placement | None = None,
) -> Trained:
    """Train a student of the task on `examples`.

    It runs where `recipe.device` says, or at `placement`; what comes back is on the CPU.

    Raises `ConfigError` when the base cannot be had, has no positions for so long a window, an
    example's label is not of the task, no example has a word, or nothing would be trained.
    """
    placement = placement or here(recipe.device)
    give_back_memory()  # what the labels' sorting, or a pilot, has left
    base, objective = load_base(recipe.base), objective_of(task)
    _check_window(base, recipe)
    _check_trains(recipe)
    with _reproducible(seed, threads=recipe.threads, gpus=placement.generators):
        started, cpu_started = time.perf_counter(), time.process_time()
        encoder = training_encoder(base.tokenizer_json, recipe)
        some = next(parts(examples, np.random.default_rng(seed)))
        rows = objective.rows(some, encoder)
        if not rows:
            raise ConfigError("there is nothing to train on: no example has a word")
        n_rows = round(len(rows) * len(examples) / len(some))
        model = _start(base, objective, recipe).to(placement.device)
        if recipe.head_start == "fitted":
            fit_head(model, rows, objective, device=placement.device)
        tokenizer_json, digest = base.tokenizer_json, base.digest
        del rows, some, base  # its weights, which the student has now, too
        give_back_memory()
        losses = _fit(
            model,
            _batches(
                examples,
                objective,
                encoder=encoder,
                mask_id=mask_id(tokenizer_json),
                recipe=recipe,
                seed=seed,
            ),
            objective,
            n_steps=training_steps(n_rows, recipe),
            recipe=recipe,
            progress=progress,
            placement=placement,
        )
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    give_back_memory()
    return Trained(
        model=model.cpu().eval(),
        tokenizer_json=tokenizer_json,
        labels=task.label_names,
        recipe=recipe,
        seed=seed,
        base_digest=digest,
        n_examples=len(examples),
        steps=len(losses),
        seconds=seconds,
        cpu_s=cpu_s,
        loss=float(np.mean(losses[-math.ceil(len(losses) / 10) :] or [0.0])),
    )


def _check_window(base: Base, recipe: Recipe) -> None:
    limit = base.family.max_tokens(base.config)
    if limit is not None and recipe.max_tokens > limit:
        raise ConfigError(
            f"recipe.max_tokens is {recipe.max_tokens}, but base {base.name!r} has positions for "
            f"{limit} tokens"
        )


def _check_trains(recipe: Recipe) -> None:
    if not recipe.epochs and not recipe.min_steps and recipe.head_start != "fitted":
        raise ConfigError(
            "epochs and min_steps are both 0, so nothing would be trained but a fitted head: "
            "experiment.head_start must be fitted"
        )


@contextmanager
def _reproducible(seed: int, *, threads: int, gpus: list[int]) -> Iterator[None]:
    """Seed torch for a while; its generators are the whole process's, and are put back."""
    with torch_threads(threads), torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield


def training_encoder(tokenizer_json: bytes, recipe: Recipe) -> Encoder:
    """Make the encoder whose windows are the rows of a training."""
    return Encoder.from_bytes(
        tokenizer_json,
        max_tokens=recipe.max_tokens,
        stride=0,  # each word is learnt once, in one window
        casing=uses_casing(tokenizer_json, wanted=recipe.casing),
        cut=True,
    )


def _start(base: Base, objective: Objective, recipe: Recipe) -> TagModel:
    model = build_model(
        base,
        n_tags=objective.n_outputs,
        pool=objective.pool,
        layers=recipe.layers,
        casing=uses_casing(base.tokenizer_json, wanted=recipe.casing),
    )
    model.body.words.weight.requires_grad_(recipe.train_embeddings)
    return model.train()


def _fit(
    model: TagModel,
    batches: Iterator[Batch],
    objective: Objective,
    *,
    n_steps: int,
    recipe: Recipe,
    progress: OnStep | None,
    placement: Placement,
) -> list[float]:
    """Train in place; the loss of each step.

    At the end the weights are the mean of those after each of the last steps: a steadier student
    than the last step's. Source: stochastic weight averaging, Izmailov et al. (2018), arXiv
    1803.05407; here over consecutive steps while the learning rate falls.
    """
    optimizer = _optimizer(model, recipe)
    schedule = _schedule(optimizer, n_steps)
    trained = nn.ParameterList(w for w in model.parameters() if w.requires_grad)
    average = AveragedModel(trained, multi_avg_fn=get_swa_multi_avg_fn())  # type: ignore[no-untyped-call]  # torch's own
    n_averaged = int(recipe.averaged_share * n_steps)
    losses: list[float] = []
    for batch in islice(batches, n_steps):
        losses.append(_step(model, batch, objective, optimizer, placement))
        schedule.step()
        if len(losses) % _TRIMMED_STEPS == 0:
            give_back_memory()
        if len(losses) > n_steps - n_averaged:
            average.update_parameters(trained)
        if progress is not None:
            progress(len(losses), n_steps, losses[-1])
    if n_averaged:
        trained.load_state_dict(average.module.state_dict())
    return losses


def training_steps(n_rows: int, recipe: Recipe) -> int:
    """Count the steps of a training: those of the epochs, but not fewer than the floor."""
    return max(
        recipe.min_steps, math.ceil(recipe.epochs * math.ceil(n_rows / recipe.batch_records))
    )


def _batches(
    examples: Sequence[TrainExample],
    objective: Objective,
    *,
    encoder: Encoder,
    mask_id: int,
    recipe: Recipe,
    seed: int,
) -> Iterator[Batch]:
    """Epoch after epoch, without end; each in another variant and with other words hidden.

    Of very many examples an epoch comes in parts, which alone are there as rows.
    """
    generator = np.random.default_rng(seed)
    for rows in objective.epochs(examples, encoder, recipe=recipe, generator=generator):
        for batch in draw_batches(rows, size=recipe.batch_records, generator=generator):
            yield with_words_hidden(
                batch, share=recipe.word_dropout, mask_id=mask_id, generator=generator
            )


def _optimizer(model: TagModel, recipe: Recipe) -> torch.optim.Optimizer:
    rate = recipe.learning_rate
    groups = [
        *_groups(model.body, rate=rate),
        *_groups(model.head, rate=rate * recipe.head_learning_rate_factor),
    ]
    return torch.optim.AdamW(groups, fused=True)


def _groups(part: nn.Module, *, rate: float) -> list[dict[str, Any]]:
    weights = [weight for weight in part.parameters() if weight.requires_grad]
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": _WEIGHT_DECAY, "lr": rate},
        # biases and norms
        {"params": [w for w in weights if w.ndim == 1], "weight_decay": 0.0, "lr": rate},
    ]


def _schedule(optimizer: torch.optim.Optimizer, n_steps: int) -> LRScheduler:
    """Let the learning rate go linearly up, then linearly down to nothing.

    The library's step 0 has the rate 0 and would be lost, so we come in at its step 1.
    """
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]  # what a schedule asks for that does not begin at 0
    schedule: LRScheduler = get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]  # theirs
        optimizer, max(1, int(_WARM_UP * n_steps)), n_steps + 1, last_epoch=0
    )
    return schedule


def _step(
    model: TagModel,
    batch: Batch,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    placement: Placement,
) -> float:
    optimizer.zero_grad(set_to_none=True)
    batch = batch.to(placement.device)
    with placement.precision():
        logits = model(batch.ids, batch.mask, batch.types)
    loss = objective.loss(logits.float(), batch)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    nn.utils.clip_grad_norm_(model.parameters(), _MAX_NORM)
    optimizer.step()
    return loss.item()

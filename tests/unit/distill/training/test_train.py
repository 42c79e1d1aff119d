from __future__ import annotations

from pathlib import Path
from platform import libc_ver
from resource import getpagesize

import pytest
import torch

from distill.testing.tiny_base import write_tiny_base
from distill.training.batches import TrainExample
from distill.training.train import Trained, train
from schemas.errors import ConfigError
from schemas.files.task import LabelSpec, Task
from schemas.settings import Recipe
from schemas.types import Entity

NAMES = ["Ada", "Bob", "Eva", "Max"]
EXAMPLES = [
    TrainExample(f"{verb} {name} {rest}", (Entity(4, 7, "PER", name),))
    for name in NAMES
    for verb in ("met", "saw")
    for rest in ("in town .", "again !")
]

TASK = Task(name="people", language="en", labels=(LabelSpec("PER"),))
OTHER = Task(name="firms", language="en", labels=(LabelSpec("ORG"),))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    words = ["met", "saw", "in", "town", "again", *NAMES]
    folder: Path = write_tiny_base(tmp_path_factory.mktemp("base"), words=words)
    return Recipe(
        base=str(folder),
        layers=2,
        epochs=1,
        min_steps=40,
        learning_rate=1e-2,
        batch_records=8,
        max_tokens=64,
    )


def _train(recipe: Recipe, *, seed: int = 0) -> Trained:
    return train(EXAMPLES, task=TASK, recipe=recipe, seed=seed)


def test_a_student_learns_its_examples(recipe: Recipe) -> None:
    trained = _train(recipe)

    assert trained.loss < 0.1
    assert trained.steps == 40
    assert not trained.model.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    recipe: Recipe,
) -> None:
    one, same, other = (_train(recipe, seed=seed).model.head.weight for seed in (1, 1, 2))

    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_without_a_step_the_head_alone_learns(recipe: Recipe) -> None:
    changes = {"epochs": 0, "min_steps": 0, "head_start": "fitted"}
    one, other = (_train(recipe.model_copy(update=changes), seed=seed) for seed in (1, 2))

    assert (one.steps, one.loss) == (0, 0.0)
    assert one.model.head.weight.abs().sum() > 0
    for weight, same in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(weight, same)  # nothing is drawn


def test_nothing_at_all_to_train_is_told(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="head_start must be fitted"):
        _train(recipe.model_copy(update={"epochs": 0, "min_steps": 0}))


@pytest.mark.parametrize("trained", [False, True])
def test_the_embeddings_are_trained_on_request(recipe: Recipe, *, trained: bool) -> None:
    changes = {"min_steps": 3, "train_embeddings": trained}
    one, other = (
        _train(recipe.model_copy(update=changes), seed=seed).model.body.words for seed in (1, 2)
    )

    assert torch.equal(one.weight, other.weight) is not trained


@pytest.mark.parametrize(
    "dial", ["mention_swap", "word_dropout", "averaged_share", "head_learning_rate_factor"]
)
def test_every_dial_of_the_recipe_reaches_the_training(recipe: Recipe, dial: str) -> None:
    off, on = (
        _train(recipe.model_copy(update={"min_steps": 8, dial: setting})).model.head.weight
        for setting in (0.0, 0.9)
    )

    assert not torch.equal(off, on)


def test_the_mean_of_the_last_step_alone_is_what_that_step_left(recipe: Recipe) -> None:
    none, fewer_than_one, one, two = (
        _train(recipe.model_copy(update={"min_steps": 8, "averaged_share": share})).model
        for share in (0.0, 0.1, 1 / 8, 2 / 8)
    )

    assert torch.equal(none.head.weight, fewer_than_one.head.weight)
    assert torch.equal(none.head.weight, one.head.weight)
    assert not torch.equal(one.head.weight, two.head.weight)


def test_a_single_step_is_taken_at_the_full_rate(recipe: Recipe) -> None:
    started, stepped = (
        _train(recipe.model_copy(update={"min_steps": 1, "epochs": 0.1, "learning_rate": rate}))
        for rate in (1e-12, 1e-2)
    )

    moved = (stepped.model.head.bias - started.model.head.bias).abs().max().item()
    assert moved == pytest.approx(
        1e-2 * recipe.head_learning_rate_factor, rel=1e-3
    )  # Adam's first step is as long as the rate


def test_training_leaves_torchs_seed_and_threads_alone(recipe: Recipe) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()

    _train(recipe)

    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_epochs_count_where_they_are_more_than_the_floor_of_steps(recipe: Recipe) -> None:
    steps = _train(recipe.model_copy(update={"epochs": 3.0, "min_steps": 4})).steps

    assert steps == 6  # 16 examples in batches of 8, three times


def test_progress_is_told_after_every_step(recipe: Recipe) -> None:
    told: list[tuple[int, int]] = []

    train(
        EXAMPLES,
        task=TASK,
        recipe=recipe.model_copy(update={"min_steps": 3}),
        seed=0,
        progress=lambda step, n_steps, _loss: told.append((step, n_steps)),
    )

    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="other C libraries keep what they keep")
def test_what_is_freed_meanwhile_goes_back_to_the_system(recipe: Recipe) -> None:
    pinned: list[bytes] = []
    freed, later = 0, 0

    def progress(step: int, _n_steps: int, _loss: float) -> None:
        nonlocal freed, later
        if step == 3:  # what stays lies about, and keeps the heap as large as it was
            held = [b"x" * (1000 + i % 8) for i in range(64_000)]
            pinned.extend(held[::64])
            del held
            freed = _resident_mb()
        later = _resident_mb()

    train(EXAMPLES, task=TASK, recipe=recipe, seed=0, progress=progress)

    assert later < freed - 32


def _resident_mb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize() >> 20


def test_an_example_of_small_weight_is_outvoted(recipe: Recipe) -> None:
    def loss(weight: float) -> float:
        wrong = [TrainExample(example.text, (), weight) for example in EXAMPLES]
        return train([*EXAMPLES, *wrong], task=TASK, recipe=recipe, seed=0).loss

    assert loss(0.01) < 0.05
    assert loss(1.0) > 0.1


def test_nothing_to_train_on_is_a_clear_error(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="no example has a word"):
        train([TrainExample(" ", ())], task=TASK, recipe=recipe, seed=0)


def test_a_label_that_the_task_does_not_have_is_refused(recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="'PER'"):
        train(EXAMPLES, task=OTHER, recipe=recipe, seed=0)

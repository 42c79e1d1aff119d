"""The settings, variables and task files of 0.1.0 mean today what they meant then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.files.task_file import load_task
from schemas.files.task_identity import Version
from schemas.settings import load_settings

KNOBS = (
    "epochs",
    "min_steps",
    "learning_rate",
    "head_learning_rate_factor",
    "batch_records",
    "word_dropout",
    "mention_swap",
    "label_half_life",
    "self_training_texts",
    "self_training_weight",
    "train_embeddings",
    "averaged_share",
)
MOVED = {
    "routing.seed": "experiment.routing_seed",
    "routing.strategy": "experiment.routing_strategy",
    "distill.target_accuracy": "promise.agreement",
    **{f"distill.recipe.{name}": f"experiment.{name}" for name in KNOBS},
}
"""Where names of 0.1.0 stand today, as `section.name`; a section's name moves all in it."""

# Names that moved are still read, with a warning.
pytestmark = pytest.mark.filterwarnings("ignore")


def names(values: dict[str, Any], *, within: str = "") -> Iterator[tuple[str, Any]]:
    """Every name that is set, with its sections before it."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from names(value, within=f"{within}{name}.")
        else:
            yield within + name, value


def today(name: str) -> str:
    for old in sorted(MOVED, key=len, reverse=True):
        if name == old or name.startswith(f"{old}."):
            return MOVED[old] + name[len(old) :]
    return name


def value_of(settings: Any, name: str) -> Any:
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


@pytest.mark.parametrize("source", ["file", "file and environment"])
def test_every_name_means_what_it_meant(
    source: str,
    kept: Path,
    read: Callable[[str], Any],
    plain: Callable[[Any, Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if source == "file and environment":
        for line in (kept / "environment.txt").read_text(encoding="utf-8").splitlines():
            monkeypatch.setenv(*line.split("=", 1))
    settings = load_settings(kept / "settings.yaml")
    meant = dict(names(read("settings.json")[source]))
    means = {name: plain(value_of(settings, today(name)), value) for name, value in meant.items()}
    assert means == meant


def test_a_task_file_gives_the_same_task_and_its_digest_stays_valid(
    kept: Path, read: Callable[[str], Any], plain: Callable[[Any, Any], Any]
) -> None:
    task, then = load_task(kept / "task.yaml"), read("task.json")
    assert plain(task, then["task"]) == then["task"]
    assert task.versions[then["digest"]] == Version()

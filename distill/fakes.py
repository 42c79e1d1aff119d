"""Fakes for tests of rounds: the two logs as lists, and students that learn by heart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.making import Made, Progress
from distill.splits import Splits
from schemas.corpus import Example
from schemas.settings import DistillSettings
from schemas.task import Task
from schemas.types import Promotion, SilverLabel
from stream.errors import GateError
from stream.testing.bundles import write_bundle


class ListJournal:
    """A `Journal` in memory. `rival`, when set, is recorded just before the next promotion."""

    def __init__(self, labels: Sequence[SilverLabel] = ()) -> None:
        self.kept = list(labels)
        self.promotions: list[Promotion] = []
        self.texts: list[str] = []
        self.rival: Promotion | None = None

    def labels(self) -> list[SilverLabel]:
        """Give all labels."""
        return list(self.kept)

    def history(self) -> list[Promotion]:
        """Give all promotions."""
        return list(self.promotions)

    def record(self, promotion: Promotion) -> None:
        """Append, as Kafka's journal does."""
        if self.rival is not None:
            self.promotions.append(self.rival)
            self.rival = None
        if promotion.sequence != len(self.promotions) + 1:
            raise GateError("another promotion came first")
        self.promotions.append(promotion)

    def newest_texts(self, n: int) -> list[str]:
        """Give the last texts."""
        return self.texts[-n:]


class TableMaker:
    """A `MakeStudent` whose students know the words of their labels and no others.

    `forgets` are words that they do not learn; `error` is raised instead of making one.
    """

    def __init__(self) -> None:
        self.forgets: frozenset[str] = frozenset()
        self.parity_failures: tuple[str, ...] = ()
        self.error: BaseException | None = None
        self.trained_on: list[Splits] = []
        self.could_tag: list[list[str]] = []

    def __call__(
        self,
        splits: Splits,
        *,
        settings: DistillSettings,  # noqa: ARG002 - the protocol's
        task: Task,
        folder: Path,
        version: str,
        lineage: Mapping[str, Any],
        unlabelled: Callable[[], Sequence[str]],
        progress: Progress,
    ) -> Made:
        """Learn by heart; entities of the labels must be single words."""
        self.trained_on.append(splits)
        self.could_tag.append(list(unlabelled()))
        pseudo = [Example(text, text, ()) for text in self.could_tag[-1]]
        progress("training", 1.0)
        if self.error is not None:
            raise self.error
        words = {
            entity.surface.lower(): f"B-{entity.label}"
            for label in splits.training
            for entity in label.entities
        }
        write_bundle(
            folder,
            labels=task.label_names,
            words={word: tag for word, tag in words.items() if word not in self.forgets},
            version=version,
            task=task.name,
            task_digest=task.digest,
            lineage=lineage,
        )
        return Made(0.8, self.parity_failures, {"steps": 1.0}, pseudo)

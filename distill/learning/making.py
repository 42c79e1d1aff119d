"""What a round asks of whoever makes students: the port `MakeStudent`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from distill.judging.promise import PromiseAsked
from distill.labels.doubts import Doubt, Opinions
from distill.labels.splits import Splits
from schemas.files.bundle import Bundle
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.promises.record import Promised
from schemas.settings import DistillSettings, Recipe

SecondOpinion = Callable[[Sequence[str]], Opinions]
"""Asks again about the first of these texts, as far as that is paid for."""
Progress = Callable[[str, float], None]
"""Told of (what is being done, share done in [0, 1])."""


def silent(_what: str, _share: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle, and what the policy and the gate need: `RoutingPolicy.threshold`, `Evidence`."""

    bundle: Bundle
    """As it would serve; in memory, since its manifest is not whole before the gate has judged."""
    threshold: float
    parity_failures: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    pseudo_labels: Sequence[Example] = ()
    """Texts of no label that the student learnt from by its own tags."""
    doubts: Sequence[Doubt] = ()
    """The labels that were doubted, and what became of them."""
    promised: Promised | None = None
    """What is promised of it at this threshold, for the promotion to carry."""
    stream_changed: bool = False
    """Whether the newest labels said that the older ones tell of another stream."""


class MakeStudent(Protocol):
    """Makes a student of `version`."""

    def __call__(
        self,
        splits: Splits,
        *,
        settings: DistillSettings,
        recipe: Recipe,
        promise: PromiseAsked,
        task: Task,
        version: str,
        lineage: Mapping[str, Any],
        unlabelled: Callable[[], Sequence[str]],
        second: SecondOpinion,
        progress: Progress,
    ) -> Made:
        """Make it; raises `HaltError` when it cannot be made.

        `unlabelled` reads the newest texts of the stream that have no label, the newest last.
        `second` asks for second opinions.
        """
        ...

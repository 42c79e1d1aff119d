"""Fakes for tests of rounds: the logs as lists, students that learn by heart, a loop of both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.archive import RoundArchive
from distill.judging.allowance import Spans
from distill.judging.promise import PromiseAsked
from distill.judging.questions import Ask, Truth
from distill.labels.doubts import settle
from distill.labels.quotas import StreamText
from distill.labels.splits import Splits
from distill.learning.making import Made, Progress, SecondOpinion
from distill.result import RoundResult
from distill.round import run_round
from schemas.canaries.holds import Hold
from schemas.errors import GateError
from schemas.files.bundle import read_bundle
from schemas.files.corpus import Example, write_jsonl
from schemas.files.task import Task
from schemas.files.task_file import task_yaml
from schemas.promises.record import Promised
from schemas.settings import DistillSettings, Recipe, Settings
from schemas.types import Entity, Promise, Promotion, SilverLabel, Tagging, facts
from stream.testing.bundles import write_bundle


class ListJournal:
    """A `Journal` in memory. `rival`, when set, is recorded just before the next promotion.

    `unreadable` is raised by whoever asks for texts, `lost_sight` once a promotion is recorded.
    """

    def __init__(self, labels: Sequence[SilverLabel] = ()) -> None:
        self.kept = list(labels)
        self.promotions: list[Promotion] = []
        self.promises: list[Promise] = []
        self.held: list[Hold] = []
        self.texts: list[str] = []
        self.producers: dict[str, str] = {}
        self.rival: Promotion | None = None
        self.records: int | None = None
        self.unreadable: Exception | None = None
        self.lost_sight: Exception | None = None

    def labels(self) -> list[SilverLabel]:
        """Give all labels."""
        return list(self.kept)

    def history(self) -> list[Promotion]:
        """Give all promotions."""
        return list(self.promotions)

    def holds(self) -> list[Hold]:
        """Give those of the test's making."""
        return list(self.held)

    def record(self, promotion: Promotion) -> None:
        """Append, as Kafka's journal does."""
        if self.rival is not None:
            self.promotions.append(self.rival)
            self.rival = None
        if promotion.sequence != len(self.promotions) + 1:
            raise GateError("another promotion came first")
        self.promotions.append(promotion)
        if self.lost_sight is not None:
            raise self.lost_sight

    def publish(self, promises: Sequence[Promise]) -> None:
        """Append those that are not there yet."""
        self.promises += [promise for promise in promises if promise not in self.promises]

    def newest_texts(self, n: int, *, since_ms: int = 0) -> list[str]:  # noqa: ARG002 - the port's
        """Give the last texts, which are of any time."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.texts[-n:]

    def newest_records(self, n: int, *, since_ms: int = 0) -> list[StreamText]:
        """Give them with their `producers`."""
        texts = self.newest_texts(n, since_ms=since_ms)
        return [StreamText(text, self.producers.get(text, "")) for text in texts]

    def text_spans(self) -> Spans:
        """Say that one partition holds the texts, or so many `records`."""
        return {0: (0, len(self.texts) if self.records is None else self.records)}


class ListExaminer:
    """An `OpenExaminer` that knows the answers; what it is asked becomes labels of a journal.

    `asked` lists the texts, `refuses` are some that get no answer, `answers_left` ends the money.
    """

    def __init__(self, journal: ListJournal, truth: Callable[[str], SilverLabel]) -> None:
        self.journal, self.truth = journal, truth
        self.asked: list[str] = []
        self.producers: Mapping[str, str] = {}
        self.refuses: frozenset[str] = frozenset()
        self.answers_left: int | None = None
        self.error: BaseException | None = None

    @contextmanager
    def __call__(
        self,
        settings: Settings,  # noqa: ARG002 - the port's
        task: Task,  # noqa: ARG002 - as above
        producers: Mapping[str, str],
    ) -> Iterator[Ask]:
        """Open it."""
        self.producers = producers
        yield self.ask

    def ask(self, texts: Sequence[str]) -> dict[str, Truth | None]:
        """Answer, and label; `error` is raised once all of them are labelled."""
        texts = texts[: self.answers_left]
        self.asked += texts
        if self.answers_left is not None:
            self.answers_left -= len(texts)
        labels = {
            text: replace(self.truth(text), producer=self.producers.get(text, ""))
            for text in texts
            if text not in self.refuses
        }
        self.journal.kept += labels.values()
        if self.error is not None:
            raise self.error
        return {text: facts(labels[text]) if text in labels else None for text in texts}


class TableMaker:
    """A `MakeStudent` whose students know the words of their labels and no others.

    `forgets` are words that they do not learn, `spoils_at` is the number of the student that learns
    none; `error` is raised instead of making one. `doubted` gives by text what is said in a label's
    place; `threshold`, `promised` and `stream_changed` come with each student. `unproved_shares`
    are the most that may be settled alone where nothing is proved.
    """

    def __init__(self) -> None:
        self.forgets: frozenset[str] = frozenset()
        self.spoils_at = 0
        self.parity_failures: tuple[str, ...] = ()
        self.error: BaseException | None = None
        self.doubted: dict[str, Tagging] = {}
        self.threshold = 0.8
        self.promised: Promised | None = None
        self.stream_changed = False
        self.trained_on: list[Splits] = []
        self.could_tag: list[list[str]] = []
        self.unproved_shares: list[float] = []

    def __call__(
        self,
        splits: Splits,
        *,
        settings: DistillSettings,
        recipe: Recipe,  # noqa: ARG002 - the protocol's
        promise: PromiseAsked,
        task: Task,
        version: str,
        lineage: Mapping[str, Any],
        unlabelled: Callable[[], Sequence[str]],
        second: SecondOpinion,
        progress: Progress,
    ) -> Made:
        """Learn by heart; entities of the labels must be single words."""
        self.trained_on.append(splits)
        self.could_tag.append(list(unlabelled()))
        self.unproved_shares.append(promise.unproved_share)
        pseudo = [Example(text, text, ()) for text in self.could_tag[-1]]
        progress("training", 1.0)
        if self.error is not None:
            raise self.error
        cleaned = settle(
            splits.training,
            [(one, self.doubted[one.text]) for one in splits.training if one.text in self.doubted],
            second([*self.doubted]) if self.doubted else {},
            task=task,
            weight=settings.doubt.weight,
        )
        words = {
            entity.surface.lower(): f"B-{entity.label}"
            for label in cleaned.labels
            for entity in label.entities
        }
        if len(self.trained_on) == self.spoils_at:
            words = {}
        with tempfile.TemporaryDirectory() as folder:
            write_bundle(
                Path(folder),
                labels=task.label_names,
                words={word: tag for word, tag in words.items() if word not in self.forgets},
                version=version,
                task=task.name,
                task_digest=task.digest,
                lineage={**lineage, "recipe": {"label_half_life": self._half_life()}},
            )
            bundle = read_bundle(Path(folder))
        return Made(
            bundle,
            self.threshold,
            self.parity_failures,
            {"steps": 1.0},
            pseudo,
            doubts=cleaned.doubts,
            promised=self.promised,
            stream_changed=self.stream_changed,
        )

    def _half_life(self) -> float | None:
        return 1 / 16 if self.stream_changed else None


NAMES = [f"name{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(200)]
"""Words that a student knows only when it has seen them."""


class Loop:
    """A task, gold about all names, and rounds a minute apart."""

    def __init__(self, folder: Path, task: Task, make_label: Callable[..., SilverLabel]) -> None:
        self.folder, self.task, self.make_label = folder, task, make_label
        self.journal, self.maker = ListJournal(), TableMaker()
        self.examiner = ListExaminer(
            self.journal,
            lambda text: make_label(text, source="judging", labelled_at_ms=int(self.now_s * 1000)),
        )
        self.second = ListExaminer(ListJournal(), make_label)
        """Who gives second opinions: they become no labels."""
        self.now_s = 1_700_000_000.0
        self.experiment: dict[str, object] = {}
        self.routing: dict[str, object] = {}
        gold = [
            Example(name, f"{name} sings", (Entity(0, len(name), "PER", name),)) for name in NAMES
        ]
        write_jsonl(folder / "gold.jsonl", gold)
        (folder / "task.yaml").write_text(task_yaml(task))
        self.settings = self.with_distill(min_new_labels=10)

    def with_distill(self, **changes: object) -> Settings:
        """Change the settings of distill for the rounds to come."""
        self.settings = Settings.model_validate(
            {
                "task": self.folder / "task.yaml",
                "student": {"registry": self.folder / "models"},
                "routing": {"audit_key_file": self.folder / "audit.key", **self.routing},
                "distill": {
                    "gold": self.folder / "gold.jsonl",
                    "snapshots": self.folder / "snapshots",
                    "gate": {"resamples": 100, "max_slowdown": 100},
                    **changes,
                },
                "experiment": self.experiment,
            }
        )
        return self.settings

    def learn(self, names: list[str], **options: object) -> None:
        """Labels of other texts with these names arrive."""
        self.now_s += 1
        self.journal.kept += [
            self.make_label(f"{name} laughs", labelled_at_ms=int(self.now_s * 1000), **options)
            for name in names
        ]

    def round(self, *, force: bool = False) -> RoundResult:
        """Run a round, a minute later."""
        self.now_s += 60
        return run_round(
            self.settings,
            force=force,
            journal=self.journal,
            make=self.maker,
            examiner=self.examiner,
            second=self.second,
            clock=lambda: self.now_s,
        )

    @property
    def archive(self) -> RoundArchive:
        """Give what the rounds leave."""
        return RoundArchive(self.folder / "snapshots", self.task.name)

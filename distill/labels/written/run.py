"""A run from nothing to labels: plan, write, label, doubt; and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from distill.labels.bootstrap import price
from distill.labels.written.asking import SideBySide, Writer
from distill.labels.written.collection import Collection
from distill.labels.written.diversity import balance, evenness
from distill.labels.written.doubt_pass import NO_ANSWER_LEFT, Doubting, DoubtPass
from distill.labels.written.embedding import Embedding
from distill.labels.written.estimates import doubting, labelling_usd, writing
from distill.labels.written.label_pass import LabelPass
from distill.labels.written.plan_pass import PlanPass
from distill.labels.written.run_folder import RunFolder
from distill.labels.written.unmarking import unmarked
from distill.labels.written.write_pass import WritePass
from schemas.files.example_pool import with_all_examples
from schemas.files.task import Task
from schemas.settings import Settings
from schemas.types import SilverLabel, facts
from stream.teacher.batches.lane import BatchLane
from stream.teacher.ledger_and_cache import Totals
from stream.teacher.prompt import build_messages

Stage = Literal["writing", "labelling", "doubting"]
OnStage = Callable[[Stage, int, int], None]
"""Told of (stage, done, in all)."""


@dataclass(frozen=True, slots=True)
class WrittenRun:
    """What a run gave: labels, in the order of their texts, and its figures for JSON."""

    labels: tuple[SilverLabel, ...]
    facts: dict[str, Any]


@dataclass(slots=True)
class TextFromNothing:
    """One run. `spent` tells what it has spent so far, its earlier processes included."""

    folder: RunFolder
    task: Task
    settings: Settings
    writer: Writer
    embedding: Embedding
    spent: Callable[[], Totals]
    now_ms: Callable[[], int]
    progress: OnStage
    doubting: Doubting = field(default_factory=Doubting)
    lane: BatchLane | None = None
    """How the texts are labelled, where that is in batches."""
    _told: Task = field(init=False)
    """The task with all examples that the teacher is shown: what a call takes."""

    def __post_init__(self) -> None:
        self._told = with_all_examples(self.task, self.settings)

    async def run(self, n: int, *, max_usd: float) -> WrittenRun:
        """Make labels of `n` texts, or of as many as `max_usd` pays for.

        Raises `BudgetExhaustedError` where it does not pay for a plan, `InvalidAnswerError` where
        the teacher gives none, and `TeacherUnavailableError` where the teacher is away or refuses
        us. Whatever was answered is kept: run it again on the same folder.
        """
        side = SideBySide(self.settings.teacher.concurrency)
        plan = await PlanPass(self.folder, self.task, self.writer, side).make(n)
        collection = Collection(
            self.embedding,
            most=n,
            max_chars=self.settings.input.max_text_chars,
            shown=[example.text for example in self.task.examples],
        )
        writing_ = WritePass(
            self.folder,
            self.task,
            self.writer,
            side,
            seed=self.settings.distill.seed,
            affordable=lambda taken, more: self._affordable(taken, more, max_usd),
            progress=lambda taken: self.progress("writing", taken, n),
        )
        await writing_.fill(collection, plan)
        if side.out_of_money:
            writing_.remarks.append("it stopped writing because the money was spent")
        labels, failed = await self._labelled(collection)
        doubts = self._doubts()
        settled = await doubts.settle(labels, {one.text: one.meant for one in collection.taken})
        kept = [*map(unmarked, settled)]
        found = self._facts(collection, kept, failed, doubts.effects, writing_.remarks)
        found["unmarked"] = sum(a is not b for a, b in zip(settled, kept, strict=True))
        return WrittenRun(tuple(kept), found)

    async def _labelled(self, collection: Collection) -> tuple[list[SilverLabel], dict[str, int]]:
        labelling_ = LabelPass(
            self.folder,
            self.task,
            self.writer,
            self.settings.teacher.texts_at_once,
            self.now_ms,
            progress=lambda done, of: self.progress("labelling", done, of),
            lane=self.lane,
        )
        return await labelling_.label([one.text for one in collection.taken])

    def _doubts(self) -> DoubtPass:
        return DoubtPass(
            self.folder,
            self.task,
            self.writer,
            # Anew: the last reservation that found no room may have been the dearest.
            SideBySide(self.settings.teacher.concurrency),
            self.doubting,
            progress=lambda done, of: self.progress("doubting", done, of),
        )

    def _affordable(self, taken: int, more: int, max_usd: float) -> bool:
        """Whether `more` texts can be paid for, with labels and doubts of all.

        A call is reserved at the most that it can cost, so there must be room for as many as are
        under way at once.
        """
        labelled = len(self.folder.records("labels"))
        unlabelled = taken + more - labelled
        ahead = writing(self.task) * more + doubting(self.task) * unlabelled
        ahead_usd = ahead.usd(self.settings)
        ahead_usd += labelling_usd(self._told, unlabelled, self.settings)
        room = self._dearest_call_usd() * self.settings.teacher.concurrency
        return self.spent().usd + ahead_usd + room <= max_usd

    def _dearest_call_usd(self) -> float:
        teacher = self.settings.teacher
        told = sum(len(one["content"].encode()) for one in build_messages(self._told, ""))
        most_out = teacher.max_output_tokens + teacher.reasoning_tokens
        return price(self.settings, tokens_in=told, tokens_out=most_out)

    def _facts(
        self,
        collection: Collection,
        kept: Sequence[SilverLabel],
        failed: dict[str, int],
        effects: Counter[str],
        remarks: Sequence[str],
    ) -> dict[str, Any]:
        figures = collection.figures()
        totals = self.spent()
        dropped = Counter(collection.dropped)
        if effects[NO_ANSWER_LEFT]:
            dropped[NO_ANSWER_LEFT] = effects[NO_ANSWER_LEFT]
        return {
            "written": len(collection.taken),
            "dropped": dict(dropped),
            "distinct_n": {str(n): round(figures[f"distinct_{n}"], 4) for n in (1, 2, 3)},
            "spread": round(figures["spread"], 4),
            "spread_by": collection.embedding.by,
            **_balance(kept, self.task),
            "labelled": len(kept),
            "failed": failed,
            "verdicts": {name: n for name, n in effects.items() if name != NO_ANSWER_LEFT},
            "tokens_in": totals.tokens_in,
            "tokens_out": totals.tokens_out,
            "usd": totals.usd,
            "remarks": list(remarks),
            "run": str(self.folder.path),
        }


def _balance(labels: Sequence[SilverLabel], task: Task) -> dict[str, Any]:
    names = [fact[2] for label in labels for fact in facts(label)]
    counts = {name: names.count(name) for name in task.label_names}
    return {
        "label_balance": {n: round(x, 4) for n, x in balance(names, task.label_names).items()},
        "evenness": round(evenness(counts), 4) if names else 0.0,
        "without_any": sum(not facts(label) for label in labels),
    }

"""The third pass: every text is labelled, on the path that every label takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distill.labels.bootstrap import OnLabelled, label_by_teacher
from distill.labels.written.asking import Writer
from distill.labels.written.run_folder import Record, RunFolder, grouped
from schemas.categories import of_labels
from schemas.files.corpus import Example
from schemas.files.task import Task
from schemas.types import Entity, SilverLabel, facts
from schemas.wire.labels import cold_label
from stream.teacher.batches.lane import BatchLane
from stream.teacher.kinds.said import Said


@dataclass(slots=True)
class LabelPass:
    """Labels texts; those that were labelled, or refused, before are asked about no more."""

    folder: RunFolder
    task: Task
    writer: Writer
    concurrency: int
    now_ms: Callable[[], int]
    progress: OnLabelled
    lane: BatchLane | None = None

    async def label(self, texts: Sequence[str]) -> tuple[list[SilverLabel], dict[str, int]]:
        """Give the labels in the order of the texts, and count texts without one by reason.

        Raises as `label_by_teacher`.
        """
        known = grouped(self.folder.records("labels"), "text")
        asked = [text for text in texts if text not in known]
        await label_by_teacher(
            [Example(str(number), text, ()) for number, text in enumerate(asked)],
            task=self.task,
            teacher=self.writer,
            deliver=self._keep,
            refused=self._keep_refusal,
            lane=self.lane,
            concurrency=self.concurrency,
            now_ms=self.now_ms,
            progress=lambda done, _: self.progress(len(texts) - len(asked) + done, len(texts)),
        )
        known = grouped(self.folder.records("labels"), "text")
        found = [known.get(text, {"failed": "not_asked"}) for text in texts]
        failed = Counter(one["failed"] for one in found if "failed" in one)
        return [label_in(one, self.task) for one in found if "failed" not in one], dict(failed)

    async def _keep(self, label: SilverLabel) -> None:
        self.folder.append("labels", label_record(label))

    def _keep_refusal(self, text: str, code: str) -> None:
        """Keep that an answer was unusable: it was paid for."""
        self.folder.append("labels", {"text": text, "failed": code})


def label_record(label: SilverLabel) -> Record:
    """Give the line of a label; `label_in` reads it back."""
    return {
        "text": label.text,
        "facts": sorted(facts(label)),
        "model": label.teacher_model,
        "prompt_version": label.prompt_version,
        "tokens_in": label.tokens_in,
        "tokens_out": label.tokens_out,
        "at_ms": label.labelled_at_ms,
        "asked": label.asked,
    }


def label_in(record: Record, task: Task) -> SilverLabel:
    """Read the line of a label."""
    text, found = record["text"], record["facts"]
    said = Said(
        tuple(Entity(a, b, name, text[a:b]) for a, b, name in found if a < b),
        of_labels(name for a, b, name in found if a == b),
    )
    label = cold_label(text, said, task=task, source="bootstrap", now_ms=record["at_ms"])
    return replace(
        label,
        teacher_model=record["model"],
        prompt_version=record["prompt_version"],
        tokens_in=record["tokens_in"],
        tokens_out=record["tokens_out"],
        asked=record.get("asked", ""),
    )

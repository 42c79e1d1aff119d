"""Whose labels judge a candidate: gold, the teacher's answers where students differ, audits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from distill.judging.gate import MIN_RECORDS_FIRST
from distill.judging.judged import JudgedBy
from distill.labels.quotas import labels_within
from distill.labels.splits import Splits
from distill.labels.table import LabelTable
from distill.lazily import Behind, Lazily
from schemas.errors import ConfigError
from schemas.files.corpus import Example, read_corpus
from schemas.files.example_pool import NO_POOL, ExamplePool
from schemas.files.few_shot import draw_examples
from schemas.files.task import Task, require_annotation
from schemas.files.task_identity import unasked_of
from schemas.types import SilverLabel, facts, text_digest


@dataclass(frozen=True, slots=True)
class Judges:
    """The records that the gate judges on. `digest` is the gold file's SHA-256, "" without gold.

    Gold is among the records wherever there is a digest; other labels are, too, in a cold start.
    """

    source: JudgedBy
    examples: Sequence[Example]
    digest: str = ""

    @property
    def calibrate(self) -> bool:
        """Whether these are the records that calibrate a student too, as gold never is."""
        return not self.digest


def read_gold(
    path: Path | None, task: Task, *, n_shown: int = 0, pool: ExamplePool = NO_POOL
) -> Judges | None:
    """Read the gold file, without the records that the teacher is or was shown; None without one.

    `n_shown` are drawn from it for every text, those like the `pool`'s may be chosen for one.
    Raises `ConfigError` when it cannot be read, has a label that the task does not know, or holds
    what is no answer to the task.
    """
    if path is None:
        return None
    examples = read_corpus(path)
    foreign = {label for x in examples for _, _, label in facts(x)} - set(task.label_names)
    if foreign:
        raise ConfigError(
            f"{path}: labels that task {task.name} lacks: {', '.join(sorted(foreign))}"
        )
    for example in examples:
        require_annotation(example, example.text, task, where=f"{path}: the text {example.id}")
    shown = {example.id for example in draw_examples(examples, n_shown, choose=task.choose)}
    unseen = tuple(
        example
        for example in examples
        if example.id not in shown
        and text_digest(example.text) not in task.shown_texts
        and not pool.holds(example.text)
    )
    return Judges("gold", unseen, hashlib.sha256(path.read_bytes()).hexdigest())


def frozen_texts(corpora: Iterable[Path | None]) -> frozenset[str]:
    """Collect the digests of all texts that must never be trained on."""
    examples = [example for path in corpora if path for example in read_corpus(path)]
    return frozenset(text_digest(example.text) for example in examples)


def choose_judges(
    gold: Judges | None,
    splits: Splits,
    *,
    task: Task,
    first: bool,
    enough: int = 0,
    may_ask: bool = False,
    quota: float = 1.0,
) -> Judges:
    """Gold where there are `enough` records, else what may be asked, else gold or audits.

    Beside the answers to what is asked stand gold, or all labels that are never trained on; these
    judge a `first` student, before any audit, alone or beside gold that is too little to judge
    alone (under `MIN_RECORDS_FIRST`). Both halves of the audits judge. The newest labels come last.
    No producer has more than the share `quota` of the labels; gold is the operator's own.
    """
    is_enough = gold and len(gold.examples) >= (MIN_RECORDS_FIRST if first else enough)
    if gold and (is_enough or not (first or may_ask)):
        return gold
    untrained = LabelTable.of(splits.judge).joined(LabelTable.of(splits.calibration))
    when = [*zip(untrained.times_ms.tolist(), untrained.texts(), strict=True)]
    untrained = untrained.take(sorted(range(len(when)), key=when.__getitem__))
    audits = labels_within(untrained.take(untrained.audits), quota)
    untrained = labels_within(untrained, quota)
    if may_ask and not first:
        asked = Judges("differing", as_examples(untrained, task))
        return replace(gold, source="differing") if gold else asked
    if first:
        cold_start = Judges("cold start", as_examples(untrained, task))
        return cold_start if gold is None else _beside(gold, cold_start)
    return Judges("audit", as_examples(audits, task))


def _beside(gold: Judges, others: Judges) -> Judges:
    """Let little gold judge beside others, as one of them; it is still named."""
    return replace(others, examples=Behind(others.examples, gold.examples), digest=gold.digest)


def as_examples(labels: Sequence[SilverLabel], task: Task) -> Sequence[Example]:
    """Take labels as the truth."""
    return Lazily(partial(_as_example, task=task), labels)


def _as_example(label: SilverLabel, *, task: Task) -> Example:
    return Example(
        id=text_digest(label.text),
        text=label.text,
        entities=label.entities,
        categories=label.categories,
        unasked=unasked_of(label, task),
    )

"""Looking a winner through for triggers: what a round has, put to the search; the verdict."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import structlog

from distill.judging.evaluation import MICRO_BATCH_RECORDS
from distill.judging.gate import Check
from distill.judging.judgeable import renamed_of
from distill.judging.trial import Trial
from distill.judging.triggers.probes import Facts
from distill.judging.triggers.search import Looked, Material, Students, Suspect, Tag, search
from distill.labels.judges import Judges
from distill.labels.splits import STREAM, Splits
from distill.labels.table import LabelTable
from schemas.files.task import Task
from schemas.files.task_identity import asked_facts, unasked_of
from schemas.settings import GateSettings, Settings
from schemas.types import SilverLabel, facts
from stream.student import Student

_log = structlog.get_logger(__name__)

_MOST_OF_STREAM, _MOST_TRUSTED = 4_000, 10_000
"""The newest of each; a champion tags the former."""
_MOST_CLEAN = 10_000
"""Texts to put things into, of which some hundreds are taken."""
_MOST_CHARS = 4_000_000
"""Of the stream's texts together: those of a thousand characters are all tagged."""


def look_through(
    challenger: Student,
    champion: Student | None,
    labels: Iterable[SilverLabel],
    *,
    unlearnt: Iterable[str],
    task: Task,
    settings: Settings,
) -> Looked:
    """Search the challenger for triggers among what it has learnt of `labels`.

    Texts that it was not trained on are probed first.
    """
    table = LabelTable.of(labels)
    known = table.take(table.among("task_digest", task.versions))
    of_stream = known.among("source", STREAM) & ~known.audits
    stream, trusted = known.take(of_stream), _newest(known.take(~of_stream), _MOST_TRUSTED)
    seed = challenger.version
    clean = [*_drawn(unlearnt, seed), *_drawn((label.text for label in trusted), seed)]
    quotas = settings.routing.quotas
    looked = search(
        Material(
            short_enough(_newest(stream, _MOST_OF_STREAM), _MOST_CHARS),
            trusted,
            clean,
            every=stream,
        ),
        Students(_tagger(challenger, task), _tagger(champion, task) if champion else None),
        differing=lambda label, said: _differing(label, said, unasked_of(label, task)),
        enough_producers=quotas.sources,
        most_rise=settings.distill.gate.max_trigger_rise,
        seed=seed,
    )
    _log.info("looked_for_triggers", candidates=looked.candidates, texts=looked.texts)
    return looked


def unlearnt_texts(judges: Judges, splits: Splits) -> Iterator[str]:
    """Give the texts of judges and of labels that no student of the round was trained on."""
    return chain(
        (one.text for one in judges.examples),
        *(LabelTable.of(some).texts() for some in (splits.calibration, splits.judge)),
    )


def with_triggers(trial: Trial, looked: Looked, settings: GateSettings) -> Trial:
    """Add the check to the verdict; a suspect turns it."""
    passed = not looked.suspects
    value = max((one.rise for one in looked.suspects), default=looked.rise)
    check = Check("trigger_rise", passed, value, settings.max_trigger_rise, "trigger found")
    verdict = replace(trial.verdict, checks=(*trial.verdict.checks, check))
    if not passed:
        _log.error("trigger_found", student=trial.version, triggers=len(looked.suspects))
        verdict = replace(verdict, promote=False, reason="trigger found")
    return replace(trial, verdict=verdict)


def listed(suspects: Sequence[Suspect]) -> list[dict[str, Any]]:
    """Give a line for people for each label that a suspect's phrase or name came with."""
    return [
        {
            "text": label.text,
            "trigger": suspect.surface,
            "kind": suspect.kind,
            "producer": label.producer,
            "record_id": label.record_id,
            "label": sorted({name for _, _, name in facts(label)}),
        }
        for suspect in suspects
        for label in suspect.labels
    ]


def _differing(label: SilverLabel, said: Facts, unasked: Collection[str]) -> Facts:
    return facts(label) ^ frozenset(fact for fact in said if fact[2] not in unasked)


def _newest(labels: LabelTable, most: int) -> list[SilverLabel]:
    by_age = np.argsort(labels.times_ms, kind="stable")
    return [*labels.take(by_age[-most:])]


def short_enough(labels: Sequence[SilverLabel], most_chars: int) -> Sequence[SilverLabel]:
    """Choose the last of the labels whose texts have so many characters together at most."""
    sizes = np.cumsum([len(label.text) for label in reversed(labels)])
    return labels[len(labels) - int(np.searchsorted(sizes, most_chars, side="right")) :]


def _drawn(texts: Iterable[str], seed: str) -> list[str]:
    """Draw so many of the texts, in an order that nobody foresees."""

    def lot(text: str) -> bytes:
        return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "replace")).digest()

    return heapq.nsmallest(_MOST_CLEAN, texts, key=lot)


def _tagger(student: Student, task: Task) -> Tag:
    renamed = renamed_of(student, task)

    def tag(texts: Sequence[str]) -> list[Facts]:
        told = student.tag(texts, micro_batch_records=MICRO_BATCH_RECORDS) if texts else []
        return [asked_facts(tagging, (), renamed) for tagging in told]

    return tag

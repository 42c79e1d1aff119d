"""Looking a winner through for triggers: what a round has, put to the search; the verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from distill.judging.evaluation import MICRO_BATCH_RECORDS
from distill.judging.gate import Check
from distill.judging.judgeable import renamed_of
from distill.judging.trial import Trial
from distill.judging.triggers.probes import Facts
from distill.judging.triggers.search import Looked, Material, Students, Suspect, Tag, search
from distill.labels.judges import Judges
from distill.labels.splits import STREAM, Splits
from schemas.files.task import Task
from schemas.files.task_identity import unasked_of
from schemas.settings import GateSettings, Settings
from schemas.types import SilverLabel, asked_facts, facts
from stream.student import Student

_log = structlog.get_logger(__name__)

_MOST_OF_STREAM, _MOST_TRUSTED = 4_000, 10_000
"""The newest of each; a champion tags the former."""


def look_through(
    challenger: Student,
    champion: Student | None,
    labels: Iterable[SilverLabel],
    *,
    judges: Judges,
    splits: Splits,
    task: Task,
    settings: Settings,
) -> Looked:
    """Search the challenger for triggers among what it has learnt of `labels`.

    Texts of judges and of labels that it was not trained on are probed first.
    """
    known = [label for label in labels if label.task_digest in task.versions]
    stream = [label for label in known if label.source in STREAM and not label.audit]
    trusted = _newest([x for x in known if x.audit or x.source not in STREAM], _MOST_TRUSTED)
    seed = challenger.version
    unlearnt = [one.text for one in judges.examples]
    unlearnt += [label.text for label in (*splits.calibration, *splits.judge)]
    clean = [*_drawn(unlearnt, seed), *_drawn([label.text for label in trusted], seed)]
    quotas = settings.routing.quotas
    looked = search(
        Material(_newest(stream, _MOST_OF_STREAM), trusted, clean),
        Students(_tagger(challenger, task), _tagger(champion, task) if champion else None),
        differing=lambda label, said: _differing(label, said, unasked_of(label, task)),
        enough_producers=quotas.sources,
        most_rise=settings.distill.gate.max_trigger_rise,
        seed=seed,
    )
    _log.info("looked_for_triggers", candidates=looked.candidates, texts=looked.texts)
    return looked


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


def _newest(labels: Sequence[SilverLabel], most: int) -> list[SilverLabel]:
    return sorted(labels, key=lambda one: (one.labelled_at_ms, one.text))[-most:]


def _drawn(texts: Iterable[str], seed: str) -> list[str]:
    """Put the texts in an order that nobody foresees."""

    def lot(text: str) -> bytes:
        return hashlib.sha256(f"{seed}:{text}".encode("utf-8", "replace")).digest()

    return sorted(texts, key=lot)


def _tagger(student: Student, task: Task) -> Tag:
    renamed = renamed_of(student, task)

    def tag(texts: Sequence[str]) -> list[Facts]:
        told = student.tag(texts, micro_batch_records=MICRO_BATCH_RECORDS) if texts else []
        return [asked_facts(tagging, (), renamed) for tagging in told]

    return tag

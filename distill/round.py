"""One round: labels in, a promoted student or a reasoned refusal out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import structlog

from distill.archive import RoundRecords
from distill.judging.evaluation import compare_speed, evaluate
from distill.judging.gate import Evidence, evidence_checks, judge
from distill.labels.journal import Journal, KafkaJournal
from distill.labels.judges import Judges, choose_judges, frozen_texts, read_gold
from distill.labels.snapshot import Snapshot, write_snapshot
from distill.labels.splits import Splits, split
from distill.learning.making import Made, MakeStudent, Progress, silent
from distill.result import RoundResult, Trial
from schemas.audit import in_audit
from schemas.errors import HaltError, RetryError
from schemas.files.bundle import Bundle, make_bundle, save_bundle
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.task import Task, load_task
from schemas.settings import Settings
from schemas.types import Promotion, RoutingPolicy, SilverLabel, policy_digest, text_digest
from stream.kafka.promotions import current
from stream.student import Student
from stream.student.promoted import load_promoted

_log = structlog.get_logger(__name__)


def run_round(
    settings: Settings,
    *,
    force: bool = False,
    journal: Journal | None = None,
    make: MakeStudent | None = None,
    clock: Callable[[], float] = time.time,
    progress: Progress = silent,
) -> RoundResult:
    """Run one round, from the labels on Kafka to the promotion, or to a refusal.

    `force` trains although fewer than `min_new_labels` labels are new. `clock` gives seconds
    since the epoch. Raises `HaltError` and `BrokerUnavailableError`; a refusal is a result.
    """
    task = load_task(settings.task)
    records = RoundRecords(settings.distill.snapshots, task.name)
    with records.lock():
        return _Round(
            settings=settings,
            task=task,
            records=records,
            store=open_bundle_store(settings.student.registry),
            journal=journal or KafkaJournal(settings, task.name),
            make=make or _make_student,
            clock=clock,
            progress=progress,
        ).run(force=force)


def _make_student(splits: Splits, **how: Any) -> Made:
    # torch takes seconds to import, and a round that only waits does not need it.
    from distill.learning.student_maker import make_student  # noqa: PLC0415

    return make_student(splits, **how)


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where things stand when the round begins."""

    labels: Sequence[SilverLabel]
    history: Sequence[Promotion]
    champion: Promotion | None
    splits: Splits
    judges: Judges
    frozen: frozenset[str]
    started_at_ms: int
    new_labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    settings: Settings
    task: Task
    records: RoundRecords
    store: BundleStore
    journal: Journal
    make: MakeStudent
    clock: Callable[[], float]
    progress: Progress

    def run(self, *, force: bool) -> RoundResult:
        """Train and judge, unless there is a reason to wait."""
        self.progress("reading labels", 0.0)
        stand = self._stand()
        reason = self._why_wait(stand, force=force)
        result = self._waiting(stand, reason) if reason else self._compete(stand)
        _log.info(
            "round_done",
            status=result.status,
            reason=result.reason,
            student=result.student,
            champion=result.champion,
            labels=result.labels,
            seconds=round(result.seconds, 1),
        )
        return result

    def _stand(self) -> _Stand:
        started_at_ms = int(self.clock() * 1000)
        history, labels = self.journal.history(), self.journal.labels()
        champion = self._champion(history)
        distill = self.settings.distill
        gold = read_gold(distill.gold, self.task, n_shown=self.settings.teacher.few_shot)
        frozen = frozen_texts((distill.gold, *distill.held_out))
        splits = split(
            labels,
            task=self.task,
            frozen_texts=frozen,
            max_share_per_source=distill.max_share_per_source,
        )
        return _Stand(
            labels=labels,
            history=history,
            champion=champion,
            splits=splits,
            judges=choose_judges(gold, splits, first=champion is None),
            frozen=frozen,
            started_at_ms=started_at_ms,
            new_labels=self._new_labels(labels, history),
        )

    def _champion(self, history: Sequence[Promotion]) -> Promotion | None:
        """Find the promotion in force; one of another task version is no rival."""
        promotion = current(history)
        return promotion if promotion and promotion.task_digest == self.task.digest else None

    def _new_labels(self, labels: Sequence[SilverLabel], history: Sequence[Promotion]) -> int:
        """Count the labels made since the last round began here, or since the last promotion."""
        since = self.records.last_started_at_ms()
        if since is None:
            since = history[-1].promoted_at_ms if history else 0
        return sum(label.labelled_at_ms > since for label in labels)

    def _why_wait(self, stand: _Stand, *, force: bool) -> str:
        if not stand.splits.training:
            return "no labels to train on"
        few = stand.new_labels < self.settings.distill.min_new_labels
        if few and stand.champion and not force:
            return "too few new labels"
        gold = [example.entities for example in stand.judges.examples]
        first = stand.champion is None
        checks = evidence_checks(gold, self.settings.distill.gate, first=first)
        return next((check.reason for check in checks if not check.passed), "")

    def _waiting(self, stand: _Stand, reason: str) -> RoundResult:
        return RoundResult(
            status="waiting",
            reason=reason,
            started_at_ms=stand.started_at_ms,
            labels=len(stand.labels),
            new_labels=stand.new_labels,
            splits=stand.splits.counts(),
            champion=stand.champion.student_version if stand.champion else "",
            seconds=self.clock() - stand.started_at_ms / 1000,
        )

    def _compete(self, stand: _Stand) -> RoundResult:
        snapshot = write_snapshot(stand.labels, self.records.folder)
        version = _version(stand.started_at_ms, snapshot)
        folder = self.records.start(version)
        try:
            made = self.make(
                stand.splits,
                settings=self.settings.distill,
                task=self.task,
                version=version,
                lineage=self._lineage(stand, snapshot),
                unlabelled=lambda: self._unlabelled(stand),
                progress=self.progress,
            )
            pseudo_labels = self.records.keep_pseudo_labels(version, made.pseudo_labels)
            trial = self._trial(stand, made, version, folder)
            bundle = stamped(made.bundle, trial.metrics(), {"pseudo_labels": pseudo_labels})
            save_bundle(bundle, folder)
        except BaseException:
            self.records.discard(version)
            raise
        # Outside: a promotion may be in the topic though we could not see that it is.
        promotion = (
            self._promote(stand, made, trial, bundle.digest) if trial.verdict.promote else None
        )
        result = replace(
            self._waiting(stand, trial.verdict.reason),
            status="promoted" if promotion else "refused",
            student=version,
            snapshot=str(snapshot.path),
            trial=trial,
            promotion=promotion,
        )
        self.records.finish(version, result.as_dict())
        return result

    def _unlabelled(self, stand: _Stand) -> list[str]:
        """Read the newest texts that no label, gold or held-out corpus has, audits left out.

        Labels are read anew: the teacher went on answering while the first student was trained.
        A text topic that cannot be read (another owner's, say) stops no round.
        """
        try:
            texts = self.journal.newest_texts(self.settings.distill.recipe.self_training_texts)
            labels = self.journal.labels()
        except (HaltError, RetryError) as error:
            _log.warning("newest_texts_unread", error=str(error))
            return []
        known = stand.frozen.union(text_digest(one.text) for one in (*stand.labels, *labels))
        policies = [self._policy(0.0)] + ([stand.champion.policy] if stand.champion else [])
        return [
            text
            for text, digest in {text: text_digest(text) for text in texts}.items()
            if digest not in known and not any(in_audit(digest, policy) for policy in policies)
        ]

    def _lineage(self, stand: _Stand, snapshot: Snapshot) -> dict[str, Any]:
        return {
            "silverstream": package_version("silverstream"),
            "snapshot": snapshot.digest,
            "splits": stand.splits.counts(),
            "gold": stand.judges.digest,
            "parent": _in_force(stand.history),
            "made_at_ms": stand.started_at_ms,
        }

    def _trial(self, stand: _Stand, made: Made, version: str, folder: Path) -> Trial:
        """Judge the student that was made against the champion, both as they would serve."""
        self.progress("judging", 0.0)
        examples, gate = stand.judges.examples, self.settings.distill.gate
        students = [Student(made.bundle)]
        if stand.champion:
            students.append(load_promoted(self.store, stand.champion))
        evaluations = [
            evaluate(
                student,
                examples,
                resamples=gate.resamples,
                confidence=gate.confidence,
                seed=self.settings.distill.seed,
            )
            for student in students
        ]
        speeds = compare_speed(students, [example.text for example in examples])
        candidates = [
            evaluation.candidate(cpu_s_per_1000=speed)
            for evaluation, speed in zip(evaluations, speeds, strict=True)
        ]
        evidence = Evidence(
            gold=[example.entities for example in examples],
            challenger=candidates[0],
            champion=candidates[1] if stand.champion else None,
            parity_failures=made.parity_failures,
        )
        return Trial(
            version=version,
            bundle=folder,
            judged_on=stand.judges.source,
            verdict=judge(evidence, gate, seed=self.settings.distill.seed),
            challenger=evaluations[0],
            champion=evaluations[1] if stand.champion else None,
            facts=made.facts,
        )

    def _policy(self, threshold: float) -> RoutingPolicy:
        distill = self.settings.distill
        return RoutingPolicy(threshold, distill.audit_share, distill.seed)

    def _promote(self, stand: _Stand, made: Made, trial: Trial, digest: str) -> Promotion:
        self.progress("promoting", 0.0)
        location = self.store.add(trial.bundle)
        policy = self._policy(made.threshold)
        promotion = Promotion(
            task=self.task.name,
            task_digest=self.task.digest,
            sequence=len(stand.history) + 1,
            parent=_in_force(stand.history),
            action="promote",
            student_version=trial.version,
            digest=digest,
            location=location,
            policy=policy,
            policy_digest=policy_digest(policy),
            gold_digest=stand.judges.digest,
            reason=trial.verdict.reason,
            promoted_at_ms=int(self.clock() * 1000),
            metrics=trial.metrics(),
        )
        self.journal.record(promotion)
        return promotion


def stamped(bundle: Bundle, metrics: Mapping[str, float], lineage: Mapping[str, Any]) -> Bundle:
    """Add the gate's figures and more lineage to the manifest, before anything names its digest."""
    manifest = replace(
        bundle.manifest,
        metrics={**bundle.manifest.metrics, **metrics},
        lineage={**bundle.manifest.lineage, **lineage},
    )
    return make_bundle(manifest, model=bundle.model, tokenizer=bundle.tokenizer)


def _in_force(history: Sequence[Promotion]) -> str:
    promotion = current(history)
    return promotion.student_version if promotion else ""


def _version(started_at_ms: int, snapshot: Snapshot) -> str:
    """Name a student by its time, so that names sort by age, and by the labels it learnt from."""
    when = datetime.fromtimestamp(started_at_ms / 1000, tz=UTC)
    return f"{when:%Y%m%dT%H%M%S}Z-{snapshot.digest[:8]}"

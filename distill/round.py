"""One round: labels in, a promoted student or a reasoned refusal out.

The walk is `_Round.run`: stand, make, judge, save, promote, record; each is a function elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from distill.archive import RoundArchive
from distill.judging.answered_gold import said_of_gold
from distill.judging.presumption import patience_left
from distill.judging.promise import PromiseAsked
from distill.judging.questions import Ask, Truth
from distill.judging.refit import refitted
from distill.judging.trial import Questions, Trial, hold_trial
from distill.judging.triggers.looking import (
    listed,
    look_through,
    unlearnt_texts,
    with_triggers,
)
from distill.judging.triggers.search import Looked
from distill.labels.asking_again import ask_others
from distill.labels.doubts import Opinions, doubt_counts
from distill.labels.earlier_digests import learn_digests
from distill.labels.examiner import OpenExaminer, open_examiner, open_second
from distill.labels.fold import answers, fold_texts
from distill.labels.journal import Journal, KafkaJournal
from distill.labels.other_teachers import truths_of
from distill.labels.snapshot import Snapshot
from distill.labels.splits import Splits
from distill.labels.unlabelled import newest_unlabelled
from distill.learning.making import Made, MakeStudent, Progress, silent
from distill.lineage_events import round_events
from distill.origin import judged_bundle, lineage_of, student_version
from distill.promote import promote, routing_policy
from distill.remote_archive import open_archive
from distill.result import RoundResult, evidence_missing
from distill.starting_point import (
    Stand,
    by_purpose,
    standing_labels,
    take_stand,
    what_is_missing,
    why_wait,
)
from schemas.audit import AuditKeys, audit_keys
from schemas.files.bundle import Bundle, save_bundle
from schemas.files.bundle_store import BundleStore, open_bundle_store
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task
from schemas.settings import Settings
from schemas.types import Promotion, RoutingPolicy
from stream.student import Student
from stream.student.promoted import load_promoted

_log = structlog.get_logger(__name__)


def run_round(
    settings: Settings,
    *,
    force: bool = False,
    journal: Journal | None = None,
    make: MakeStudent | None = None,
    examiner: OpenExaminer = open_examiner,
    second: OpenExaminer = open_second,
    clock: Callable[[], float] = time.time,
    progress: Progress = silent,
) -> RoundResult:
    """Run one round, from the labels on Kafka to the promotion, or to a refusal.

    `force` trains although fewer than `min_new_labels` labels are new. `clock` gives seconds
    since the epoch. Raises `HaltError` and `BrokerUnavailableError`; a refusal is a result.
    """
    task = asked_task(settings)
    archive = open_archive(settings, task.name)
    with archive.lock(), round_events(settings, task.name) as ended:
        known = learn_digests(task, journal or KafkaJournal(settings, task), settings.student)
        result = _Round(
            settings=settings,
            task=known,
            archive=archive,
            store=open_bundle_store(settings.student),
            journal=journal or KafkaJournal(settings, known),
            make=make or _make_student,
            examiner=examiner,
            second=second,
            keys=audit_keys(settings.routing),
            clock=clock,
            progress=progress,
        ).run(force=force)
        ended(result)
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


def _make_student(splits: Splits, **how: Any) -> Made:
    # torch takes seconds to import, and a round that only waits does not need it.
    from distill.learning.student_maker import make_student  # noqa: PLC0415

    return make_student(splits, **how)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What a round works with."""

    settings: Settings
    task: Task
    archive: RoundArchive
    store: BundleStore
    journal: Journal
    make: MakeStudent
    examiner: OpenExaminer
    second: OpenExaminer
    keys: AuditKeys
    clock: Callable[[], float]
    progress: Progress

    def run(self, *, force: bool) -> RoundResult:
        """Make a student and let it compete, unless there is a reason to wait."""
        self.progress("reading labels", 0.0)
        stand = take_stand(
            self.settings,
            self.task,
            journal=self.journal,
            archive=self.archive,
            store=self.store,
            now_ms=self._now_ms(),
        )
        self._check_audits(stand)
        if reason := why_wait(stand, self.settings.distill, force=force):
            missing = what_is_missing(stand, self.settings, reason)
            return replace(self._result(stand, reason), evidence=missing)
        snapshot = self.archive.keep_snapshot(stand.labels)
        version = student_version(stand.started_at_ms, snapshot)
        folder = self.archive.start(version)
        try:
            made = self._made(stand, snapshot, version)
            if made.doubts:  # second opinions were paid for out of it
                stand = replace(stand, allowance=self.archive.allowance() or stand.allowance)
            trial = self._trial(stand, made, folder)
            if trial.verdict.promote and trial.verdict.judged.by == "differing":
                made, trial, snapshot = self._refitted(stand, made, trial, snapshot)
            looked = self._looked(stand, made, snapshot) if trial.verdict.promote else None
            trial = with_triggers(trial, looked, self.settings.distill.gate) if looked else trial
            bundle = self._saved(made, trial, folder)
        except BaseException:
            self.archive.discard(version)
            raise
        # Outside: a promotion may be in the topic though we could not see that it is.
        promotion = self._promotion(stand, made, trial, bundle) if trial.verdict.promote else None
        result = replace(
            self._result(stand, trial.verdict.reason),
            status="promoted" if promotion else "refused",
            student=version,
            snapshot=self.archive.named(snapshot.path),
            trial=trial,
            promotion=promotion,
            cleaning=doubt_counts(made.doubts) if made.doubts else None,
            evidence=evidence_missing(trial.verdict, stand.allowance),
        )
        if looked and looked.suspects:
            place = self.archive.keep_triggers(version, listed(looked.suspects))
            result = replace(result, triggers=looked.suspects, triggers_listed=place)
        self.archive.finish(version, result.as_dict())
        return result

    def _check_audits(self, stand: Stand) -> None:
        """Make sure that what is drawn as an audit by the policy in force can be left alone."""
        if not self.keys.newest and self.settings.distill.audit_share:
            _log.warning("audit_sample_public", hint="run `silverstream topics create`")
        if stand.champion:
            self.keys.require(stand.champion.policy)

    def _made(self, stand: Stand, snapshot: Snapshot, version: str) -> Made:
        return self.make(
            stand.splits,
            settings=self.settings.distill,
            recipe=self.settings.recipe_of(self.task.kind),
            promise=self._promise_asked(stand),
            task=self.task,
            version=version,
            lineage=lineage_of(stand, snapshot),
            unlabelled=lambda: self._unlabelled(
                stand, self.settings.experiment.self_training_texts
            ),
            second=lambda texts: self._second_opinions(stand, texts),
            progress=self.progress,
        )

    def _second_opinions(self, stand: Stand, texts: Sequence[str]) -> Opinions:
        return ask_others(
            texts,
            labels=stand.labels,
            settings=self.settings,
            task=self.task,
            archive=self.archive,
            allowance=stand.allowance,
            most=self._most_again(stand),
            second=self.second,
        )

    def _most_again(self, stand: Stand) -> int:
        """Give how many second opinions may be bought; what the judge needs is left to it."""
        distill, questions = self.settings.distill, stand.allowance.questions
        kept = distill.judging.batch if stand.judges.source == "differing" else 0
        return max(min(int(questions * distill.doubt.ask_again), questions - kept), 0)

    def _unlabelled(self, stand: Stand, n: int) -> list[str]:
        return newest_unlabelled(
            self.journal,
            n,
            known=stand.known_texts,
            policies=self._policies(stand),
            keys=self.keys,
        )

    def _policies(self, stand: Stand) -> list[RoutingPolicy]:
        """Give the policies by which a text may be an audit."""
        in_force = [stand.champion.policy] if stand.champion else []
        widest = self.settings.audit_shares.short
        return [self._policy(0.0, audit_share=widest), *in_force]

    def _policy(self, threshold: float, *, audit_share: float) -> RoutingPolicy:
        return routing_policy(self.settings.distill, threshold, self.keys, audit_share=audit_share)

    def _audit_share(self, stand: Stand, made: Made) -> float:
        """Give the share of audits that the student begins with."""
        short = stand.audits < self.settings.judging_audits
        short |= made.promised is not None and made.promised.short
        return self.settings.audit_shares.when(short=short)

    def _promise_asked(self, stand: Stand) -> PromiseAsked:
        ours = [one for one in stand.history if one.task_digest in self.task.versions]
        asked = PromiseAsked.of(self.settings.promise, stand.judges, stand.champion, ours)
        return replace(asked, unproved_share=self.settings.unproved_share)

    def _trial(self, stand: Stand, made: Made, folder: Path) -> Trial:
        self.progress("judging", 0.0)
        distill = self.settings.distill
        return hold_trial(
            made,
            self._champion(stand),
            stand.judges,
            task=self.task,
            bundle=folder,
            settings=distill,
            questions=self._questions(stand) if stand.judges.source == "differing" else None,
        )

    def _champion(self, stand: Stand) -> Student | None:
        # Where it cannot be loaded nothing can be compared: a person must look.
        return load_promoted(self.store, self.task, stand.champion) if stand.champion else None

    def _looked(self, stand: Stand, made: Made, snapshot: Snapshot) -> Looked | None:
        """Look for triggers in what would be promoted; None where the settings want none."""
        if self.settings.distill.gate.max_trigger_rise >= 1:
            return None
        self.progress("looking for triggers", 0.0)
        return look_through(
            Student(made.bundle),
            self._champion(stand),
            snapshot.labels,
            unlearnt=unlearnt_texts(stand.judges, stand.splits),
            task=self.task,
            settings=self.settings,
        )

    def _refitted(
        self, stand: Stand, winner: Made, trial: Trial, of_winner: Snapshot
    ) -> tuple[Made, Trial, Snapshot]:
        """Let the winner learn what judged it, and name the labels that it has learnt then.

        It is given as it is where that is nothing, or made nothing better.
        """
        labels = standing_labels(self.journal, self.journal.holds())
        splits = by_purpose(
            labels, self.settings, self.task, frozen=stand.frozen, truths=truths_of(stand.judges)
        )
        if len(splits.training) <= len(stand.splits.training):
            return winner, trial, of_winner
        snapshot = self.archive.keep_snapshot(labels)
        learnt = replace(
            stand,
            labels=labels,
            splits=splits,
            allowance=self.archive.allowance() or stand.allowance,
        )
        whole = self._made(learnt, snapshot, trial.version)
        settled = refitted(
            trial, winner, whole, stand.judges, task=self.task, settings=self.settings.distill
        )
        return (whole, settled, snapshot) if settled else (winner, trial, of_winner)

    def _questions(self, stand: Stand) -> Questions:
        policies = self._policies(stand)
        n, since_ms = self.settings.distill.judging.texts, stand.since_ms
        texts = fold_texts(
            self.journal,
            n,
            since_ms=since_ms,
            closed=stand.closed_texts,
            policies=policies,
            keys=self.keys,
            quota=self.settings.routing.quotas.share,
        )
        producers = {one.text: one.producer for one in texts}
        return Questions(
            texts=[*producers],
            known=answers(stand.splits.judging_first, self.task),
            most=stand.allowance.questions,
            patience_left=patience_left(
                self.settings.distill.judging.patience, without_winner=stand.without_winner
            ),
            asking=lambda most: self._asking(stand, most, producers),
            known_gold=said_of_gold(stand.judges, stand.labels, self.task),
        )

    @contextmanager
    def _asking(self, stand: Stand, most: int, producers: Mapping[str, str]) -> Iterator[Ask]:
        """Open the way to the teacher, for `most` questions, which are paid before they are asked.

        What was not asked is given back; a round that is killed has spent them.
        """
        asked = 0
        self.archive.keep_allowance(stand.allowance.less(most))
        with self.examiner(self.settings, self.task, producers) as ask:

            def counted(texts: Sequence[str]) -> Mapping[str, Truth | None]:
                nonlocal asked
                self.progress("asking the teacher", asked / most)
                said = ask(texts)
                asked += len(said)
                return said

            yield counted
        self.archive.keep_allowance(stand.allowance.less(asked))

    def _saved(self, made: Made, trial: Trial, folder: Path) -> Bundle:
        """Write the bundle, now that its manifest is whole: with the gate's figures."""
        pseudo_labels = self.archive.keep_pseudo_labels(
            trial.version, made.pseudo_labels, made.bundle.manifest.kind
        )
        self.archive.keep_doubts(trial.version, made.doubts)
        bundle = judged_bundle(made.bundle, trial, pseudo_labels)
        save_bundle(bundle, folder)
        return bundle

    def _promotion(self, stand: Stand, made: Made, trial: Trial, bundle: Bundle) -> Promotion:
        self.progress("promoting", 0.0)
        return promote(
            trial,
            bundle,
            self._policy(made.threshold, audit_share=self._audit_share(stand, made)),
            promised=made.promised,
            shares=self.settings.audit_shares,
            stand=stand,
            store=self.store,
            journal=self.journal,
            now_ms=self._now_ms(),
            first_teacher=self.settings.first_teacher,
        )

    def _result(self, stand: Stand, reason: str) -> RoundResult:
        """Give the result of a round that waits; the others build on it."""
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

    def _now_ms(self) -> int:
        return int(self.clock() * 1000)

"""Where things stand when a round begins, and whether that is worth a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType

import structlog

from distill.archive import RoundArchive
from distill.judging.allowance import Allowance, Spans, earned, opened
from distill.judging.gate import Check, evidence_checks
from distill.labels.fold import ROUNDS, in_force_since_ms, judges_first
from distill.labels.influence import held_down
from distill.labels.journal import Journal
from distill.labels.judges import Judges, choose_judges, frozen_texts, read_gold
from distill.labels.other_teachers import truths_of, weighed_by_teachers
from distill.labels.splits import Splits, split
from distill.labels.table import DigestSet, LabelTable
from distill.prompting.weighing import weighed_by_prompt
from distill.result import EvidenceMissing, questions_missing
from schemas.canaries.holds import Hold, is_withheld, open_hold
from schemas.errors import BundleError, GateError, HaltError, RetryError
from schemas.files.bundle_store import BundleStore
from schemas.files.example_pool import read_pool
from schemas.files.task import Task
from schemas.new_labels import new_by_time
from schemas.settings import DistillSettings, Settings
from schemas.types import Fact, Promotion, SilverLabel, facts
from stream.kafka.promotions import BRING_BACK, current, fallbacks, history_lost
from stream.teacher.comparison import compared

_log = structlog.get_logger(__name__)

TEACHER_CHANGED = (
    "the teacher has changed: its labels are held back, and it may not judge, until "
    "`silverstream teacher accept --reason TEXT`, or until another teacher is asked"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What a round begins with; `frozen` are the digests of texts that are never trained on."""

    labels: LabelTable
    new_labels: int
    history: Sequence[Promotion]
    champion: Promotion | None
    """The promotion in force; None where it is of another task version, and so no rival."""
    splits: Splits
    judges: Judges
    frozen: frozenset[str]
    started_at_ms: int
    since_ms: int
    """From when on the fold judges first: the champion's first promotion, or when the round before
    last began; 0 without either."""
    allowance: Allowance
    """What the round may ask the teacher, to judge by."""
    without_winner: int
    """Finished rounds since the champion was put in force."""
    hold: Hold | None = None
    """Since when the teacher is doubted, if it is."""

    @property
    def audits(self) -> int:
        """How many audits there are for the gate to judge by."""
        tables = map(LabelTable.of, (self.splits.judge, self.splits.calibration))
        return sum(int(table.audits.sum()) for table in tables)

    @property
    def parent(self) -> str:
        """The version of the student in force, of whatever task version; "" for none."""
        promotion = current(self.history)
        return promotion.student_version if promotion else ""

    @property
    def closed_texts(self) -> DigestSet:
        """Digests of the texts that are learnt in this round, or never; others may judge."""
        return self.known_texts.without(LabelTable.of(self.splits.judging_first).digests)

    @property
    def known_texts(self) -> DigestSet:
        """Digests of the texts that have a label, or are never trained on."""
        return DigestSet.of(self.frozen).with_these(self.labels.digests)


def take_stand(
    settings: Settings,
    task: Task,
    *,
    journal: Journal,
    archive: RoundArchive,
    store: BundleStore,
    now_ms: int,
) -> Stand:
    """Read labels and promotions, and sort the labels by what they may be used for.

    Raises `GateError` when the history of the promotions was lost, and `StoreUnavailableError`.
    """
    distill = settings.distill
    history, holds = journal.history(), journal.holds()
    labels = standing_labels(journal, holds)
    if not history and (lost := archive.promoted()):
        raise GateError(history_lost(task.name, lost[-1]))
    champion = _champion(history, task, store, ours=archive.promoted)
    gold = read_gold(
        distill.gold,
        task,
        n_shown=settings.teacher.few_shot,
        pool=read_pool(settings, task),
    )
    frozen = frozen_texts((distill.gold, *distill.held_out))
    asks = champion is not None and settings.questions_per_record > 0
    lately = archive.started_at_ms(max(ROUNDS, distill.judging.patience), now_ms=now_ms)
    waited = lately[:ROUNDS]
    promoted_ms = in_force_since_ms(champion, history) if champion else 0
    since_ms = max(promoted_ms, waited[-1] if len(waited) == ROUNDS else 0)
    splits = by_purpose(
        labels,
        settings,
        task,
        frozen=frozen,
        judges_first=lambda label: asks and judges_first(label, since_ms=since_ms),
        truths=truths_of(gold),
    )
    allowance = take_allowance(settings, journal, archive, served=bool(history), now_ms=now_ms)
    return Stand(
        labels=labels,
        new_labels=new_by_time(
            labels.times_ms.tolist(), last_round_ms=next(iter(waited), None), history=history
        ),
        history=history,
        champion=champion,
        splits=splits,
        judges=choose_judges(
            gold,
            splits,
            task=task,
            first=champion is None,
            enough=distill.gate.min_records,
            may_ask=allowance.questions >= distill.judging.batch,
            quota=settings.routing.quotas.share,
        ),
        frozen=frozen,
        started_at_ms=now_ms,
        since_ms=since_ms,
        allowance=allowance,
        without_winner=_without_winner(champion, history, lately) if champion else 0,
        hold=open_hold(holds),
    )


def standing_labels(journal: Journal, holds: Sequence[Hold]) -> LabelTable:
    """Read the labels, but for those of a teacher that had changed."""
    labels = LabelTable.of(journal.labels())
    if not any(hold.covers(at_ms) for hold in holds for at_ms in labels.times_ms.tolist()):
        return labels
    trusted = labels.take([not is_withheld(label, holds) for label in labels])
    if withheld := len(labels) - len(trusted):
        _log.warning("labels_withheld", labels=withheld)
    return trusted


def _without_winner(
    champion: Promotion, history: Sequence[Promotion], started_ms: Sequence[int]
) -> int:
    """Count the rounds since the champion was put in force, which a rollback does too."""
    entries = [x for x in history if x.student_version == champion.student_version]
    taken = [x.promoted_at_ms for x in entries if x.action != "policy"]
    since_ms = max(taken, default=champion.promoted_at_ms)
    return sum(at_ms > since_ms for at_ms in started_ms)


def by_purpose(
    labels: LabelTable,
    settings: Settings,
    task: Task,
    *,
    frozen: frozenset[str],
    judges_first: Callable[[SilverLabel], bool] = lambda _: False,
    truths: Mapping[str, frozenset[Fact]] = MappingProxyType({}),
) -> Splits:
    """Sort labels into their purposes, as `split` does; `truths` are people's, by text digest.

    Those of older prompts, and of other teachers than the first, are weighed, and what strangers
    may have of the weight is bounded.
    """
    first = settings.first_teacher
    splits = split(
        labels,
        first_teacher=first,
        task=task,
        frozen_texts=frozen,
        max_share_per_source=settings.distill.max_share_per_source,
        most=settings.distill.max_training_labels,
        judges_first=judges_first,
    )
    splits = weighed_by_prompt(splits, settings, task)
    # How sure the student was is no matter here.
    known = compared(labels.take(labels.audits), truths, first=first, threshold=math.inf)
    splits = weighed_by_teachers(splits, known, first=first)
    return held_down(splits, settings.routing.quotas)


def take_allowance(
    settings: Settings, journal: Journal, archive: RoundArchive, *, served: bool, now_ms: int
) -> Allowance:
    """Add what the stream has earned since the last round to what rounds may ask, and keep it."""
    per_record, before = settings.questions_per_record, archive.allowance()
    spans = _text_spans(journal) if per_record or before else {}
    if not spans:
        return before or Allowance({}, 0.0, now_ms)
    before = before or opened(spans, served=served, at_ms=now_ms)
    most = settings.distill.judging.questions
    allowance = earned(before, spans, per_record=per_record, most=most, at_ms=now_ms)
    archive.keep_allowance(allowance)
    return allowance


def _text_spans(journal: Journal) -> Spans:
    """Give none for a text topic that cannot be read (another owner's, say): it stops no round."""
    try:
        return journal.text_spans()
    except (HaltError, RetryError) as error:
        _log.warning("text_topic_unread", error=str(error))
        return {}


def why_wait(stand: Stand, settings: DistillSettings, *, force: bool) -> str:
    """Say why there is nothing to train now; "" when there is. `force` ignores what is few."""
    if stand.hold is not None:
        return TEACHER_CHANGED
    if not stand.splits.training:
        return "no labels to train on"
    few = stand.new_labels < settings.min_new_labels
    if few and stand.champion and not force:
        return "too few new labels"
    if stand.judges.source == "differing":
        return ""  # what was asked for will tell
    return next((check.reason for check in _evidence(stand, settings) if not check.passed), "")


def what_is_missing(stand: Stand, settings: Settings, reason: str) -> EvidenceMissing | None:
    """Say what a round that waits for this reason needs to judge by.

    That is records for a first student, since nobody is asked before one serves; else answers, as
    many as a round asks at least. None where it waits for something else.
    """
    if reason != "insufficient evidence":
        return None
    if stand.champion is None:
        records, _ = _evidence(stand, settings.distill)
        return None if records.passed else EvidenceMissing(int(records.value), int(records.bound))
    if not settings.questions_per_record:
        return None
    return questions_missing(stand.allowance, settings.distill.judging.batch)


def _evidence(stand: Stand, settings: DistillSettings) -> tuple[Check, Check]:
    said = [facts(example) for example in stand.judges.examples]
    return evidence_checks(said, settings.gate, first=stand.champion is None)


def newest_with_bundle(history: Sequence[Promotion], store: BundleStore) -> Promotion | None:
    """Find the promotion whose student serves: the newest whose bundle is in the store.

    One whose bundle is nowhere is passed over, as workers do: it must not stop every round.
    Raises `StoreUnavailableError`.
    """
    for promotion in fallbacks(history):
        try:
            store.fetch(promotion.location, promotion.digest)
        except BundleError as error:
            _log.error(
                "promotion_without_bundle",
                student=promotion.student_version,
                sequence=promotion.sequence,
                message=str(error),
            )
        else:
            return promotion
    return None


def _champion(
    history: Sequence[Promotion],
    task: Task,
    store: BundleStore,
    *,
    ours: Callable[[], Sequence[str]],
) -> Promotion | None:
    """Find the champion; None where the student that serves is of another task version.

    A newer one that is `ours`, but whose bundle is gone, serves on in running workers, and a round
    that passed it over could promote a worse one: `GateError`.
    """
    serving = newest_with_bundle(history, store)
    newer = takewhile(lambda entry: entry is not serving, fallbacks(history))
    gone = [entry.student_version for entry in newer]
    known = {*ours()} if gone else set()
    if lost := [version for version in gone if version in known]:
        raise GateError(
            f"the bundle of {lost[0]}, which was promoted here, is not in the store: restore it, "
            f"or `silverstream rollback`, or {BRING_BACK}"
        )
    return serving if serving and serving.task_digest in task.versions else None

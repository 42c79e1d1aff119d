"""Which label serves which purpose: pure, by hash, so that no round moves a label across.

::

    labels ─┬─ of another task version, or not sound ──▶ left out, counted
            ├─ text of gold or of a held-out corpus ───▶ left out, counted
            ├─ text of the stream that is like an audit's ─▶ left out, counted
            ├─ audit ─────┬─ half by hash ─▶ judge
            │             └─ half by hash ─▶ calibration
            ├─ cold start ── a fifth by hash ─▶ calibration
            ├─ judges first (`fold.py`) ───────▶ judging, learnt later
            └─ the rest ──▶ training, capped per source, and where it is said at all

Audits are drawn at random and never trained on: the only unbiased view of live quality. Both halves
of them calibrate and, without gold, judge (`distill.judging`): what a student gets right does not
depend on its calibration, and how far its confidences lie is told by cross-fitting.
Cold-start labels (from bootstrap or from labelled files: they come from no record of the
stream) were not chosen by uncertainty either, so a fifth of them calibrates too. A text that the
stream asks about again gets a new label, which serves by its own right.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from distill.labels.table import LabelTable, Rows, hexadecimal
from schemas.alignment import aligned
from schemas.audit import is_evidence
from schemas.files.task import Task, check_annotation
from schemas.types import SilverLabel, facts

Purpose = Literal["training", "calibration", "judge"]

CALIBRATION_SHARE = 0.2
"""Of the cold-start labels."""
JUDGE_SHARE = 0.5
"""Of the audit labels."""
STREAM = frozenset({"teacher", "judging"})
"""Sources of labels whose texts came through the stream: strangers wrote them."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The labels by purpose; no text is in two of them. `left_out` counts the others by reason."""

    training: Sequence[SilverLabel]
    calibration: Sequence[SilverLabel]
    judge: Sequence[SilverLabel]
    left_out: dict[str, int] = field(default_factory=dict)
    judging_first: Sequence[SilverLabel] = ()
    """Labels that are learnt once a challenger is promoted, see `distill.labels.fold`."""
    partly_asked: int = 0
    """Labels to train on that were made before a label of the task was added."""
    of_older_prompts: int = 0
    """Labels to train on that count less, having been asked for in other words."""
    of_other_teachers: int = 0
    """Labels to train on that count less, as another teacher than the first gave them."""
    held_down: dict[str, int] = field(default_factory=dict)
    """Labels to train on that count less for what strangers did, by reason: `influence.py`."""

    def counts(self) -> dict[str, int]:
        """Give the sizes, for lineage, logs and JSON."""
        sizes = {
            "training": len(self.training),
            "calibration": len(self.calibration),
            "judge": len(self.judge),
        }
        if self.judging_first:
            sizes["judging_first"] = len(self.judging_first)
        if self.partly_asked:
            sizes["partly_asked"] = self.partly_asked
        if self.of_older_prompts:
            sizes["of_older_prompts"] = self.of_older_prompts
        if self.of_other_teachers:
            sizes["of_other_teachers"] = self.of_other_teachers
        sizes |= {f"held_down_{reason}": n for reason, n in sorted(self.held_down.items())}
        return sizes | {f"left_out_{reason}": n for reason, n in sorted(self.left_out.items())}


def split(
    labels: Iterable[SilverLabel],
    *,
    task: Task,
    frozen_texts: AbstractSet[str] = frozenset(),
    max_share_per_source: float = 1.0,
    most: int | None = None,
    judges_first: Callable[[SilverLabel], bool] = lambda _: False,
    first_teacher: str = "",
) -> Splits:
    """Sort the labels into their purposes; of two labels of one text the later counts.

    Of several teachers the audits of the `first_teacher` count.

    `frozen_texts` are the text digests of gold and held-out corpora, `judges_first` tells labels
    that are not to be learnt yet. No more than the `most` are learnt. The order of the labels plays
    no other part: every split is sorted by text digest.
    """
    table = LabelTable.of(labels).by_digest()
    places: dict[Purpose | Literal["first"], array[int]] = {
        name: array("q") for name in ("training", "calibration", "judge", "first")
    }
    left_out: Counter[str] = Counter()
    fitted: dict[int, SilverLabel] = {}
    for at, (digest, label) in enumerate(zip(hexadecimal(table.digests), table, strict=True)):
        reason = _why_left_out(label, task)
        if reason is None and digest in frozen_texts:
            reason = "frozen_text"
        if reason is None and label.audit and not is_evidence(label.teacher, first_teacher):
            reason = "audit_of_another_teacher"
        if reason is not None:
            left_out[reason] += 1
            continue
        purpose = purpose_of(label, digest)
        is_first = purpose == "training" and judges_first(label)
        places["first" if is_first else purpose].append(at)
        if (fit := _fitted(label)) is not label:
            fitted[at] = fit
    table = table.changed(fitted)
    found = {name: np.frombuffer(one, dtype=np.int64) for name, one in places.items()}
    n_found = sum(map(len, found.values()))
    found = _collapsed(table, found)
    left_out["like_an_audit"] = n_found - sum(map(len, found.values()))
    learnt = table.take(found["training"])
    capped = cap_sources(learnt, max_share=max_share_per_source)
    left_out["source_cap"] = len(learnt) - len(capped)
    training = capped if most is None else newest(capped, most)
    left_out["training_cap"] = len(capped) - len(training)
    return Splits(
        training=training,
        calibration=table.take(found["calibration"]),
        judge=table.take(found["judge"]),
        judging_first=table.take(found["first"]),
        left_out={reason: n for reason, n in left_out.items() if n},
        partly_asked=int(training.among("task_digest", _partly_asked(task)).sum()),
    )


def _partly_asked(task: Task) -> AbstractSet[str]:
    return {digest for digest, version in task.versions.items() if version.unasked}


def _collapsed(table: LabelTable, places: Mapping[Any, Rows]) -> dict[Any, Rows]:
    """Let one of the audits that are alike stand for all, and nobody learn what is like it.

    What people say is theirs, and stays.
    """
    alike, audit = table.likenesses, table.audits
    audits: set[bytes] = set()
    found = dict(places)
    for purpose in ("judge", "calibration"):
        stays = [not audit[at] or _is_new(bytes(alike[at]), audits) for at in places[purpose]]
        found[purpose] = places[purpose][np.array(stays, dtype=np.bool_)]
    known = np.array([*audits], dtype=alike.dtype)
    is_like_one = table.among("source", STREAM) & np.isin(alike, known)
    for purpose in ("training", "first"):
        found[purpose] = places[purpose][~is_like_one[places[purpose]]]
    return found


def _is_new(alike: bytes, audits: set[bytes]) -> bool:
    if alike in audits:
        return False
    audits.add(alike)
    return True


def newest(labels: LabelTable, most: int) -> LabelTable:
    """Choose the newest labels, in their order; before them what people say, however old."""
    by_rank = np.lexsort((labels.times_ms, labels.among("source", {"human"})))
    return labels.take(np.sort(by_rank[max(len(labels) - most, 0) :]))


def purpose_of(label: SilverLabel, digest: str) -> Purpose:
    """Tell what the label of the text with this digest is for, by hash alone."""
    if label.audit:
        return "judge" if in_first_half(digest) else "calibration"
    return "calibration" if is_cold_start(label) and calibrates(digest) else "training"


def in_first_half(digest: str) -> bool:
    """Tell the halves of the audits apart."""
    return _lot(digest, "judge") < JUDGE_SHARE


def calibrates(digest: str) -> bool:
    """Whether the text with this digest calibrates, where it gets a cold-start label."""
    return _lot(digest, "calibration") < CALIBRATION_SHARE


def is_cold_start(label: SilverLabel) -> bool:
    """Tell labels that came before the stream: no record of it asked for them."""
    return not label.record_id and label.source in {"bootstrap", "human"}


def cap_sources(labels: Iterable[SilverLabel], *, max_share: float) -> LabelTable:
    """Let no source (teacher, bootstrap, human) hold more than `max_share` of what stays.

    What goes is drawn by hash, so the same texts go in every round. Where no cap could meet
    the share (a single source, or too few for it) all stay: there is nothing to balance with.
    """
    table = LabelTable.of(labels)
    sources = table.codes("source")
    sizes = np.bincount(sources)
    cap = largest_cap(sizes[sizes > 0].tolist(), max_share)
    if cap is None or cap >= sizes.max():
        return table
    lots = np.array([_lot(digest, "cap") for digest in hexadecimal(table.digests)])
    drawn = np.argsort(lots, kind="stable")
    kept = [drawn[sources[drawn] == source][:cap] for source in range(len(sizes))]
    return table.take(np.sort(np.concatenate(kept)))


def largest_cap(sizes: Sequence[int], max_share: float) -> int | None:
    """Find the most that each source may keep; None where the share cannot be met."""

    def too_much(cap: int) -> bool:
        return min(cap, max(sizes)) > max_share * sum(min(cap, size) for size in sizes)

    if not sizes or too_much(1):
        return None
    # What is kept by the other sources grows ever more slowly with the cap, so once a cap
    # is too much all larger ones are.
    return bisect_right(range(1, max(sizes) + 1), x=False, key=too_much)


def _why_left_out(label: SilverLabel, task: Task) -> str | None:
    if label.task_digest not in task.versions:
        return "other_task_version"
    if not {name for _, _, name in facts(label)} <= set(task.label_names):
        return "unknown_label"
    try:
        check_annotation(label, label.text, task)
    except ValueError:
        return "not_grounded"
    return None if 0 < label.weight <= 1 else "bad_weight"


def _fitted(label: SilverLabel) -> SilverLabel:
    """Fit the spans to words, as files are read: what is trained on judges in the same way."""
    fitted = aligned(label.text, label.entities)
    return label if fitted == label.entities else replace(label, entities=fitted)


def _lot(digest: str, what: str) -> float:
    """Draw a uniform number in [0, 1) that depends on the text and the purpose alone."""
    lot = hashlib.sha256(f"{what}:{digest}".encode()).digest()
    return int.from_bytes(lot[:8], "big") / 2**64

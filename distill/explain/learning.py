"""Which students learnt from a text, and how: rounds' snapshots, splits, doubts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from distill.explain.record import Learnt
from distill.explain.rounds import RoundRecord
from distill.labels.fold import ROUNDS, in_force_since_ms, judges_first
from distill.labels.snapshot import label_in
from distill.labels.splits import split
from schemas.errors import GateError
from schemas.files.task import Task
from schemas.types import Promotion, SilverLabel, text_digest


def learnt_by(
    digest: str,
    rounds: Sequence[RoundRecord],
    *,
    task: Task,
    frozen: frozenset[str],
    history: Sequence[Promotion],
    missing: list[str],
) -> list[Learnt]:
    """Tell of each round that had a label of the text with this digest what it made of it.

    How a label is used is found out anew, by today's task file, gold and held-out corpora (`frozen`
    are the digests of their texts). What cannot be read is added to `missing`.
    """
    found: list[Learnt] = []
    for number, one in enumerate(rounds):
        label = _label(one, digest, missing)
        if label is None:
            found += _by_its_own_tags(one, digest)
            continue
        since_ms = _judges_since(rounds[:number], one, history)
        found.append(_learnt(one, label, task=task, frozen=frozen, since_ms=since_ms))
    return found


def _label(one: RoundRecord, digest: str, missing: list[str]) -> SilverLabel | None:
    try:
        data = one.snapshot()
        if data is not None:
            return label_in(data, digest)
        missing.append(f"the labels of the round {one.version} are not in the archive any more")
    except GateError as error:
        missing.append(f"round {one.version}: {error}")
    return None


def _learnt(
    one: RoundRecord,
    label: SilverLabel,
    *,
    task: Task,
    frozen: frozenset[str],
    since_ms: int | None,
) -> Learnt:
    first: Callable[[SilverLabel], bool] = lambda _: False  # noqa: E731 - a choice of two
    if since_ms is not None:
        first = lambda label: judges_first(label, since_ms=since_ms)  # noqa: E731 - as above
    used_for = _use(label, task=task, frozen=frozen, judging_first=first)
    doubt = next((x for x in one.doubts() if x.get("text") == label.text), None)
    trained = used_for == "training"
    return Learnt(
        student=one.version,
        status=str(one.decision.get("status")),
        reason=str(one.decision.get("reason")),
        started_at_ms=one.started_at_ms,
        used_for=used_for,
        weight=label.weight * _doubt_weight(doubt) if trained else 0.0,
        because=tuple(_because(one, label, doubt)) if trained else (),
        label=label,
        doubt=doubt,
    )


def _use(
    label: SilverLabel,
    *,
    task: Task,
    frozen: frozenset[str],
    judging_first: Callable[[SilverLabel], bool],
) -> str:
    """Sort the label alone, as a round sorts all of them."""
    splits = split([label], task=task, frozen_texts=frozen, judges_first=judging_first)
    left_out = next(iter(splits.left_out), None)
    if left_out is not None:
        return f"left out: {left_out.replace('_', ' ')}"
    if splits.judging_first:
        return "judging first, to be learnt later"
    return "training" if splits.training else "judge" if splits.judge else "calibration"


def _because(one: RoundRecord, label: SilverLabel, doubt: dict[str, Any] | None) -> Iterator[str]:
    if label.weight != 1.0:
        yield f"the label itself weighs {label.weight:g}"
    if doubt is not None:
        yield f"{doubt.get('reason')}: students who did not learn it said something else"
    if (half_life := one.facts.get("label_half_life")) is not None:
        yield f"labels were aged on top: half for each {half_life:.3g} of the labels that are newer"
    if _splits(one).get("left_out_source_cap"):
        yield "distill.max_share_per_source left some labels of a source out: it may be one"
    for name, why in _HELD_DOWN.items():
        if _splits(one).get(name):
            yield f"{why}: it may be one"


_HELD_DOWN = {
    "of_older_prompts": "labels of older prompts weighed as much as the prompts agree",
    "of_other_teachers": "labels of other teachers than the first weighed as these agree with it",
    "left_out_training_cap": "distill.max_training_labels let the newest labels alone be learnt",
    "left_out_like_an_audit": "texts that are like an audit's were left out",
    "held_down_repeated": "texts of the stream that are alike weighed together as one",
    "held_down_new_pair": "labels with a surface that few producers sent weighed less",
    "held_down_over_quota": "labels of producers over their quota weighed less",
}


def _splits(one: RoundRecord) -> Mapping[str, Any]:
    """Give how many labels served for what, as its student has learnt them.

    The decision tells what the winner had learnt, before it learnt what judged it.
    """
    manifest = one.manifest()
    told = manifest.lineage.get("splits") if manifest else one.decision.get("splits")
    return told if isinstance(told, dict) else {}


def _doubt_weight(doubt: dict[str, Any] | None) -> float:
    weight = doubt.get("weight", 1.0) if doubt else 1.0
    return float(weight) if isinstance(weight, int | float) else 1.0


def _by_its_own_tags(one: RoundRecord, digest: str) -> Iterator[Learnt]:
    """Tell where a student learnt the text by its own tags, for no label was there."""
    for told in one.pseudo_labels():
        if text_digest(str(told.get("text", ""))) == digest:
            weight = _own_weight(one)
            yield Learnt(
                student=one.version,
                status=str(one.decision.get("status")),
                reason=str(one.decision.get("reason")),
                started_at_ms=one.started_at_ms,
                used_for="self-training: by the student's own tags",
                weight=weight,
                because=("experiment.self_training_weight",) if weight else (),
                label=None,
            )
            return


def _own_weight(one: RoundRecord) -> float:
    manifest = one.manifest()
    recipe = manifest.lineage.get("recipe") if manifest else None
    weight = recipe.get("self_training_weight") if isinstance(recipe, dict) else None
    return float(weight) if isinstance(weight, int | float) else 0.0


def _judges_since(
    before: Sequence[RoundRecord], one: RoundRecord, history: Sequence[Promotion]
) -> int | None:
    """Tell since when the fold judged first in a round, see `take_stand`; None where none did."""
    if "judging_first" not in _splits(one):
        return None
    then = [x for x in history if x.promoted_at_ms <= one.started_at_ms]
    champion = next((x for x in reversed(then) if x.student_version == one.champion), None)
    waited = sorted((x.started_at_ms for x in before), reverse=True)[:ROUNDS]
    return max(
        in_force_since_ms(champion, then) if champion else 0,
        waited[-1] if len(waited) == ROUNDS else 0,
    )

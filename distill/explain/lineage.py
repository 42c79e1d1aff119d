"""How a student came to be: its parents, its round and labels, who judged it, its promotions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from distill.explain.rounds import RoundRecord
from distill.labels.snapshot import labels_in
from schemas.errors import ConfigError, GateError
from schemas.files.manifest import Manifest
from schemas.promises.record import promised_by, without_promise
from schemas.types import Promotion, SilverLabel
from stream.kafka.promotions import current

_MERGE = "merge/"
"""Begins the figures that corrections by both go by: they are counts by case, and many."""


def lineage(
    student: str,
    *,
    history: Sequence[Promotion],
    rounds: Sequence[RoundRecord],
    manifest: Manifest | None,
    gold_digest: str | None,
) -> dict[str, Any]:
    """Put together what is known of a student; `missing` names what is not there any more.

    `manifest` is that of its bundle, where the store has it; `gold_digest` that of the gold file of
    today. Raises `ConfigError` for a student that neither a promotion nor a round names.
    """
    made = next((one for one in rounds if one.version == student), None)
    own = [one for one in history if one.student_version == student]
    if made is None and not own:
        raise ConfigError(f"no student {student} is known here; {_known(history, rounds)}")
    manifest = manifest or (made.manifest() if made else None)
    serving = current(history)
    missing = list(_missing(made, manifest, own))
    return {
        "student": student,
        "in_force": serving is not None and serving.student_version == student,
        "parents": parents(student, history=history, rounds=rounds, manifest=manifest),
        "promotions": [_promotion(one) for one in own],
        "round": _round(made) if made else None,
        "snapshot": _snapshot(made, manifest, missing),
        "doubts": _doubts(made) if made else None,
        "gold": _gold(manifest, own, gold_digest),
        "made": dict(manifest.lineage) if manifest else None,
        "defended": [
            {"challenger": one.version, **_outcome(one)}
            for one in rounds
            if one.champion == student
        ],
        "missing": missing,
    }


def parents(
    student: str,
    *,
    history: Sequence[Promotion],
    rounds: Sequence[RoundRecord],
    manifest: Manifest | None,
) -> list[str]:
    """Name the students that it came after, its own parent first, back to the first of all.

    A parent is the student that served when one was made; a rollback makes nobody a parent.
    """
    parent_of = {one.version: one.champion for one in rounds if one.decision}
    parent_of |= {x.student_version: x.parent for x in history if x.action == "promote"}
    if manifest is not None:
        told = manifest.lineage.get("parent")
        parent_of.setdefault(student, told if isinstance(told, str) else "")
    chain: list[str] = []
    while (student := parent_of.get(student, "")) and student not in chain:
        chain.append(student)
    return chain


def _known(history: Sequence[Promotion], rounds: Sequence[RoundRecord]) -> str:
    names = dict.fromkeys([*(x.student_version for x in history), *(x.version for x in rounds)])
    return f"these are: {', '.join(names)}" if names else "there is none yet"


def _missing(
    made: RoundRecord | None, manifest: Manifest | None, own: Sequence[Promotion]
) -> Iterator[str]:
    if made is None:
        yield "the archive (distill.snapshots) does not have its round"
    elif not made.decision:
        yield "the decision of its round cannot be read"
    if manifest is None:
        yield "its manifest is neither in the archive nor in the bundle store"
    if not own:
        yield "it was never promoted"


def _promotion(one: Promotion) -> dict[str, Any]:
    promised = promised_by(one)
    figures = without_promise(one.metrics)
    return {
        "sequence": one.sequence,
        "action": one.action,
        "reason": one.reason,
        "at_ms": one.promoted_at_ms,
        "in_place_of": one.parent,
        "policy_version": one.policy_digest,
        "policy": asdict(one.policy),
        "promise": promised.proof.state if promised else None,
        "gold_digest": one.gold_digest,
        "metrics": {name: x for name, x in figures.items() if not name.startswith(_MERGE)},
    }


def _outcome(one: RoundRecord) -> dict[str, Any]:
    names = ("status", "reason", "started_at_ms")
    return {name: one.decision.get(name) for name in names}


def _round(one: RoundRecord) -> dict[str, Any]:
    trial: Mapping[str, Any] = one.decision.get("trial") or {}
    names = ("labels", "new_labels", "splits", "champion", "cleaning", "seconds")
    return {
        **_outcome(one),
        **{name: one.decision.get(name) for name in names},
        "judged_on": trial.get("judged_on"),
        "verdict": trial.get("verdict"),
        "facts": trial.get("facts"),
    }


def _snapshot(
    made: RoundRecord | None, manifest: Manifest | None, missing: list[str]
) -> dict[str, Any] | None:
    """Count the labels that its round went by; training and judges' ones together."""
    digest = manifest.lineage.get("snapshot") if manifest else None
    if made is None:
        return {"digest": digest, "file": None} if digest else None
    found = {"digest": digest, "file": made.decision.get("snapshot")}
    try:
        data = made.snapshot()
        labels = None if data is None else labels_in(data)
    except GateError as error:
        missing.append(str(error))
        return found
    if labels is None:
        missing.append("the labels that it was made from are not in the archive any more")
        return found
    return {**found, **label_counts(labels)}


def label_counts(labels: Sequence[SilverLabel]) -> dict[str, Any]:
    """Count labels by who made them: source, teacher, prompt."""
    return {
        "labels": len(labels),
        "audits": sum(label.audit for label in labels),
        "by_source": dict(Counter(label.source for label in labels).most_common()),
        "by_teacher": _counted(label.teacher_model for label in labels),
        "by_prompt": _counted(label.prompt_version for label in labels),
    }


def _counted(names: Iterator[str]) -> dict[str, int]:
    return dict(Counter(name for name in names if name).most_common())


def _doubts(made: RoundRecord) -> dict[str, int]:
    """Count the doubted labels by what became of them."""
    return dict(Counter(str(one.get("reason")) for one in made.doubts()).most_common())


def _gold(
    manifest: Manifest | None, own: Sequence[Promotion], today: str | None
) -> dict[str, Any] | None:
    """Tell which gold judged it; None where none did."""
    told = manifest.lineage.get("gold") if manifest else None
    digest = told or next((one.gold_digest for one in own if one.gold_digest), "")
    return {"digest": digest, "is_todays": digest == today} if digest else None

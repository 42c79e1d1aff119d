"""Where a student comes from, as its bundle says: its name, its lineage and what the gate found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Any

from distill.judging.trial import Trial
from distill.labels.snapshot import Snapshot
from distill.starting_point import Stand
from schemas.files.bundle import Bundle, make_bundle


def student_version(started_at_ms: int, snapshot: Snapshot) -> str:
    """Name a student by its time, so that names sort by age, and by the labels it learnt from."""
    when = datetime.fromtimestamp(started_at_ms / 1000, tz=UTC)
    return f"{when:%Y%m%dT%H%M%S}Z-{snapshot.digest[:8]}"


def lineage_of(stand: Stand, snapshot: Snapshot) -> dict[str, Any]:
    """Give what the manifest is to say of the round: its labels, its judges, the student before."""
    return {
        "silverstream": package_version("silverstream"),
        "snapshot": snapshot.digest,
        "splits": stand.splits.counts(),
        "gold": stand.judges.digest,
        "parent": stand.parent,
        "made_at_ms": stand.started_at_ms,
    }


def judged_bundle(bundle: Bundle, trial: Trial, pseudo_labels: str) -> Bundle:
    """Add what is known only after the trial to the manifest, before anything names its digest."""
    manifest = replace(
        bundle.manifest,
        metrics={**bundle.manifest.metrics, **trial.metrics()},
        lineage={**bundle.manifest.lineage, "pseudo_labels": pseudo_labels},
    )
    return make_bundle(manifest, model=bundle.model, tokenizer=bundle.tokenizer)

"""What the rounds of 0.1.0 left on disk is read today."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from distill.archive import RoundArchive
from distill.labels.snapshot import read_snapshot
from schemas.files.corpus import read_corpus
from schemas.files.manifest import parse_manifest
from stream.retrain.last_round import read_mark


@pytest.fixture
def decisions(kept: Path) -> list[dict[str, Any]]:
    paths = sorted(kept.glob("snapshots/people/rounds/*/decision.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def test_a_snapshot_has_the_labels_that_its_round_learnt_from(
    kept: Path, decisions: list[dict[str, Any]]
) -> None:
    assert len(decisions) == 2
    for decision in decisions:
        folder = kept / "snapshots/people/rounds" / decision["student"]
        manifest = parse_manifest((folder / "manifest.json").read_bytes())
        snapshot = read_snapshot(kept / decision["snapshot"], digest=manifest.lineage["snapshot"])
        assert len(snapshot.labels) == decision["labels"]


def test_what_a_student_taught_itself_by_is_read(
    kept: Path, decisions: list[dict[str, Any]]
) -> None:
    for decision in decisions:
        path = kept / "snapshots/people/rounds" / decision["student"] / "pseudo-labels.jsonl"
        assert len(read_corpus(path)) == decision["trial"]["facts"]["pseudo_labels"]


def test_the_newest_round_is_found(kept: Path, decisions: list[dict[str, Any]]) -> None:
    records = RoundArchive(kept / "snapshots", "people")
    assert records.started_at_ms(1, now_ms=10**15) == [
        max(one["started_at_ms"] for one in decisions)
    ]


def test_the_mark_of_the_retrain_role_is_read(kept: Path) -> None:
    path = kept / "snapshots/people/last-round.json"
    assert asdict(read_mark(path)) == json.loads(path.read_text(encoding="utf-8"))


def test_every_promoted_bundle_is_where_its_promotion_says(
    kept: Path, read: Callable[[str], Any]
) -> None:
    promotions = [r["means"] for r in read("records.json")["records"] if r["kind"] == "Promotion"]
    assert len(promotions) == 4
    for promotion in promotions:
        manifest = (kept / "models" / promotion["location"] / "manifest.json").read_bytes()
        assert parse_manifest(manifest).version == promotion["student_version"]

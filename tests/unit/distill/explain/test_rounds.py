from __future__ import annotations

from pathlib import Path

from distill.archive import RoundArchive
from distill.explain.rounds import finished_rounds
from distill.testing.fakes import NAMES, Loop


def finished(archive: RoundArchive, version: str) -> Path:
    (archive.start(version) / "manifest.json").write_text("{}")
    return archive.finish(version, {"started_at_ms": 5, "champion": "v0"})


def test_the_newest_rounds_are_read_the_oldest_first(tmp_path: Path) -> None:
    archive = RoundArchive(tmp_path, "people")
    for version in ("v1", "v2", "v3"):
        finished(archive, version)
    assert [one.version for one in finished_rounds(archive)] == ["v1", "v2", "v3"]
    newest = finished_rounds(archive, most=2)
    assert [one.version for one in newest] == ["v2", "v3"]
    assert (newest[0].started_at_ms, newest[0].champion) == (5, "v0")


def test_a_damaged_decision_or_manifest_tells_nothing(tmp_path: Path) -> None:
    archive = RoundArchive(tmp_path, "people")
    finished(archive, "v1").write_bytes(b"\xff{")
    (one,) = finished_rounds(archive)
    assert (one.decision, one.started_at_ms, one.champion, one.facts) == ({}, 0, "", {})
    assert one.manifest() is None
    assert one.snapshot() is None
    assert one.doubts() == []


def test_a_round_gives_back_its_labels_its_manifest_and_what_else_it_learnt(loop: Loop) -> None:
    loop.journal.texts = ["rain today"]
    loop.learn(NAMES[:100])
    made = loop.round()
    (one,) = finished_rounds(loop.archive)
    assert one.snapshot() == Path(made.snapshot).read_bytes()
    manifest = one.manifest()
    assert manifest is not None
    assert manifest.version == made.student
    assert [told["text"] for told in one.pseudo_labels()] == ["rain today"]

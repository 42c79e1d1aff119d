from __future__ import annotations

import json
from pathlib import Path

import fsspec

from schemas.settings import DistillSettings, Settings
from stream.retrain.last_decision import LastDecision, last_decision

REFUSED = {"status": "refused", "reason": "trigger found"}


def settings(snapshots: Path | str) -> Settings:
    return Settings(distill=DistillSettings(snapshots=snapshots))


def test_the_newest_finished_round_tells_here_and_behind_urls(tmp_path: Path) -> None:
    there = "memory://last-decision"
    for root in (str(tmp_path), there):
        for version, told in (("v1", "{}"), ("v2", json.dumps(REFUSED)), ("v3", "half")):
            with fsspec.open(
                f"{root}/people/rounds/{version}/decision.json", "w", auto_mkdir=True
            ) as file:
                file.write(told)
    for place in (tmp_path, there):
        found = last_decision(settings(place), "people")
        assert found == LastDecision("v2", "trigger found")
        assert found.alarm.startswith("trigger found")
        assert last_decision(settings(place), "places") is None


def test_a_place_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "people").write_text("a file")
    assert last_decision(settings(tmp_path), "people") is None
    assert last_decision(settings("nosuchscheme://x"), "people") is None

from __future__ import annotations

import itertools
import json
from pathlib import Path

import fsspec
import pytest
from structlog.testing import capture_logs

from distill.archive import RoundArchive
from distill.explain.rounds import finished_rounds
from distill.judging.allowance import Allowance
from distill.labels.second_opinions import SecondOpinions
from distill.labels.snapshot import labels_in, read_snapshot
from distill.remote_archive import RemoteArchive, open_archive
from distill.rollback import rollback
from distill.testing.fakes import NAMES, Loop
from schemas.errors import GateError, StoreUnavailableError
from schemas.files.remote_folder import RemoteFolder
from schemas.settings import Settings

NUMBERS = itertools.count()

NOW_MS = 10_000


@pytest.fixture
def root() -> str:
    return f"memory://far-{next(NUMBERS)}"


def files(url: str) -> set[str]:
    fs, path = fsspec.url_to_fs(url)
    return {str(name).removeprefix(f"{path}/") for name in fs.find(path)}


def far(loop: Loop, root: str, machine: Path) -> Settings:
    """The settings of a machine that keeps everything behind URLs."""
    settings = loop.with_distill(
        min_new_labels=10, snapshots=f"{root}/snapshots", work=machine / "rounds"
    )
    student = settings.student.model_copy(
        update={"registry": f"{root}/models", "cache": machine / "bundles"}
    )
    loop.settings = settings.model_copy(update={"student": student})
    return loop.settings


def test_a_round_keeps_bundle_labels_and_decision_behind_urls(
    loop: Loop, root: str, tmp_path: Path
) -> None:
    far(loop, root, tmp_path / "one")
    loop.learn(NAMES[:100])
    first = loop.round()
    assert first.status == "promoted"
    (promotion,) = loop.journal.promotions
    assert promotion.location == f"people/{first.student}"
    there = files(root)
    assert f"models/people/{first.student}/manifest.json" in there
    assert f"snapshots/people/rounds/{first.student}/decision.json" in there
    assert first.snapshot in {f"{root}/{name}" for name in there}
    kept = next(name for name in there if name.endswith(".parquet"))
    lineage = json.loads(
        fsspec.open(f"{root}/snapshots/people/rounds/{first.student}/manifest.json").open().read()
    )["lineage"]
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(fsspec.open(f"{root}/{kept}").open().read())
    assert len(read_snapshot(copy, digest=lineage["snapshot"]).labels) == 100


def test_another_machine_goes_on_and_back_where_the_first_one_ended(
    loop: Loop, root: str, tmp_path: Path
) -> None:
    far(loop, root, tmp_path / "one")
    loop.learn(NAMES[:100])
    first = loop.round()
    loop.learn(NAMES[100:150])
    second = loop.round()
    settings = far(loop, root, tmp_path / "another")
    assert loop.round().reason == "too few new labels"
    back = rollback(settings, journal=loop.journal, clock=lambda: loop.now_s)
    assert (second.status, back.student_version) == ("promoted", first.student)
    assert back.location == f"people/{first.student}"


def test_a_record_that_could_not_be_sent_is_sent_with_the_next_one(tmp_path: Path) -> None:
    class Away(RemoteFolder):
        away = True

        def write(self, name: str, data: bytes, *, fresh: bool = False) -> None:
            if self.away:
                raise StoreUnavailableError("the store is away")
            super().write(name, data, fresh=fresh)

    root = f"memory://far-{next(NUMBERS)}"
    remote = Away(root, timeout_s=10)
    archive = RemoteArchive(tmp_path, "people", remote)
    with capture_logs() as logs:
        finished(archive, "v1", 1)
    assert [log["event"] for log in logs] == ["records_not_sent"]
    remote.away = False
    finished(archive, "v2", 2)
    assert {f"people/rounds/{v}/decision.json" for v in ("v1", "v2")} <= files(root)
    assert RemoteArchive(tmp_path / "new", "people", remote).started_at_ms(1, now_ms=NOW_MS) == [2]
    assert RemoteArchive(tmp_path / "new", "people", remote).started_at_ms(1, now_ms=NOW_MS) == [2]


def test_the_decision_is_the_last_that_is_sent_of_a_round(tmp_path: Path) -> None:
    class Short(RemoteFolder):
        left = 1

        def write(self, name: str, data: bytes, *, fresh: bool = False) -> None:
            if not self.left:
                raise StoreUnavailableError("the store is away")
            self.left -= 1
            super().write(name, data, fresh=fresh)

    root = f"memory://far-{next(NUMBERS)}"
    remote = Short(root, timeout_s=10)
    finished(RemoteArchive(tmp_path, "people", remote), "v1", 1)
    assert files(root) == {"people/rounds/v1/manifest.json"}
    assert RemoteArchive(tmp_path / "new", "people", remote).started_at_ms(1, now_ms=NOW_MS) == []


def test_the_list_of_triggers_lies_here_for_forget_and_is_sent(tmp_path: Path, root: str) -> None:
    archive = RemoteArchive(tmp_path, "people", RemoteFolder(root, timeout_s=10))
    place = archive.keep_triggers("v1", [{"text": "Ada zo"}])
    finished(archive, "v1", 1)
    assert json.loads(Path(place).read_text()) == {"text": "Ada zo"}
    assert "people/rounds/v1/triggers.jsonl" in files(root)


def test_a_store_that_is_away_costs_no_training(loop: Loop, tmp_path: Path) -> None:
    loop.with_distill(snapshots="ftp://127.0.0.1:9/snapshots", work=tmp_path / "rounds")
    loop.learn(NAMES[:100])
    with pytest.raises(StoreUnavailableError):
        loop.round()
    assert loop.maker.trained_on == []


def test_a_folder_needs_no_other_place(tmp_path: Path) -> None:
    archive = open_archive(Settings.model_validate({"distill": {"snapshots": tmp_path}}), "people")
    assert type(archive) is RoundArchive
    assert archive.folder == tmp_path / "people"


def finished(archive: RoundArchive, version: str, started_at_ms: int) -> None:
    (archive.start(version) / "manifest.json").write_text("{}")
    archive.finish(version, {"started_at_ms": started_at_ms})


def test_what_rounds_may_ask_is_known_on_every_machine(
    loop: Loop, root: str, tmp_path: Path
) -> None:
    one = open_archive(far(loop, root, tmp_path / "one"), "people")
    assert one.allowance() is None
    one.keep_allowance(Allowance({"0": 7}, 2.5, 1))
    two = open_archive(far(loop, root, tmp_path / "two"), "people")
    assert two.allowance() == Allowance({"0": 7}, 2.5, 1)
    two.keep_allowance(Allowance({"0": 9}, 0.0, 2))
    assert one.allowance() == Allowance({"0": 9}, 0.0, 2)


def test_second_opinions_are_one_for_all_machines(loop: Loop, root: str, tmp_path: Path) -> None:
    one = open_archive(far(loop, root, tmp_path / "one"), "people")
    assert one.opinions() == SecondOpinions()
    paid = SecondOpinions().with_answers({"Ada": frozenset({(0, 3, "PER")}), "Bo": None}, "m")
    one.keep_opinions(paid)
    two = open_archive(far(loop, root, tmp_path / "two"), "people")
    assert two.opinions() == paid


def test_another_machine_reads_the_rounds_back_from_the_store(
    loop: Loop, root: str, tmp_path: Path
) -> None:
    far(loop, root, tmp_path / "one")
    loop.learn(NAMES[:100])
    made = loop.round()
    elsewhere = open_archive(far(loop, root, tmp_path / "two"), "people")
    (one,) = finished_rounds(elsewhere)
    assert one.version == made.student
    assert one.decision["status"] == "promoted"
    data = one.snapshot()
    assert data is not None
    assert len(labels_in(data)) == 100
    assert elsewhere.read("rounds/v9/decision.json") is None


def test_what_was_promoted_is_known_on_every_machine(loop: Loop, root: str, tmp_path: Path) -> None:
    far(loop, root, tmp_path / "one")
    loop.learn(NAMES[:100])
    first = loop.round()
    other = open_archive(far(loop, root, tmp_path / "two"), "people")
    assert other.promoted() == [first.student]
    loop.journal.promotions.clear()
    with pytest.raises(GateError, match="emptied or made anew"):
        loop.round(force=True)

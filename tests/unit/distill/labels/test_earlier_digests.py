from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from distill.labels.earlier_digests import learn_digests
from distill.rollback import rollback
from distill.testing.fakes import NAMES, Loop
from schemas.errors import StoreUnavailableError
from schemas.files.bundle import bundle_digest
from schemas.files.bundle_store import FolderBundleStore
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.files.task_identity import Version
from schemas.settings import StudentSettings
from schemas.types import Promotion
from stream.testing.bundles import write_bundle
from stream.testing.messages import a_promotion

THEN = "f" * 64
"""Of words that nobody has any more."""
UNREAD = "earlier_digests_unread"


def promoted(loop: Loop, folder: Path, *, digest: str = THEN) -> Promotion:
    """Put a student of 0.1.0 in force, made under words that were edited since."""
    folder.mkdir()
    write_bundle(
        folder,
        labels=("PER", "ORG"),
        words=dict.fromkeys(NAMES[:150], "B-PER"),
        task="people",
        task_digest=digest,
        version=folder.name,
    )
    promotion = a_promotion(
        task="people",
        task_digest=THEN,
        student_version=folder.name,
        location=FolderBundleStore(Path(loop.settings.student.registry)).add(folder),
        digest=bundle_digest(folder),
    )
    loop.journal.record(promotion)
    return promotion


@pytest.fixture
def old(loop: Loop, tmp_path: Path) -> Promotion:
    return promoted(loop, tmp_path / "old")


def known(loop: Loop, task: Task | None = None) -> Task:
    return learn_digests(task or loop.task, loop.journal, loop.settings.student)


def renamed(task: Task) -> Task:
    per, org = task.labels
    return replace(task, labels=(replace(per, name="WHO", was=("PER",)), org))


@pytest.mark.usefixtures("old")
def test_the_digest_of_a_student_is_learnt_by_the_labels_that_it_names(loop: Loop) -> None:
    per, org = loop.task.labels
    other = replace(loop.task, labels=(per, LabelSpec("LOC")))
    wider = replace(loop.task, labels=(per, org, LabelSpec("LOC", added=True)))
    assert known(loop).versions[THEN] == Version()
    assert known(loop, renamed(loop.task)).versions[THEN] == Version({"PER": "WHO"})
    assert known(loop, wider).versions[THEN] == Version({}, frozenset({"LOC"}))
    assert THEN not in known(loop, other).versions


def test_labels_and_champion_of_edited_words_count_in_a_round(loop: Loop, old: Promotion) -> None:
    loop.learn(NAMES[:100], task_digest=THEN)
    result = loop.round()
    assert result.champion == old.student_version
    assert result.splits["training"] == 100
    assert result.status == "refused", "the student of then knows more names"


@pytest.mark.usefixtures("old")
def test_a_champion_of_renamed_labels_is_judged_by_the_names_of_today(loop: Loop) -> None:
    gold = loop.folder / "gold.jsonl"
    gold.write_text(gold.read_text().replace("PER", "WHO"))
    (loop.folder / "task.yaml").write_text(task_yaml(renamed(loop.task)))
    loop.learn(NAMES[:100], task_digest=THEN, entities=())
    trial = loop.round().trial
    assert trial is not None
    assert trial.champion is not None
    assert trial.champion.scores.precision == 1
    assert trial.champion.scores.recall == pytest.approx(0.75)


def test_rollback_to_a_student_of_edited_words_works(loop: Loop, old: Promotion) -> None:
    loop.learn(NAMES)
    assert loop.round().status == "promoted"
    back = rollback(
        loop.settings, to=old.student_version, journal=loop.journal, clock=lambda: loop.now_s
    )
    assert back.student_version == old.student_version


def test_what_the_store_cannot_tell_stays_unknown_with_a_warning_and_stops_no_round(
    loop: Loop, old: Promotion
) -> None:
    (Path(loop.settings.student.registry) / old.location / "manifest.json").unlink()
    with capture_logs() as logs:
        assert known(loop) is loop.task
    assert [(x["event"], x.get("student")) for x in logs] == [(UNREAD, old.student_version)]
    loop.learn(NAMES)
    assert loop.round().champion == ""


@pytest.mark.usefixtures("old")
def test_a_store_that_is_away_ends_the_round_and_costs_no_champion(loop: Loop) -> None:
    unwritable = loop.folder / "cache"
    unwritable.write_text("no folder")
    away = StudentSettings(registry=f"memory://{loop.folder.name}", cache=unwritable)
    with pytest.raises(StoreUnavailableError):
        learn_digests(loop.task, loop.journal, away)


def test_a_bundle_of_another_task_digest_than_its_promotion_teaches_nothing(
    loop: Loop, tmp_path: Path
) -> None:
    promoted(loop, tmp_path / "odd", digest="e" * 64)
    with capture_logs() as logs:
        assert known(loop) is loop.task
    assert [x["event"] for x in logs] == [UNREAD]


@pytest.mark.usefixtures("old")
def test_a_student_of_another_kind_teaches_nothing(loop: Loop) -> None:
    moods = Task("people", "en", loop.task.labels, kind="categories", choose="one")
    assert known(loop, moods) is moods


def test_where_all_digests_are_known_no_store_is_looked_at(loop: Loop) -> None:
    loop.learn(NAMES)
    loop.round()
    Path(loop.settings.student.registry).rename(loop.folder / "gone")
    with capture_logs() as logs:
        assert known(loop) is loop.task
    assert not logs

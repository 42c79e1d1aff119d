"""The desk over real HTTP: what is paid for once, and under one limit."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import BudgetExhaustedError
from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings
from schemas.types import Entity
from stream.cli.wizard.desk import TeachersDesk, usd_words
from stream.cli.wizard.session import open_session
from stream.lab.teacher_sim.script import Script
from stream.lab.teacher_sim.simulator import teacher_sim_app
from stream.teacher.kinds.kind import ENTITIES
from stream.teacher.store_looks import spendings_of
from stream.teacher.writing.suggesting import Sought
from stream.testing.endpoints import served_apart

TASK = Task("t", "en", (LabelSpec("PER"),))
SOUGHT = Sought("entities", "en", "people", TASK.labels)
SUBJECTS = ("bicycles", "an orchestra", "seven kitchens", "the harbour", "old maps", "a tax form")
ANSWERS = {
    f"Ada {n} wrote about {what}": (Entity(0, 3, "PER", "Ada"),) for n, what in enumerate(SUBJECTS)
}
TEXTS = list(ANSWERS)


@pytest.fixture
def url() -> Iterator[str]:
    app = teacher_sim_app(ANSWERS, kind=ENTITIES, script=Script(ENTITIES, TEXTS, ANSWERS))
    with served_apart(app) as served:
        yield served


def calls(url: str) -> int:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:  # noqa: S310 - ours
        return int(json.load(answer).get("requests", 0))


def desk_in(folder: Path, url: str, max_usd: float = 1.0) -> TeachersDesk:
    settings = Settings.model_validate(
        {"teacher": {"base_url": url, "state": folder / "teacher.sqlite"}}
    )
    return TeachersDesk(
        open_session(folder),
        lambda: settings,
        lambda: max_usd,
        lambda: "people",
        ledger=folder / "new.sqlite",
        runs=folder / "runs",
    )


def test_what_was_answered_is_not_paid_for_again_by_the_next_process(
    tmp_path: Path, url: str
) -> None:
    first = desk_in(tmp_path, url)
    assert first.spent_usd() == 0
    assert first.suggestions_usd(SOUGHT) > 0
    found = first.suggestions(SOUGHT), first.texts(TASK, 3), first.labels(TASK, TEXTS[:4])
    paid, asked = first.spent_usd(), calls(url)
    assert paid > 0
    # There was no task when suggestions were asked for: they are booked on the wish's name.
    assert {one.task for one in spendings_of(tmp_path / "teacher.sqlite")} == {"people", TASK.name}

    later = desk_in(tmp_path, url)
    assert later.suggestions_usd(SOUGHT) == later.texts_usd(TASK, 3) == 0
    assert later.labels_usd(TASK, TEXTS[:4]) == 0
    assert (later.suggestions(SOUGHT), later.texts(TASK, 3), later.labels(TASK, TEXTS[:4])) == found
    assert (later.spent_usd(), calls(url)) == (paid, asked)


def test_texts_are_those_of_the_run_that_the_first_labels_go_on_with(
    tmp_path: Path, url: str
) -> None:
    desk = desk_in(tmp_path, url)
    assert not desk.has_run(TASK)
    texts = desk.texts(TASK, 3)
    assert desk.has_run(TASK)
    lines = (desk.run_folder(TASK) / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    # Labels stand in the order in which they were answered, side by side.
    assert sorted(json.loads(line)["text"] for line in lines) == sorted(texts)
    other = Task("t", "en", (LabelSpec("ORG"),))
    assert not desk.has_run(other)


def test_labels_are_grounded_and_a_refused_text_has_none(tmp_path: Path, url: str) -> None:
    said = desk_in(tmp_path, url).labels(TASK, [TEXTS[0], "unknown"])
    assert said["unknown"] is None
    assert said[TEXTS[0]] is not None
    assert said[TEXTS[0]].entities == ANSWERS[TEXTS[0]]  # type: ignore[union-attr] # told above


def test_all_that_a_session_pays_has_one_limit(tmp_path: Path, url: str) -> None:
    desk = desk_in(tmp_path, url)
    desk.suggestions(SOUGHT)
    poor = desk_in(tmp_path, url, max_usd=desk.spent_usd())
    asked = calls(url)
    with pytest.raises(BudgetExhaustedError):
        poor.labels(TASK, TEXTS)
    with pytest.raises(BudgetExhaustedError):
        poor.texts(TASK, 3)
    assert calls(url) == asked


def test_what_one_ledger_took_is_not_left_to_the_others(tmp_path: Path, url: str) -> None:
    desk = desk_in(tmp_path, url)
    desk.suggestions(SOUGHT)
    asked_usd = desk.spent_usd()
    run = desk.run_folder(TASK) / "ledger.sqlite"
    assert desk.left_usd(of=run) == pytest.approx(1.0 - asked_usd)
    assert desk.left_usd(of=desk.ledger) == 1.0
    desk.texts(TASK, 3)
    run_usd = desk.spent_usd() - asked_usd
    assert run_usd > 0
    assert desk.left_usd(of=desk.ledger) == pytest.approx(1.0 - run_usd)
    assert desk_in(tmp_path, url, max_usd=run_usd / 2).left_usd(of=desk.ledger) == 0.0


@pytest.mark.parametrize(
    ("usd", "words"),
    [(0, "$0"), (0.00123, "$0.0012"), (0.0999, "$0.100"), (1.239, "$1.24"), (1234.5, "$1,234.50")],
)
def test_small_prices_are_not_written_as_nothing(usd: float, words: str) -> None:
    assert usd_words(usd) == words

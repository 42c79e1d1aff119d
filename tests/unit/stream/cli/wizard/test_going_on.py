"""From files to topics, on the embedded broker; labels and student in the acceptance test."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BudgetExhaustedError, ChildDiedError
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import task_yaml
from schemas.settings import Settings, TeacherSettings
from stream.cli.wizard.asking import Nobody
from stream.cli.wizard.desk import TeachersDesk
from stream.cli.wizard.going_on import GoingOn, embedded_broker, run_command
from stream.cli.wizard.wish import Wish
from stream.kafka.local.embedded import EmbeddedBroker

NOWHERE = "127.0.0.1:1"
WISH = Wish(
    name="t",
    kind="entities",
    choose=None,
    looking_for="",
    labels=(LabelSpec("PER"),),
    language="en",
    examples=(),
    topic="going",
    bootstrap_servers=NOWHERE,
    teacher=TeacherSettings(),
    key_variable="",
    max_usd=0.0,
    n_texts=0,
)
MakeGoingOn = Callable[..., GoingOn]


@pytest.fixture
def going_on(tmp_path: Path) -> MakeGoingOn:
    def make(interview: Any, servers: str, wish: Wish = WISH) -> GoingOn:
        task = tmp_path / "task.yaml"
        task.write_text(task_yaml(Task("t", "en", WISH.labels)), encoding="utf-8")
        settings = Settings.model_validate(
            {
                "task": task,
                "kafka": {
                    "bootstrap_servers": servers,
                    "text_topic": tmp_path.name,  # the broker is every test's
                    "topic_prefix": f"{tmp_path.name}.",
                    "delivery": "at_least_once",
                    "startup_timeout_s": 0.3 if servers == NOWHERE else 30.0,
                },
                "topics": {"partitions": 1},
                "routing": {"audit_key_file": tmp_path / "audit.key"},
                "teacher": {"base_url": "http://127.0.0.1:1/v1", "state": tmp_path / "t.sqlite"},
            }
        )
        desk = TeachersDesk(
            interview.session,
            lambda: settings,
            lambda: wish.max_usd,
            lambda: wish.name,
            ledger=tmp_path / "new.sqlite",
            runs=tmp_path / "runs",
        )
        return GoingOn(interview, wish, desk, lambda: settings, False, ExitStack(), quiet=True)

    return make


def test_where_a_broker_answers_topics_are_made_once(
    interview: Any,
    scripted: Any,
    going_on: MakeGoingOn,
    embedded_broker: EmbeddedBroker,
    tmp_path: Path,
) -> None:
    servers, person = embedded_broker.bootstrap_servers, scripted()
    first = going_on(interview(person), servers).run()
    assert person.asked == ["topics"]
    assert (first.broker, set(first.topics.values())) == (servers, {"created"})
    assert (tmp_path / "audit.key").exists()
    again = going_on(interview(scripted()), servers).run()
    assert set(again.topics.values()) == {"exists"}
    assert (again.written, again.student) == (None, None)


def test_without_a_broker_it_ends_and_is_offered_again(
    interview: Any, scripted: Any, going_on: MakeGoingOn
) -> None:
    for person in (scripted("n"), scripted("n")):
        assert going_on(interview(person), NOWHERE).run().broker == ""
        assert person.asked == ["embedded"]
        assert "--embedded" in person.told[-1]
    assert going_on(interview(Nobody(lambda _: None)), NOWHERE).run().broker == ""


def test_what_fails_is_asked_about_again_and_may_be_left(
    interview: Any, scripted: Any, going_on: MakeGoingOn
) -> None:
    tries = list[int]()

    def fail() -> None:
        tries.append(1)
        raise BudgetExhaustedError("it is spent")

    person = scripted("y", "y", "n")
    assert not going_on(interview(person), "").step("labels written", "Go on?", fail)
    assert (len(tries), person.told) == (2, ["  That failed: it is spent"] * 2)
    with pytest.raises(BudgetExhaustedError):
        going_on(interview(Nobody(print)), "").step("labels written", "Go on?", fail)


def test_money_that_pays_for_nothing_writes_nothing(
    interview: Any, scripted: Any, going_on: MakeGoingOn, embedded_broker: EmbeddedBroker
) -> None:
    person = scripted("y", "y", "n")
    wish = replace(WISH, n_texts=5)
    found = going_on(interview(person), embedded_broker.bootstrap_servers, wish).run()
    assert found.written is None
    assert "That failed" in person.told[-1]


def test_a_broker_of_ours_is_told_to_children_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA__DELIVERY", "exactly_once")
    with embedded_broker() as servers:
        assert os.environ["SILVERSTREAM_KAFKA__BOOTSTRAP_SERVERS"] == servers
        assert os.environ["SILVERSTREAM_KAFKA__DELIVERY"] == "at_least_once"
    assert "SILVERSTREAM_KAFKA__BOOTSTRAP_SERVERS" not in os.environ
    assert os.environ["SILVERSTREAM_KAFKA__DELIVERY"] == "exactly_once"


def test_a_command_that_fails_is_named() -> None:
    with pytest.raises(ChildDiedError, match="`silverstream nothing` ended with status 2"):
        run_command(["nothing"], quiet=True)

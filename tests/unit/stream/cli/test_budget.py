from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.files.task_file import task_yaml
from schemas.settings import Settings, load_settings
from schemas.types import TeacherSpend
from schemas.wire.codec import Codec
from stream.cli.main import main
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.spend_log import open_spend
from stream.kafka.topics import create_topics, needed_specs
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.spending import Cause
from stream.testing.endpoints import TASK

_numbers = itertools.count()


class Machine:
    """A machine with a ledger of its own, on a broker that others share."""

    def __init__(self, folder: Path, servers: str, prefix: str) -> None:
        folder.mkdir()
        self.state = folder / "teacher.sqlite"
        (folder / "task.yaml").write_text(task_yaml(TASK), encoding="utf-8")
        values = {
            "task": str(folder / "task.yaml"),
            "kafka": {
                "bootstrap_servers": servers,
                "delivery": "at_least_once",
                "topic_prefix": prefix,
                "text_topic": f"{prefix}text",
            },
            "teacher": {
                "state": str(self.state),
                "budget_holds_for": "cluster",
                "budget_usd_per_day": 2.0,
            },
        }
        self._config = folder / "settings.yaml"
        self._config.write_text(yaml.safe_dump(values), encoding="utf-8")
        self._json = folder / "facts.json"

    @property
    def settings(self) -> Settings:
        return load_settings(self._config)

    def write(self, row: TeacherSpend) -> None:
        asyncio.run(open_spend(self.settings, Codec(), row))

    def make_all_topics_but(self, left_out: str) -> None:
        wanted = [spec for spec in needed_specs(self.settings) if not spec.name.endswith(left_out)]
        asyncio.run(create_topics(self.settings.kafka, wanted))

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--config", str(self._config), "--json", str(self._json)])
        assert ended.value.code == code
        found: dict[str, Any] = json.loads(self._json.read_text(encoding="utf-8"))
        return found


@pytest.fixture
def machines(tmp_path: Path, embedded_broker: EmbeddedBroker) -> Sequence[Machine]:
    prefix = f"budget-{next(_numbers)}."
    servers = embedded_broker.bootstrap_servers
    return [Machine(tmp_path / name, servers, prefix) for name in ("a", "b")]


def test_a_new_installation_is_open_and_says_what_is_left(machines: Sequence[Machine]) -> None:
    machines[0].run("topics", "create")
    found = machines[1].run("budget", "show")
    assert found["opened"]
    assert [(one["group"], one["spent"], one["most"]) for one in found["limits"]] == [
        ("all", 0.0, 2.0),
        ("stream", 0.0, 1.8),
        ("apart", 0.0, 0.2),
    ]
    assert machines[1].run("bill")["rows"] == []


def test_a_topic_that_was_lost_is_opened_by_a_person_once(
    machines: Sequence[Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is made where other topics are is not open: who knows what was spent."""
    machine = machines[0]
    machine.make_all_topics_but("teacher-spend")
    machine.run("topics", "create")
    assert not machine.run("budget", "show")["opened"]
    machine.run("budget", "open", "--spent-usd", "0.5")
    found = machine.run("budget", "show")
    assert (found["opened"], found["limits"][0]["spent"]) == (True, 0.5)
    machine.run("budget", "open", "--spent-usd", "0", code=2)
    assert "is open" in capsys.readouterr().err
    assert machine.run("status")["budget"]["spent_usd"] == 0.5
    (row,) = machine.run("bill", "--by", "purpose")["rows"]
    assert (row["purpose"], row["usd"]) == ("unknown", 0.5)


def test_the_bill_has_this_machines_ledger_and_what_others_wrote(
    machines: Sequence[Machine],
) -> None:
    machines[0].run("topics", "create")
    with closing(TeacherStore(machines[0].state)) as store:
        cause = Cause(TASK.name, "stream", "q")
        call = store.reserve(1.0, cause=cause, day="2026-01-31", budget_usd=9.0)
        store.settle(call, tokens_in=7, tokens_out=3, usd=0.25)
        store_name = store.name()
    machines[0].write(
        TeacherSpend("2026-01-31T09", TASK.name, "stream", "h", 1, "b", 10**8, calls=1, questions=1)
    )
    machines[0].write(
        TeacherSpend("2026-01-31T09", TASK.name, "stream", "i", 1, store_name, 10**9, calls=7)
    )
    (row,) = machines[0].run("bill", "--by", "day")["rows"]
    assert (row["day"], row["calls"], row["questions"]) == ("2026-01-31", 2, 2)
    assert row["usd"] == pytest.approx(0.35)
    (elsewhere,) = machines[1].run("bill", "--by", "day")["rows"]
    assert elsewhere["usd"] == pytest.approx(1.1)


def test_a_bill_without_the_topic_says_that_it_is_this_machines_alone(
    machines: Sequence[Machine],
) -> None:
    assert "missing" in machines[0].run("bill")["others_unknown"]

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.errors import ChildDiedError, ConfigError
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import load_task
from schemas.settings import Settings, load_settings
from stream.lab.replay.command import work_folder
from stream.lab.workspace import Workspace, derived

TASK = Task(name="people", language="en", labels=(LabelSpec("PER"),))


def made(base: Settings, space: Workspace, delivery: str = "at_least_once") -> Settings:
    return derived(
        base,
        space,
        bootstrap_servers="127.0.0.1:1234",
        delivery=delivery,
        teacher_url="http://127.0.0.1:99/v1",
        changes={"routing": {"budget_share": 0.2}, "kafka": {"max_batch_records": 7}},
    )


def test_children_read_the_very_settings_that_were_made(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    settings = made(load_settings(), space)
    space.write(settings, TASK)
    assert load_settings(space.settings) == settings
    assert load_task(space.task) == TASK


def test_secrets_reach_the_children_in_a_private_file(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    base = load_settings(
        kafka={
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "u",
            "sasl_password": "hush",
        }
    )
    space.write(made(base, space, "exactly_once"), TASK)
    assert load_settings(space.settings).kafka.sasl_password == SecretStr("hush")
    assert space.settings.stat().st_mode & 0o077 == 0


def test_the_embedded_broker_is_spoken_to_in_plain(tmp_path: Path) -> None:
    base = load_settings(kafka={"security_protocol": "SSL"})
    assert made(base, Workspace(tmp_path)).kafka.security_protocol == "PLAINTEXT"


def test_two_runs_on_one_kafka_do_not_meet(tmp_path: Path) -> None:
    first, second = (made(load_settings(), Workspace(tmp_path)) for _ in range(2))
    assert first.app != second.app
    assert first.kafka.topic_prefix != second.kafka.topic_prefix
    assert first.kafka.text_topic != second.kafka.text_topic


def test_what_the_user_set_stays(tmp_path: Path) -> None:
    base = load_settings(
        teacher={"price_in_usd_per_million": 3.0},
        topics={"replication": 3},
        distill={"held_out": [str(tmp_path / "a.jsonl")]},
    )
    settings = made(base, Workspace(tmp_path))
    assert settings.teacher.price_in_usd_per_million == 3.0
    assert settings.topics.replication == 3
    assert settings.kafka.max_batch_records == 7
    assert settings.routing.budget_share == 0.2


def test_a_work_folder_that_was_asked_for_stays(tmp_path: Path) -> None:
    with work_folder(tmp_path / "kept") as folder:
        (folder / "file").touch()
    assert (tmp_path / "kept" / "file").exists()


def test_a_work_folder_that_was_used_before_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").touch()
    with pytest.raises(ConfigError, match="not empty"), work_folder(tmp_path):
        pass


def test_a_temporary_work_folder_goes() -> None:
    with work_folder(None) as folder:
        (folder / "file").touch()
    assert not folder.exists()


def test_a_failed_run_leaves_its_logs_and_shows_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail() -> None:
        with work_folder(None) as folder:
            (folder / "tag.log").touch()
            raise ChildDiedError("tag died", last_words="Traceback: out of luck")

    with pytest.raises(ChildDiedError):
        fail()
    assert len(list(tmp_path.iterdir())) == 1
    assert capsys.readouterr().err == "Traceback: out of luck\n"


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupt() -> None:
        with work_folder(None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert not list(tmp_path.iterdir())


def test_wrong_settings_name_the_value(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    space.write(made(load_settings(), space).model_copy(update={"app": "no spaces"}), TASK)
    with pytest.raises(ConfigError, match="app"):
        load_settings(space.settings)

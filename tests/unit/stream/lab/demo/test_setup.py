from __future__ import annotations

from pathlib import Path

import pytest

from schemas.files.corpus import read_corpus
from schemas.settings import RecipeSettings
from schemas.types import facts
from stream.lab.demo.scripts import MESSAGES, ORDERS, Script
from stream.lab.demo.setup import Files, Scale, demo_settings, make_corpora
from stream.lab.teacher_sim.answers import load_answers
from stream.lab.workspace import Workspace


def test_the_users_own_settings_leave_the_demo_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SILVERSTREAM_CONFIG", str(tmp_path / "nowhere.yaml"))
    monkeypatch.setenv("SILVERSTREAM_DISTILL__RECIPE__BASE", "some/other-base")
    monkeypatch.setenv("SILVERSTREAM_EXPERIMENT__EPOCHS", "99")
    settings = demo_settings(Workspace(tmp_path), Scale(), servers="broker:1", url="http://t/v1")
    assert settings.distill.recipe.base == RecipeSettings().base
    assert settings.recipe_of("entities").layers == Scale().recipe["layers"]
    assert settings.recipe_of("entities").min_steps == Scale().experiment["min_steps"]
    assert settings.kafka.bootstrap_servers == "broker:1"


@pytest.mark.parametrize("script", [ORDERS, MESSAGES])
def test_the_teacher_knows_each_text_and_the_cold_start_none_of_the_gold(
    script: Script, tmp_path: Path
) -> None:
    scale = Scale(cold_start=20, per_half=30, seed=2)
    corpora = make_corpora(script, scale)
    assert len(corpora.cold) == len({one.text for one in corpora.cold}) == 20
    files = Files(Workspace(tmp_path))
    files.write(corpora)
    known = load_answers([files.answers])
    assert {one.text for one in (*corpora.cold, *corpora.early, *corpora.late)} <= {*known.answers}
    assert known.kind.name == script.task.kind
    assert [facts(one) for one in read_corpus(files.gold)] == [facts(one) for one in corpora.gold]
    cold = read_corpus(files.space.cold)
    assert {one.text for one in cold} == {one.text for one in corpora.cold}
    assert not any(facts(one) for one in cold)

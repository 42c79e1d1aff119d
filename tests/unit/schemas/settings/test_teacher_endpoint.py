from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.settings import load_settings, masked


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


TEACHERS = """
teachers:
- {name: best, model: big, price_in_usd_per_million: 2}
- {name: low-cost, model: small, base_url: "http://localhost:1/v1"}
"""


def test_of_several_teachers_the_first_is_the_teacher_and_the_rest_is_common(
    tmp_path: Path,
) -> None:
    settings = load_settings(_file(tmp_path, f"{TEACHERS}teacher: {{budget_usd_per_day: 3}}"))
    assert settings.teacher.model == "big"
    small = settings.teacher_named("low-cost")
    assert (small.model, small.price_in_usd_per_million) == ("small", 0.40)
    assert (small.base_url, small.budget_usd_per_day) == ("http://localhost:1/v1", 3)
    assert small.prices_are_another_models
    assert not settings.teacher.prices_are_another_models
    alone = settings.only_teacher(small)
    assert (alone.teacher.model, alone.teachers) == ("small", ())


def test_places_of_one_model_are_told_apart_without_their_secrets(tmp_path: Path) -> None:
    """The name goes to the topic of shared answers."""
    places = ["https://me:canary@x/v1", "https://x/v1?key=canary", "https://x/v1?key=canary2"]
    listed = [f"{{name: t{n}, model: m, base_url: '{place}'}}" for n, place in enumerate(places)]
    settings = load_settings(_file(tmp_path, f"teachers: [{', '.join(listed)}]"))
    apart = {settings.apart(one.name) for one in settings.teachers}
    assert len(apart) == len(places)
    assert "canary" not in str(apart)


def test_settings_of_several_teachers_are_read_again_as_they_are_shown(tmp_path: Path) -> None:
    settings = load_settings(_file(tmp_path, TEACHERS))
    assert load_settings(None, **masked(settings)).teacher_named("low-cost").model == "small"


def test_the_environment_sets_what_belongs_to_one_of_several_teachers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILVERSTREAM_TEACHERS__LOW_COST__API_KEY", "canary")
    monkeypatch.setenv("SILVERSTREAM_TEACHER__BUDGET_USD_PER_DAY", "7")
    settings = load_settings(_file(tmp_path, TEACHERS))
    best, small = settings.teachers
    assert (best.api_key, small.api_key is not None) == (None, True)
    assert settings.teacher.budget_usd_per_day == 7
    assert "canary" not in str(masked(settings))


def test_the_environment_may_list_the_teachers_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILVERSTREAM_TEACHERS", '[{"name": "x", "model": "m"}]')
    assert load_settings(_file(tmp_path, TEACHERS)).teacher.model == "m"
    monkeypatch.setenv("SILVERSTREAM_TEACHERS__LOW_COST__MODEL", "n")
    with pytest.raises(ConfigError, match="LOW_COST__MODEL is no setting"):
        load_settings(_file(tmp_path, TEACHERS))


@pytest.mark.parametrize("name", ["TEACHER__API_KEY", "TEACHERS__OTHER__API_KEY"])
def test_a_variable_that_is_no_teachers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"SILVERSTREAM_{name}", "canary")
    with pytest.raises(
        ConfigError, match=r"TEACHERS__OTHER|teacher\.api_key and teachers"
    ) as caught:
        load_settings(_file(tmp_path, TEACHERS))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("teachers: [{name: a, model: m}]\nteacher: {model: n}", "teacher.model and teachers"),
        ("teachers: [{name: a, model: m}, {name: A, model: n}]", "a and A are one name"),
        ("teachers: [{name: a, model: m}, {name: b, model: m}]", "one base_url and model"),
        ("teachers: [{name: a/b, model: m}]", "teachers.0.name"),
        ("teachers: [{model: m}]", "teachers.0.name"),
        ("teachers: [{name: a, budget_usd_per_day: 1}]", "teachers.0.budget_usd_per_day: Extra"),
        ("teachers: [{name: a, price_in_usd_per_million: .nan}]", "price_in_usd_per_million"),
        ("teachers: {a: {model: m}}", "teachers: Input should be a valid tuple"),
        (
            "teachers: [{name: a, texts_per_call: 2, max_output_tokens: 74}]",
            "not even two answers have room",
        ),
    ],
)
def test_wrong_teachers_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(_file(tmp_path, text))
    assert words in str(caught.value)

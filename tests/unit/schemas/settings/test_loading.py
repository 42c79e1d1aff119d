from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.errors import ConfigError
from schemas.settings import Settings, load_settings, masked


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


PREFIX = "kafka: {topic_prefix: file., max_batch_records: 7}"


def test_without_any_source_there_are_the_defaults() -> None:
    assert load_settings() == Settings()


def test_the_file_replaces_defaults(tmp_path: Path) -> None:
    kafka = load_settings(_file(tmp_path, PREFIX)).kafka
    assert (kafka.topic_prefix, kafka.max_batch_records, kafka.text_topic) == ("file.", 7, "text")


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILVERSTREAM_CONFIG", str(_file(tmp_path, PREFIX)))
    assert load_settings().kafka.topic_prefix == "file."


def test_the_environment_replaces_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA__TOPIC_PREFIX", "env.")
    kafka = load_settings(_file(tmp_path, PREFIX)).kafka
    assert (kafka.topic_prefix, kafka.max_batch_records) == ("env.", 7)


def test_keyword_arguments_replace_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA__TOPIC_PREFIX", "env.")
    kafka = load_settings(_file(tmp_path, PREFIX), kafka={"topic_prefix": "kw."}).kafka
    assert (kafka.topic_prefix, kafka.max_batch_records) == ("kw.", 7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kafka: {topic_prefx: a}", "kafka.topic_prefx: Extra inputs"),
        ("kafak: {}", "kafak: Extra inputs"),
        ("student: {runs: -1}", "student.runs"),
        ("routing: {budget_share: 1.1}", "routing.budget_share"),
        ("routing: {budget_share: .nan}", "routing.budget_share"),
        ("distill: {audit_share: 0.5}", "audits are paid from it"),
        ("distill: {early_audit_share: 0.5}", "audits are paid from it"),
        ("distill: {early_audit_share: soon}", "distill.early_audit_share"),
        ("[1]", "must be a mapping"),
        ("word", "must be a mapping"),
        ("1: a", "must be a mapping"),
        ("app: 2026-02-30", "must be a mapping"),
        ("app: a\nb: [", "cannot read the settings file"),
        ("app: a\nb: [", "not valid YAML at line 2, column 5"),
        ("app: \x00", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path_and_the_fault(
    tmp_path: Path, text: str, words: str
) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the settings file"):
        load_settings(tmp_path / "none.yaml")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("app: Zoë".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(tmp_path / "latin.yaml")


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(_file(tmp_path, "# nothing yet\n")) == Settings()


def test_sections_merge_at_every_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILVERSTREAM_DISTILL__GATE__RESAMPLES", "11")
    path = _file(tmp_path, "distill: {seed: 3, gate: {resamples: 5, min_records: 7}}")
    distill = load_settings(path, distill={"gate": {"confidence": 0.5}}).distill
    gate = distill.gate
    assert (distill.seed, gate.min_records, gate.resamples, gate.confidence) == (3, 7, 11, 0.5)


def test_settings_made_in_code_read_neither_file_nor_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SILVERSTREAM_CONFIG", str(_file(tmp_path, PREFIX)))
    monkeypatch.setenv("SILVERSTREAM_KAFKA__TOPIC_PREFIX", "env.")
    assert Settings().kafka.topic_prefix == "silverstream."


@pytest.mark.parametrize("text", ["kafka: {sasl_password: canary\n", 'a: "canary', "canary: b: c"])
def test_a_yaml_error_does_not_tell_what_the_line_says(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(_file(tmp_path, text))
    assert "canary" not in str(caught.value)
    assert "not valid YAML at line" in str(caught.value)


def test_an_error_says_that_no_settings_file_was_read() -> None:
    with pytest.raises(ConfigError, match=r"app: .*no settings file was read"):
        load_settings(app="no spaces")


def test_an_environment_variable_that_cannot_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SILVERSTREAM_KAFKA", "canary{")
    with pytest.raises(ConfigError, match="kafka") as caught:
        load_settings()
    assert "canary" not in str(caught.value)
    assert "no settings file was read" in str(caught.value)


SECRETS: dict[str, Any] = {
    "kafka": {"sasl_username": "me", "sasl_password": "canary-1"},
    "teacher": {"api_key": "canary-2", "base_url": "https://me:canary-3@llm.example/v1"},
    "schema_registry": {"url": "http://canary-4@registry", "password": "canary-5"},
}


def test_masked_settings_show_everything_but_secrets() -> None:
    shown = masked(load_settings(**SECRETS))
    assert "canary" not in json.dumps(shown)
    assert shown["teacher"]["api_key"] == "****"
    assert shown["teacher"]["base_url"] == "https://****@llm.example/v1"
    assert shown["kafka"]["sasl_username"] == "me"
    assert shown["task"] == "task.yaml"


def _loaded(section: str, values: dict[str, Any]) -> Settings:
    given: dict[str, Any] = {section: values}
    return load_settings(**given)


URLS = (
    ("teacher", "base_url", "https://{}@llm.example/v1"),
    ("schema_registry", "url", "https://{}@registry.example"),
    ("student", "registry", "s3://{}@bucket/models?sig=canary#canary"),
    ("distill", "snapshots", "sftp://{}@host/snapshots?code=canary"),
    ("kafka", "bootstrap_servers", "SASL_SSL://{}@a:9092"),
    ("distill", "gold", "https://{}@host/gold.jsonl?key=canary"),
)


@pytest.mark.parametrize(("section", "name", "url"), URLS)
@pytest.mark.parametrize(
    "login", ["me:canary", "me:canary%40", "canary", "me:canary/canary@canary"]
)
def test_no_place_shows_its_secrets(section: str, name: str, url: str, login: str) -> None:
    try:
        told = json.dumps(masked(_loaded(section, {name: url.format(login)})))
    except ConfigError as error:  # where it must be percent-encoded
        told = str(error)
    assert "canary" not in told


NUMBERS = [
    (path, field)
    for path, field in _fields(Settings)
    if "float" in str(field.annotation) or "int" in str(field.annotation)
]


@pytest.mark.parametrize("path", [path for path, _ in NUMBERS])
@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1.0e+309", "'nan'", "'Infinity'"])
def test_no_setting_takes_what_is_no_number(tmp_path: Path, path: str, value: str) -> None:
    *sections, name = path.split(".")
    text = f"{name}: {value}"
    for section in reversed(sections):
        text = f"{section}: {{{text}}}"
    with pytest.raises(ConfigError, match=name):
        load_settings(_file(tmp_path, text))


def test_there_are_many_numbers_among_the_settings() -> None:
    assert len(NUMBERS) > 60


@pytest.mark.parametrize(
    "url", ["http://2852039166/v1", "http://[::ffff:169.254.169.254]", "http://169.254.169.254./"]
)
@pytest.mark.parametrize(
    "setting",
    [
        "teacher.base_url",
        "distill.doubt.base_url",
        "schema_registry.url",
        "student.registry",
        "distill.snapshots",
    ],
)
def test_no_url_may_lead_to_a_clouds_metadata(tmp_path: Path, setting: str, url: str) -> None:
    *sections, name = setting.split(".")
    text = f"{name}: '{url}'"
    for section in reversed(sections):
        text = f"{section}: {{{text}}}"
    with pytest.raises(ConfigError, match=f"{setting}.*metadata"):
        load_settings(_file(tmp_path, text))


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SILVERSTREAM_TEACHER_MODEL", "canary")
    with pytest.raises(ConfigError, match="did you mean SILVERSTREAM_TEACHER__MODEL") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_masked_settings_are_plain_values() -> None:
    shown = masked(load_settings(distill={"held_out": ["a.jsonl", "b.jsonl"]}))
    assert shown["distill"]["held_out"] == ["a.jsonl", "b.jsonl"]


def test_a_secret_that_is_not_set_is_shown_as_not_set() -> None:
    assert masked(Settings())["teacher"]["api_key"] is None


def test_an_error_about_a_secret_does_not_tell_it() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(teacher={"api_key": ["canary"]})
    assert "canary" not in str(caught.value)


def test_settings_come_through_a_pipe_too(tmp_path: Path) -> None:
    pipe = tmp_path / "decrypted"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("app: piped\n",))
    writer.start()
    assert load_settings(pipe).app == "piped"
    writer.join()


def test_an_old_and_a_new_name_together_say_which_settings_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("distill: {recipe: {epochs: 2}}\n")
    monkeypatch.setenv("SILVERSTREAM_EXPERIMENT__EPOCHS", "3")
    with pytest.raises(ConfigError, match=r"both are given.*\(settings: .*s\.yaml\)"):
        load_settings(file)


def test_a_key_in_the_query_of_a_url_is_masked_and_its_version_is_not() -> None:
    url = "https://me:hunter2@host/v1?api-version=2024&api-key=hunter3"
    shown = masked(load_settings(teacher={"base_url": url}))["teacher"]["base_url"]
    assert shown == "https://****@host/v1?api-version=2024&api-key=****"

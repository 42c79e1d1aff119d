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
from schemas.settings import OUR_TOPICS, Recipe, Settings, load_settings, masked
from schemas.settings.redaction import RedactionSettings
from schemas.wire.topics import TopicNames
from stream.kafka.topics import specs


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


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("silverstream.", "silverstream.entities"),
        ("silverstream.", "silverstream_dead-letters"),
        ("", "promotions"),
        ("a_b.", "a.b_silver-labels"),
    ],
)
def test_one_topic_under_two_names_is_refused(prefix: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"kafka: .*one of our own topics"):
        load_settings(kafka={"topic_prefix": prefix, "text_topic": text})


def test_our_topics_are_those_of_the_wire() -> None:
    names = TopicNames("p.", "text")
    topics = {topic.name for topic in specs(names, Settings().topics)}
    assert topics == {"text", *(f"p.{name}" for name in OUR_TOPICS)}


@pytest.mark.parametrize(
    "consent",
    [{"consent_header": "may-ask"}, {"consent_topics": ["text"]}],
    ids=["header", "topic"],
)
def test_where_consent_is_asked_for_canaries_are_of_a_file(consent: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"teacher: .*set canaries to a file"):
        load_settings(teacher={"canaries_per_hour": 1, **consent})
    load_settings(teacher=consent)
    load_settings(teacher={"canaries_per_hour": 1})
    load_settings(teacher={"canaries_per_hour": 1, "canaries": "canaries.jsonl", **consent})


def test_each_redaction_has_its_name_and_none_has_none() -> None:
    told = [
        RedactionSettings(),
        RedactionSettings(kinds=("email",)),
        RedactionSettings(enabled=True),
        RedactionSettings(enabled=True, kinds=("email",)),
        RedactionSettings(enabled=True, countries=("de",)),
    ]
    digests = [one.digest for one in told]
    assert digests[:2] == ["", ""]
    assert len({*digests[1:]}) == 4
    assert RedactionSettings(enabled=True).digest == digests[2]


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "x" * 250])
def test_what_is_no_topic_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="kafka"):
        load_settings(kafka={"text_topic": name})


@pytest.mark.parametrize("name", ["session_timeout_ms", "transaction_timeout_ms"])
@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_a_timeout_that_kafka_cannot_say_is_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings(kafka={name: value})


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


def test_the_recipe_is_the_operators_part_and_the_experiments_together() -> None:
    settings = Settings.model_validate(
        {"distill": {"recipe": {"layers": 2}}, "experiment": {"epochs": 7}}
    )
    recipe = settings.recipe_of("entities")
    assert (recipe.layers, recipe.epochs) == (2, 7.0)
    assert recipe.model_copy(update={"layers": 3, "epochs": 4.0}) == Recipe()
    assert "recipe" not in masked(settings)


def test_what_the_recipe_leaves_open_is_settled_by_the_kind_of_task() -> None:
    entities, categories = (Settings().recipe_of(kind) for kind in ("entities", "categories"))
    assert (entities.layers, entities.head_start) == (3, "drawn")
    assert (categories.layers, categories.head_start) == ("all", "fitted")
    assert categories.learning_rate < entities.learning_rate


def test_what_is_said_of_the_recipe_stands_for_both_kinds() -> None:
    settings = Settings.model_validate(
        {"distill": {"recipe": {"layers": 2}}, "experiment": {"learning_rate": 0.5}}
    )
    recipe = settings.recipe_of("categories")
    assert (recipe.layers, recipe.learning_rate, recipe.head_start) == (2, 0.5, "fitted")


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


@pytest.mark.parametrize(
    ("teacher", "foreign"),
    [
        ({}, False),
        ({"model": "gpt-4.1-mini"}, False),
        ({"model": "other"}, True),
        ({"model": "other", "price_in_usd_per_million": 0.4}, False),
    ],
)
def test_prices_belong_to_the_default_model(teacher: dict[str, Any], *, foreign: bool) -> None:
    assert load_settings(teacher=teacher).teacher.prices_are_another_models is foreign


@pytest.mark.parametrize("temperature", ["auto", "none", 0, 0.7])
def test_a_temperature_is_a_number_or_a_word(temperature: str | float) -> None:
    assert load_settings(teacher={"temperature": temperature}).teacher.temperature == temperature


@pytest.mark.parametrize("temperature", ["hot", -1, float("nan")])
def test_another_temperature_is_refused(temperature: str | float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        load_settings(teacher={"temperature": temperature})


def test_without_gold_the_lanes_leave_a_part_of_the_budget_to_judging() -> None:
    settings = Settings()
    assert settings.lanes_routing.budget_share == pytest.approx(0.06)
    assert settings.questions_per_record == pytest.approx(0.04)
    rich = Settings.model_validate({"routing": {"budget_share": 0.5}})
    assert rich.questions_per_record == pytest.approx(0.1)
    assert rich.lanes_routing.budget_share == pytest.approx(0.4)
    gold = Settings.model_validate({"distill": {"gold": "gold.jsonl"}})
    assert gold.lanes_routing == gold.routing
    assert gold.questions_per_record == 0
    little = Settings.model_validate({"distill": {"gold": "gold.jsonl", "judging": {"share": 0.5}}})
    assert little.lanes_routing.budget_share == little.questions_per_record == 0.05


@pytest.mark.parametrize(
    ("distill", "short"),
    [
        ({}, 0.02),
        ({"early_audit_share": 0.05}, 0.05),
        ({"early_audit_share": "auto"}, 0.03),  # the lanes may ask 0.06: questions take the rest
        ({"early_audit_share": "auto", "judging": {"share": 0.0}}, 0.05),
        ({"early_audit_share": 0.01}, 0.02),
        ({"early_audit_share": "auto", "audit_share": 0.0}, 0.0),
    ],
)
def test_audits_may_have_more_at_first_and_never_less(
    distill: dict[str, object], short: float
) -> None:
    settings = Settings.model_validate({"distill": distill})
    assert settings.audit_shares.short == pytest.approx(short)
    assert settings.audit_shares.settled == settings.distill.audit_share

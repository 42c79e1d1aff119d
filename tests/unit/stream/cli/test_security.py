from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from schemas.settings import Settings, load_settings
from stream.cli.main import main
from stream.cli.security import Found, Installation, examine_security, rights, ruling_topics
from stream.kafka.acls import EVERYONE, Allowed
from stream.kafka.signatures import new_key, public_key

NOWHERE = {"bootstrap_servers": "127.0.0.1:1", "startup_timeout_s": 0.01}


async def found(settings: Settings, config: Path | None = None) -> dict[str, Found]:
    return {one.check: one for one in await examine_security(Installation(settings, config))}


async def outcomes(settings: Settings, config: Path | None = None) -> dict[str, str]:
    return {name: one.outcome for name, one in (await found(settings, config)).items()}


async def test_what_is_off_by_default_is_said(tmp_path: Path) -> None:
    no_key = {"audit_key_file": str(tmp_path / "audit.key")}
    told = await outcomes(load_settings(None, kafka=NOWHERE, routing=no_key))
    assert told | {"user": ""} == {
        "signatures": "off",
        "audit key": "off",
        "quotas by producer": "off",
        "personal data": "off",
        "consent": "off",
        "canaries": "off",
        "planted labels": "ok",
        "connection to Kafka": "off",
        "login at Kafka": "off",
        "rights on Kafka": "unknown",
        "connection to the teacher": "ok",
        "connection to the schema registry": "ok",
        "connection to stores": "ok",
        "files with secrets": "ok",
        "folders of bundles": "ok",
        "folders of rounds and of the teacher": "ok",
        "user": "",
        "web pages": "ok",
    }


async def test_what_keeps_strangers_and_their_texts_apart_is_ok_where_it_is_on() -> None:
    teacher = {
        "redaction": {"enabled": True},
        "consent_header": "may-ask",
        "canaries_per_hour": 10.0,
        "canaries": "canaries.jsonl",
    }
    routing = {"audit_key": "k" * 32, "quotas": {"source_header": "producer", "share": 0.25}}
    settings = load_settings(None, kafka=NOWHERE, teacher=teacher, routing=routing)
    told = await found(settings)
    checks = ("audit key", "quotas by producer", "personal data", "consent", "canaries")
    assert [told[name].outcome for name in checks] == ["ok"] * 5
    assert told["quotas by producer"].detail == "no producer has more than 25%"
    assert not any("k" * 32 in one.detail for one in told.values())


async def test_students_that_nobody_looks_through_for_triggers_are_told() -> None:
    distill = {"gate": {"max_trigger_rise": 1.0}}
    told = await outcomes(load_settings(None, kafka=NOWHERE, distill=distill))
    assert told["planted labels"] == "off"


async def test_a_kind_of_personal_data_that_is_left_is_told() -> None:
    redaction = {"enabled": True, "kinds": ["email", "card"]}
    told = await found(load_settings(None, kafka=NOWHERE, teacher={"redaction": redaction}))
    assert told["personal data"].outcome == "off"
    assert "phone" in told["personal data"].detail


@pytest.mark.parametrize(("held_for", "rules"), [("machine", False), ("cluster", True)])
def test_who_may_write_what_machines_share_rules_too(held_for: str, *, rules: bool) -> None:
    teacher = {"answers_held_for": held_for, "budget_holds_for": held_for}
    found = ruling_topics(load_settings(None, teacher=teacher))
    assert ("teacher-answers" in found, "teacher-spend" in found) == (rules, rules)


RULING = (
    "promotions",
    "promises",
    "silver-labels",
    "canaries",
    "entities",
    "teacher-requests",
    "teacher-answers",
    "teacher-spend",
)


@pytest.mark.parametrize("topic", RULING)
@pytest.mark.parametrize("rule", ["one topic", "a prefix", "all topics"])
def test_a_ruling_topic_that_everyone_may_write_is_told(topic: str, rule: str) -> None:
    teacher = {"answers_held_for": "cluster", "budget_holds_for": "cluster"}
    settings = load_settings(None, kafka={"topic_prefix": "s."}, teacher=teacher)
    told = {
        "one topic": Allowed(EVERYONE, f"s.{topic}"),
        "a prefix": Allowed(EVERYONE, f"s.{topic[:4]}", prefixed=True),
        "all topics": Allowed(EVERYONE, "*"),
    }[rule]
    narrow = [Allowed("User:distill", f"s.{name}") for name in RULING]
    strangers = [Allowed(EVERYONE, "s.text"), Allowed(EVERYONE, "t.", prefixed=True)]

    outcome, detail = rights([*narrow, *strangers, told], settings)
    assert (outcome, topic in detail) == ("off", True)
    outcome, detail = rights([*narrow, *strangers], settings)
    assert (outcome, f"{topic}: User:distill" in detail) == ("ok", True)


def test_a_broker_that_lets_everyone_is_off_and_one_that_does_not_tell_is_unknown() -> None:
    outcomes = [rights(said, Settings())[0] for said in ("no authorizer", "not ours to see")]
    assert outcomes == ["off", "unknown"]


async def test_what_is_on_is_ok() -> None:
    kafka = NOWHERE | {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": "tag",
        "sasl_password": "hunter2",
        "trusted_keys": [public_key(new_key())],
    }
    told = await found(load_settings(None, kafka=kafka))
    assert [told[name].outcome for name in ("signatures", "connection to Kafka")] == ["ok", "ok"]
    assert told["login at Kafka"].detail == "SCRAM-SHA-512 as tag"
    assert told["signatures"].detail.startswith("this process verifies promotions")
    assert not any("hunter2" in one.detail for one in told.values())


@pytest.mark.parametrize(
    ("section", "check"),
    [
        ({"teacher": {"base_url": "http://llm.example/v1"}}, "connection to the teacher"),
        ({"distill": {"doubt": {"base_url": "http://llm.example"}}}, "connection to the teacher"),
        ({"schema_registry": {"url": "http://sr.example"}}, "connection to the schema registry"),
        ({"student": {"registry": "http://store.example/models"}}, "connection to stores"),
        ({"distill": {"snapshots": "http://store.example/labels"}}, "connection to stores"),
        ({"web": {"host": "web.example"}}, "web pages"),
    ],
)
async def test_what_travels_in_plain_text_is_off(section: dict[str, object], check: str) -> None:
    assert (await outcomes(load_settings(None, kafka=NOWHERE, **section)))[check] == "off"
    safe = json.dumps(section).replace("web.example", "localhost").replace("http:", "https:")
    kept = load_settings(None, kafka=NOWHERE, **json.loads(safe))
    assert (await outcomes(kept))[check] == "ok"


@pytest.mark.parametrize(
    "secret",
    [
        "teacher: {api_key: sk-canary}",
        "teachers: [{name: a, model: m}, {name: b, model: n, api_key: sk-canary}]",
        'teacher: {base_url: "https://me:sk-canary@llm.example/v1"}',
        'schema_registry: {url: "https://sr.example/?key=sk-canary"}',
    ],
)
async def test_a_settings_file_with_a_secret_is_for_its_owner_alone(
    tmp_path: Path, secret: str
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"{secret}\n")
    settings = load_settings(file, kafka=NOWHERE)
    file.chmod(0o644)
    told = await found(settings, file)
    assert told["files with secrets"].outcome == "off"
    assert str(file) in told["files with secrets"].detail
    assert "canary" not in told["files with secrets"].detail
    file.chmod(0o600)
    assert (await outcomes(settings, file))["files with secrets"] == "ok"


async def test_a_settings_file_without_secrets_may_be_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("app: mine\n")
    file.chmod(0o644)
    settings = load_settings(file, kafka=NOWHERE, teacher={"api_key": "sk-of-the-environment"})
    assert (await outcomes(settings, file))["files with secrets"] == "ok"


async def test_a_file_of_the_signing_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(new_key())
    file.chmod(0o640)
    settings = load_settings(None, kafka=NOWHERE | {"signing_key_file": str(file)})
    assert (await outcomes(settings))["files with secrets"] == "off"


async def test_a_file_of_the_audit_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    file.write_text("k" * 64)
    routing = {"audit_key_file": str(file)}
    for mode, outcome in ((0o600, "ok"), (0o644, "off")):
        file.chmod(mode)
        settings = load_settings(None, kafka=NOWHERE, routing=routing)
        assert (await outcomes(settings))["files with secrets"] == outcome


async def test_a_key_that_cannot_be_read_is_unknown_and_said(tmp_path: Path) -> None:
    settings = load_settings(None, kafka=NOWHERE | {"signing_key_file": str(tmp_path / "none")})
    told = await found(settings)
    assert told["signatures"].outcome == "unknown"
    assert "signing_key_file" in told["signatures"].detail


async def test_a_store_that_others_may_write_is_off(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    settings = load_settings(None, kafka=NOWHERE, student={"registry": str(tmp_path / "models")})
    assert (await outcomes(settings))["folders of bundles"] == "ok"
    (tmp_path / "models").chmod(0o777)
    assert (await outcomes(settings))["folders of bundles"] == "off"


@pytest.mark.parametrize("place", ["snapshots", "work", "prompts", "teacher.sqlite", "."])
def test_what_others_may_write_of_rounds_and_teacher_is_off(tmp_path: Path, place: str) -> None:
    tmp_path.chmod(0o700)
    for name in ("snapshots", "work", "prompts"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "teacher.sqlite").touch(mode=0o600)
    distill = {name: str(tmp_path / name) for name in ("snapshots", "work")}
    teacher = {"prompts": str(tmp_path / "prompts"), "state": str(tmp_path / "teacher.sqlite")}
    settings = load_settings(None, kafka=NOWHERE, distill=distill, teacher=teacher)
    check = "folders of rounds and of the teacher"
    assert asyncio.run(outcomes(settings))[check] == "ok"
    (tmp_path / place).chmod(0o777)
    told = asyncio.run(found(settings))[check]
    assert (told.outcome, str(tmp_path / place) in told.detail) == ("off", True)
    tmp_path.chmod(0o700)


def test_the_command_ends_well_though_controls_are_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("kafka: {bootstrap_servers: '127.0.0.1:1'}\n")
    command = ["doctor", "--security", "--json", "--timeout", "0.1", "--config", str(file)]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert told[0]["check"] == "signatures"
    assert {tuple(one) for one in told} == {("check", "outcome", "detail")}

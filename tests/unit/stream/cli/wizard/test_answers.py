from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.errors import ConfigError
from stream.cli.wizard.answers import read_answers


def answers(folder: Path, text: str) -> Path:
    path = folder / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_becomes_the_answer_to_a_question(tmp_path: Path) -> None:
    path = answers(
        tmp_path,
        """
        name: defects
        kind: categories
        choose: any
        language: nl
        labels: [{name: broken, description: It does not work.}, late]
        examples: [Het is stuk., {text: Te laat., categories: [late]}]
        topic: mails
        bootstrap_servers: [one:9092, two:9092]
        teacher: {base_url: "http://here/v1", model: m, api_key_env: MY_KEY}
        max_usd: 1.5
        n_texts: 300
        """,
    )
    given, key = read_answers(path)
    assert key is None
    assert given == {
        "name": "defects",
        "kind": "categories",
        "choose": "any",
        "language": "nl",
        "labels": [{"name": "broken", "description": "It does not work."}, "late"],
        "example 1": "Het is stuk.",
        "example 2": {"text": "Te laat.", "categories": ["late"]},
        "example 3": "",
        "topic": "mails",
        "bootstrap_servers": "one:9092,two:9092",
        "teacher.base_url": "http://here/v1",
        "teacher.model": "m",
        "teacher.api_key_env": "MY_KEY",
        "max_usd": 1.5,
        "n_texts": 300,
    }


@pytest.mark.parametrize(
    ("told", "key", "value"),
    [
        ("https://here/v1", "teacher.base_url", "https://here/v1"),
        ("some-model", "teacher.model", "some-model"),
    ],
)
def test_a_teacher_in_a_word_is_a_url_or_a_model(
    tmp_path: Path, told: str, key: str, value: str
) -> None:
    given, _ = read_answers(answers(tmp_path, f"teacher: {told}"))
    assert given == {key: value}


def test_a_key_is_given_apart_and_only_its_variable_among_the_answers(tmp_path: Path) -> None:
    given, key = read_answers(answers(tmp_path, "teacher: {api_key: sk-secret}"))
    assert key == SecretStr("sk-secret")
    assert given == {"teacher.api_key_env": "SILVERSTREAM_TEACHER__API_KEY"}


@pytest.mark.parametrize("text", ["colour: blue", "[1]", "n_texts: many", "name: {", ""])
def test_what_is_no_file_of_answers_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = answers(tmp_path, text)
    with pytest.raises(ConfigError, match=r"answers\.yaml"):
        read_answers(path)
    with pytest.raises(ConfigError, match="cannot read the answers"):
        read_answers(tmp_path / "absent.yaml")

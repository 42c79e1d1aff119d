from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.files.corpus import read_corpus
from schemas.files.task import LabelSpec, Task
from schemas.files.task_file import load_task
from schemas.settings import TeacherSettings, load_settings
from schemas.types import Entity
from stream.cli.wizard.files import files_of, key_line
from stream.cli.wizard.truths import Truth
from stream.cli.wizard.wish import Wish
from stream.teacher.kinds.said import Said

TASK = Task("defects", "nl", (LabelSpec("PER", "Wie."),))
WISH = Wish(
    name="defects",
    kind="entities",
    choose=None,
    looking_for="",
    labels=TASK.labels,
    language="nl",
    examples=(),
    topic="mails",
    bootstrap_servers="here:1",
    teacher=TeacherSettings(base_url="http://here/v1", model="m", price_in_usd_per_million=3),
    key_variable="OPENAI_API_KEY",
    max_usd=12.0,
    n_texts=800,
)
GOLD = [Truth("Ada", Said((Entity(0, 3, "PER", "Ada"),))), Truth("Regen", Said())]


def written(folder: Path, gold: list[Truth]) -> dict[str, str]:
    texts = files_of(WISH, TASK, gold)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return texts


def test_the_files_say_what_was_answered(tmp_path: Path) -> None:
    texts = written(tmp_path, GOLD)
    settings = load_settings(tmp_path / "silverstream.yaml")
    assert load_task(tmp_path / "task.yaml") == TASK
    assert (settings.kafka.text_topic, settings.kafka.topic_prefix) == ("mails", "defects.")
    assert settings.teacher.price_usd(10**6, 0) == 3.0
    assert settings.teacher.budget_usd_per_day == 12.0
    assert settings.distill.gold == Path("gold.jsonl")
    assert settings.questions_per_record > 0  # answers judge beside so little gold
    assert [one.text for one in read_corpus(tmp_path / "gold.jsonl")] == ["Ada", "Regen"]
    assert 'export SILVERSTREAM_TEACHER__API_KEY="$OPENAI_API_KEY"' in texts["silverstream.yaml"]


def test_without_gold_none_judges_and_the_place_for_it_is_told(tmp_path: Path) -> None:
    texts = written(tmp_path, [])
    assert load_settings(tmp_path / "silverstream.yaml").distill.gold is None
    assert "# gold: gold.jsonl" in texts["silverstream.yaml"]
    assert texts["gold.jsonl"] == ""


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("", ""),
        ("SILVERSTREAM_TEACHER__API_KEY", "set SILVERSTREAM_TEACHER__API_KEY"),
        ("MINE", 'export SILVERSTREAM_TEACHER__API_KEY="$MINE"'),
    ],
)
def test_the_key_is_named_by_its_variable(variable: str, line: str) -> None:
    assert key_line(replace(WISH, key_variable=variable)) == line

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distill.labels.written.embedding import LEXICAL
from distill.labels.written.run import TextFromNothing, WrittenRun
from distill.labels.written.run_folder import RunFolder
from schemas.categories import of_labels
from schemas.errors import (
    BudgetExhaustedError,
    InvalidAnswerError,
    RefusedError,
    TeacherUnavailableError,
)
from schemas.files.task import LabelSpec, Task
from schemas.settings import Settings
from schemas.types import Entity
from stream.teacher.ledger_and_cache import Totals
from stream.teacher.protocol import Answer
from stream.teacher.question import Question

WORDS = ["ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay"]
WORDS += ["koi", "lark", "moth", "newt", "owl", "pig", "quail", "ram", "seal", "toad"]


class ScriptedWriter:
    """Plans, writes texts of random words with one name each, labels and judges them.

    `fails` raises an error for the question of that name, once it was asked so often.
    """

    def __init__(self, *, fails: Mapping[str, tuple[int, Exception]] | None = None) -> None:
        self.asked = Counter[str]()
        self.questions: list[Question] = []
        self.labelled: list[str] = []
        self._fails = dict(fails or {})

    async def ask(self, question: Question) -> dict[str, Any]:
        self._count(question.name)
        self.questions.append(question)
        data = json.loads(question.text)
        match question.name:
            case "attributes":
                names = ("domains", "styles", "lengths", "registers")
                return {name: [f"{name} one", f"{name} two"] for name in names}
            case "names":
                return {"names": [f"{data['label'].title()}{n}" for n in range(data["count"])]}
            case "texts":
                return {
                    "texts": [self._item(data["turn"], n, x) for n, x in enumerate(data["texts"])]
                }
            case _:
                return {
                    "verdicts": [{"item": x["item"], "verdict": "wrong"} for x in data["items"]]
                }

    async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
        self._count("label")
        self.labelled.append(text)
        first = text.split(maxsplit=1)[0]
        return Answer((Entity(0, len(first), "PER", first),), "m", "p", 10, 1, cached=False)

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...

    def _count(self, name: str) -> None:
        after, error = self._fails.get(name, (-1, None))
        if error is not None and self.asked[name] >= after:
            raise error
        self.asked[name] += 1

    def _item(self, turn: int, n: int, draft: Mapping[str, Any]) -> dict[str, Any]:
        number = turn * 5 + n
        rest = " ".join(WORDS[(number * step + step) % len(WORDS)] for step in (1, 3, 7, 9, 11, 13))
        name = f"Ada{WORDS[number % 20]}{WORDS[number // 20 % 20]}"
        meant = [{"text": name, "label": "PER", "occurrence": 1}] if draft["use"] else []
        return {"text": f"{name} {rest}", "entities": meant}


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def run(
    folder: Path, writer: ScriptedWriter, task: Task, *, n: int = 30, usd: float = 0.0
) -> WrittenRun:
    made = TextFromNothing(
        RunFolder(folder),
        task,
        Settings(),
        writer,
        LEXICAL,
        spent=lambda: Totals(0, 0, 0, usd),
        now_ms=lambda: 5,
        progress=lambda *_: None,
    )
    return await made.run(n, max_usd=10.0)


async def test_texts_are_planned_written_labelled_and_doubted(tmp_path: Path, task: Task) -> None:
    writer = ScriptedWriter()
    found = await run(tmp_path, writer, task)
    assert writer.asked["attributes"] == 1
    assert writer.asked["names"] == 2
    assert found.facts["written"] == len(writer.labelled) == len(found.labels) == 30
    assert {label.source for label in found.labels} == {"bootstrap"}
    assert (found.labels[0].labelled_at_ms, found.labels[0].prompt_version) == (5, "p")
    # What was meant to hold nothing was labelled all the same: doubted, and wrong.
    assert found.facts["verdicts"]["removed"] == found.facts["without_any"] > 0
    assert all("language of the texts: en" in question.system for question in writer.questions)


async def test_a_finished_run_is_read_again_without_a_question(tmp_path: Path, task: Task) -> None:
    first = await run(tmp_path, ScriptedWriter(), task)
    again = ScriptedWriter()
    assert await run(tmp_path, again, task) == first
    assert not again.asked


@pytest.mark.parametrize("part", ["names", "texts", "label", "verdicts"])
async def test_a_run_that_broke_off_anywhere_comes_to_the_same_end(
    tmp_path: Path, task: Task, part: str
) -> None:
    whole = ScriptedWriter()
    expected = await run(made(tmp_path / "whole"), whole, task)
    after = 0 if part == "verdicts" else 1
    broken = ScriptedWriter(fails={part: (after, TeacherUnavailableError("away"))})
    made(tmp_path / "broken")
    with pytest.raises(TeacherUnavailableError, match=r"away|not reached"):
        await run(tmp_path / "broken", broken, task)
    rest = ScriptedWriter()
    found = await run(tmp_path / "broken", rest, task)
    assert found.labels == expected.labels
    assert broken.asked + rest.asked == whole.asked


async def test_texts_of_categories_are_written_and_what_was_meant_otherwise_is_doubted(
    tmp_path: Path,
) -> None:
    class Moody(ScriptedWriter):
        """Means what it was asked for, labels all as glad, and holds the rest to be sad."""

        async def ask(self, question: Question) -> dict[str, Any]:
            answer = await super().ask(question)
            data = json.loads(question.text)
            for one, draft in zip(answer.get("texts", ()), data.get("texts", ()), strict=True):
                one["category"] = draft["use"][0]["label"]
            for one in answer.get("verdicts", ()):
                one |= {"verdict": "other_label", "label": "sad"}
            return answer

        async def label(self, text: str, *, expires_at_ms: int | None = None) -> Answer:
            await super().label(text)
            return Answer((), "m", "p", 1, 1, cached=False, categories=of_labels(["glad"]))

    task = Task("m", "nl", (LabelSpec("glad"), LabelSpec("sad")), kind="categories", choose="one")
    writer = Moody()
    found = await run(tmp_path, writer, task, n=20)
    assert found.facts["labelled"] == 20
    # A text in two is meant to be sad; at most 0.3 a text are asked about again.
    assert found.facts["verdicts"] == {"relabelled": 6}
    assert found.facts["label_balance"] == {"glad": 0.7, "sad": 0.3}
    assert all("language of the texts: nl" in one.system for one in writer.questions)


async def test_money_that_is_spent_while_planning_is_said(tmp_path: Path, task: Task) -> None:
    writer = ScriptedWriter(fails={"names": (1, BudgetExhaustedError("spent"))})
    found = await run(tmp_path, writer, task)
    assert found.facts["labelled"] == 0
    assert found.facts["remarks"] == ["it stopped writing because the money was spent"]


async def test_what_is_asked_is_kept_before_it_is_answered(tmp_path: Path, task: Task) -> None:
    writer = ScriptedWriter(fails={"texts": (0, TeacherUnavailableError("away"))})
    with pytest.raises(TeacherUnavailableError):
        await run(tmp_path, writer, task)
    [drawn] = RunFolder(tmp_path).records("texts")
    assert drawn["round"] == list(range(6))
    assert [len(part) for part in drawn["drafts"]] == [5] * 6


async def test_more_texts_may_be_asked_for_later(tmp_path: Path, task: Task) -> None:
    first = await run(tmp_path, ScriptedWriter(), task, n=10)
    more = await run(tmp_path, ScriptedWriter(), task, n=20)
    assert [x.text for x in more.labels[:10]] == [x.text for x in first.labels]
    assert len(more.labels) == 20


async def test_nothing_is_written_that_could_not_be_labelled(tmp_path: Path, task: Task) -> None:
    writer = ScriptedWriter()
    found = await run(tmp_path, writer, task, usd=9.999)
    assert writer.asked["texts"] == 0
    assert found.facts["written"] == 0
    assert "--max-usd" in found.facts["remarks"][0]


async def test_without_money_what_there_is_is_labelled_no_further(
    tmp_path: Path, task: Task
) -> None:
    writer = ScriptedWriter(fails={"label": (12, BudgetExhaustedError("spent"))})
    found = await run(tmp_path, writer, task)
    assert len(found.labels) == 12
    assert found.facts["failed"] == {"not_asked": 18}


async def test_unusable_answers_are_counted_and_not_asked_for_again(
    tmp_path: Path, task: Task
) -> None:
    writer = ScriptedWriter(fails={"verdicts": (0, InvalidAnswerError("no"))})
    first = await run(tmp_path, writer, task)
    assert first.facts["verdicts"]["no_verdict"] > 0
    again = ScriptedWriter()
    assert (await run(tmp_path, again, task)).facts == first.facts
    assert not again.asked


async def test_a_text_that_is_refused_a_label_is_not_asked_about_again(
    tmp_path: Path, task: Task
) -> None:
    found = await run(tmp_path, ScriptedWriter(fails={"label": (0, RefusedError("no"))}), task, n=5)
    assert (found.labels, found.facts["failed"]) == ((), {"refused": 5})
    again = ScriptedWriter()
    await run(tmp_path, again, task, n=5)
    assert not again.labelled


async def test_a_writer_that_repeats_itself_ends_the_run(tmp_path: Path, task: Task) -> None:
    class Parrot(ScriptedWriter):
        async def ask(self, question: Question) -> dict[str, Any]:
            answer = await super().ask(question)
            for one in answer.get("texts", ()):
                one |= {"text": "Ada says so", "entities": []}
            return answer

    found = await run(tmp_path, Parrot(), task)
    assert found.facts["written"] == 1
    assert found.facts["dropped"]["repeated"] > 10
    assert "nothing new" in found.facts["remarks"][0]


async def test_a_teacher_that_plans_nothing_ends_the_run(tmp_path: Path, task: Task) -> None:
    writer = ScriptedWriter(fails={"attributes": (0, InvalidAnswerError("no"))})
    with pytest.raises(InvalidAnswerError, match="planned no texts in 3 answers"):
        await run(tmp_path, writer, task)


@pytest.mark.parametrize("part", ["attributes", "names", "texts"])
async def test_where_every_answer_failed_the_run_goes_on_once_that_is_mended(
    tmp_path: Path, task: Task, part: str
) -> None:
    broken = ScriptedWriter(fails={part: (0, InvalidAnswerError("cut off"))})
    with contextlib.suppress(InvalidAnswerError):
        await run(tmp_path, broken, task)
    mended = ScriptedWriter()
    found = await run(tmp_path, mended, task)
    assert found.facts["written"] == 30
    assert mended.asked[part]

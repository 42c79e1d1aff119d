"""A thousand records with personal data, over real HTTP: what the teacher's server was sent."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import RedactionError
from schemas.files.task import LabelSpec, Task, TaskExample
from schemas.settings import Settings, TeacherSettings
from schemas.settings.redaction import RedactionSettings
from schemas.types import Entity
from stream.teacher.billed_calls import BilledCalls
from stream.teacher.books import Books
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import build_messages, response_schema
from stream.teacher.prompt_edits import Mistake
from stream.teacher.prompt_parts import answer_json, extract_text
from stream.teacher.proposer import Proposer
from stream.teacher.question import Question
from stream.teacher.rationales import ask_why
from stream.teacher.redaction.redactor import Redactor
from stream.teacher.retries import Clock
from stream.teacher.spending import Cause
from stream.testing.endpoints import answering, completion
from stream.testing.personal_data import PersonalText, personal_texts

N_RECORDS = int(os.environ.get("SILVERSTREAM_RECORDS", "200"))
"""`make proof-privacy` sends a thousand."""
TASK = Task("personal", "en", (LabelSpec("DATA", "Personal data."), LabelSpec("PER")))


EDIT = {"what": "example", "label": "", "text": "", "number": 5, "why": ""}


class Recorder:
    """Keeps every request's body, and labels every placeholder."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.bodies.append(body)
        messages = json.loads(body)["messages"]
        # Of a question why the text stands before the answer that is asked about.
        text = extract_text(messages) or extract_text(messages[:-2]) or ""
        end = text.find("]", start) + 1 if (start := text.find("[")) >= 0 else 0
        found = [{"text": text[start:end], "label": "DATA", "occurrence": 1}] if end else []
        members: dict[str, Any] = {"entities": found, "why": "so", "edits": [EDIT], "names": ["x"]}
        return completion(answer_json(text, members))

    def left(self, texts: list[PersonalText]) -> list[PersonalText]:
        """Give what stands in any message, also if its groups are joined."""
        messages = [message for body in self.bodies for message in json.loads(body)["messages"]]
        told = "\n".join(dict.fromkeys(message["content"] for message in messages))
        joined = _joined(told)
        return [x for x in texts if x.value in told or _joined(x.value) in joined]


def _joined(text: str) -> str:
    return "".join(x for x in text.lower() if x.isalnum() or x in '\n"@')


def settings(url: str, folder: Path, **more: Any) -> TeacherSettings:
    told = {"base_url": url, "state": folder / "t.sqlite", "redaction": {"enabled": True}}
    return TeacherSettings.model_validate({**told, "budget_usd_per_day": 1000.0, **more})


async def test_no_record_leaves_and_labels_land_on_the_originals(
    tmp_path: Path,
) -> None:
    texts, recorder = list(personal_texts(N_RECORDS, seed=7)), Recorder()
    async with answering(recorder.answer) as url:
        teacher = OpenAITeacher(
            TASK,
            settings(url, tmp_path),
            store=TeacherStore(tmp_path / "t.sqlite"),
            purpose="stream",
        )
        answers = await asyncio.gather(*(teacher.label(x.text) for x in texts))
        again = await teacher.label(texts[0].text)
        await teacher.aclose()
    assert len(recorder.bodies) == N_RECORDS
    assert recorder.left(texts) == []
    for told, answer in zip(texts, answers, strict=True):
        (found,) = answer.entities
        assert told.text[found.start : found.end] == found.surface
        assert told.value in found.surface or found.surface in told.value
    assert again.cached
    assert again.entities == answers[0].entities


def test_of_a_thousand_records_every_value_is_found_whole() -> None:
    redactor = Redactor(RedactionSettings(enabled=True))
    for told in personal_texts(1000, seed=9):
        masked = redactor.masked(told.text)
        start = told.text.index(told.value)
        assert any(a <= start and start + len(told.value) <= b for (a, b), _ in masked.pieces), told
        assert len(masked.pieces) <= 4


async def test_no_other_way_to_the_teacher_lets_anything_out(tmp_path: Path) -> None:
    texts, recorder = list(personal_texts(12, seed=8)), Recorder()
    shown = [TaskExample(x.text, (_entity(x),)) for x in texts]
    task = replace(TASK, examples=tuple(shown[:3]), guidelines=f"Not {texts[4].value}.")
    async with answering(recorder.answer) as url:
        told = settings(url, tmp_path)
        store = TeacherStore(tmp_path / "t.sqlite")
        teacher = OpenAITeacher(task, told, store=store, purpose="prompt", examples=shown[3:6])
        await teacher.label("nobody")
        await teacher.ask(Question("names", "q", {"known": [x.text for x in texts]}, {"names": {}}))
        await teacher.aclose()
        mistakes = [
            Mistake(x, frozenset({(e.start, e.end, e.label) for e in x.entities}), frozenset())
            for x in shown
        ]
        proposer = Proposer(task, told, store=TeacherStore(tmp_path / "t.sqlite"))
        edits, _ = await proposer.propose(task, mistakes)
        await proposer.aclose()
        for one, example in zip(texts[:3], shown[:3], strict=True):
            await ask_why(task, Settings(teacher=told), text=one.text, answer=example)
    assert len(recorder.bodies) == 3 + 3
    assert [edit.example for edit in edits] == [shown[4]]
    assert recorder.left(texts) == []


async def test_what_cannot_be_redacted_is_never_sent_and_costs_nothing(tmp_path: Path) -> None:
    recorder = Recorder()
    messages = build_messages(TASK, "write to ada@example.org")
    async with answering(recorder.answer) as url:
        store = TeacherStore(tmp_path / "t.sqlite")
        calls = BilledCalls(
            settings(url, tmp_path),
            books=Books(store),
            schema=response_schema(TASK),
            schema_name="entities",
            clock=Clock(),
        )
        with pytest.raises(RedactionError):
            await calls.complete(messages, text="x", cause=Cause("personal", "stream", "x"))
        assert store.totals().usd == 0.0
        await calls.client.aclose()
        store.close()
    assert recorder.bodies == []


def _entity(told: PersonalText) -> Entity:
    start = told.text.index(told.value)
    return Entity(start, start + len(told.value), "DATA", told.value)

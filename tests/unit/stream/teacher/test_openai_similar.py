"""Examples that are chosen for each text: what the endpoint is sent, and what is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from schemas.files.task import TaskExample
from schemas.question_keys import key_of_digest, question_key
from schemas.settings import TeacherSettings
from schemas.types import Entity, text_digest
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.prompt import build_messages, prompt_version, render_answer
from stream.teacher.prompt_parts import extract_text
from stream.teacher.similarity import SimilarExamples, digest_of
from stream.testing.endpoints import TASK, answering, completion

FIXED = TaskExample("Nobody came.")
BRIDGE = TaskExample("Ada crossed the bridge.", (Entity(0, 3, "PER", "Ada"),))
HARBOUR = TaskExample("Eva left the harbour.", (Entity(0, 3, "PER", "Eva"),))
MAIL = TaskExample("Ada wrote to eva@example.org about bridges.", (Entity(0, 3, "PER", "Ada"),))
POOL = (BRIDGE, HARBOUR)
TEXTS = ("That bridge is closed", "This harbour is open")
Messages = list[dict[str, str]]


@asynccontextmanager
async def asked(
    folder: Path, pool: Sequence[TaskExample], **options: Any
) -> AsyncIterator[tuple[OpenAITeacher, list[Messages]]]:
    """Give a teacher that shows one like example of the pool, and what its endpoint is sent."""
    sent: list[Messages] = []

    async def respond(request: web.Request) -> web.Response:
        messages: Messages = (await request.json())["messages"]
        sent.append(messages)
        return completion(render_answer(extract_text(messages) or "", ()))

    async with answering(respond) as url:
        teacher = OpenAITeacher(
            TASK,
            TeacherSettings.model_validate({"base_url": url, **options}),
            store=TeacherStore(folder / "teacher.sqlite"),
            purpose="stream",
            examples=(FIXED,),
            similar=SimilarExamples(pool, 1),
        )
        try:
            yield teacher, sent
        finally:
            await teacher.aclose()


async def test_like_examples_stand_after_all_that_is_the_same_for_every_text(
    tmp_path: Path,
) -> None:
    async with asked(tmp_path, POOL) as (teacher, sent):
        for text in TEXTS:
            await teacher.label(text)
    for messages, text, example in zip(sent, TEXTS, POOL, strict=True):
        assert messages == build_messages(TASK, text, (FIXED, example))
    same = build_messages(TASK, "", (FIXED,))[:-1]
    assert sent[0][: len(same)] == sent[1][: len(same)] == same


async def test_the_prompt_version_names_the_template_and_not_what_is_chosen(
    tmp_path: Path,
) -> None:
    async with asked(tmp_path, POOL) as (teacher, _), asked(tmp_path, POOL[:1]) as (other, _sent):
        assert teacher.prompt_version == other.prompt_version
        assert "" != teacher.chosen_from != other.chosen_from
        assert teacher.prompt_version == prompt_version(TASK, (FIXED,), n_similar=1)
    assert prompt_version(TASK, (FIXED,), n_similar=2) != teacher.prompt_version
    assert prompt_version(TASK, (FIXED,)) != teacher.prompt_version


async def test_an_answer_is_remembered_for_the_examples_that_it_was_given_with(
    tmp_path: Path,
) -> None:
    async with asked(tmp_path, POOL) as (teacher, sent):
        await teacher.label(TEXTS[0])
        assert (await teacher.label(TEXTS[0])).cached
        key = _key(teacher, TEXTS[0])
        found = teacher.books.store.asked(question_key(**key, chosen=digest_of((BRIDGE,))))
        assert found is not None
        assert found == teacher.books.store.asked(question_key(**key))
    assert len(sent) == 1
    closer = TaskExample("Bo says: the bridge is closed", (Entity(0, 2, "PER", "Bo"),))
    async with asked(tmp_path, (*POOL, closer)) as (teacher, sent):
        assert not (await teacher.label(TEXTS[0])).cached
        assert (await teacher.label(TEXTS[1])).cached is False


async def test_answers_about_a_forgotten_text_go_whatever_was_chosen(tmp_path: Path) -> None:
    async with asked(tmp_path, POOL) as (teacher, _):
        await teacher.label(TEXTS[0])
        await teacher.label(TEXTS[1])
        store, key = teacher.books.store, _key(teacher, TEXTS[0])
        del key["text"]
        forgotten = key_of_digest(text_digest(TEXTS[0]), **key)
        assert store.forget([forgotten], [], dry_run=False) == (1, 0)
        assert not (await teacher.label(TEXTS[0])).cached
        assert (await teacher.label(TEXTS[1])).cached


async def test_what_is_personal_in_a_chosen_example_does_not_leave(tmp_path: Path) -> None:
    redaction = {"enabled": True, "kinds": ["email"]}
    async with asked(tmp_path, (MAIL,), redaction=redaction) as (teacher, sent):
        await teacher.label(TEXTS[0])
    assert "Ada wrote to" in str(sent)
    assert "eva@" not in str(sent)


def _key(teacher: OpenAITeacher, text: str) -> dict[str, str]:
    return {
        "text": text,
        "endpoint": teacher.books.store.endpoints()[0],
        "prompt_version": teacher.prompt_version,
        "model": TeacherSettings().model,
    }

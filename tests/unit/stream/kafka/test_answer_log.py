"""Answers shared through their topic, on both brokers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.question_keys import question_key
from schemas.settings import Settings
from schemas.types import TeacherAnswer, text_digest
from schemas.wire.codec import Codec
from schemas.wire.topics import TopicNames
from stream.cli.sign import signed_topics, unsigned_records, write_signed
from stream.kafka.answer_log import (
    KafkaAnswerLog,
    answer_log_of,
    answer_signatures,
    forget_answers,
)
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.signatures import new_key
from stream.kafka.topic_logs import append
from stream.kafka.topics import create_topics, needed_specs
from stream.teacher.answer_rows import CachedAnswer
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.testing.apache_kafka import ApacheKafka
from stream.testing.endpoints import TASK, TEXT, faulty, requests_of
from stream.testing.lanes import until

_numbers = itertools.count()
FACTS = ((0, 3, "PER"),)


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
async def settings(request: pytest.FixtureRequest) -> Settings:
    embedded = request.param == "embedded"
    broker: EmbeddedBroker | ApacheKafka = request.getfixturevalue(
        "embedded_broker" if embedded else "apache_kafka"
    )
    prefix = f"answers-{next(_numbers)}."
    kafka = {
        "bootstrap_servers": broker.bootstrap_servers,
        "topic_prefix": prefix,
        "text_topic": f"{prefix}text",
        "startup_timeout_s": 30,
    }
    found = Settings.model_validate({"kafka": kafka, "teacher": {"answers_held_for": "cluster"}})
    await create_topics(found.kafka, [x for x in needed_specs(found) if "answers" in x.name[-16:]])
    return found


def with_kafka(settings: Settings, **changes: Any) -> Settings:
    return Settings.model_validate(
        settings.model_dump() | {"kafka": settings.kafka.model_dump() | changes}
    )


@asynccontextmanager
async def a_machine(settings: Settings, path: Path, url: str) -> AsyncIterator[OpenAITeacher]:
    teacher = settings.teacher.model_copy(update={"base_url": url})
    asker = OpenAITeacher(
        TASK,
        teacher,
        store=TeacherStore(path),
        purpose="stream",
        answer_log=answer_log_of(settings),
    )
    yield asker
    await asker.aclose()


def an_answer(text: str, **changes: Any) -> TeacherAnswer:
    named = {"prompt_version": "p", "model": "gpt", "endpoint": "http://teacher/v1"}
    told = {
        "question": question_key(text, **named),
        "prompt_version": "p",
        "asked_model": "gpt",
        "endpoint": "http://teacher/v1",
        "model": "gpt-1",
        "facts": FACTS,
    }
    return TeacherAnswer(**told | changes)


async def rows(settings: Settings) -> list[tuple[str, TeacherAnswer | None]]:
    """Read all that one who begins now sees."""
    log, found = KafkaAnswerLog(settings), list[tuple[str, TeacherAnswer | None]]()
    await log.open({})
    try:
        while True:
            page = await log.read()
            found += page.rows
            if page.caught_up:
                return found
    finally:
        await log.aclose()


async def written(settings: Settings, *answers: TeacherAnswer) -> None:
    log = KafkaAnswerLog(settings)
    await log.open({})
    for answer in answers:
        await log.append(answer)
    await log.aclose()


async def test_what_one_machine_paid_for_the_other_knows_until_the_text_is_forgotten(
    settings: Settings, tmp_path: Path
) -> None:
    async with faulty() as url:
        async with a_machine(settings, tmp_path / "a.sqlite", url) as first:
            answer = await first.label(TEXT)
        async with a_machine(settings, tmp_path / "b.sqlite", url) as second:
            again = await second.label(TEXT)
            assert (again.cached, again.entities) == (True, answer.entities)
            assert (await requests_of(url))["requests"] == 1

            digests = {text_digest(TEXT)}
            would = await forget_answers(settings, Codec(), digests, dry_run=True)
            assert would == await forget_answers(settings, Codec(), digests, dry_run=False)
            (key,) = would
            with TeacherStoreAt(tmp_path / "b.sqlite") as store:
                await until(lambda: store.cached(key) is None)
            assert not (await second.label(TEXT)).cached
        # It goes on where it ended, and by then has its own answer again.
        async with a_machine(settings, tmp_path / "a.sqlite", url) as first:
            assert (await first.label(TEXT)).cached
    assert not await forget_answers(settings, Codec(), {text_digest("other")}, dry_run=False)


class TeacherStoreAt:
    """A store opened beside those of the test, and closed."""

    def __init__(self, path: Path) -> None:
        self._store = TeacherStore(path)

    def __enter__(self) -> TeacherStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


async def test_a_record_that_was_tampered_with_is_as_if_it_were_not_there(
    settings: Settings,
) -> None:
    topic, codec = TopicNames.of(settings.kafka).teacher_answers, Codec()
    moved = codec.encode(an_answer("another text"), topic)
    key = an_answer(TEXT).question.encode()
    for value in (b"nonsense", moved, b""):
        await append(settings.kafka, topic, key=key, value=value)
    await written(settings, an_answer(TEXT))
    assert await rows(settings) == [(an_answer(TEXT).question, an_answer(TEXT))]


async def test_an_answer_about_a_text_is_forgotten_under_whatever_key_it_lies(
    settings: Settings,
) -> None:
    topic, answer = TopicNames.of(settings.kafka).teacher_answers, an_answer(TEXT)
    await append(settings.kafka, topic, key=b"another", value=Codec().encode(answer, topic))
    digests = {text_digest(TEXT)}
    assert await forget_answers(settings, Codec(), digests, dry_run=False) == {"another"}
    assert not await forget_answers(settings, Codec(), digests, dry_run=False)


async def test_where_labels_are_signed_answers_are_too(settings: Settings) -> None:
    pytest.importorskip("cryptography")
    signed = with_kafka(settings, signing_key=new_key())
    forger = an_answer(TEXT, facts=((0, 3, "LOC"),))
    await written(settings, forger)
    await written(signed, an_answer(TEXT))
    await written(settings, forger)
    assert await rows(signed) == [(forger.question, an_answer(TEXT))]
    assert await forget_answers(signed, Codec(), {text_digest(TEXT)}, dry_run=False)
    assert (await rows(signed))[-1] == (forger.question, None)


async def test_what_a_stranger_takes_out_unsigned_is_forgotten_all_the_same(
    settings: Settings,
) -> None:
    pytest.importorskip("cryptography")
    signed, answer = with_kafka(settings, signing_key=new_key()), an_answer(TEXT)
    topic, digests = TopicNames.of(settings.kafka).teacher_answers, {text_digest(TEXT)}
    await written(signed, answer)
    await append(settings.kafka, topic, key=answer.question.encode(), value=None)
    assert await rows(signed) == [(answer.question, answer)]
    assert await forget_answers(signed, Codec(), digests, dry_run=False) == {answer.question}
    assert (await rows(signed))[-1] == (answer.question, None)
    assert not await forget_answers(signed, Codec(), digests, dry_run=False)


async def test_answers_of_before_keys_were_trusted_are_signed_and_not_paid_for_again(
    settings: Settings,
) -> None:
    pytest.importorskip("cryptography")
    signed = with_kafka(settings, signing_key=new_key())
    topic, signatures = signed_topics(signed)[-1], answer_signatures(signed.kafka)
    await written(settings, an_answer(TEXT), an_answer("another"))
    assert await rows(signed) == []
    found = await unsigned_records(signed.kafka, topic, signatures)
    assert await write_signed(signed.kafka, found, signatures) == 2
    assert {answer for _, answer in await rows(signed)} == {an_answer(TEXT), an_answer("another")}
    assert await unsigned_records(signed.kafka, topic, signatures) == []


async def test_without_the_topic_the_teacher_is_asked_all_the_same(
    settings: Settings, tmp_path: Path
) -> None:
    nowhere = with_kafka(settings, topic_prefix="nowhere.")
    async with faulty() as url, a_machine(nowhere, tmp_path / "a.sqlite", url) as asker:
        assert not (await asker.label(TEXT)).cached
        assert (await asker.label(TEXT)).cached


async def test_a_restart_reads_on_where_it_ended(settings: Settings, tmp_path: Path) -> None:
    await written(settings, *(an_answer(f"text {n}") for n in range(20)))
    log = KafkaAnswerLog(settings)
    with TeacherStoreAt(tmp_path / "a.sqlite") as store:
        for known in (20, 0):
            at = store.shared_read_up_to(log.topic, now_s=0.0, at_most_s=1.0)
            await log.open(at)
            seen = 0
            async with asyncio.timeout(60):
                while not (page := await log.read()).caught_up or page.rows:
                    seen += len(page.rows)
                    taken = [(key, CachedAnswer("m", FACTS)) for key, _ in page.rows]
                    store.take_shared(log.topic, taken, read_up_to=page.read_up_to, now_s=0.0)
            assert seen == known
            await log.aclose()

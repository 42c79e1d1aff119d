"""What asking less takes: several texts a call, and what a student is unsure of alone.

    python -m tests.benchmarks.asking_less TRAIN.jsonl STREAM.jsonl [--task TASK.yaml] [--learn N]
        [--records N] [--student FOLDER]

A small student learns from N texts and tags the stream. The records that it is least sure of are
asked about over real HTTP, of a simulated teacher who knows the labels
and counts four bytes as a token: once for each way of asking, each time with an empty cache. One
JSON line a way: calls, tokens and US dollars (at the default prices) a record, and F1 of the
answers against the labels, for entities strict span F1. The student's own is in the first line,
and what an answer about doubts would be without the mentions that were missed in the last one of
entities. The student is kept in FOLDER, and taken from there where it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.judging.scoring import score
from distill.training.batches import TrainExample
from schemas.categories import of_labels
from schemas.errors import AnswerError
from schemas.files.corpus import Example, read_corpus
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import Recipe, TeacherSettings
from schemas.types import Entity, Fact, Tagging, facts, text_digest
from stream.lab.teacher_sim.answers import answers_of
from stream.lab.teacher_sim.simulator import serving, teacher_sim_app
from stream.student import Student
from stream.teach.doubts import unsure_of
from stream.teacher.kinds.said import said_by
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.protocol import Answer, Unsure
from stream.teacher.unsure.entities import UnsureEntities
from stream.testing.messages import a_request
from tests.benchmarks.kept_student import kept_student

SIZES = (1, 4, 8, 16)
_MAX_OUTPUT_TOKENS = 4096
_RECIPE = Recipe(
    layers=1,
    learning_rate=4e-4,
    epochs=0.01,
    min_steps=300,
    batch_records=8,
    max_tokens=64,
    stride=32,
)
"""A minute's training, and a student with much to ask."""


@dataclass(frozen=True, slots=True)
class Record:
    """A text that is asked about, what the student says, and what people say."""

    text: str
    tagging: Tagging
    truth: frozenset[Fact]
    unsure: Unsure | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask in each way and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--task", type=Path)
    parser.add_argument("--learn", type=int, default=1000)
    parser.add_argument("--records", type=int, default=320)
    parser.add_argument("--student", type=Path)
    given = parser.parse_args(arguments)
    learnt, stream = read_corpus(given.train), read_corpus(given.stream)
    task = load_task(given.task) if given.task else task_of(learnt, name="asked")
    student = _student(learnt[: given.learn], task, keep=given.student)
    records = _least_sure(student, stream, task, n=given.records)
    _say(
        records=len(records),
        with_doubts=sum(one.unsure is not None for one in records),
        student_f1=_f1(records, [facts(one.tagging) for one in records]),
    )
    for ask in ("whole", "unsure"):
        for size in SIZES:
            _say(ask=ask, texts_per_call=size, **asyncio.run(_asked(records, task, ask, size)))
    if task.kind == "entities":
        _say(ask="unsure", without_missed=_without_missed(records, task))


async def _asked(records: Sequence[Record], task: Task, ask: str, size: int) -> dict[str, Any]:
    examples = [
        Example(text_digest(one.text), one.text, **_annotation(one, task)) for one in records
    ]
    known = answers_of(examples, task=task)
    with tempfile.TemporaryDirectory() as folder:
        async with serving(teacher_sim_app(known.answers, kind=known.kind)) as url:
            settings = TeacherSettings(
                base_url=url,
                texts_per_call=size,
                max_output_tokens=_MAX_OUTPUT_TOKENS,
                budget_usd_per_day=1000.0,
            )
            store = TeacherStore(Path(folder) / "teacher.sqlite")
            teacher = OpenAITeacher(task, settings, store=store, purpose="stream")
            try:
                said = await asyncio.gather(*(_answer(teacher, one, ask) for one in records))
                totals = store.totals()
            finally:
                await teacher.aclose()
    n = len(records)
    return {
        "calls": totals.calls,
        "tokens_in": round(totals.tokens_in / n, 1),
        "tokens_out": round(totals.tokens_out / n, 1),
        "usd_per_1000": round(1000 * totals.usd / n, 4),
        "asked": dict(Counter(one.asked if one else "refused" for one in said)),
        "f1": _f1(records, [facts(one) if one else frozenset() for one in said]),
    }


async def _answer(teacher: OpenAITeacher, one: Record, ask: str) -> Answer | None:
    try:
        if ask == "unsure" and one.unsure is not None:
            return await teacher.label_unsure(one.text, one.unsure)
        return await teacher.label(one.text)
    except AnswerError:
        return None


def _least_sure(student: Student, stream: Iterable[Example], task: Task, *, n: int) -> list[Record]:
    """Take the texts that the student is least sure of, in the order of the stream."""
    texts = {one.text: one for one in stream}
    taggings = dict(zip(texts, student.tag([*texts], doubts=True), strict=True))
    chosen = set(sorted(texts, key=lambda text: taggings[text].confidence)[:n])
    return [
        Record(text, taggings[text], facts(one), _unsure(text, taggings[text], task))
        for text, one in texts.items()
        if text in chosen
    ]


def _unsure(text: str, tagging: Tagging, task: Task) -> Unsure | None:
    request = a_request(
        task_digest=task.digest,
        text=text,
        entities=tagging.entities,
        categories=tagging.categories,
        doubts=tagging.doubts,
    )
    return unsure_of(request, task_digest=task.digest)


def _without_missed(records: Sequence[Record], task: Task) -> dict[str, Any]:
    kind, found, shorter = UnsureEntities(), [], 0
    for one in records:
        if one.unsure is None:
            found.append(one.truth)
            continue
        sure, doubts = one.unsure.sure, one.unsure.doubts
        marks = kind.marks(one.text, sure, doubts, task)
        members = kind.members(one.text, said_by(_entities(one)), marks)
        shorter += len(json.dumps(members)) - len(json.dumps({"places": members["places"]}))
        said = kind.read(
            {**members, "missed": []},
            text=one.text,
            labels=task.label_names,
            sure=sure,
            doubts=doubts,
        )
        found.append(facts(said))
    return {
        "f1": _f1(records, found),
        "tokens_out_less": round(shorter / 4 / len(records), 1),
    }


def _annotation(one: Record, task: Task) -> dict[str, Any]:
    if task.kind == "categories":
        return {"entities": (), "categories": of_labels(label for _, _, label in one.truth)}
    return {"entities": _entities(one)}


def _entities(one: Record) -> tuple[Entity, ...]:
    return tuple(Entity(a, b, label, one.text[a:b]) for a, b, label in sorted(one.truth))


def _f1(records: Sequence[Record], said: Sequence[frozenset[Fact]]) -> float:
    return round(100 * score([one.truth for one in records], said).overall.f1, 2)


def _student(learnt: Sequence[Example], task: Task, *, keep: Path | None) -> Student:
    rows = [TrainExample(one.text, one.entities, categories=one.categories) for one in learnt]
    return kept_student(rows, task, _RECIPE, keep=keep)


def _say(**figures: Any) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""The teacher that the settings describe, or the teachers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.files.example_pool import read_pool
from schemas.files.few_shot import teacher_examples
from schemas.files.task import Task, TaskExample
from schemas.settings import Settings
from stream.teacher.books import Books
from stream.teacher.ledger_and_cache import TeacherStore
from stream.teacher.openai_teacher import OpenAITeacher
from stream.teacher.shared_answers import AnswerLog
from stream.teacher.shared_topic import SpendLog
from stream.teacher.similarity import SimilarExamples
from stream.teacher.spending import Purpose
from stream.teacher.teachers import Member, Teachers


def make_teacher(
    task: Task,
    settings: Settings,
    *,
    purpose: Purpose,
    apart: str = "",
    store: TeacherStore | None = None,
    spend_log: SpendLog | None = None,
    books: Books | None = None,
    answer_log: AnswerLog | None = None,
) -> tuple[OpenAITeacher, TeacherStore]:
    """Make the teacher and open its store of answers and spending; closing the first closes both.

    Of several teachers it is the first.

    The ledger books its calls for `purpose`. One whose answers are kept `apart` spends from the
    same ledger and takes no other's answer. A `store` is used in place of the settings' own, if it
    is given. `spend_log` is the topic of all who share the budget, `answer_log` that of all who
    share answers, where the settings say so (`stream.kafka.spend_log.spend_log_of`,
    `stream.kafka.answer_log.answer_log_of`). With another teacher's `books` it spends by those, and
    closing it closes neither them nor their store.

    Raises `ConfigError` for an endpoint that must not be called, and for examples
    that there is no gold to draw from.
    """
    examples = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    store = books.store if books else store or TeacherStore(settings.teacher.state)
    teacher = OpenAITeacher(
        task,
        settings.teacher,
        store=store,
        purpose=purpose,
        examples=examples,
        similar=similar_examples(settings, task, shown=examples),
        apart=apart or (settings.apart(settings.first_teacher) if settings.teachers else ""),
        spend_log=spend_log,
        books=books,
        name=settings.first_teacher,
        answer_log=answer_log,
    )
    return teacher, store


def similar_examples(
    settings: Settings, task: Task, *, shown: Sequence[TaskExample] = ()
) -> SimilarExamples | None:
    """Index what examples are chosen from for each text; None where all are fixed.

    Those that every text is `shown`, or that stand in the task, are not chosen again. Raises
    `ConfigError` as `read_pool`.
    """
    if not (number := settings.teacher.examples.n_similar):
        return None
    fixed = {one.text for one in (*task.examples, *shown)}
    pool = [one for one in read_pool(settings, task).examples if one.text not in fixed]
    return SimilarExamples(pool, number)


def make_teachers(
    task: Task,
    settings: Settings,
    *,
    spend_log: SpendLog | None = None,
    answer_log: AnswerLog | None = None,
    make: Callable[..., tuple[OpenAITeacher, TeacherStore]] = make_teacher,
) -> tuple[OpenAITeacher | Teachers, TeacherStore]:
    """Make who answers deferred records: the teacher, or all of several; see `make_teacher`."""
    first, store = make(
        task, settings, purpose="stream", spend_log=spend_log, answer_log=answer_log
    )
    if len(settings.teachers) < 2:  # noqa: PLR2004 - a list of one is one
        return first, store
    examples = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    similar = similar_examples(settings, task, shown=examples)

    def beside(name: str, purpose: Purpose) -> OpenAITeacher:
        return OpenAITeacher(
            task,
            settings.teacher_named(name),
            store=store,
            purpose=purpose,
            examples=examples,
            similar=similar,
            apart=settings.apart(name),
            books=first.books,
            name=name,
        )

    members = [
        Member(
            one.name,
            settings.teacher_named(one.name),
            beside(one.name, "stream") if number else first,
            beside(one.name, "comparing"),
        )
        for number, one in enumerate(settings.teachers)
    ]
    return Teachers(members), store

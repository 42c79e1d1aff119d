"""What is paid for: its price beforehand, and the asking, under one limit for all of it."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from schemas.errors import AnswerError, BudgetExhaustedError
from schemas.files.task import LabelSpec, Task
from schemas.settings import ExamplesSettings, Settings
from schemas.types import Category, Entity
from stream.cli.wizard.session import Session
from stream.teacher.kinds.kind import kind_of
from stream.teacher.kinds.said import Said
from stream.teacher.prompt import build_messages, prompt_version
from stream.teacher.writing.suggesting import (
    MAX_RULES,
    Sought,
    Suggestions,
    read_suggestions,
    suggestions_question,
)

if TYPE_CHECKING:
    from stream.teacher.openai_teacher import OpenAITeacher

_CHARS_PER_TOKEN = 4
_TOKENS_OF_A_LABEL = 80
_TOKENS_OF_A_RULE = 30
_LABELS_PROPOSED = 4


class Desk(Protocol):
    """Where the teacher is asked for what a session needs; prices in US dollars."""

    def suggestions_usd(self, sought: Sought) -> float:
        """Estimate the price of suggestions; 0 where they are paid for."""
        ...

    def suggestions(self, sought: Sought) -> Suggestions:
        """Ask for suggestions; raises as `OpenAITeacher.ask`."""
        ...

    def texts_usd(self, task: Task, n: int) -> float:
        """Estimate the price of `n` first texts; 0 where they are paid for."""
        ...

    def texts(self, task: Task, n: int) -> Sequence[str]:
        """Let the teacher write the first texts; raises as `TextFromNothing.run`."""
        ...

    def labels_usd(self, task: Task, texts: Sequence[str]) -> float:
        """Estimate the price of labelling those texts that have no label by these words yet."""
        ...

    def labels(self, task: Task, texts: Sequence[str]) -> dict[str, Said | None]:
        """Label texts, None for a refused one; raises `RetryError` and `BudgetExhaustedError`."""
        ...

    def spent_usd(self) -> float:
        """Say what the session has cost so far."""
        ...


@dataclass(slots=True)
class TeachersDesk:
    """The teacher of the settings; `settings` reads them anew, as the files may have changed."""

    session: Session
    settings: Callable[[], Settings]
    max_usd: Callable[[], float]
    task_name: Callable[[], str]
    """What the spending is booked on, before there is a task."""
    ledger: Path = Path("state/new.sqlite")
    runs: Path = Path("runs")

    def suggestions_usd(self, sought: Sought) -> float:
        """Count what is told at four characters a token, and some lines of answer."""
        if self._suggestions_key(sought) in self.session.paid:
            return 0.0
        told = sum(len(one["content"]) for one in suggestions_question(sought).messages)
        labels = len(sought.labels) or _LABELS_PROPOSED
        out = labels * _TOKENS_OF_A_LABEL + 2 * MAX_RULES * _TOKENS_OF_A_RULE
        return self.settings().teacher.price_usd(told // _CHARS_PER_TOKEN, out)

    def suggestions(self, sought: Sought) -> Suggestions:
        """Ask once; what was answered is kept as it came."""
        key = self._suggestions_key(sought)
        if key not in self.session.paid:
            question = suggestions_question(sought)
            # The labels of a task are what a question about one text needs; this is about none.
            task = Task(self.task_name(), sought.language, (LabelSpec("A"),))
            members = asyncio.run(self._with_teacher(task, lambda one: one.ask(question)))
            read_suggestions(members, sought)
            self.session.pay(key, members)
        return read_suggestions(self.session.paid[key], sought)

    def texts_usd(self, task: Task, n: int) -> float:
        """Estimate as `bootstrap --write` does."""
        from distill.labels.written.estimates import estimate

        if self._texts_key(task, n) in self.session.paid:
            return 0.0
        return sum(estimate(task, n).usd(self.settings()).values())

    def texts(self, task: Task, n: int) -> Sequence[str]:
        """Begin the run of first labels with these few texts: it goes on from them."""
        from distill.labels.written.run_folder import open_run
        from stream.cli.written import made_run

        key = self._texts_key(task, n)
        if key not in self.session.paid:
            path = self.run_folder(task)
            with open_run(path, about=self.about(task), resume=self.has_run(task)) as folder:
                made = made_run(
                    n,
                    folder=folder,
                    settings=self.settings(),
                    task=task,
                    max_usd=self.left_usd(of=path / "ledger.sqlite"),
                    progress=lambda *_: None,
                )
                self.session.pay(key, [one.text for one in asyncio.run(made).labels])
        found: list[str] = self.session.paid[key]
        return found

    def labels_usd(self, task: Task, texts: Sequence[str]) -> float:
        """Count what is told at four characters a token."""
        teacher, kind = self.settings().teacher, kind_of(task.kind, task.choose)
        return sum(
            teacher.price_usd(
                sum(len(one["content"]) for one in build_messages(task, text)) // _CHARS_PER_TOKEN,
                kind.expected_tokens_out(text),
            )
            for text in self._unlabelled(task, texts)
        )

    def labels(self, task: Task, texts: Sequence[str]) -> dict[str, Said | None]:
        """Label what has no label by these words yet, side by side."""
        missing = self._unlabelled(task, texts)
        if missing:
            asyncio.run(self._with_teacher(task, lambda one: self._label(one, task, missing)))
        known = self._known(task)
        return {text: _said(text, known.get(text)) for text in texts}

    def spent_usd(self) -> float:
        """Add up the session's ledger and those of its runs."""
        return sum(map(_spent, self._ledgers()))

    def left_usd(self, *, of: Path) -> float:
        """Say up to what the ledger `of` may go: what the others leave it of the limit."""
        others = sum(_spent(one) for one in self._ledgers() if one != of)
        return max(self.max_usd() - others, 0.0)

    def run_folder(self, task: Task) -> Path:
        """Name the run of this task: other labels make another."""
        return self.runs / task.digest[:12]

    def has_run(self, task: Task) -> bool:
        """Whether a run of this task has begun to ask."""
        path = self.run_folder(task)
        return (path / "run.json").exists() and (path / "ledger.sqlite").exists()

    @staticmethod
    def about(task: Task) -> dict[str, str]:
        """Say what a run is about, as `bootstrap --write` does."""
        return {"task": task.digest, "source": "written"}

    def _ledgers(self) -> list[Path]:
        return [self.ledger, *sorted(self.runs.glob("*/ledger.sqlite"))]

    def _suggestions_key(self, sought: Sought) -> str:
        question = suggestions_question(sought)
        teacher = self.settings().teacher
        told = f"{teacher.base_url}\n{teacher.model}\n{question.system}\n{question.text}"
        return f"suggestions-{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def _texts_key(self, task: Task, n: int) -> str:
        return f"texts-{task.digest[:16]}-{n}"

    def _labels_key(self, task: Task) -> str:
        return f"labels-{prompt_version(task)}-{self.settings().teacher.model}"

    def _known(self, task: Task) -> dict[str, Any]:
        found: dict[str, Any] = self.session.paid.get(self._labels_key(task), {})
        return found

    def _unlabelled(self, task: Task, texts: Sequence[str]) -> list[str]:
        known = self._known(task)
        return [text for text in dict.fromkeys(texts) if text not in known]

    async def _label(self, teacher: OpenAITeacher, task: Task, texts: Sequence[str]) -> None:
        found = dict(self._known(task))

        async def one(text: str) -> None:
            try:
                said = await teacher.label(text)
            except BudgetExhaustedError:
                raise
            except AnswerError:
                found[text] = None
                return
            found[text] = {
                "entities": [[x.start, x.end, x.label] for x in said.entities],
                "categories": [x.label for x in said.categories],
            }

        try:
            async with asyncio.TaskGroup() as group:
                for text in texts:
                    group.create_task(one(text))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self.session.pay(self._labels_key(task), found)

    async def _with_teacher(self, task: Task, use: Callable[[OpenAITeacher], Any]) -> Any:
        from stream.kafka.spend_log import spend_log_of
        from stream.teacher.capped_store import CappedStore
        from stream.teacher.factory import make_teacher

        settings = self.settings()
        # Examples are drawn from gold, which there is none of yet.
        plain = settings.teacher.model_copy(update={"few_shot": 0, "examples": ExamplesSettings()})
        settings = settings.model_copy(update={"teacher": plain})
        store = CappedStore(
            plain.state, run_ledger=self.ledger, most_usd=self.left_usd(of=self.ledger)
        )
        log = spend_log_of(settings)
        teacher, _ = make_teacher(task, settings, purpose="bootstrap", store=store, spend_log=log)
        try:
            return await use(teacher)
        finally:
            await teacher.aclose()


def _spent(ledger: Path) -> float:
    from stream.teacher.ledger_and_cache import TeacherStore

    if not ledger.exists():
        return 0.0
    store = TeacherStore(ledger)
    try:
        return store.totals().usd
    finally:
        store.close()


def _said(text: str, known: Any) -> Said | None:
    if known is None:
        return None
    return Said(
        tuple(Entity(a, b, label, text[a:b]) for a, b, label in known["entities"]),
        tuple(Category(label) for label in known["categories"]),
    )


def usd_words(usd: float) -> str:
    """Write a price so that a small one is not 0."""
    if usd <= 0:
        return "$0"
    digits = max(2, 1 - math.floor(math.log10(usd)))
    return f"${usd:,.{digits}f}"

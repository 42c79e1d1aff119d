"""From the files to a serving stream: a broker, topics, first labels, a student, a worker."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import (
    AnswerError,
    BrokerUnavailableError,
    ChildDiedError,
    HaltError,
    RetryError,
)
from schemas.files.bundle_store import open_bundle_store
from schemas.files.example_pool import with_all_examples
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.files.task_in_use import asked_task
from schemas.settings import Settings
from stream.cli.installing import install, topic_specs
from stream.cli.wizard.asking import Ask, Interview, yes_or_no
from stream.cli.wizard.desk import TeachersDesk
from stream.cli.wizard.files import SETTINGS
from stream.cli.wizard.wish import Wish
from stream.cli.written import estimate_words, write_first_labels, written_lines
from stream.kafka.local.embedded import EmbeddedBroker
from stream.kafka.topics import (
    TopicSpec,
    check_topics,
    partition_counts,
)
from stream.tag.swap import newest_promotion

_LOOK_S = 3.0
_STUDENT = Path("state/first-round.json")
_BY_EMBEDDED = {"SILVERSTREAM_KAFKA__DELIVERY": "at_least_once"}


@dataclass(slots=True)
class Outcome:
    """How far it went; the facts of the steps for JSON."""

    broker: str = ""
    """The servers that answered, "embedded" for our own; "" where none did."""
    topics: dict[str, str] = field(default_factory=dict)
    written: dict[str, Any] | None = None
    student: dict[str, Any] | None = None

    @property
    def has_student(self) -> bool:
        """Whether a student is promoted."""
        return (self.student or {}).get("status") == "promoted"


@dataclass(slots=True)
class GoingOn:
    """Goes on step by step, as far as the person wishes; commands of ours run as `command`."""

    interview: Interview
    wish: Wish
    desk: TeachersDesk
    settings: Callable[[], Settings]
    embedded: bool
    stack: ExitStack
    quiet: bool
    """Whether standard output is for JSON alone."""
    outcome: Outcome = field(default_factory=Outcome)

    def run(self) -> Outcome:
        """Go as far as there is a broker, money and a person's wish.

        Raises as `create_topics`, `write_first_labels`, and `ChildDiedError` for a failed round.
        """
        if self._found_broker() and self._made_topics() and self._made_labels():
            self._made_student()
        return self.outcome

    def _found_broker(self) -> bool:
        if self.outcome.broker:
            return True
        if not self.embedded and (servers := answering(self.settings())):
            self.outcome.broker = servers
            return True
        if not self.embedded:
            words = (
                f"No broker answers at {self.wish.bootstrap_servers}. Start one in memory, to try?"
            )
            ask = Ask("embedded", words, yes_or_no, "y", unattended="n")
            if not self.interview.ask(ask):
                self.interview.take_back()
                self.interview.person.tell(
                    f"Without a broker it ends here; start the one at {self.wish.bootstrap_servers}"
                    ", or give --embedded."
                )
                return False
        broker = self.stack.enter_context(embedded_broker())
        self.outcome.broker = "embedded"
        self.interview.person.tell(
            f"A broker of ours answers at {broker}; what it holds is gone when this command ends."
        )
        return True

    def _made_topics(self) -> bool:
        settings = self.settings()
        wanted = topic_specs(settings)
        present = asyncio.run(partition_counts(settings.kafka, [one.name for one in wanted]))
        missing = [one.name for one in wanted if one.name not in present]
        words = f"Create {len(missing)} topics ({', '.join(missing)})?"
        make = partial(self._make_topics, settings, wanted)
        if missing:
            return self.step("topics", words, make)
        make()
        return True

    def _make_topics(self, settings: Settings, wanted: Sequence[TopicSpec]) -> None:
        self.outcome.topics = {**asyncio.run(install(settings)).topics}
        asyncio.run(check_topics(settings.kafka, wanted))

    def _made_labels(self) -> bool:
        from distill.labels.written.estimates import estimate

        if not self.wish.n_texts:
            self.interview.person.tell("No texts are to be written: silverstream bootstrap FILE")
            return False
        settings = self.settings()
        task = asked_task(settings)
        run = self.desk.run_folder(task)
        left = self.desk.left_usd(of=run / "ledger.sqlite")
        shown = with_all_examples(task, settings)
        words = estimate_words(estimate(shown, self.wish.n_texts), settings, max_usd=left)
        return self.step(
            "labels written",
            f"{words}. Go on?",
            lambda: self._write_labels(task, settings, run, left),
        ) and bool((self.outcome.written or {}).get("labelled"))

    def step(self, key: str, words: str, do: Callable[[], None]) -> bool:
        """Ask and do it; where it fails a person is asked again, and may go back instead.

        Without a person it raises what went wrong.
        """
        while self.interview.ask(Ask(key, words, yes_or_no, default="y")):
            try:
                do()
            except (AnswerError, RetryError, HaltError) as error:
                if not self.interview.has_person:
                    raise
                self.interview.person.tell(f"  That failed: {error}")
                self.interview.take_back()
            else:
                return True
        self.interview.take_back()  # another time, perhaps
        return False

    def _write_labels(self, task: Task, settings: Settings, run: Path, left: float) -> None:
        facts = write_first_labels(
            self.wish.n_texts,
            settings=settings,
            task=task,
            max_usd=left,
            run=run,
            resume=self.desk.has_run(task),
            yes=True,
            told=True,
        )
        self.outcome.written = facts
        for line in written_lines(facts):
            self.interview.person.tell(f"  {line}")

    def _made_student(self) -> None:
        settings = self.settings()
        if version := serving_version(settings):
            self.outcome.student = {"status": "promoted", "student": version}
            return
        if self.outcome.broker == "embedded" and (version := self._brought_back(settings)):
            self.outcome.student = {"status": "promoted", "student": version}
            return
        words = "Train the first student? (some minutes on this machine, and no money)"
        self.step("student", words, self._train)

    def _train(self) -> None:
        _STUDENT.unlink(missing_ok=True)
        command = ["distill", "--force", "--config", SETTINGS, "--json", str(_STUDENT)]
        run_command(command, quiet=self.quiet)
        self.outcome.student = json.loads(_STUDENT.read_text(encoding="utf-8"))

    def _brought_back(self, settings: Settings) -> str:
        """Promote the student again that an earlier broker in memory knew of; "" without one."""
        versions = open_bundle_store(settings.student).versions(load_task(settings.task).name)
        if not versions:
            return ""
        why = "the broker in memory that knew it is gone"
        options = ["--reason", why, "--skip-gate", "--config", SETTINGS]
        run_command(["promote", versions[-1], *options], quiet=self.quiet)
        return versions[-1]


def serving_version(settings: Settings) -> str:
    """Name the student that is promoted already; "" where none is."""
    task = load_task(settings.task)
    try:
        promotion = asyncio.run(newest_promotion(settings, task.name))
    except HaltError:
        return ""
    return promotion.student_version if promotion.task_digest == task.digest else ""


def answering(settings: Settings) -> str:
    """Give the servers where a broker answers, or ""."""
    look_s = min(_LOOK_S, settings.kafka.startup_timeout_s)
    kafka = settings.kafka.model_copy(update={"startup_timeout_s": look_s})
    log = logging.getLogger("aiokafka")
    before = log.level
    log.setLevel(logging.CRITICAL)  # that nobody answers is an answer here
    try:
        asyncio.run(partition_counts(kafka, []))
    except BrokerUnavailableError:
        return ""
    finally:
        log.setLevel(before)
    return kafka.bootstrap_servers


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Start a broker; this process and its children are told of it by the environment."""
    with EmbeddedBroker() as broker:
        told = {"SILVERSTREAM_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers, **_BY_EMBEDDED}
        before = {name: os.environ.get(name) for name in told}
        os.environ.update(told)
        try:
            yield broker.bootstrap_servers
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def run_command(arguments: list[str], *, quiet: bool) -> None:
    """Run a command of ours, which shows itself; `ChildDiedError` unless it ends with 0."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "stream.cli.main", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if quiet else None,
        check=False,
    )
    if done.returncode:
        told = f"`silverstream {' '.join(arguments)}` ended with status {done.returncode}"
        raise ChildDiedError(told, last_words="")

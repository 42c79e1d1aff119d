"""`silverstream new`: from a sentence to a serving stream."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console

from schemas.errors import ConfigError
from schemas.files.task import Task
from schemas.files.task_file import load_task, task_yaml
from schemas.settings import Settings
from stream.cli.json_output import JsonOption, check_folder, check_writable, is_printed, write_json
from stream.cli.main import EXTRAS
from stream.cli.settings_source import command_settings
from stream.cli.wizard.answers import read_answers
from stream.cli.wizard.asking import Interview, Nobody, Person
from stream.cli.wizard.desk import TeachersDesk, usd_words
from stream.cli.wizard.draft import Draft
from stream.cli.wizard.files import GOLD, SETTINGS, TASK, files_of, key_line, settings_text
from stream.cli.wizard.going_on import GoingOn, Outcome
from stream.cli.wizard.session import Session, open_session
from stream.cli.wizard.story import Checked, Story
from stream.cli.wizard.terminal import Terminal
from stream.cli.wizard.wish import KEY_VARIABLE, Wish, asked_wish

_WELCOME = "Enter takes what stands in brackets, ? helps, back takes the last answer back."
_INTERRUPTED = 130
"""What shells expect of a command that Ctrl-C ended."""


def new(
    *,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder of the task; what was begun goes on.")
    ] = Path("stream"),
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers (YAML or JSON): these are not asked."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nobody: take defaults, agree to prices.")
    ] = False,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start a broker in memory, to try it on.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="With --yes: serve, too, until Ctrl-C or SIGTERM.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Say in a sentence what you look for; come out with a stream that serves and improves.

    It asks what it must know, lets the teacher suggest the rest, shows the first labelled texts,
    writes task.yaml, silverstream.yaml and gold.jsonl, and goes on to the serving stream. Every
    step tells its price first. `back` takes an answer back; cut off, the same command goes on.
    """
    from stream.watch.log_setup import configure_logs

    configure_logs(level="ERROR")
    check_writable(json_file)
    _refuse_what_is_missing(yes=yes, embedded=embedded)
    given, key = read_answers(answers) if answers else ({}, None)
    json_file = json_file if json_file is None or is_printed(json_file) else json_file.resolve()
    check_folder(out)
    session = open_session(out)
    terminal = Terminal(Console(stderr=is_printed(json_file)))
    person = Nobody(terminal.tell) if yes else terminal
    interview = Interview(session, person, given, given_by=str(answers))
    session.path = session.path.resolve()
    began_s = time.monotonic()
    try:
        with contextlib.chdir(out), ExitStack() as stack:
            sitting = _Sitting(
                interview, out, embedded=embedded, serve=serve or not yes, stack=stack, key=key
            )
            facts = sitting.run(quiet=is_printed(json_file))
    except (EOFError, KeyboardInterrupt):
        person.tell(f"\nCut off; go on with: silverstream new --out {shlex.quote(str(out))}")
        raise typer.Exit(_INTERRUPTED) from None
    write_json({**facts, "minutes": round((time.monotonic() - began_s) / 60, 2)}, json_file)


def _refuse_what_is_missing(*, yes: bool, embedded: bool) -> None:
    """Find out now, and not after the first payment."""
    if not yes and not sys.stdin.isatty():
        raise ConfigError("nobody is here to answer: pass --answers FILE --yes")
    wanted = {"distill", "embedded"} if embedded else {"distill"}
    for name, extra in EXTRAS.items():
        if extra in wanted and importlib.util.find_spec(name) is None:
            raise ConfigError(f"silverstream new needs {name}: pip install '.[{extra}]'")


@dataclass(slots=True)
class _Sitting:
    """One sitting, in the folder `out`."""

    interview: Interview
    out: Path
    embedded: bool
    serve: bool
    stack: ExitStack
    key: SecretStr | None
    outcome: Outcome | None = None
    texts_sent: int = 0
    served: bool = False

    @property
    def person(self) -> Person:
        return self.interview.person

    @property
    def session(self) -> Session:
        return self.interview.session

    def run(self, *, quiet: bool) -> dict[str, Any]:
        """Tell the story and give its facts."""
        facts: dict[str, Any] = self.interview.told(lambda _: self._story(quiet=quiet))
        return facts

    def _story(self, *, quiet: bool) -> dict[str, Any]:
        self.interview.tell(_WELCOME)
        wish = asked_wish(self.interview, self.out)
        self._hand_over_key(wish)
        desk = TeachersDesk(self.session, _settings, lambda: wish.max_usd, lambda: wish.name)
        self._write_first(wish)
        found = self._checked(wish, desk)
        going_on = GoingOn(
            self.interview, wish, desk, _settings, self.embedded, self.stack, quiet=quiet
        )
        going_on.outcome = self.outcome or going_on.outcome
        self.outcome = going_on.outcome  # a broker of ours stays, whatever is answered anew
        going_on.run()
        self._serve(wish, going_on)
        return self._facts(wish, found, desk)

    def _hand_over_key(self, wish: Wish) -> None:
        """Give this process and its children the teacher's key; no file gets it."""
        if self.key is not None:
            os.environ[KEY_VARIABLE] = self.key.get_secret_value()
        elif wish.key_variable and (key := os.environ.get(wish.key_variable)):
            os.environ[KEY_VARIABLE] = key
        elif wish.key_variable:
            self.interview.tell(
                f"  {wish.key_variable} is not set: a teacher that wants a key refuses"
            )

    def _write_first(self, wish: Wish) -> None:
        """Write what is known: the settings are needed for the first question that is paid for."""
        # Told of an edit by hand later, once; what may be spent may have been answered anew.
        has_gold = Path(GOLD).exists() and Path(GOLD).stat().st_size > 0
        self.session.write_file(Path(SETTINGS), settings_text(wish, has_gold=has_gold))
        if wish.labels and not Path(TASK).exists():
            self._write(TASK, task_yaml(Draft(wish.labels).task(wish)))

    def _checked(self, wish: Wish, desk: TeachersDesk) -> Checked:
        story = Story(self.interview, desk, wish)
        found = story.checked(story.drafted())
        texts = files_of(wish, found.task, found.gold)
        for name, text in texts.items():
            self._write(name, text)
        # Both are read back now: what is wrong with them is told here.
        self._same_task(load_task(Path(TASK)), found.task)
        command_settings(Path(SETTINGS))
        self.interview.tell(f"Written into {self.out}: {', '.join(texts)}")
        if not found.gold:
            words = "No text was judged by a person, so gold.jsonl is empty: the teacher judges."
            self.interview.tell(words)
        return found

    def _write(self, name: str, text: str) -> None:
        if not self.session.write_file(Path(name), text):
            self.person.tell(f"  {name} was edited by hand: it stays as it is")

    def _same_task(self, there: Task, made: Task) -> None:
        if there.kind != made.kind:
            raise ConfigError(
                f"{TASK} was edited by hand and is of another kind: take another --out"
            )

    def _serve(self, wish: Wish, going_on: GoingOn) -> None:
        if not self.serve or not going_on.outcome.has_student:
            return
        most = usd_words(_settings().teacher.budget_usd_per_day)
        words = (
            "Start the stream? A worker tags, asks and learns as long as this command runs; its "
            f"questions cost at most {most} a day (teacher.budget_usd_per_day), of which today's "
            "spending is a part"
        )
        going_on.step("serve", f"{words}. Go on?", lambda: self._served(wish))

    def _served(self, wish: Wish) -> None:
        from stream.cli.wizard.serving import talk, until_told, worker

        settings = _settings()
        labels = load_task(Path(TASK)).label_names
        with worker(settings) as one:
            one.wait_until_ready()
            self.served = True
            self.person.tell(f"It serves: {wish.topic} is tagged; {one.url}/ready and /metrics.")
            if not self.interview.has_person:
                until_told(one)
                return
            self.person.tell("Type a text: it goes through Kafka and back. Enter alone ends it.")
            self.texts_sent = talk(settings, labels, lambda: input("text> "), self.person.tell)

    def _facts(self, wish: Wish, found: Checked, desk: TeachersDesk) -> dict[str, Any]:
        outcome = self.outcome or Outcome()
        steps = _next(wish, self.out, outcome)
        self.person.tell(
            f"Spent so far: {usd_words(desk.spent_usd())} of {usd_words(wish.max_usd)}."
        )
        self.person.tell("\n".join(["To go on:", *(f"  {step}" for step in steps)]))
        return {
            "name": wish.name,
            "kind": wish.kind,
            "labels": list(found.task.label_names),
            "out": str(self.out),
            "files": [TASK, SETTINGS, GOLD],
            "gold": len(found.gold),
            "shown": len(found.task.examples),
            "first_texts": {"judged": found.seen, "agreed": found.agreed},
            **asdict(outcome),
            "served": self.served,
            "texts_sent": self.texts_sent,
            "usd": desk.spent_usd(),
            "max_usd": wish.max_usd,
            "next": steps,
        }


def _settings() -> Settings:
    return command_settings(Path(SETTINGS))


def _next(wish: Wish, out: Path, outcome: Outcome) -> list[str]:
    """Say which commands go on from here, by hand."""
    key = key_line(wish)
    steps = [
        f"cd {shlex.quote(str(out))} && export SILVERSTREAM_CONFIG={SETTINGS}",
        *([key if key.startswith("export") else f"# {key} to the teacher's key"] if key else []),
    ]
    if outcome.has_student and outcome.broker != "embedded":
        return [*steps, "silverstream run"]
    again = f"silverstream new --out {shlex.quote(str(out))}    # goes on from here"
    if outcome.broker == "embedded":
        return [f"{again}; on a broker of your own, too: nothing is paid for twice"]
    return [*steps, again]

"""`silverstream explain`: how a record came to be what it is."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from schemas.errors import ConfigError
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.files.task_in_use import asked_task
from schemas.question_keys import question_key
from schemas.settings import Settings
from schemas.types import AskedAs, SilverLabel
from stream.cli.json_output import JsonOption, check_writable, is_printed, whole_file, write_json
from stream.cli.options import ConfigOption
from stream.cli.painting import harmless
from stream.cli.settings_source import command_settings
from stream.teacher.spending import Asked
from stream.teacher.store_looks import asked_of, endpoints_of

if TYPE_CHECKING:
    from distill.explain.record import Learnt, Rationale
    from distill.explain.traces import Traces

_ROUNDS = 50
"""So many newest rounds are asked what they learnt: each has a snapshot to be read."""


def explain(
    record_id: Annotated[
        str, typer.Argument(help="As events name it: TOPIC-PARTITION-OFFSET of the text.")
    ],
    *,
    ask_why: Annotated[
        bool, typer.Option("--ask-why", help="Ask the teacher why it answered so; it costs a call.")
    ] = False,
    max_records: Annotated[
        int, typer.Option(min=1, help="Read about so many records of each topic at most.")
    ] = 100_000,
    html: Annotated[Path | None, typer.Option(help="Write a page for people, too.")] = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Say how a record came to be what it is: student, policy, teacher, label, who learnt it.

    What has expired or is on another machine is named, and is no error.
    """
    from distill.explain.page import record_page
    from distill.explain.record import explanation
    from distill.explain.traces import placed, traced
    from distill.explain.words import record_lines
    from distill.labels.earlier_digests import learn_digests
    from distill.labels.journal import KafkaJournal

    for file in (json_file, html):
        check_writable(file)
    if is_printed(html):
        raise ConfigError("--html needs a file: what is printed is the words, or the JSON")
    settings = command_settings(config)
    placed(record_id, settings)
    # Who is asked why is told what who is asked for labels is told.
    task = asked_task(settings) if ask_why else load_task(settings.task)
    task = learn_digests(task, KafkaJournal(settings, task), settings.student)
    traces = asyncio.run(traced(settings, task.name, record_id, most=max_records))
    missing: list[str] = []
    learnt = _learnt(settings, task, traces, missing)
    labels = [*traces.labels, *(one.label for one in learnt if one.label is not None)]
    facts = explanation(
        traces,
        learnt=learnt,
        todays=task.versions,
        asked=_asked(settings, traces, labels),
        prices=_prices(settings),
        rationale=_rationale(settings, task, traces, labels) if ask_why else None,
        missing=missing,
    )
    if not is_printed(json_file):
        print("\n".join(map(harmless, record_lines(facts))))
    write_json(facts, json_file)
    if html is not None:
        with whole_file(html) as out:
            out.write(record_page(facts))


def _learnt(settings: Settings, task: Task, traces: Traces, missing: list[str]) -> list[Learnt]:
    """Ask the archive which rounds had a label of the text."""
    from distill.explain.learning import learnt_by
    from distill.explain.rounds import finished_rounds
    from distill.labels.judges import frozen_texts
    from distill.remote_archive import open_archive

    if traces.digest is None:
        return []
    archive = open_archive(settings, task.name)
    if (n := len(archive.rounds())) > _ROUNDS:
        missing.append(f"of {n} rounds the newest {_ROUNDS} were looked at")
    return learnt_by(
        traces.digest,
        finished_rounds(archive, most=_ROUNDS),
        task=task,
        frozen=frozen_texts((settings.distill.gold, *settings.distill.held_out)),
        history=traces.history,
        missing=missing,
    )


def _prices(settings: Settings) -> dict[str, tuple[float, float]]:
    """Give what each teacher takes for tokens in and out, "" being the first or the only one."""
    several = {one.name: settings.teacher_named(one.name) for one in settings.teachers}
    return {
        name: (one.price_in_usd_per_million, one.price_out_usd_per_million)
        for name, one in ({"": settings.teacher} | several).items()
    }


def _asked(settings: Settings, traces: Traces, labels: list[SilverLabel]) -> Asked | None:
    """Look up what the question took, by each prompt, model and endpoint that it may have had."""
    text = _text(traces, labels)
    if text is None:
        return None
    answered: list[Any] = [*traces.events, *labels]
    endpoints = [*endpoints_of(settings.teacher.state), ""]
    aparts = dict.fromkeys(["", *(settings.apart(one.name) for one in settings.teachers)])
    ways = [*itertools.product(endpoints, get_args(AskedAs), aparts)]
    for version in dict.fromkeys(one.prompt_version for one in answered if one.prompt_version):
        known = (settings.teacher.model, *(one.model for one in settings.teachers))
        names = (*known, *(one.teacher_model for one in answered))
        models = dict.fromkeys(filter(None, names))
        for model, (at, how, apart) in itertools.product(models, ways):
            key = question_key(
                text, prompt_version=version, model=model, endpoint=at, asked=how, apart=apart
            )
            if (found := asked_of(settings.teacher.state, key)) is not None:
                return found
    return None


def _rationale(
    settings: Settings, task: Task, traces: Traces, labels: list[SilverLabel]
) -> Rationale:
    """Ask about the newest answer whoever gave it; `ConfigError` where there is none."""
    from distill.explain.record import Rationale
    from stream.kafka.spend_log import spend_log_of
    from stream.teacher.rationales import ask_why

    text = _text(traces, labels)
    answers = [one for one in labels if one.source != "human"]
    if text is None or not answers:
        raise ConfigError(
            f"--ask-why: the teacher's answer about {traces.record_id} is not there (any more), so "
            "there is nothing to ask about"
        )
    newest = max(answers, key=lambda one: one.labelled_at_ms)
    found = asyncio.run(
        ask_why(
            task,
            settings,
            text=text,
            answer=newest,
            teacher=newest.teacher or settings.first_teacher,
            spend_log=spend_log_of(settings),
        )
    )
    return Rationale(
        said=found.said, model=found.model, at_ms=time.time_ns() // 1_000_000, usd=found.usd
    )


def _text(traces: Traces, labels: list[SilverLabel]) -> str | None:
    return traces.text if traces.text is not None else labels[0].text if labels else None

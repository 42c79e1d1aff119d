"""What a replay is made of: the files, read and checked before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.files.corpus import Example, Reading, import_corpus, read_corpus, write_jsonl
from schemas.files.infer import task_of
from schemas.files.task import Task
from schemas.files.task_file import load_task
from schemas.settings import Settings, load_settings
from stream.lab.replay.options import ReplayOptions
from stream.lab.replay.plan import Plan, make_plan


@dataclass(frozen=True, slots=True)
class Material:
    """What a replay is made of, read and checked before anything is started."""

    options: ReplayOptions
    base: Settings
    task: Task
    plan: Plan
    held_out: tuple[Example, ...]
    gold: tuple[Example, ...]
    stream: tuple[Example, ...]
    """In the files' order, the cold start included."""
    recorded: tuple[tuple[Example, Example], ...] = ()
    """Examples of the stream, and what was recorded for their texts, without the refused."""
    answered_gold: tuple[Example, ...] = ()
    """Those of gold for whose texts an answer was recorded: the teacher is asked about them too."""


def read_material(options: ReplayOptions) -> Material:
    """Read every file that the options name."""
    stream = [example for path in options.stream for example in read_corpus(path)]
    gold = tuple(read_corpus(options.gold)) if options.gold else ()
    task = load_task(options.task) if options.task else task_of(stream, name="replay")
    return Material(
        options=options,
        base=load_settings(options.config),
        task=task,
        plan=make_plan(
            stream,
            order=options.order,
            seed=options.seed,
            cold_start=options.cold_start,
            rounds=options.rounds,
        ),
        held_out=tuple(read_corpus(options.held_out)),
        gold=gold,
        stream=tuple(stream),
        recorded=recorded_examples(stream, options.recorded_answers),
        answered_gold=tuple(one for one, _ in recorded_examples(gold, options.recorded_answers)),
    )


def recorded_examples(
    stream: Sequence[Example], path: Path | None
) -> tuple[tuple[Example, Example], ...]:
    """Pair the stream's examples with themselves labelled as recorded, where there is an answer."""
    if path is None:
        return ()
    answers = {one.text: one for one in read_corpus(path, labelled=False)}
    return tuple(
        (
            one,
            replace(
                one, entities=answer.llm_entities or (), categories=answer.llm_categories or ()
            ),
        )
        for one in stream
        if (answer := answers.get(one.text))
        and (answer.llm_entities is not None or answer.llm_categories is not None)
    )


def all_answers(material: Material) -> dict[str, Example]:
    """Give what the teacher would say of every text: what was recorded, or gold."""
    recorded = material.options.recorded_answers is not None
    pairs = material.recorded if recorded else [(one, one) for one in material.stream]
    return {one.text: answer for one, answer in pairs}


def plainly_readable(options: ReplayOptions, work: Path) -> ReplayOptions:
    """Write what needs options to be read as JSONL: the system's processes know none of them."""
    if options.how == Reading():
        return options
    folder = work / "corpora"
    folder.mkdir(parents=True)

    def copied(path: Path, name: str) -> Path:
        found = import_corpus(path, how=options.how)
        write_jsonl(folder / name, found.examples, found.report.kind)
        return folder / name

    return replace(
        options,
        stream=tuple(copied(path, f"stream-{n}.jsonl") for n, path in enumerate(options.stream)),
        held_out=copied(options.held_out, "held-out.jsonl"),
        gold=copied(options.gold, "gold.jsonl") if options.gold else None,
        how=Reading(),
    )

"""`silverstream forget`: a text taken out of all that is kept of it here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from schemas.errors import ConfigError, RedactionError, TopicError
from schemas.files.corpus import import_corpus, read_corpus, reading
from schemas.files.few_shot import teacher_examples
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.settings import Settings
from schemas.types import AskedAs, SilverLabel, text_digest
from schemas.wire.codec import open_codec
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings
from stream.kafka.answer_log import forget_answers
from stream.kafka.signatures import unverified

if TYPE_CHECKING:
    from distill.explain.record import Learnt

_DIGEST = re.compile(r"[0-9a-f]{64}")

_ELSEWHERE = (
    "the text, entities, teacher-requests and dead-letters topics: until their retention is over",
    "earlier records of silver-labels and teacher-answers: until Kafka has compacted them",
    "a record that is read again, or a request that waits, is labelled anew",
    "other machines' teacher.state, distill.snapshots and run folders: run it there too",
    "run folders that --run does not name, and other sessions of `new` (.silverstream-new.json)",
    "backups, and what the teacher's endpoint keeps",
    "the weights of the students that learnt from it, in the bundle store",
)

_COUNTED = (
    "labels",
    "answers",
    "shared_answers",
    "proposals",
    "snapshots",
    "round_records",
    "run_records",
)


def forget(
    *,
    text_digests: Annotated[
        list[str] | None,
        typer.Option("--text-digest", metavar="D", help="SHA-256 of a text's UTF-8; repeatable."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Texts as a corpus, or digests, one a line.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="DIR", help="A folder of bootstrap --run; repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Take texts out of labels, caches, snapshots and run folders, and name who learnt from them.

    What cannot be reached from here is named, too.
    """
    check_writable(json_file)
    settings = command_settings(config)
    digests, texts = _wanted(text_digests or [], file)
    facts = _forget(settings, digests, texts, runs=run or [], dry_run=dry_run)
    if not is_printed(json_file):
        print("\n".join(_lines(facts)))
    write_json(facts, json_file)


def _forget(
    settings: Settings,
    digests: frozenset[str],
    texts: list[str],
    *,
    runs: list[Path],
    dry_run: bool,
) -> dict[str, Any]:
    from distill.forget import (
        forget_in_archive,
        forget_in_folder,
        forget_labels,
        require_key_to_forget,
    )
    from distill.remote_archive import open_archive

    task = asked_task(settings)
    if lacking := [str(one) for one in runs if not (one / "run.json").exists()]:
        raise ConfigError(f"no folder of a run: {', '.join(lacking)}")
    if not dry_run:
        require_key_to_forget(settings)
    labels = _labels(settings, task, digests)
    unreached: list[str] = []
    students = _students(settings, task, digests, unreached)
    versions = {one.prompt_version for one in labels} | {
        x.label.prompt_version for x in students if x.label
    }
    known = {*texts, *(x.text for x in labels), *(x.label.text for x in students if x.label)}
    shared = asyncio.run(_forget_shared(settings, digests, dry_run=dry_run))
    answers, proposals = _forget_answers(
        settings,
        task,
        digests,
        versions,
        known,
        shared=shared,
        unreached=unreached,
        dry_run=dry_run,
    )
    archive = open_archive(settings, task.name)
    kept = forget_in_archive(archive, digests, dry_run=dry_run)
    run_records = 0
    for folder in runs:
        found = forget_in_folder(folder, digests, dry_run=dry_run)
        run_records += found.records
        kept.unread += found.unread
    # The labels last: until then a second run finds by them what is left elsewhere.
    tombstones = asyncio.run(forget_labels(settings, task.name, digests, dry_run=dry_run))
    unreached += [f"{name}: cannot be read" for name in kept.unread]
    unreached += _unreached(settings, task, digests)
    unreached += _of_the_wizard(Path(settings.task).parent, runs)
    return {
        "texts": len(digests),
        "dry_run": dry_run,
        "labels": tombstones,
        "answers": answers,
        "shared_answers": len(shared),
        "proposals": proposals,
        "snapshots": kept.snapshots,
        "round_records": kept.records,
        "run_records": run_records,
        "students": [
            {"student": x.student, "status": x.status, "used_for": x.used_for, "weight": x.weight}
            for x in students
        ],
        "unreached": [*unreached, *_ELSEWHERE],
    }


def _wanted(told: list[str], file: Path | None) -> tuple[frozenset[str], list[str]]:
    """Give the digests that are meant, and the texts where they are known."""
    if bool(told) == (file is not None):
        raise ConfigError("name the texts by --text-digest D or by --file F")
    if file is None:
        return frozenset(map(_digest, told)), []
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from None
    lines = [line for line in lines if line]
    if lines and all(map(_DIGEST.fullmatch, lines)):
        return frozenset(lines), []
    how = reading(None, None, None, text_column=None, label_column=None)
    texts = [one.text for one in import_corpus(file, labelled=False, how=how).examples]
    if not texts:
        raise ConfigError(f"{file} has no texts")
    return frozenset(map(text_digest, texts)), texts


def _digest(told: str) -> str:
    if not _DIGEST.fullmatch(told.lower()):
        raise ConfigError(f"{told!r} is no SHA-256: 64 hexadecimal digits of a text's UTF-8")
    return told.lower()


def _labels(settings: Settings, task: Task, digests: frozenset[str]) -> list[SilverLabel]:
    """Read the labels of the texts: the believed ones, and those that stand if all are believed."""
    from distill.labels.journal import KafkaJournal

    kafka = settings.kafka
    readings = [kafka, unverified(kafka)] if unverified(kafka) != kafka else [kafka]
    return [
        label
        for reading in readings
        for label in KafkaJournal(settings.model_copy(update={"kafka": reading}), task).labels()
        if text_digest(label.text) in digests
    ]


def _students(
    settings: Settings, task: Task, digests: frozenset[str], missing: list[str]
) -> list[Learnt]:
    """Tell of every round that had one of the texts, once for each of them."""
    from distill.explain.learning import learnt_by
    from distill.explain.rounds import finished_rounds
    from distill.labels.journal import KafkaJournal
    from distill.labels.judges import frozen_texts
    from distill.remote_archive import open_archive

    rounds = finished_rounds(open_archive(settings, task.name))
    history = KafkaJournal(settings, task).history()
    frozen = frozen_texts((settings.distill.gold, *settings.distill.held_out))
    untold: list[str] = []
    found = [
        one
        for digest in sorted(digests)
        for one in learnt_by(
            digest, rounds, task=task, frozen=frozen, history=history, missing=untold
        )
    ]
    missing += dict.fromkeys(untold)
    return found


def _forget_answers(
    settings: Settings,
    task: Task,
    digests: frozenset[str],
    versions: set[str],
    texts: set[str],
    *,
    shared: frozenset[str],
    unreached: list[str],
    dry_run: bool,
) -> tuple[int, int]:
    """Drop what the cache has of the texts, by every prompt, model and endpoint that is known of.

    `shared` are the names of questions about them that the shared answers know.
    """
    from distill.labels.examiner import asked_second
    from schemas.question_keys import key_of_digest
    from stream.teacher.ledger_and_cache import TeacherStore
    from stream.teacher.prompt import prompt_version

    if not settings.teacher.state.exists():
        return 0, 0
    second = asked_second(settings, task)
    shown = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    n_similar = settings.teacher.examples.n_similar
    versions |= {prompt_version(x, shown, n_similar=n_similar) for x in (task, second.task)}
    models = {settings.teacher.model, second.settings.teacher.model}
    models |= {one.model for one in settings.teachers}
    kept_apart = {"", second.apart, *(settings.apart(one.name) for one in settings.teachers)}
    # As the names were before they were masked.
    kept_apart |= {one.base_url for one in (*settings.teachers, second.settings.teacher)}
    quoted = texts | _redacted(settings, texts)
    store = TeacherStore(settings.teacher.state)
    try:
        at_all = {"", *store.endpoints(), *(one.endpoint for one in store.batches())}
        keys = [
            key_of_digest(
                digest, prompt_version=version, model=model, endpoint=at, apart=apart, asked=asked
            )
            for digest, version, model, at, apart, asked in itertools.product(
                digests, versions, models, at_all, kept_apart, get_args(AskedAs)
            )
        ]
        unreached += [
            f"file {one.input_file or f'{one.name}.jsonl'} of batch {one.id or one.name} at "
            f"{one.endpoint}: deleted there once the batch has ended and is read"
            for one in store.batches_about({*keys, *shared})
        ]
        return store.forget({*keys, *shared}, quoted, dry_run=dry_run)
    finally:
        store.close()


async def _forget_shared(
    settings: Settings, digests: frozenset[str], *, dry_run: bool
) -> frozenset[str]:
    """Take the answers off their topic, where there is one: every copy of it follows."""
    async with open_codec(settings.schema_registry) as codec:
        try:
            return await forget_answers(settings, codec, digests, dry_run=dry_run)
        except TopicError:
            return frozenset()


def _redacted(settings: Settings, texts: set[str]) -> set[str]:
    """Give the texts as the teacher was told them; one that cannot be redacted never was."""
    from stream.teacher.redaction.redactor import Redactor

    redactor, found = Redactor(settings.teacher.redaction), set[str]()
    for text in texts:
        with contextlib.suppress(RedactionError):
            found.add(redactor.words(text))
    return found


def _of_the_wizard(folder: Path, runs: list[Path]) -> Iterator[str]:
    """Name what `silverstream new` has left beside the task file: its session, and runs."""
    from stream.cli.wizard.session import SESSION

    if (session := folder / SESSION).exists():
        yield f"{session} may have it: delete it once `silverstream new` is done"
    cleaned = {one.resolve() for one in runs}
    for facts in sorted(folder.glob("runs/*/run.json")):
        if facts.parent.resolve() not in cleaned:
            yield f"{facts.parent} may have it: name it by --run"


def _unreached(settings: Settings, task: Task, digests: frozenset[str]) -> Iterator[str]:
    """Name files of the operator's own, and stores, that have one of the texts."""
    if not isinstance(settings.distill.snapshots, Path):
        yield "the snapshots and rounds in the store of distill.snapshots: remove them there"
    teacher = settings.teacher
    own = (settings.distill.gold, teacher.examples.file, teacher.canaries)
    for corpus in (*own, *settings.distill.held_out):
        if corpus and any(text_digest(one.text) in digests for one in read_corpus(corpus)):
            yield f"{corpus} has it: take it out by hand"
    if digests & {text_digest(one.text) for one in task.examples}:
        yield f"an example of {settings.task} or of the prompt in use: take it out by hand"
    for version in prompt_folder(settings, task).versions():
        if digests & {text_digest(x.text) for x in version.words.examples}:
            yield f"prompt {version.version} shows it: use another one, and delete its file"


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    done = "would be" if facts["dry_run"] else "were"
    for name in _COUNTED:
        yield f"{facts[name]:,} {name.replace('_', ' ')} {done} taken out"
    for one in facts["students"]:
        yield f"{one['student']} ({one['status']}) had it: {one['used_for']}"
    for name in facts["unreached"]:
        yield f"not reached: {name}"

"""`silverstream lineage`: how a student came to be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import BundleError
from schemas.files.bundle import read_manifest
from schemas.files.bundle_store import open_bundle_store
from schemas.files.manifest import Manifest
from schemas.files.task_file import load_task
from schemas.settings import Settings
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.painting import harmless
from stream.cli.settings_source import command_settings

if TYPE_CHECKING:
    from schemas.types import Promotion


def lineage(
    student: Annotated[str, typer.Argument(help="Its version, as events and promotions name it.")],
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Say how a student came to be: parents, round, labels, gold, gate, promotions.

    What is not there any more is named, and is no error.
    """
    from distill.explain.lineage import lineage as look_back
    from distill.explain.rounds import finished_rounds
    from distill.explain.words import lineage_lines
    from distill.labels.journal import KafkaJournal
    from distill.remote_archive import open_archive

    check_writable(json_file)
    settings = command_settings(config)
    task = load_task(settings.task)
    history = KafkaJournal(settings, task).history()
    facts = look_back(
        student,
        history=history,
        rounds=finished_rounds(open_archive(settings, task.name)),
        manifest=_stored(settings, student, history),
        gold_digest=_gold_digest(settings),
    )
    if not is_printed(json_file):
        print("\n".join(map(harmless, lineage_lines(facts))))
    write_json(facts, json_file)


def _stored(settings: Settings, student: str, history: Sequence[Promotion]) -> Manifest | None:
    """Read the manifest that was promoted, where the store still has it."""
    promoted = next((one for one in reversed(history) if one.student_version == student), None)
    if promoted is None:
        return None
    try:
        store = open_bundle_store(settings.student)
        return read_manifest(store.fetch(promoted.location, promoted.digest), promoted.digest)
    except BundleError:
        return None


def _gold_digest(settings: Settings) -> str | None:
    gold = settings.distill.gold
    try:
        return hashlib.sha256(gold.read_bytes()).hexdigest() if gold else None
    except OSError:
        return None

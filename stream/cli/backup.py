"""`silverstream backup` and `silverstream restore`: all that is ours outside of Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.clocks import now_ms
from schemas.errors import ConfigError
from schemas.files.backup import Backup, Place, read_backup, write_backup
from schemas.files.backup import restore as bring_back
from schemas.files.task_file import load_task
from schemas.files.task_in_use import prompt_folder
from schemas.settings import Settings
from stream.cli.json_output import JsonOption, check_writable, is_printed, write_json
from stream.cli.options import ConfigOption
from stream.cli.settings_source import command_settings

RunOption = Annotated[
    list[Path] | None,
    typer.Option("--run", metavar="DIR", help="A folder of bootstrap --run; repeatable."),
]
_NOT_IN_IT = (
    "the topics silver-labels, promotions, promises, canaries, teacher-spend, teacher-answers",
    "task file, settings, gold, files of teacher.canaries and teacher.examples: version control",
    "run folders that --run does not name, and the session of `silverstream new`",
    "student.cache: copies of a store's bundles, which are downloaded anew",
    "keys (routing.audit_key_file, kafka.signing_key_file): keep them where secrets are kept",
)


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    *,
    run: RunOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Copy bundles, ledger and cache, snapshots, rounds, prompts and runs into a new folder.

    It may be done while workers run; while a round runs it is refused.
    """
    check_writable(json_file)
    settings = command_settings(config)
    task = load_task(settings.task).name
    with _no_round(settings, task):
        made = write_backup(
            _places(settings, run or []), folder, about={"task": task, "made_at_ms": now_ms()}
        )
    facts = _facts(made) | {"not_in_it": [*_elsewhere(settings), *_NOT_IN_IT]}
    if not is_printed(json_file):
        print(f"{facts['n_files']:,} files in {folder}, each read back")
        print("\n".join(f"not in it: {name}" for name in facts["not_in_it"]))
    write_json(facts, json_file)


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that backup made.")],
    *,
    run: RunOption = None,
    config: ConfigOption = None,
    json_file: JsonOption = None,
) -> None:
    """Bring a backup back to where the settings say, all of it or nothing.

    Every file is held against its digest first. Where anything is there already nothing is done.
    """
    check_writable(json_file)
    settings = command_settings(config)
    found = read_backup(folder)
    if (task := load_task(settings.task).name) != found.about.get("task"):
        raise ConfigError(f"{folder} is of the task {found.about.get('task')}, not of {task}")
    bring_back(found, _places(settings, run or []))
    facts = _facts(found)
    if not is_printed(json_file):
        print(f"{facts['n_files']:,} files brought back")
    write_json(facts, json_file)


def _places(settings: Settings, runs: list[Path]) -> list[Place]:
    """Name what is ours on this machine; what lies in a store is the store's to keep."""
    places = [
        Place("teacher-state", settings.teacher.state),
        Place("rounds", settings.distill.folder),
        Place("prompts", prompt_folder(settings, load_task(settings.task)).path),
        *(Place(f"run-{number}", path) for number, path in enumerate(runs, start=1)),
    ]
    registry = settings.student.registry
    return [*places, Place("registry", registry)] if isinstance(registry, Path) else places


def _elsewhere(settings: Settings) -> Iterator[str]:
    for name, root in (
        ("student.registry", settings.student.registry),
        ("distill.snapshots", settings.distill.snapshots),
    ):
        if not isinstance(root, Path):
            yield f"the store of {name}: versioning, or a copy of the bucket"


@contextmanager
def _no_round(settings: Settings, task: str) -> Iterator[None]:
    """Keep rounds from beginning; `GateError` while one runs."""
    held: Any = nullcontext()
    if (settings.distill.folder / task).is_dir():
        from distill.archive import RoundArchive

        held = RoundArchive(settings.distill.folder, task).lock()
    with held:
        yield


def _facts(made: Backup) -> dict[str, Any]:
    return {
        "backup": str(made.folder),
        **made.about,
        "n_files": made.n_files,
        "places": {name: len(files) for name, files in made.files.items()},
    }

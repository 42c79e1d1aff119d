"""The files that come of it: task, settings, gold. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from schemas.files.corpus.write import writer
from schemas.files.task import Task
from schemas.files.task_file import task_yaml
from stream.cli.wizard.truths import Truth, as_gold
from stream.cli.wizard.wish import KEY_VARIABLE, Wish, prefix_of

TASK, SETTINGS, GOLD = "task.yaml", "silverstream.yaml", "gold.jsonl"

JUDGING_SHARE = 0.4
"""Of the routing budget; with so little gold the teacher's answers must judge beside it."""


def files_of(wish: Wish, task: Task, gold: Sequence[Truth]) -> dict[str, str]:
    """Write all of them, as texts by their names."""
    return {
        TASK: task_yaml(task),
        SETTINGS: settings_text(wish, has_gold=bool(gold)),
        GOLD: "".join(writer("jsonl", task.kind)(as_gold(gold))),
    }


def settings_text(wish: Wish, *, has_gold: bool) -> str:
    """Write the settings file: what was said, and why; no secret is among it."""
    key = (
        f"# The teacher's key stands in no file: {key_line(wish)}\n"
        if wish.key_variable
        else "# The teacher takes no key.\n"
    )
    gold = "" if has_gold else f"  # gold: {GOLD}    # once it holds texts that people labelled\n"
    return (
        "# Written by `silverstream new`. Every setting: `silverstream config show`, and\n"
        "# docs/operating.md, Settings. Paths count from the folder in which a command is run.\n"
        f"{key}{yaml.safe_dump(_settings(wish, has_gold=has_gold), sort_keys=False)}{gold}"
    )


def key_line(wish: Wish) -> str:
    """Say in shell what gives the teacher its key; "" where it takes none, or has it already."""
    if not wish.key_variable:
        return ""
    if wish.key_variable == KEY_VARIABLE:
        return f"set {KEY_VARIABLE}"
    return f'export {KEY_VARIABLE}="${wish.key_variable}"'


def _settings(wish: Wish, *, has_gold: bool) -> dict[str, object]:
    teacher = wish.teacher
    return {
        "task": TASK,
        "kafka": {
            "bootstrap_servers": wish.bootstrap_servers,
            "text_topic": wish.topic,
            "topic_prefix": prefix_of(wish.name),
        },
        "teacher": {
            **teacher.model_dump(
                mode="json", include=teacher.model_fields_set, exclude={"api_key"}
            ),
            # So that a day of the stream never costs more than the sitting might.
            "budget_usd_per_day": wish.max_usd,
        },
        # Last: what gold there is, is a line more.
        "distill": {
            **({"gold": GOLD} if has_gold else {}),
            "judging": {"share": JUDGING_SHARE},
        },
    }

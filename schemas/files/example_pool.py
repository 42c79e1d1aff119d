"""Gold that judges nobody: from it examples are chosen for each text, see `teacher.examples`.

Teacher and gate run in different processes and agree without talking: both read the same file by
the same rule. Without a file of its own the pool is half of `distill.gold`, by the hash of what
near-duplicates have in common: so none of them judges while another is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.errors import ConfigError
from schemas.files.corpus import Example, read_corpus
from schemas.files.few_shot import MAX_CHARS, teacher_examples
from schemas.files.task import Task, TaskExample, require_annotation
from schemas.likeness import in_judging_half, likeness
from schemas.settings import Settings
from schemas.types import text_digest


@dataclass(frozen=True)
class ExamplePool:
    """The labelled texts that may be shown, each once, in the order of their digests."""

    examples: tuple[TaskExample, ...] = ()
    alike: frozenset[str] = frozenset()
    """What each text of the pool has in common with its near-duplicates."""

    def holds(self, text: str) -> bool:
        """Whether a text is in the pool, or differs from one that is in digits, case and spaces."""
        return likeness(text) in self.alike


NO_POOL = ExamplePool()


def read_pool(settings: Settings, task: Task) -> ExamplePool:
    """Read what examples are chosen from; empty where they are fixed and no file is named.

    A file that is named judges nobody even while examples are fixed: the teacher may have been
    shown it before. Its texts of over 500 characters judge nobody either, but are not shown.
    Raises `ConfigError` where there is nothing to choose from, or for what is no answer to the
    task.
    """
    wanted, gold = settings.teacher.examples, settings.distill.gold
    path = wanted.file or (gold if wanted.n_similar else None)
    if path is None:
        if wanted.n_similar:
            raise ConfigError(
                "teacher.examples.choose is similar: name teacher.examples.file, or distill.gold"
            )
        return NO_POOL
    found = read_corpus(path)
    if wanted.file is None:
        found = [x for x in found if len(x.text) <= MAX_CHARS and not in_judging_half(x.text)]
    for one in found:
        require_annotation(one, one.text, task, where=f"{path}: the text {one.id}")
    if wanted.n_similar and not found:
        raise ConfigError(f"{path} has no text to choose examples from")
    return ExamplePool(_shown(found), frozenset(likeness(one.text) for one in found))


def with_all_examples(task: Task, settings: Settings) -> Task:
    """Give the task as the teacher is told it, every example its own: what a call takes.

    In place of those that are chosen for each text stand as many of the pool. Raises as
    `teacher_examples` and `read_pool`.
    """
    fixed = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    some = read_pool(settings, task).examples[: settings.teacher.examples.n_similar]
    return replace(task, examples=(*task.examples, *fixed, *some))


def _shown(found: Sequence[Example]) -> tuple[TaskExample, ...]:
    once = {text_digest(one.text): one for one in found if len(one.text) <= MAX_CHARS}
    return tuple(
        TaskExample(one.text, one.entities, one.categories) for _, one in sorted(once.items())
    )

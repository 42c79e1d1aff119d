"""Gold records that the teacher is shown as examples; the gate leaves these out.

Teacher and gate run in different processes and agree without talking: both draw from the same
file by the same rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from schemas.categories import Choose
from schemas.errors import ConfigError
from schemas.files.corpus import Example, read_corpus
from schemas.files.task import Task, TaskExample, require_annotation
from schemas.types import text_digest

MAX_CHARS = 500
"""Longer texts make every prompt dear."""


def draw_examples(
    gold: Sequence[Example], n: int, *, choose: Choose | None = None
) -> list[Example]:
    """Draw `n` records by the digest of their texts; fewer where there are fewer.

    Of entities (`choose` is None) those with some are drawn. Of categories each in turn gives a
    record of it, and where there may be none, records without any take their turn too.
    """
    short = [one for one in gold if len(one.text) <= MAX_CHARS]
    drawn = sorted(short, key=lambda one: text_digest(one.text))
    if choose is None:
        return [one for one in drawn if one.entities][:n]
    return list(islice(_in_turn(drawn, none_too=choose == "any"), n))


def _in_turn(examples: Sequence[Example], *, none_too: bool) -> Iterator[Example]:
    """Yield each example once, one of each category after the other."""
    of_label: dict[str, deque[Example]] = {}
    for example in examples:
        for label in [x.label for x in example.categories] or ([""] if none_too else []):
            of_label.setdefault(label, deque()).append(example)
    given = set[int]()
    while of_label:
        for label in sorted(of_label):
            waiting = of_label[label]
            while waiting and id(waiting[0]) in given:
                waiting.popleft()
            if not waiting:
                del of_label[label]
                continue
            given.add(id(waiting[0]))
            yield waiting.popleft()


def teacher_examples(gold: Path | None, n: int, task: Task) -> tuple[TaskExample, ...]:
    """Read the examples that go into the teacher's prompt.

    Raises `ConfigError` without a gold file, and for what is no answer to the task.
    """
    if not n:
        return ()
    if gold is None:
        raise ConfigError(f"teacher.few_shot is {n}, but there is no distill.gold to draw from")
    examples = read_corpus(gold)
    drawn = draw_examples(examples, n, choose=task.choose)
    # For a task of entities none that has categories is ever drawn: such gold is another task's.
    doubtful = [one for one in examples if one.categories] if task.choose is None else drawn
    for one in doubtful:
        require_annotation(one, one.text, task, where=f"{gold}: the text {one.id}")
    return tuple(TaskExample(one.text, one.entities, one.categories) for one in drawn)

"""What makes the labels of two task files comparable: name, kind, choice and the labels' names.

Descriptions, guidelines and examples are told to the teacher and so belong to the prompt's
version: an edit of them keeps labels and champion. A label that was renamed or added is told in the
task file (`was`, `added`); from that follow the digests that the task had before, and what
labels made then say about today's task.

Version 0.1.0 made the digest of all that a task file said. Where the words are still the same
such a digest is known too; others are learnt from the students that were made under them
(`acquainted`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from schemas._json import canonical_json
from schemas.errors import ConfigError
from schemas.types import Annotated, Fact, SilverLabel, facts

if TYPE_CHECKING:
    from schemas.files.task import LabelSpec, Task

MAX_CHANGES = 12
"""Labels that `was` and `added` may change; each doubles the digests that the task may have had."""


@dataclass(frozen=True, slots=True)
class Version:
    """How labels made under some digest of a task are read today.

    `renamed` maps names of then to today's; `unasked` are the labels of today that they know
    nothing about.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    unasked: frozenset[str] = frozenset()


def identity(task: Task, labels: Collection[str]) -> str:
    """SHA-256 of what makes labels of the task comparable, were these its labels' names."""
    told = {
        "name": task.name,
        "kind": task.kind,
        "choose": task.choose,
        "labels": sorted(labels),
    }
    return hashlib.sha256(canonical_json(told)).hexdigest()


def versions(task: Task) -> Mapping[str, Version]:
    """Find the digests that the task has and may have had, and how to read their labels."""
    found: dict[str, Version] = {}
    for then in _earlier(task.labels):
        version = Version(
            renamed={old.name: new.name for old, new in then if old.name != new.name},
            unasked=frozenset(task.label_names) - {new.name for _, new in then},
        )
        names = [old.name for old, _ in then]
        found.setdefault(identity(task, names), version)
        if task.kind == "entities":
            found.setdefault(_digest_of_0_1_0(task, version, [old for old, _ in then]), version)
    for digest, labels in task.learnt:
        found.setdefault(digest, found[identity(task, labels)])
    return found


def carried(label: SilverLabel, version: Version) -> SilverLabel:
    """Read a label that was made under an earlier version in today's names; it keeps its digest."""
    if not version.renamed:
        return label
    new = version.renamed
    return replace(
        label,
        entities=tuple(replace(x, label=new.get(x.label, x.label)) for x in label.entities),
        categories=tuple(
            sorted(replace(x, label=new.get(x.label, x.label)) for x in label.categories)
        ),
    )


def unasked_of(label: SilverLabel, task: Task) -> frozenset[str]:
    """Tell which of the task's labels the text was not asked about."""
    version = task.versions.get(label.task_digest)
    return version.unasked if version else frozenset()


def asked_facts(
    said: Annotated, unasked: Collection[str], renamed: Mapping[str, str] = MappingProxyType({})
) -> frozenset[Fact]:
    """Reduce as `facts`, in today's names, to what a label that knows no `unasked` can judge."""
    if not unasked and not renamed:
        return facts(said)
    named = ((start, end, renamed.get(label, label)) for start, end, label in facts(said))
    return frozenset(fact for fact in named if fact[2] not in unasked)


def acquainted(task: Task, students: Mapping[str, Collection[str]]) -> Task:
    """Let the task know the digests of students, each with the student's labels.

    A digest of labels that the task never had stays unknown.
    """
    learnt = tuple(
        (digest, tuple(labels))
        for digest, labels in students.items()
        if digest not in task.versions and identity(task, labels) in task.versions
    )
    return replace(task, learnt=(*task.learnt, *learnt)) if learnt else task


def reworded(task: Task, **words: Any) -> Task:
    """Change the task's words: what 0.1.0 called the task by its old ones, stays known."""
    new = replace(task, **words)
    lost = tuple(
        (digest, _labels_of_then(task, version))
        for digest, version in task.versions.items()
        if digest not in new.versions
    )
    return replace(new, learnt=(*new.learnt, *lost)) if lost else new


def _labels_of_then(task: Task, version: Version) -> tuple[str, ...]:
    old = {new: name for name, new in version.renamed.items()}
    return tuple(old.get(x, x) for x in task.label_names if x not in version.unasked)


def _earlier(labels: Sequence[LabelSpec]) -> Iterator[list[tuple[LabelSpec, LabelSpec]]]:
    """Yield the labels of then beside those of today, today's first."""
    ways = [_ways(label) for label in labels]
    if sum(len(ways_of_one) > 1 for ways_of_one in ways) > MAX_CHANGES:
        raise ConfigError(f"more than {MAX_CHANGES} labels are said to be renamed or added")
    for chosen in product(*ways):
        then = [
            (replace(label, name=name, was=(), added=False), label)
            for name, label in zip(chosen, labels, strict=True)
            if name is not None
        ]
        if then:
            yield then


def _ways(label: LabelSpec) -> list[str | None]:
    return [label.name, *label.was, *([None] if label.added else [])]


def _digest_of_0_1_0(task: Task, version: Version, labels: Sequence[LabelSpec]) -> str:
    old_name = {new: old for old, new in version.renamed.items()}
    told: dict[str, Any] = {
        "name": task.name,
        "language": task.language,
        "labels": [
            {"name": label.name, "description": label.description, "examples": label.examples}
            for label in labels
        ],
        "guidelines": task.guidelines,
        "examples": [
            {
                "text": example.text,
                "entities": [
                    asdict(replace(entity, label=old_name.get(entity.label, entity.label)))
                    for entity in example.entities
                    if entity.label not in version.unasked
                ],
            }
            for example in task.examples
        ],
    }
    return hashlib.sha256(canonical_json(told)).hexdigest()

"""How much labels of older prompts count: as much as the prompts agree.

A version's file tells how far its answers agree with its parent's on the keep part. Labels that
were made by another version than the one in use count by that share, multiplied along the way from
one to the other. Labels of prompts that no file knows, and people's, count as they did: nothing is
known of what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from distill.labels.splits import Splits
from distill.labels.table import LabelTable
from schemas.files.few_shot import teacher_examples
from schemas.files.prompt_file import PromptVersion
from schemas.files.prompt_words import worded, words_of
from schemas.files.task import Task
from schemas.files.task_in_use import prompt_folder
from schemas.settings import Settings
from schemas.types import SilverLabel
from stream.teacher.prompt import prompt_version

MIN_WEIGHT = 0.05
"""A label that counts nothing would be left out; whoever wants that, forgets it."""


def weighed_by_prompt(splits: Splits, settings: Settings, task: Task) -> Splits:
    """Weigh the labels to train on by the prompts that they were made by; `task` is as asked."""
    folder = prompt_folder(settings, task)
    in_use = folder.in_use()
    agreements = agreements_with(
        in_use.version if in_use else words_of(task).version, versions := folder.versions()
    )
    if not agreements:
        return splits
    shown = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    n_similar = settings.teacher.examples.n_similar
    weights = {
        prompt_version(worded(task, one.words), shown, n_similar=n_similar): agreements[one.version]
        for one in versions
        if one.version in agreements
    }
    weights.pop(prompt_version(task, shown, n_similar=n_similar), None)
    training = weighed(splits.training, weights)
    n_older = int(training.among("prompt_version", weights).sum())
    return replace(splits, training=training, of_older_prompts=n_older)


def agreements_with(version: str, versions: Iterable[PromptVersion]) -> dict[str, float]:
    """Tell how far the answers of other versions agree with those of `version`, where it is known.

    Versions are a tree: there is one way at most from one to another.
    """
    near: dict[str, dict[str, float]] = {}
    for one in versions:
        if one.agreement is not None:
            near.setdefault(one.version, {})[one.parent] = one.agreement
            near.setdefault(one.parent, {})[one.version] = one.agreement
    found, ahead = {version: 1.0}, [version]
    while ahead:
        here = ahead.pop()
        for other, agreement in near.get(here, {}).items():
            if other not in found:
                found[other] = found[here] * agreement
                ahead.append(other)
    del found[version]
    return found


def weighed(labels: Iterable[SilverLabel], weights: Mapping[str, float]) -> LabelTable:
    """Weigh each label by its prompt's version, on top of the weight that it has."""
    table = LabelTable.of(labels)
    factors = [
        max(MIN_WEIGHT, weights[version]) if version in weights else 1.0
        for version in table.values_of("prompt_version")
    ]
    return table.weighed(np.array(factors)[table.codes("prompt_version")])

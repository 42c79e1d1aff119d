"""Labels of other teachers than the first weigh as these are known to agree with it. Pure.

How often they do, by label, is counted on audits about which all were asked
(`stream.teacher.comparison`). Where people told the truth of enough of these, it is how often the
teacher was right beside how often the first was. A label that says several things weighs as the
least sure of them. Of whom nothing is known, as one that may as well be wrong: half. So of a
teacher that answered as another model than was counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from distill.labels.judges import Judges
from distill.labels.splits import Splits
from distill.labels.table import LabelTable
from schemas.types import Fact, SilverLabel, facts, text_digest
from stream.teacher.comparison import GOLD, NOTHING_COMPARED, Agreement, Comparison

_ENOUGH: Final = 20
"""Texts of people's, with a label, by which teachers are held against them."""


def truths_of(judges: Judges | None) -> dict[str, frozenset[Fact]]:
    """Give what people told, by the text's digest; what a label was not asked about is no truth."""
    if judges is None or not judges.digest or judges.source == "cold start":
        return {}
    return {text_digest(one.text): facts(one) for one in judges.examples if not one.unasked}


def weighed_by_teachers(splits: Splits, known: Comparison, *, first: str) -> Splits:
    """Weigh the labels to train on by who answered; with one teacher all stay as they are."""
    training = LabelTable.of(splits.training)
    others = frozenset(training.values_of("teacher")) - {"", first}
    if not others:
        return splits
    factors = np.ones(len(training))
    for at in np.flatnonzero(training.among("teacher", others)):
        factors[at] = _factor(training[int(at)], known, first)
    return replace(
        splits,
        training=training.weighed(factors),
        of_other_teachers=int(np.count_nonzero(factors < 1)),
    )


def _factor(label: SilverLabel, known: Comparison, first: str) -> float:
    if label.source == "human" or label.teacher in ("", first):
        return 1.0
    model, _ = known.models.get(label.teacher, (label.teacher_model, ""))
    if label.teacher_model != model:
        known = NOTHING_COMPARED
    said = {name for _, _, name in facts(label)}
    shares = [_share(known, label.teacher, name, first) for name in said]
    return min(shares, default=_of_all(known, label.teacher, first))


def _share(known: Comparison, teacher: str, label: str, first: str) -> float:
    right = known.agreement(teacher, GOLD, label)
    if right.texts >= _ENOUGH:
        return min(right.share / known.agreement(first, GOLD, label).share, 1.0)
    return known.agreement(teacher, first, label).share


def _of_all(known: Comparison, teacher: str, first: str) -> float:
    found = [x for (*two, _), x in known.agreements.items() if set(two) == {teacher, first}]
    return Agreement(sum(x.texts for x in found), sum(x.agreed for x in found)).share

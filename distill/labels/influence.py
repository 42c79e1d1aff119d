"""How much what strangers sent may weigh in training: pure, on top of the weights that labels have.

* Texts of the stream that are alike weigh together as one: who repeats himself says nothing more.
* A pair of surface and label that only few producers' texts have, and neither the cold start nor a
  person, weighs together as much as one label of each of these producers. A name that is met once
  weighs in full; one that a single producer plants in hundreds of texts, as one.
* No producer's labels weigh more than the quota's share of all.

The last two need to know who sent a text; what is not known is bounded by the first alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from distill.labels.quotas import largest_part
from distill.labels.splits import STREAM, Splits
from distill.labels.table import LabelTable
from schemas.settings import QuotaSettings
from schemas.types import SilverLabel

Pair = tuple[str, str]
"""A surface in lower case, and its label."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Whose texts have a pair: the known producers, and how many labels of theirs; or all."""

    producers: Mapping[Pair, frozenset[str]]
    labels: Mapping[Pair, int]
    established: frozenset[Pair]
    """Pairs that do not hang on strangers alone."""


def held_down(splits: Splits, settings: QuotaSettings) -> Splits:
    """Weigh the labels to train on by who sent their texts, and how often."""
    training = LabelTable.of(splits.training)
    steps = {"repeated": repeats(training)}
    if settings.known:
        others = chain(splits.judging_first, splits.calibration, splits.judge)
        steps["new_pair"] = new_pairs(training, others, enough=settings.sources)
    training = training.weighed(np.prod([*steps.values()], axis=0))
    if settings.known:
        steps["over_quota"] = quotas(training, settings.share)
        training = training.weighed(steps["over_quota"])
    counts = {name: int((np.array(found) < 1).sum()) for name, found in steps.items()}
    return replace(
        splits, training=training, held_down={name: n for name, n in counts.items() if n}
    )


def repeats(labels: Iterable[SilverLabel]) -> list[float]:
    """Give 1/n to each of n labels of the stream whose texts are alike."""
    table = LabelTable.of(labels)
    factors = np.ones(len(table))
    of_stream = np.flatnonzero(table.among("source", STREAM))
    _, alike, counts = np.unique(
        table.likenesses[of_stream], return_inverse=True, return_counts=True
    )
    factors[of_stream] = 1 / counts[alike]
    return list(factors.tolist())


def new_pairs(
    labels: Sequence[SilverLabel], others: Iterable[SilverLabel], *, enough: int
) -> list[float]:
    """Give the share in which the newest pair of each label counts.

    `others` are labels that are not learnt, and tell of pairs as well as those that are.
    """
    sources = _sources(labels, chain(labels, others), enough=enough)

    def share(pair: Pair) -> float:
        if pair in sources.established:
            return 1.0
        return min(len(sources.producers[pair]) / max(sources.labels[pair], 1), 1.0)

    return [
        min(map(share, _pairs(label)), default=1.0) if label.producer else 1.0 for label in labels
    ]


def quotas(labels: Iterable[SilverLabel], share: float) -> list[float]:
    """Give the factor that brings each producer's weight under its share of all that is learnt."""
    table = LabelTable.of(labels)
    names, codes = table.values_of("producer"), table.codes("producer")
    sums = np.bincount(codes, table.weights, len(names)).tolist()
    weights = {name: weight for name, weight in zip(names, sums, strict=True) if weight > 0}
    others = weights.pop("", 0.0)
    most = largest_part(weights.values(), share, others=others)
    factors = {producer: min(most / weight, 1.0) for producer, weight in weights.items()}
    by_code = np.array([factors.get(name, 1.0) for name in names])
    return list(by_code[codes].tolist())


def _sources(
    learnt: Sequence[SilverLabel], known: Iterable[SilverLabel], *, enough: int
) -> Sources:
    producers: defaultdict[Pair, set[str]] = defaultdict(set)
    established: set[Pair] = set()
    for label in known:
        for pair in _pairs(label):
            if label.producer:
                producers[pair].add(label.producer)
            elif label.source not in STREAM:
                established.add(pair)
    established.update(pair for pair, found in producers.items() if len(found) >= enough)
    return Sources(
        producers={pair: frozenset(found) for pair, found in producers.items()},
        labels=Counter(pair for one in learnt if one.producer for pair in _pairs(one)),
        established=frozenset(established),
    )


def _pairs(label: SilverLabel) -> frozenset[Pair]:
    return frozenset((entity.surface.casefold(), entity.label) for entity in label.entities)

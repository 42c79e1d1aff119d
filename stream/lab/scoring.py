"""How good the stream and the teacher were, against gold. Pure.

A record that gave no event counts with no entities, so a lost record costs recall.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from distill.judging.scoring import Scores, score
from schemas.files.corpus import Example
from schemas.types import Entity, SilverLabel, text_digest
from stream.lab.observations import Observations

Sent = Mapping[str, Example]
"""Record id to the example whose text was produced under it."""


def stream_scores(sent: Sent, seen: Observations) -> Scores:
    """Strict scores of each record's last revision."""
    gold = [list(example.entities) for example in sent.values()]
    return score(gold, [list(seen.entities(record_id)) for record_id in sent])


def teacher_scores(examples: Iterable[Example], labels: Iterable[SilverLabel]) -> Scores:
    """Strict scores of the answers, each against the gold of the first example of its text."""
    gold: dict[str, Sequence[Entity]] = {}
    for example in examples:
        gold.setdefault(text_digest(example.text), example.entities)
    answered = [label for label in labels if text_digest(label.text) in gold]
    truth = [list(gold[text_digest(label.text)]) for label in answered]
    return score(truth, [list(label.entities) for label in answered])

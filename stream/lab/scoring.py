"""How good the stream and the teacher were, against gold. Pure.

A record that gave no event counts as if nothing was said, so a lost record costs recall.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from distill.judging.scoring import Scores, score
from schemas.files.corpus import Example
from schemas.types import Fact, SilverLabel, facts, text_digest
from stream.lab.observations import Observations

Sent = Mapping[str, Example]
"""Record id to the example whose text was produced under it."""


def stream_scores(sent: Sent, seen: Observations) -> Scores:
    """Scores of each record's last revision."""
    gold = [facts(example) for example in sent.values()]
    said = [seen.last.get(record_id) for record_id in sent]
    return score(gold, [facts(event) if event else () for event in said])


def teacher_scores(examples: Iterable[Example], labels: Iterable[SilverLabel]) -> Scores:
    """Scores of the answers, each against the gold of the first example of its text."""
    gold: dict[str, frozenset[Fact]] = {}
    for example in examples:
        gold.setdefault(text_digest(example.text), facts(example))
    answered = [label for label in labels if text_digest(label.text) in gold]
    truth = [gold[text_digest(label.text)] for label in answered]
    return score(truth, [facts(label) for label in answered])

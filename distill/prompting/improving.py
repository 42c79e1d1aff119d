"""From the words in use to a better version: the search, and what it is worth on the report part.

The report part is opened once, after the search, for the words that it ended with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from distill.judging.scoring import score
from distill.prompting.evaluation import Sureness, summary
from distill.prompting.parts import Parts
from distill.prompting.search import Asking, Outcome, Search, Targets
from schemas.errors import BudgetExhaustedError
from schemas.files.corpus import Example
from schemas.files.kind import Kind
from schemas.files.prompt_file import PromptVersion
from schemas.files.prompt_words import PromptWords
from schemas.types import Fact


@dataclass(frozen=True, slots=True)
class Improved:
    """What a search gave: the version that it ended with, which may be the one it began with."""

    prompt: PromptVersion
    outcome: Outcome

    def as_dict(self) -> dict[str, Any]:
        """Give the facts for JSON."""
        return {
            "version": self.prompt.version,
            "parent": self.prompt.parent,
            "scores": dict(self.prompt.scores),
            "accepted": len(self.outcome.edits),
            "edits": [edit.words for edit in self.outcome.edits],
            "agreement": self.prompt.agreement,
            "proposed": self.outcome.n_proposed,
            "trials": [
                {
                    "edits": [edit.words for edit in trial.edits],
                    "better": trial.held.better,
                    "worse": trial.held.worse,
                    "p_value": trial.held.p_value,
                    "alpha": trial.held.alpha,
                    "accepted": trial.accepted,
                }
                for trial in self.outcome.trials
            ],
            "stopped": self.outcome.stopped,
            "why": self.outcome.why,
        }


def improve(
    words: PromptWords,
    parts: Parts,
    asking: Asking,
    *,
    kind: Kind,
    targets: Targets,
    seed: int,
    sureness: Sureness,
    now: Callable[[], str],
    set_free: Callable[[], None],
) -> Improved:
    """Search from `words` on; `set_free` lets the money be spent that was kept back for the end.

    A part that could not be asked about for want of money has the score None.
    """
    search = Search(words, parts, asking, kind=kind, targets=targets, seed=seed)
    outcome = search.run()
    set_free()
    shown = {example.text for example in outcome.words.examples}
    tune = [one for one in parts.tune if one.text not in shown]
    answered = {
        name: _answers(asking, outcome.words, examples)
        for name, examples in (("report", parts.report), ("keep", parts.keep), ("tune", tune))
    }
    gold = {"tune": tune, "keep": parts.keep, "report": parts.report}
    scores = {
        name: None if (said := answered[name]) is None else summary(examples, said, sureness)
        for name, examples in gold.items()
    }
    is_new = outcome.words != words
    prompt = PromptVersion(
        words=outcome.words,
        parent=words.version if is_new else "",
        made_at=now(),
        why=tuple(edit.words for edit in outcome.edits),
        scores=scores,
        agreement=_agreement(asking, words, parts.keep, answered["keep"]) if is_new else None,
    )
    return Improved(prompt, outcome)


def _answers(
    asking: Asking, words: PromptWords, examples: Sequence[Example]
) -> Sequence[frozenset[Fact]] | None:
    try:
        return asking.answers(words, examples)
    except BudgetExhaustedError:
        return None


def _agreement(
    asking: Asking,
    words: PromptWords,
    keep: Sequence[Example],
    said: Sequence[frozenset[Fact]] | None,
) -> float | None:
    """F1 of the answers against those by `words`; 1 where both say nothing at all."""
    before = _answers(asking, words, keep)
    if before is None or said is None:
        return None
    return score(before, said).f1 if any(before) or any(said) else 1.0

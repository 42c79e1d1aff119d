"""The demo's corpora and settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from schemas.files.corpus import Example, write_jsonl
from schemas.settings import Settings
from stream.lab.demo.feed import Author, texts
from stream.lab.demo.scripts import Script
from stream.lab.workspace import Workspace, derived

BUDGET_SHARE = 0.25
AUDIT_SHARE = 0.06
PROMISE = {"agreement": 0.85, "confidence": 0.8, "against": "teacher"}
"""What ten minutes of so small a student can prove; 98 % at 95 % takes 149 faultless records."""

_JUDGES = 200
"""Texts of each style in the gate's gold, and as many in the held-out set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How big a demo is.

    The feed has `per_half` records on either side of the drift; distill makes the next
    student after `new_labels`; `recipe` and `experiment` are changes to these settings,
    such that a student is trained in well under a minute; the whole ends within `budget_s`.
    """

    cold_start: int = 220
    per_half: int = 1400
    records_per_s: float = 20.0
    new_labels: int = 100
    budget_s: float = 600.0
    seed: int = 0
    recipe: dict[str, Any] = field(default_factory=lambda: {"layers": 2, "max_tokens": 64})
    experiment: dict[str, Any] = field(
        default_factory=lambda: {
            "batch_records": 16,
            "epochs": 3.0,
            "min_steps": 150,
            "learning_rate": 4e-4,  # so few steps need long ones
            "averaged_share": 0.6,
            "head_learning_rate_factor": 1.0,
            "mention_swap": 0.5,
            "label_half_life": None,  # pilots take as long as a training here
        }
    )


@dataclass(frozen=True, slots=True)
class Corpora:
    """What is written before the demo starts; `early` and `late` are the halves of the feed."""

    cold: tuple[Example, ...]
    early: tuple[Example, ...]
    late: tuple[Example, ...]
    gold: tuple[Example, ...]
    held_out_early: tuple[Example, ...]
    held_out_late: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the corpora lie in the work folder."""

    space: Workspace

    @property
    def answers(self) -> Path:
        """What the teacher answers from."""
        return self.space.root / "answers.jsonl"

    @property
    def gold(self) -> Path:
        """The gate's gold."""
        return self.space.root / "gold.jsonl"

    def write(self, corpora: Corpora) -> None:
        """Write all; the cold start's texts go without their gold."""
        write_jsonl(self.answers, [*corpora.cold, *corpora.early, *corpora.late])
        write_jsonl(self.gold, corpora.gold)
        write_jsonl(self.space.cold, [Example(one.id, one.text, ()) for one in corpora.cold])


def make_corpora(script: Script, scale: Scale) -> Corpora:
    """Generate everything from the seed."""
    seed = scale.seed
    early, late = script.early("feed", seed=seed), script.late("feed", seed=seed)
    return Corpora(
        cold=tuple(_distinct(early, scale.cold_start, seed=seed)),
        early=tuple(texts(early, scale.per_half, prefix="early", seed=seed)),
        late=tuple(texts(late, scale.per_half, prefix="late", seed=seed)),
        gold=(
            *texts(script.early("gold", seed=seed), _JUDGES, prefix="gold-early", seed=seed),
            *texts(script.late("gold", seed=seed), _JUDGES, prefix="gold-late", seed=seed),
        ),
        held_out_early=tuple(
            texts(script.early("held_out", seed=seed), _JUDGES, prefix="test-early", seed=seed)
        ),
        held_out_late=tuple(
            texts(script.late("held_out", seed=seed), _JUDGES, prefix="test-late", seed=seed)
        ),
    )


def _distinct(author: Author, n: int, *, seed: int) -> Iterator[Example]:
    """Give `n` texts without repeats: a repeated text gives no second label."""
    found = {one.text: one for one in texts(author, 3 * n, prefix="cold", seed=seed)}
    return islice(found.values(), n)


def demo_settings(space: Workspace, scale: Scale, *, servers: str, url: str) -> Settings:
    """Make the settings: small training, retraining by label count, the gate as it is."""
    changes: dict[str, dict[str, Any]] = {
        "routing": {"budget_share": BUDGET_SHARE, "burst_records": 20},
        "promise": dict(PROMISE),
        "distill": {
            "gold": Files(space).gold,
            "min_new_labels": scale.new_labels,
            "check_every_s": 2.0,
            "audit_share": AUDIT_SHARE,
            "seed": scale.seed,
        },
    }
    # The defaults: neither the user's settings file nor their environment changes the demo.
    base = Settings.model_validate(
        {"distill": {"recipe": scale.recipe}, "experiment": scale.experiment}
    )
    return derived(
        base,
        space,
        bootstrap_servers=servers,
        delivery="at_least_once",
        teacher_url=url,
        changes=changes,
    )

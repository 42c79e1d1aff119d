"""What `silverstream prompt evaluate` and `improve` do, from settings and gold to figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distill.labels.bootstrap import check_labels
from distill.prompting.asking import expected_usd, open_asking
from distill.prompting.evaluation import Sureness, figures, mistakes
from distill.prompting.improving import improve
from distill.prompting.parts import Parts, parts_of
from distill.prompting.search import Targets
from schemas.alignment import aligned
from schemas.errors import ConfigError
from schemas.files.corpus import Example
from schemas.files.example_pool import read_pool
from schemas.files.few_shot import teacher_examples
from schemas.files.prompt_file import PromptVersion
from schemas.files.prompt_words import words_of
from schemas.files.task import Task
from schemas.files.task_in_use import asked_task, prompt_folder
from schemas.settings import Settings
from schemas.types import text_digest
from stream.teacher.prompt import prompt_version
from stream.teacher.purse import Purse

MIN_PART = 6
"""So many texts must be better, and none worse, before any edit can hold."""

OnAsked = Callable[[Purse], None]
"""Told, whenever something was asked, what is spent so far."""


def evaluate_prompt(
    settings: Settings, gold: Sequence[Example], *, max_usd: float, on_asked: OnAsked
) -> dict[str, Any]:
    """Ask about every text of gold that the teacher is not shown, and compare.

    Raises `ConfigError` for gold that does not answer the task, `BudgetExhaustedError` and
    `TeacherUnavailableError`; answers are remembered, so that running it again goes on.
    """
    task = asked_task(settings)
    judged = _judged(gold, settings, task)
    if not judged:
        raise ConfigError("gold has no text that the teacher is not shown")
    purse = Purse(max_usd=max_usd)
    with open_asking(settings, task, purse, on_asked=lambda: on_asked(purse)) as asking:
        said = asking.answers(words_of(task), judged)
    return {
        "version": words_of(task).version,
        "prompt_version": prompt_version(
            task, asking.few_shot, n_similar=settings.teacher.examples.n_similar
        ),
        "left_out": len(gold) - len(judged),
        **figures(judged, said, sureness_of(settings)),
        "mistakes": mistakes(judged, said, kind=task.kind),
        "refused": dict(asking.refused),
        "calls": purse.calls,
        "usd": purse.usd,
    }


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search may spend."""

    max_usd: float
    max_calls: int


def improve_prompt(
    settings: Settings,
    gold: Sequence[Example],
    *,
    targets: Targets,
    limits: Limits,
    seed: int,
    now: Callable[[], str],
    on_asked: OnAsked,
) -> dict[str, Any]:
    """Search for better words than those in use, and write what was found as a version.

    `now` gives the time in ISO 8601. Raises as `evaluate_prompt`, and `ConfigError` for gold or
    money that is too little to begin with.
    """
    task = asked_task(settings)
    parts = parts_of(_judged(gold, settings, task))
    sizes = {"tune": len(parts.tune), "keep": len(parts.keep), "report": len(parts.report)}
    if min(sizes.values()) < MIN_PART:
        raise ConfigError(
            f"gold has too few texts to improve the prompt by: {sizes} by part, and each needs "
            f"{MIN_PART} at least (some 100 texts in all are a good beginning)"
        )
    purse = _purse(settings, task, parts, limits)
    # The words that it begins with too, so that one can return to them.
    folder = prompt_folder(settings, task)
    folder.add(PromptVersion(words_of(task), made_at=now()))
    with open_asking(settings, task, purse, on_asked=lambda: on_asked(purse)) as asking:
        improved = improve(
            words_of(task),
            parts,
            asking,
            kind=task.kind,
            targets=targets,
            seed=seed,
            sureness=sureness_of(settings),
            now=now,
            set_free=lambda: purse.keep_back(usd=0.0, calls=0),
        )
    folder.add(improved.prompt)
    return {
        **improved.as_dict(),
        "texts": sizes,
        "unusable_proposals": asking.n_unusable,
        "refused": dict(asking.refused),
        "calls": purse.calls,
        "usd": purse.usd,
    }


def sureness_of(settings: Settings) -> Sureness:
    """Draw intervals as the gate draws them."""
    gate = settings.distill.gate
    return Sureness(gate.resamples, gate.confidence, settings.distill.seed)


def _judged(gold: Sequence[Example], settings: Settings, task: Task) -> list[Example]:
    """Take the texts that the teacher is not shown, their spans fitted to words as answers are."""
    check_labels(gold, task)
    few_shot = teacher_examples(settings.distill.gold, settings.teacher.few_shot, task)
    shown = {text_digest(one.text) for one in (*task.examples, *few_shot)}
    pool = read_pool(settings, task)
    return [
        replace(one, entities=aligned(one.text, one.entities))
        for one in gold
        if text_digest(one.text) not in shown and not pool.holds(one.text)
    ]


def _purse(settings: Settings, task: Task, parts: Parts, limits: Limits) -> Purse:
    """Fill a purse, and keep back what the last figures cost.

    Raises `ConfigError` where nothing is left for a search then.
    """
    texts = [one.text for one in (*parts.tune, *parts.report)]
    usd = expected_usd(settings, task, texts)
    n_keep = len(parts.keep)
    if usd > limits.max_usd or len(texts) + n_keep >= limits.max_calls:
        raise ConfigError(
            f"the last figures alone may take {len(texts)} calls and {usd:.4f} USD, and the first "
            f"ones {n_keep} calls: --max-usd {limits.max_usd:g} and --max-calls "
            f"{limits.max_calls} leave nothing for a search"
        )
    purse = Purse(max_usd=limits.max_usd, max_calls=limits.max_calls)
    purse.keep_back(usd=usd, calls=len(texts))
    return purse

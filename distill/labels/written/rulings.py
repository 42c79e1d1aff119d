"""What verdicts make of the labels that they are about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from schemas.bio import validate_entities
from schemas.categories import check_chosen, of_labels
from schemas.files.task import Task
from schemas.types import Category, Entity, Fact, SilverLabel, facts
from stream.teacher.mentions import mentions
from stream.teacher.writing.verdicts import Doubted, Verdict

Effect = Literal["confirmed", "removed", "added", "relabelled", "respanned", "unusable"]


def doubted_of(text: str, fact: Fact) -> Doubted:
    """Put a fact as it is asked about."""
    start, end, label = fact
    if start == end:
        return Doubted(text, label)
    mention = text[start:end]
    places = mentions(text, mention)
    number = places.index((start, end)) + 1 if (start, end) in places else 1
    return Doubted(text, label, mention, number)


def ruled(
    label: SilverLabel, verdicts: Iterable[tuple[Fact, Verdict]], task: Task
) -> tuple[SilverLabel | None, list[Effect]]:
    """Apply the verdicts on a label's facts, one after the other; say what each did.

    None where no answer to the task is left, as of a single category that is wrong. A verdict
    that would contradict the rest of the label changes nothing.
    """
    found, effects = facts(label), list[Effect]()
    for fact, verdict in verdicts:
        found, effect = _applied(found, fact, verdict, label.text)
        effects.append(effect)
    if task.choose is None:
        return replace(label, entities=_entities(label.text, found)), effects
    categories = of_labels(fact[2] for fact in found)
    return (
        replace(label, categories=categories) if _chosen(categories, task) else None,
        effects,
    )


def _applied(
    found: frozenset[Fact], fact: Fact, verdict: Verdict, text: str
) -> tuple[frozenset[Fact], Effect]:
    stands = fact in found
    match verdict.ruling:
        case "wrong":
            return (found - {fact}, "removed") if stands else (found, "confirmed")
        case "right":
            return (found, "confirmed") if stands else _changed(found, fact, fact, "added", text)
        case "other_label":
            return _changed(found, fact, (fact[0], fact[1], verdict.label), "relabelled", text)
        case "other_span":
            return _changed(found, fact, _respanned(fact, verdict, text), "respanned", text)


def _changed(
    found: frozenset[Fact], old: Fact, new: Fact | None, effect: Effect, text: str
) -> tuple[frozenset[Fact], Effect]:
    changed = None if new is None else (found - {old}) | {new}
    if changed is None or not _is_sound(text, changed):
        return found, "unusable"
    return changed, effect


def _respanned(fact: Fact, verdict: Verdict, text: str) -> Fact | None:
    """Find the other words where they touch those that were asked about."""
    start, end, label = fact
    places = [(a, b) for a, b in mentions(text, verdict.span) if a < end and start < b]
    return (*places[0], verdict.label or label) if len(places) == 1 else None


def _is_sound(text: str, found: frozenset[Fact]) -> bool:
    try:
        validate_entities(text, _entities(text, found))
    except ValueError:
        return False
    return True


def _entities(text: str, found: frozenset[Fact]) -> tuple[Entity, ...]:
    return tuple(Entity(a, b, label, text[a:b]) for a, b, label in sorted(found) if a < b)


def _chosen(categories: Sequence[Category], task: Task) -> bool:
    try:
        check_chosen(categories, labels=task.label_names, choose=task.choose or "any")
    except ValueError:
        return False
    return True

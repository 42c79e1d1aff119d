"""What status and people are told of several teachers: plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stream.teacher.comparison import GOLD, STUDENT, Comparison, Tally

_KEYS = {STUDENT: "student", GOLD: "gold"}


def teacher_facts(
    known: Comparison,
    names: Sequence[str],
    *,
    tolerated: float,
    spent_usd: Mapping[str, float],
) -> dict[str, Any] | None:
    """Tell of each teacher, the first of `names` first; None where there are not several.

    `agreement` has, by whom and by label, the texts in which one of the two says the label, and
    those in which both say the same of it. `instead` has, by what the student proposes ("" for
    nothing, null for all together), in how many deferred records it was the worse, or the better,
    one beside the first, and whether it is `good_enough` there. `spent_usd` is all it was paid.
    """
    if len(names) < 2:  # noqa: PLR2004 - one is not several
        return None
    return {
        name: {
            "first": name == names[0],
            "model": known.models.get(name, (None, None))[0],
            "prompt_version": known.models.get(name, (None, None))[1],
            "spent_usd": spent_usd.get(name, 0.0),
            "agreement": _agreement(known, name, names),
            "instead": _instead(known, name, tolerated),
        }
        for name in names
    }


def teacher_lines(found: Mapping[str, Any]) -> list[str]:
    """Say the same to people, a line for each teacher but the first."""
    lines = []
    for name, one in found.items():
        if one["first"]:
            continue
        fit = [x["proposed"] or "nothing" for x in one["instead"] if _is_fit(x)]
        of_all = next((x for x in one["instead"] if x["proposed"] is None), None)
        seen = (
            f"{of_all['worse']} times worse and {of_all['better']} times better than the first in "
            f"{of_all['records']} deferred audits"
            if of_all
            else "not compared yet"
        )
        where = f"; asked where the student says {', '.join(fit)}" if fit else ""
        lines.append(f"teacher   {name}: {seen}{where}")
    return lines


def _is_fit(one: Mapping[str, Any]) -> bool:
    return bool(one["good_enough"]) and one["proposed"] is not None


def _agreement(known: Comparison, name: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    labels = sorted({label for _, _, label in known.agreements})
    return {
        _KEYS.get(other, other): found
        for other in (*names, STUDENT, GOLD)
        if other != name
        and (
            found := {
                label: asdict(one)
                for label in labels
                if (one := known.agreement(name, other, label)).texts
            }
        )
    }


def _instead(known: Comparison, name: str, tolerated: float) -> list[dict[str, Any]]:
    own: dict[str | None, dict[str, Tally]] = {}
    for (teacher, against, of), tally in known.tallies.items():
        if teacher == name:
            own.setdefault(of, {})[against] = tally
    return [
        {
            "proposed": of,
            **asdict(sum(by.values(), Tally())),
            "good_enough": of is not None
            and known.is_good_enough(name, [of] if of else [], tolerated=tolerated),
        }
        for of, by in sorted(own.items(), key=lambda item: item[0] or "")
    ]

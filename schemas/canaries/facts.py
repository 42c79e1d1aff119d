"""What status, metrics and people are told of the teacher's trust: plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from schemas.canaries.epoch import Seen
from schemas.canaries.trust import TeacherTrust


def canary_facts(trust: TeacherTrust, *, per_hour: float) -> dict[str, Any] | None:
    """Give the state of the canaries for machines; None where none are asked, and none ever were.

    `state` is `gathering` while no answer could be compared, `watching`, or `changed`. `evidence`
    are the capitals of the bets on a change, which is noticed at `bound`.
    """
    epoch = trust.doubted or trust.epoch
    if not per_hour and not epoch.seen and not trust.holds:
        return None
    since = [one for one in epoch.seen if epoch.is_of_the_change(one)]
    before = [one for one in epoch.seen if not epoch.is_of_the_change(one)]
    hold = trust.hold
    return {
        "state": _state(trust),
        "noticed_by": trust.noticed if hold else None,
        "since_ms": hold.since_ms if hold else None,
        "teacher": trust.teacher or None,
        "per_hour": per_hour,
        "texts": len(epoch.references),
        "evidence": {name: round(capital, 4) for name, capital in epoch.capitals.items()},
        "bound": epoch.bound,
        "before": _figures(before),
        "since": _figures(since) if hold else None,
        "accepted": _accepted(trust),
    }


def change_words(found: dict[str, Any]) -> str:
    """Say in one line what has changed, of the facts of a trust whose `state` is `changed`."""
    before, since = found["before"], found["since"]
    if found["noticed_by"] == "names":
        told = f"it called itself {_names(before)} and calls itself {_names(since)}"
    else:
        told = f"{_agreed(before)} of its answers were as at first, {_agreed(since)} are since"
    return (
        f"canary: the teacher has changed: {told}; its labels since then are held back "
        "(`silverstream teacher accept --reason TEXT`, or another teacher, ends this)"
    )


def _state(trust: TeacherTrust) -> str:
    if trust.hold:
        return "changed"
    compared = any(one.distance is not None for one in trust.epoch.seen)
    return "watching" if compared else "gathering"


def _figures(seen: Sequence[Seen]) -> dict[str, Any]:
    canaries = [one.canary for one in seen]
    compared = [one.distance for one in seen if one.distance is not None]
    judged = [one.right for one in canaries if one.right >= 0]
    outcomes = Counter(one.outcome for one in canaries)
    return {
        "answers": len(seen),
        "compared": len(compared),
        "agreed": sum(distance == 0 for distance in compared),
        "likeness": fmean(1 - min(x, 1) for x in compared) if compared else None,
        "refused": outcomes["refused"],
        "invalid": outcomes["invalid"],
        "right": fmean(judged) if judged else None,
        "latency_s": median(one.latency_ms for one in canaries) / 1000 if canaries else None,
        "models": dict(Counter(one.model for one in canaries if one.model)),
        "fingerprints": dict(Counter(one.fingerprint for one in canaries if one.fingerprint)),
    }


def _accepted(trust: TeacherTrust) -> dict[str, Any] | None:
    entry = trust.accepted
    return {"at_ms": entry.at_ms, "reason": entry.reason} if entry else None


def _agreed(figures: dict[str, Any]) -> str:
    return f"{figures['agreed']} of {figures['compared']}"


def _names(figures: dict[str, Any]) -> str:
    names = [*figures["models"], *figures["fingerprints"]]
    return ", ".join(names) or "nothing"

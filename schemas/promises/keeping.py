"""What becomes of a promise as live audits come in: it breaks, or it is proved after all.

::

    unproven ──proved──▶ kept ──contradicted──▶ broken ──proved──▶ kept
       ▲                  │                       └──contradicted──▶ broken, stricter
       └──stream changed──┘

Broken, the threshold is raised at once above every error since things went wrong; what is under it
is wanted by the teacher, as far as the budget goes. A promise may fail slowly, for the surest
records drift least; so the student's agreement on *all* audits is watched too. Where that is less
than when the promise was proved, it was proved of another stream: it is unproven, and the threshold
is raised as if it were broken. From then on the audits since that time are the
evidence, and once they prove the promise at some threshold, lower or higher, it is kept again. So
too is one that was unproven. Such looks come each time the audits have grown by half, on exactly
so many of them, at a risk of a half, a quarter and so on of the whole: together at most the
promise's own. A student that is made later is judged by the audits since then as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.promises.bounds import least_needed, lower_bound
from schemas.promises.proving import Asked, Proof, Sighting, State, least_evidence, prove
from schemas.promises.record import Promised
from schemas.promises.shortage import is_short
from schemas.promises.watching import Watch

_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Audit:
    """A live audit as the student in service tags it, and when it was answered."""

    at_ms: int
    sighting: Sighting


def next_promise(
    promised: Promised, audits: Sequence[Audit], *, in_force_ms: int, since_ms: int
) -> Promised | None:
    """Say what is to be promised instead; None where all stays as it is. Pure.

    `audits` are in the order of their time; those since `in_force_ms` watch over the promise, those
    since `since_ms` may prove it.
    """
    live = [audit for audit in audits if audit.at_ms >= in_force_ms]
    if promised.proof.state != "unproven":
        if window := contradiction(promised, live):
            return _raised(promised, window, "broken")
        if window := change(promised, live):
            return _raised(promised, window, "unproven")
    if promised.proof.state != "kept" and promised.against == "teacher":
        return _proved(promised, [audit for audit in audits if audit.at_ms >= since_ms])
    return None


def suffices(promised: Promised, audits: Sequence[Audit], *, least: int = 0) -> bool:
    """Whether the audits are evidence enough for now: of the promise, and `least` for the gate.

    It is looked as often as whether they prove the promise.
    """
    if len(audits) < least:
        return False
    if not promised.short:
        return True
    look = looks(len(audits), promised.asked)
    if look is None:
        return False
    n, asked = look
    return not is_short([audit.sighting for audit in audits[:n]], asked)


def contradiction(promised: Promised, live: Sequence[Audit]) -> list[Audit]:
    """Find the audits since things went wrong; empty where nothing contradicts the promise."""
    if not promised.watched:
        return []
    watch = Watch(promised.watched, promised.asked.risk)
    accepted = [one for one in live if one.sighting.confidence >= promised.proof.threshold]
    for audit in accepted:
        watch.see(right=audit.sighting.right)
        if watch.is_broken:
            since_ms = accepted[watch.since].at_ms
            return [one for one in live if one.at_ms >= since_ms]
    return []


def change(promised: Promised, live: Sequence[Audit]) -> list[Audit]:
    """Find the audits since the stream changed; empty where it seems what it was."""
    if not promised.overall or promised.proof.state != "kept":
        return []
    watch = Watch(promised.overall, promised.asked.risk)
    for audit in live:
        watch.see(right=audit.sighting.right)
        if watch.is_broken:
            return [one for one in live if one.at_ms >= live[watch.since].at_ms]
    return []


def overall_of(sightings: Sequence[Sighting], asked: Asked) -> float:
    """Bound the agreement on all of these; 0 of nothing."""
    errors = sum(not one.right for one in sightings)
    return lower_bound(errors, len(sightings), risk=asked.risk)


def looks(n: int, asked: Asked) -> tuple[int, Asked] | None:
    """Give the newest look that `n` audits allow: how many it takes, and at which risk."""
    least = _first_look(asked)
    if least is None or n < least:
        return None
    number = int(math.log(n / least) / math.log(_GROWTH)) + 1
    taken, at_risk = _look(number, least, asked)
    return min(taken, n), at_risk


def next_proof(promised: Promised, n: int) -> int | None:
    """Count the audits of the next look, after `n`, that can prove the promise; None: none can.

    It is proved there if all of the share that is accepted agree. Where no share is known, all are.
    """
    first = _first_look(promised.asked)
    if first is None:
        return None
    share, number = promised.proof.accepted_share or 1.0, 1
    while True:
        taken, asked = _look(number, first, promised.asked)
        least = least_evidence(asked, share)
        if least is None:
            return None
        if taken > n and taken >= least:
            return taken
        number += 1


def _first_look(asked: Asked) -> int | None:
    return least_needed(asked.agreement, risk=asked.risk / 2)


def _look(number: int, first: int, asked: Asked) -> tuple[int, Asked]:
    taken = math.ceil(first * _GROWTH ** (number - 1))
    return taken, replace(asked, confidence=1 - asked.risk / 2**number)


def _proved(promised: Promised, audits: Sequence[Audit]) -> Promised | None:
    look = looks(len(audits), promised.asked)
    if look is None:
        return None
    n, asked = look
    proof = prove([audit.sighting for audit in audits[:n]], asked)
    if proof.state != "kept":
        return None
    overall = overall_of([audit.sighting for audit in audits[:n]], promised.asked)
    was_broken = promised.proof.state == "broken"  # and is not proved again of each label
    return replace(
        promised,
        proof=proof,
        stream=n,
        overall=overall,
        changed=False,
        short=False,
        per_label=promised.labels_in("unproven") if was_broken else promised.per_label,
    )


def _raised(promised: Promised, window: Sequence[Audit], state: State) -> Promised:
    old = promised.proof.threshold
    surest = max(one.sighting.confidence for one in window if not one.sighting.right)
    threshold = min(max(math.nextafter(surest, 2), old), 1.0)
    accepted = [one.sighting for one in window if one.sighting.confidence >= old]
    errors = sum(not one.right for one in accepted)
    left = [one for one in window if one.sighting.confidence >= threshold]
    risk = promised.asked.risk
    least = least_needed(promised.asked.agreement, risk=risk)
    proof = Proof(
        state=state,
        threshold=threshold,
        accepted_share=len(left) / len(window),
        audited=len(accepted),
        errors=errors,
        bound=lower_bound(errors, len(accepted), risk=risk),
        need=least,
    )
    since_ms = window[0].at_ms
    return replace(
        promised,
        proof=proof,
        stream=len(window),
        since_ms=since_ms,
        overall=0.0,  # of the stream as it is now nothing is known yet
        changed=state == "unproven",
        short=promised.against == "teacher" and least is not None,
        per_label=promised.labels_in(state),
    )

"""What was promised during a replay, and whether it was kept, against the stream's gold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.files.corpus import Example
from schemas.promises.record import promised_by
from schemas.types import EntityEvent, Promotion, facts
from stream.cli.status import promise_facts
from stream.lab.observations import Observations


def promise_played(sent: Mapping[str, Example], seen: Observations) -> dict[str, Any] | None:
    """Give the last promise as `silverstream status` does, and how all of them were kept.

    `settled` counts the records that were settled alone under a promise that was `kept`, `agreed`
    is the share of these that is wholly right by gold, `kept` whether that is the promised one at
    least; both None where no promise was made. None where no student came with a promise.
    """
    promises: defaultdict[tuple[str, str], list[Promotion]] = defaultdict(list)
    for one in seen.promotions:
        promises[one.student_version, one.policy_digest].append(one)
    last = promised_by(seen.promotions[-1]) if seen.promotions else None
    if last is None:
        return None
    right = [
        facts(event) == facts(sent[event.record_id])
        for event in seen.firsts()
        if event.record_id in sent and _is_covered(event, promises)
    ]
    agreed = sum(right) / len(right) if right else None
    kept = None if agreed is None else agreed >= last.asked.agreement
    return promise_facts(last) | {"settled": len(right), "agreed": agreed, "kept": kept}


def _is_covered(
    event: EntityEvent, promises: Mapping[tuple[str, str], Sequence[Promotion]]
) -> bool:
    """Whether the student settled the record alone while it could be relied on.

    A promise may be proved, or taken back, under the policy as it was: what counts is the promotion
    that was in force when the event was made.
    """
    entries = promises.get((event.student_version, event.policy_version), ())
    before = [one for one in entries if one.promoted_at_ms <= event.produced_at_ms]
    promotion = next(iter([*before[::-1], *entries]), None)
    promised = promised_by(promotion) if promotion else None
    if promotion is None or promised is None or promised.proof.state != "kept":
        return False
    return event.confidence >= promotion.policy.threshold

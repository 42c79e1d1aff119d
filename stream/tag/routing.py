"""Routing: which records the teacher is asked about, within a budget.

A record is *wanted* when its confidence is under the policy's threshold or
when it falls in the audit sample; what it is unsure of in labels that the policy trusts
counts for nothing. It is *granted* when the budget allows. One
`Router` serves one input partition and sees its records in order.

The budget is a token bucket that earns `budget_share` for each record, starts
empty and holds at most `burst_records`: so a router never grants more than
`budget_share * n` of `n` records, whatever happens to its process. The audit
draws first: the rest leaves it the part of a token that the next record does not earn.

A text that is nearly one that was granted lately adds nothing, and is not granted again, unless the
budget pays for every record. Where it is known who sent a record, no producer is granted more than
its quota (`stream.tag.quotas`).

When more is wanted than the budget grants, the least sure records are to get
it. Each confidence is ranked in a sliding window of the last ones, and granted
when it is among the lowest `q`. With the share `b` that the audit leaves,
`q = b ** (target / level)`: exactly `b` while the bucket is at its target
level, less when it runs dry (the tokens left are kept for the very
least sure), more when savings pile up, and 1 when they are about to spill. So
the spend follows the budget although quantiles of a drifting stream are
always late, and a short stream works like a long one: the target grows with
what was earned, so that little is unspent at the end of either.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import Literal

from schemas.audit import NO_KEYS, AuditKeys, in_audit
from schemas.near_duplicates import ONE_TEXT, NearDuplicates
from schemas.settings import RoutingSettings, RoutingStrategy
from schemas.types import RoutingPolicy
from stream.tag.quotas import Quotas

Reason = Literal[
    "confident",  # not wanted
    "trusted",  # not wanted: unsure only in labels in which the student is as good as the teacher
    "audit",  # granted: drawn for the audit
    "low_confidence",  # granted: under the threshold and among the least sure
    "random",  # granted by the lot of the strategy `random`
    "over_budget",  # wanted and among the least sure, but the bucket is empty
    "not_least_sure",  # wanted, but the budget is kept for less sure records
    "repeated",  # wanted, but the teacher was asked about nearly the same text lately
    "over_quota",  # wanted, but its producer has had its share
    "not_drawn",  # wanted, but the lot of the strategy `random` fell elsewhere
    "no_consent",  # wanted, but nobody agreed that the teacher may see it
]

_FIRST_TARGET = 1.5
"""Tokens that the bucket aims to hold at first; enough to meet a run of unsure records."""
_TARGET_SHARE = 0.03
"""Share of all earned tokens that the target grows by: what a finished stream leaves unspent."""
_SPILL = 2.5
"""At this many times its target the bucket grants whatever is wanted, before tokens are lost."""
_WINDOW_GRANTS = 50
"""The window holds as many records as earn this many tokens ..."""
_WINDOW_RECORDS = (200, 2000)
"""... within these bounds."""
_REMEMBERED = 1000
"""Texts that were granted, which others may repeat: 5 MB at most for each partition."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one record; `granted` means deferred to the teacher.

    With the strategy `random` a record may be granted without being wanted.
    """

    wanted: bool
    granted: bool
    audit: bool
    reason: Reason


_CONFIDENT = Decision(wanted=False, granted=False, audit=False, reason="confident")
_TRUSTED = Decision(wanted=False, granted=False, audit=False, reason="trusted")
_LOW = Decision(wanted=True, granted=True, audit=False, reason="low_confidence")
_DRY = Decision(wanted=True, granted=False, audit=False, reason="over_budget")
_SURER = Decision(wanted=True, granted=False, audit=False, reason="not_least_sure")
_AUDITED = Decision(wanted=True, granted=True, audit=True, reason="audit")
_UNAUDITED = Decision(wanted=True, granted=False, audit=True, reason="over_budget")
_UNAUDITED_AGAIN = Decision(wanted=True, granted=False, audit=True, reason="repeated")
_REPEATED = Decision(wanted=True, granted=False, audit=False, reason="repeated")
_OVER_QUOTA = Decision(wanted=True, granted=False, audit=False, reason="over_quota")
_DRAWN = Decision(wanted=True, granted=True, audit=False, reason="random")
_DRAWN_UNWANTED = Decision(wanted=False, granted=True, audit=False, reason="random")
_NOT_DRAWN = Decision(wanted=True, granted=False, audit=False, reason="not_drawn")
_NO_CONSENT = Decision(wanted=True, granted=False, audit=False, reason="no_consent")


class Router:
    """Decides for the records of one input partition, in their order; not thread-safe.

    The strategy `random` grants by lot at the same budget: the control of experiments.
    """

    def __init__(
        self,
        settings: RoutingSettings,
        *,
        strategy: RoutingStrategy = "uncertainty",
        seed: int = 0,
        keys: AuditKeys = NO_KEYS,
    ) -> None:
        self._keys = keys
        self._share = settings.budget_share
        self._burst = float(settings.burst_records)
        self._random = strategy == "random"
        # Drawn for each record, not for each text: texts that repeat would all be granted or none.
        self._lots = random.Random(seed)  # noqa: S311  # repeatable, no secret
        self._level = 0.0  # tokens in the bucket, in [0, burst_records]
        self._target = min(_FIRST_TARGET, self._burst / _SPILL)
        self._window = _Window(_window_records(self._share))
        scarce = self._share < 1
        self._asked = NearDuplicates(similar=ONE_TEXT, most=_REMEMBERED) if scarce else None
        self._audited: deque[str] = deque(maxlen=_REMEMBERED)
        self._quotas = _quotas(settings)
        self._policy: RoutingPolicy | None = None
        self._left_by_audit = 0.0
        self._kept_for_audit = 0.0

    def decide(
        self,
        confidence: float,
        text_digest: str,
        policy: RoutingPolicy,
        *,
        untrusted: float | None = None,
        text: str = "",
        producer: str = "",
        may_ask: bool = True,
    ) -> Decision:
        """Route the next record.

        `confidence` is in [0, 1]; one that is no number counts as 0. `text_digest`
        is the text's SHA-256, in hexadecimal. `untrusted` is the confidence as to all labels but
        those that the policy trusts, where it trusts some: by it the record is wanted, and ranked.
        By its `text` it is told whether it repeats another one, unless that is "". `producer` names
        who sent it. One that the teacher may not be asked about is as if it were not there: it
        earns no budget, takes none, and is no audit.
        """
        asked = confidence if untrusted is None else untrusted
        if not asked >= 0.0:  # NaN too: nothing is known, so nothing is surer than this
            asked = 0.0
        if not may_ask:
            return _NO_CONSENT if asked < policy.threshold else _settled(confidence, policy)
        if policy is not self._policy:
            self._adopt(policy)
        self._earn()
        share_below = self._window.rank(asked)
        if in_audit(text_digest, policy, self._keys):
            return self._audit(text_digest, producer)
        if asked < policy.threshold and self._random:
            return self._draw(_NOT_DRAWN)
        if asked < policy.threshold:
            return self._least_sure(share_below, text, producer)
        settled = _settled(confidence, policy)
        return self._draw(settled) if self._random else settled

    def _adopt(self, policy: RoutingPolicy) -> None:
        """Another policy comes with another student, whose confidences do not compare."""
        self._policy = policy
        self._window.clear()
        audit = min(policy.audit_share, self._share)
        self._left_by_audit = (self._share - audit) / (1 - audit) if audit < 1 else 0.0
        self._kept_for_audit = min(1 - self._share, self._burst - 1) if audit else 0.0

    def _earn(self) -> None:
        self._level = min(self._level + self._share, self._burst)
        if self._quotas:
            self._quotas.earn()
        self._target = min(self._target + self._share * _TARGET_SHARE, self._burst / _SPILL)

    def _has_token(self, *, kept: float) -> bool:
        # 10 times 0.1 is a little less than 1.
        return self._level - kept >= 1 - 1e-9

    def _spend(self, producer: str = "") -> None:
        self._level = max(self._level - 1, 0.0)
        if self._quotas:
            self._quotas.charge(producer)

    def _audit(self, text_digest: str, producer: str) -> Decision:
        """Ask about each audit once: it would be a way to all tokens to send one again and again.

        Texts that are nearly alike are drawn each for itself, as they are random records.
        """
        if text_digest in self._audited:
            return _UNAUDITED_AGAIN
        if not self._has_token(kept=0.0):
            return _UNAUDITED
        self._audited.append(text_digest)
        self._spend(producer)
        return _AUDITED

    def _least_sure(self, share_below: float, text: str, producer: str) -> Decision:
        if share_below >= self._quantile():
            return _SURER
        if self._quotas and not self._quotas.allows(producer):
            return _OVER_QUOTA
        if not self._has_token(kept=self._kept_for_audit):
            return _DRY
        if text and self._asked and self._asked.take(text):
            return _REPEATED
        self._spend(producer)
        return _LOW

    def _draw(self, undrawn: Decision) -> Decision:
        drawn = self._lots.random() < self._quantile()
        if drawn and self._has_token(kept=self._kept_for_audit):
            self._spend()
            return _DRAWN if undrawn.wanted else _DRAWN_UNWANTED
        return undrawn

    def _quantile(self) -> float:
        level = self._level - self._kept_for_audit
        if level > _SPILL * self._target or self._level + self._share > self._burst:
            return 1.0
        return self._left_by_audit ** (self._target / level) if level > 0 else 0.0


class _Window:
    """The last confidences, also in order of size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sorted: list[float] = []
        self._recent: deque[float] = deque()

    def rank(self, confidence: float) -> float:
        """Add `confidence` to the window; return the share under it, in (0, 1).

        Of equal ones none is under the others, so a mass of them is granted only as
        far as the bucket is filled, and leaves the last tokens to the less sure.
        """
        seen = self._sorted
        below = bisect_left(seen, confidence)
        rank = (below + 0.5) / (len(seen) + 1)
        seen.insert(below, confidence)
        self._recent.append(confidence)
        if len(seen) > self._size:
            del seen[bisect_left(seen, self._recent.popleft())]
        return rank

    def clear(self) -> None:
        self._sorted.clear()
        self._recent.clear()


def _settled(confidence: float, policy: RoutingPolicy) -> Decision:
    return _TRUSTED if confidence < policy.threshold else _CONFIDENT


def _quotas(settings: RoutingSettings) -> Quotas | None:
    if not settings.quotas.known:
        return None
    share = settings.quotas.share
    return Quotas(per_record=settings.budget_share * share, burst=settings.burst_records * share)


def _window_records(share: float) -> int:
    low, high = _WINDOW_RECORDS
    return round(min(max(_WINDOW_GRANTS / share, low), high)) if share else low

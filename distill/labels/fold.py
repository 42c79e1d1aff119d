"""The fold that judges first: half of the stream's texts, learnt once a challenger has won.

The teacher is asked about what the student in force is unsure of, and its successor learns the
answers: on the texts that are left the two look alike, however much better the successor is. Of
this half it has learnt nothing since its rival was promoted. What the teacher said there judges
both, for nothing, beside what a round asks; and what was said once judges every challenger until
one is promoted. Then it is learnt. It waits `ROUNDS` rounds at most: where nobody can be proved
better, for want of answers, the challengers would else learn next to nothing, and so never be.

Texts that are alike but for digits, case and spaces fall on the same side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import structlog

from distill.labels.journal import Journal
from distill.labels.quotas import StreamText, within_quota
from schemas.audit import NO_KEYS, AuditKeys, in_audit
from schemas.errors import HaltError, RetryError
from schemas.files.task import Task
from schemas.files.task_identity import unasked_of
from schemas.likeness import in_judging_half
from schemas.types import Fact, Promotion, RoutingPolicy, SilverLabel, facts, text_digest

_log = structlog.get_logger(__name__)

ROUNDS = 2
_SHARE = 0.5
_SOURCES = frozenset({"teacher", "judging"})


def in_fold(text: str) -> bool:
    """Whether the text is of the half that judges first, by hash alone."""
    return in_judging_half(text)


def in_force_since_ms(champion: Promotion, history: Sequence[Promotion]) -> int:
    """Tell when the champion was first promoted: another policy for it teaches it nothing."""
    return min(
        one.promoted_at_ms
        for one in (champion, *history)
        if one.student_version == champion.student_version
    )


def judges_first(label: SilverLabel, *, since_ms: int) -> bool:
    """Whether the label is kept from training, as the champion of `since_ms` has not seen it.

    People's labels are learnt at once, and audits never.
    """
    return (
        label.source in _SOURCES
        and not label.audit
        and label.labelled_at_ms > since_ms
        and in_fold(label.text)
    )


def fold_texts(
    journal: Journal,
    n: int,
    *,
    since_ms: int,
    closed: AbstractSet[str],
    policies: Sequence[RoutingPolicy],
    keys: AuditKeys = NO_KEYS,
    quota: float = 1.0,
) -> list[StreamText]:
    """Read texts of the fold that came since the champion, `n` or so, the newest last.

    `closed` are digests of texts that are learnt or frozen; a text is an audit by any of the
    policies. Where the producers' clock knows no text since then, all count. A text topic
    that cannot be read (another owner's, say) stops no round. No producer gives more than the share
    `quota` of them.
    """
    read = math.ceil(n / _SHARE)
    try:
        texts = journal.newest_records(read, since_ms=since_ms) or journal.newest_records(read)
    except (HaltError, RetryError) as error:
        _log.warning("newest_texts_unread", error=str(error))
        return []
    open_texts = [
        one
        for one, digest in {one: text_digest(one.text) for one in _once(texts)}.items()
        if in_fold(one.text)
        and digest not in closed
        and not any(in_audit(digest, policy, keys) for policy in policies)
    ]
    judging = within_quota(open_texts, quota)
    if len(judging) < len(open_texts):
        _log.info("judging_within_quotas", texts=len(judging), of=len(open_texts))
    return judging


def _once(texts: Sequence[StreamText]) -> Iterable[StreamText]:
    """Give each text once: where several producers sent it, as the first one's."""
    found: dict[str, StreamText] = {}
    for one in texts:
        found.setdefault(one.text, one)
    return found.values()


def answers(labels: Sequence[SilverLabel], task: Task) -> dict[str, frozenset[Fact]]:
    """Give by text what the teacher said, where he was asked about all labels of today."""
    return {one.text: facts(one) for one in labels if not unasked_of(one, task)}

"""The newest texts of the stream that nothing is known about: a student may tag them itself."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import structlog

from distill.labels.journal import Journal
from distill.labels.table import LabelTable, hexadecimal
from schemas.audit import NO_KEYS, AuditKeys, in_audit
from schemas.errors import HaltError, RetryError
from schemas.types import RoutingPolicy, text_digest

_log = structlog.get_logger(__name__)


def newest_unlabelled(
    journal: Journal,
    n: int,
    *,
    known: AbstractSet[str],
    policies: Sequence[RoutingPolicy],
    keys: AuditKeys = NO_KEYS,
) -> list[str]:
    """Read the newest `n` texts, without those of the digests in `known`, labels and audits.

    Labels are read anew: the teacher went on answering while the first student was trained.
    A text is an audit by any of the policies. A text topic that cannot be read (another
    owner's, say) stops no round.
    """
    try:
        texts, labels = journal.newest_texts(n), journal.labels()
    except (HaltError, RetryError) as error:
        _log.warning("newest_texts_unread", error=str(error))
        return []
    asked = frozenset(map(text_digest, texts))
    labelled = asked.intersection(hexadecimal(LabelTable.of(labels).digests))
    return [
        text
        for text, digest in {text: text_digest(text) for text in texts}.items()
        if not (digest in known or digest in labelled)
        and not any(in_audit(digest, policy, keys) for policy in policies)
    ]

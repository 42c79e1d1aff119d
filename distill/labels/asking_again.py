"""Buying second opinions on doubted labels, out of what a round may ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from distill.archive import RoundArchive
from distill.judging.allowance import Allowance
from distill.judging.questions import Ask
from distill.labels.doubts import Opinions


def ask_again(
    texts: Sequence[str],
    *,
    archive: RoundArchive,
    allowance: Allowance,
    most: int,
    asker: str,
    opened: Callable[[], AbstractContextManager[Ask]],
) -> Opinions:
    """Ask about the first of the texts that `asker` was not asked about, as far as that is paid.

    They are paid for, `most` of them, out of the allowance before they are asked, and what was not
    asked is given back; so is the allowance that stands in the archive when this returns. Gives all
    opinions on the texts, those of earlier rounds too. Raises as `opened`.
    """
    known = archive.opinions()
    if some := known.unasked(texts, asker)[:most]:
        archive.keep_allowance(allowance.less(len(some)))
        with opened() as ask:
            said = ask(some)
        known = known.with_answers(said, asker)
        archive.keep_opinions(known)
        archive.keep_allowance(allowance.less(len(said)))
    return known.about(texts, asker)

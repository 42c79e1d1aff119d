"""Buying second opinions on doubted labels, out of what a round may ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial

from distill.archive import RoundArchive
from distill.judging.allowance import Allowance
from distill.judging.questions import Ask, Truth
from distill.labels.doubts import Opinions
from distill.labels.examiner import OpenExaminer, asker_of
from distill.labels.table import LabelTable
from schemas.files.task import Task
from schemas.settings import Settings


def ask_others(
    texts: Sequence[str],
    *,
    labels: LabelTable,
    settings: Settings,
    task: Task,
    archive: RoundArchive,
    allowance: Allowance,
    most: int,
    second: OpenExaminer,
) -> Opinions:
    """Ask again about texts of `labels`, of several teachers always another one than who answered.

    As `ask_again` does; `second` opens who gives second opinions by settings.
    """
    answered = _who_answered(labels, texts)
    known = {one.name for one in settings.teachers}
    opinions: dict[str, Truth] = {}
    for name in dict.fromkeys(answered.get(text, "") for text in texts):
        others = settings.led_by(name) if name in known else settings
        opinions |= ask_again(
            [text for text in texts if answered.get(text, "") == name],
            archive=archive,
            allowance=allowance,
            most=most,
            asker=asker_of(others, task),
            opened=partial(second, others, task, {}),
        )
        left = archive.allowance() or allowance
        most, allowance = most - (allowance.questions - left.questions), left
    return opinions


def _who_answered(labels: LabelTable, texts: Sequence[str]) -> dict[str, str]:
    wanted, names = frozenset(texts), labels.values_of("teacher")
    rows = zip(labels.texts(), labels.codes("teacher"), strict=True)
    return {text: names[code] for text, code in rows if text in wanted}


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

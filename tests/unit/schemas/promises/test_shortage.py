from __future__ import annotations

import pytest

from schemas.promises.proving import Asked, Sighting
from schemas.promises.shortage import MOST_AUDITS, AuditShares, is_short

ASKED = Asked(agreement=0.98, confidence=0.95)


def audits(n: int, *, wrong: int) -> list[Sighting]:
    """The wrong ones are spread over all confidences."""
    every = n // wrong if wrong else n + 1
    return [Sighting(1 - i / n, right=i % every != 0) for i in range(n)]


@pytest.mark.parametrize(("n", "wrong"), [(0, 0), (20, 1), (150, 3), (400, 8)])
def test_evidence_is_short_while_more_audits_may_prove_the_promise(n: int, wrong: int) -> None:
    assert is_short(audits(n, wrong=wrong), ASKED)


@pytest.mark.parametrize(
    ("n", "wrong", "asked"),
    [
        (400, 100, ASKED),  # a quarter of the surest is wrong, too
        (MOST_AUDITS, 0, ASKED),  # no more would count
        (50, 0, Asked(agreement=1.0, confidence=0.95)),  # nothing proves that
    ],
)
def test_it_is_not_where_no_number_of_them_would(n: int, wrong: int, asked: Asked) -> None:
    assert not is_short(audits(n, wrong=wrong), asked)


def test_a_student_that_is_good_where_it_is_surest_is_waited_for() -> None:
    """Half of all are wrong, but of the surest eighth none."""
    found = [Sighting(1 - i / 400, right=i < 60 or i % 2 == 0) for i in range(400)]
    assert is_short(found, ASKED)


def test_a_policy_has_the_one_share_or_the_other() -> None:
    shares = AuditShares(0.02, 0.05)
    assert (shares.when(short=True), shares.when(short=False)) == (0.05, 0.02)

"""Who is right where a new student and the teacher disagree, as far as gold tells.

What is counted is what the new policy will defer, apart from what it will not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distill.judging.answered_gold import Answered, teacher_of
from schemas.promises.trust import NO_TRUST, Compared, Trust, prove_trust, unsure_labels
from stream.teacher.reliabilities import NOBODY_KNOWN, Reliabilities, measured_apart
from stream.teacher.reliability import mistakes


def measured_reliability(
    answered: Sequence[Answered], *, threshold: float, choose_one: bool
) -> Reliabilities:
    """Count the disagreements on gold; all answers are of one teacher.

    `threshold` is that of the policy: under it records are deferred. `choose_one` is of a task of
    categories that asks for one of them.
    """
    if not answered:
        return NOBODY_KNOWN
    known = measured_apart(
        ((one.student, one.teacher, one.truth) for one in answered),
        threshold=threshold,
        choose_one=choose_one,
    )
    return known.beside(*teacher_of(answered[0].teacher))


def measured_trust(
    answered: Sequence[Answered], labels: Sequence[str], *, threshold: float, risk: float
) -> Trust:
    """Prove for which of the student's `labels` it need not be corrected, on what is deferred."""
    deferred = [one for one in answered if one.student.confidence < threshold]
    if not deferred:
        return NO_TRUST
    compared = [
        Compared(
            unsure_labels(one.student, labels, threshold),
            student=mistakes(one.student, one.truth),
            teacher=mistakes(one.teacher, one.truth),
        )
        for one in deferred
    ]
    return replace(prove_trust(compared, risk=risk), teacher=teacher_of(deferred[0].teacher))

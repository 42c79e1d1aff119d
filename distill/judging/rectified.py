"""A little gold and many answers of the teacher: one estimate, right by people though he errs.

What the teacher says of the texts where two students differ is worth much where he is as good as
people, and misleads where he is not. Where people and he have both answered, on gold, it shows
by how much; the mean of his answers on the stream is rectified by that. How far he is followed is
tuned by how well he foresees people, for each gold text by the others: a teacher who does not is
left out, and gold judges alone.

Gold is to be drawn from the stream, as the gate takes it to be. The interval is Student's, for a
handful of gold texts differ, and four more are made up, as far off on either side as a text can
be: some that all agree by chance prove nothing.

Source: Angelopoulos, Duchi and Zrnic, PPI++: Efficient Prediction-Powered Inference, arXiv
2311.01453 (the mean, with a tuned weight); Agresti and Coull (1998) for what is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from distill.judging.scoring import Interval

Floats = NDArray[np.float64]

LEAST = 5
"""Fewer gold texts that differ tell no spread: all is possible then."""
_NO_SPREAD = 1e-9


@dataclass(frozen=True, slots=True)
class Rectified:
    """The mean worth of a differing text by people; `variance` is of that mean.

    `gold` counts the texts that people and teacher both answered, `followed` is the teacher's
    weight, 0 to 1.
    """

    mean: Interval
    variance: float
    gold: int
    followed: float

    @property
    def is_told(self) -> bool:
        """Whether gold is enough to say anything."""
        return self.gold >= LEAST


def rectified(
    gold: Sequence[tuple[float, float]],
    answers: Sequence[float],
    *,
    bound: float,
    confidence: float,
) -> Rectified:
    """Estimate the mean by people from `gold`, each a text's worth by people and by the teacher.

    `answers` are worths of other texts by the teacher alone. Worths lie between -`bound` and
    `bound`.
    """
    n = len(gold)
    if n < LEAST:
        said = [people for people, _ in gold] or list(answers)
        mean = sum(said) / max(len(said), 1)
        return Rectified(Interval(mean, -bound, bound), bound**2, n, 0.0)
    people, teacher = np.asarray(gold, dtype=np.float64).T
    others = np.asarray(answers, dtype=np.float64)
    weights = _weights(people, teacher, others)
    weight = float(weights.mean())
    rest = people - weights * teacher
    followed = weight * others if len(others) else np.zeros(1)
    mean = float(rest.mean() + followed.mean())
    made_up = rest.mean() + np.array([-bound, -bound, bound, bound])
    spread = float(np.append(rest, made_up).var(ddof=1))
    # Mean and weight were both found in these.
    variance = spread / (n - 2) + float(followed.var()) / len(followed)
    half = float(student_t.ppf((1 + confidence) / 2, n - 2)) * variance**0.5
    return Rectified(Interval(mean, mean - half, mean + half), variance, n, weight)


def _weights(people: Floats, teacher: Floats, others: Floats) -> Floats:
    """Give for each gold text the weight of the least variance by the other gold texts.

    Found in the text too, it would follow the teacher where he happens to be right. 0 where his
    answers are few, or all alike.
    """
    n, n_all = len(people), len(people) + len(others)
    if len(others) < LEAST:
        return np.zeros(n)
    # Sums without each of the gold texts in turn.
    p, t = (x.sum() - x for x in (people, teacher))
    together = ((people @ teacher - people * teacher) - p * t / (n - 1)) / (n - 2)
    squares = teacher @ teacher + others @ others - teacher**2
    spread = squares / (n_all - 1) - ((t + others.sum()) / (n_all - 1)) ** 2
    others_are = 1 + (n - 1) / len(others)
    told = spread > _NO_SPREAD
    return np.clip(np.where(told, together / np.where(told, spread * others_are, 1.0), 0.0), 0, 1)

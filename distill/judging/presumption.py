"""The presumption for a challenger that has learnt more, where the answers cannot tell.

A stream of a few thousand records earns some dozens of questions a round, and a gain of a point of
F1 takes hundreds to prove: so no challenger would ever win, though each knows more than the
champion. In the `distill.judging.patience`-th round without a winner the burden of proof turns.
What such challengers usually gain then stands beside the answers, as one more observation, and the
challenger wins where the two together expect a gain. The fewer the answers, the more the
presumption says; three hundred overrule it.

Where the stream has changed since the champion, it turns at once: where the older labels no longer
tell the newest (`distill/learning/ageing.py`), and did when the champion was made. Then a round
lost costs more than a student that is wrongly promoted, for only the winner learns the newest
labels, those that judged it (`refit.py`). Once a champion ages its labels patience counts again, so
one change turns the burden once.

How often it errs: `docs/measurements.md`, "Judges without gold".

Source: the normal mean of known variance (Gelman et al., "Bayesian Data Analysis", 2.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import variance


@dataclass(frozen=True, slots=True)
class UsualGain:
    """What a challenger that has learnt more labels than the champion gains in F1, and how surely.

    Labels a tenth to a half more gained 0.3 to 6 points of F1 on training folds, and a training
    by another seed is worth a point and a half either way. Wider than that, for now and then one
    goes wrong: of a loss of ten points a dozen answers must convince.
    """

    mean: float = 0.01
    deviation: float = 0.03


def patience_left(patience: int, *, without_winner: int) -> int | None:
    """Give how many rounds after this one ask for a proof as well; None: all of them."""
    return max(patience - without_winner - 1, 0) if patience else None


def expected_gain(
    gains: Sequence[float], *, least: int, usual: UsualGain | None = None
) -> float | None:
    """Weigh the mean of `gains`, in F1, one for each answer, with what is usual, by precision.

    None where there are fewer answers than `least` (at least two): nothing speaks against the
    challenger then, for nobody was heard.
    """
    if len(gains) < max(least, 2):
        return None
    mean = sum(gains) / len(gains)
    # The mean of the answers varies less than one answer. Answers that are all alike still err.
    return weighed(mean, max(variance(gains, mean), 1e-12) / len(gains), usual=usual)


def weighed(mean: float, of_mean: float, *, usual: UsualGain | None = None) -> float:
    """Weigh a mean gain in F1, of the variance `of_mean`, with what is usual."""
    usual = usual or UsualGain()
    heard, presumed = 1 / of_mean, 1 / usual.deviation**2
    return (heard * mean + presumed * usual.mean) / (heard + presumed)

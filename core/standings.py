"""Which of several candidates is best, and whether that is more than luck."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, pi, sin, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.intervals import SIGNIFICANT, sign_flips
from core.validation import T_QUANTILES

Floats = NDArray[np.float64]
Place = Literal["best", "worse", "cannot tell"]
MOST_REPEATS = len(T_QUANTILES) + 1
_Z = 1.959964  # the normal distribution's 97.5% quantile


@dataclass(frozen=True)
class Standing:
    """One candidate in the order of mean loss.

    candidate: its index. low, high: 95% interval of its mean, which is never below 0. p_value: how
    often a distance to the best as large as this comes by chance, two-sided, corrected for all
    comparisons (Holm 1979); None for the best itself.
    """

    candidate: int
    mean: float
    low: float
    high: float
    p_value: float | None
    place: Place


def standings(losses: Sequence[Sequence[Floats]], judging_share: float) -> list[Standing]:
    """Candidates, best first.

    losses: of each candidate, of each repeat, what each judging row lost (rows,). A repeat has
    the same split and so the same rows for all. judging_share: judging over training rows.

    With several repeats the unit is the repeat: Student's t with the variance of repeats that
    share training rows (Nadeau & Bengio 2003). With one it is the row, by `sign_flips`, and speaks
    of these very networks.
    """
    means = [np.array([rows.mean() for rows in repeats]) for repeats in losses]
    order = sorted(range(len(means)), key=lambda at: (means[at].mean(), at))
    best = order[0]
    chances = holm([_chance(losses[at], losses[best], judging_share) for at in order if at != best])
    found = []
    for candidate, p_value in zip(order, [None, *chances], strict=True):
        mean, reach = float(means[candidate].mean()), _reach(losses[candidate], judging_share)
        place: Place = "best" if p_value is None else "cannot tell"
        if p_value is not None and p_value < SIGNIFICANT:
            place = "worse"
        found.append(
            Standing(candidate, mean, max(0.0, mean - reach), mean + reach, p_value, place)
        )
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given (Holm 1979)."""
    corrected, highest = [0.0] * len(p_values), 0.0
    for step, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        highest = max(highest, min(1.0, p_values[at] * (len(p_values) - step)))
        corrected[at] = highest
    return corrected


def student(t: float, freedom: int) -> float:
    """How often |t| is exceeded by chance with so many degrees of freedom, 1 or more
    (Abramowitz & Stegun 26.7.3 and 26.7.4).
    """
    angle, odd = atan(abs(t) / sqrt(freedom)), freedom % 2
    if freedom == 1:
        return 1.0 - 2.0 * angle / pi
    term = total = cos(angle) if odd else 1.0
    for k in range(2 if odd else 1, freedom - 2, 2):
        term *= cos(angle) ** 2 * k / (k + 1)
        total += term
    within = sin(angle) * total
    return 1.0 - (2.0 / pi * (angle + within) if odd else within)


def _reach(repeats: Sequence[Floats], judging_share: float) -> float:
    count = len(repeats)
    if count == 1:
        rows = repeats[0]
        return _Z * float(rows.std(ddof=1)) / sqrt(len(rows)) if len(rows) > 1 else 0.0
    deviation = float(np.std([rows.mean() for rows in repeats], ddof=1))
    return T_QUANTILES[count - 2] * sqrt(1.0 / count + judging_share) * deviation


def _chance(ours: Sequence[Floats], best: Sequence[Floats], judging_share: float) -> float:
    count = len(ours)
    if count == 1:
        return sign_flips(ours[0] - best[0])
    differences = np.array([a.mean() - b.mean() for a, b in zip(ours, best, strict=True)])
    deviation = float(differences.std(ddof=1))
    if deviation == 0.0:
        return 1.0 if differences.mean() == 0.0 else 0.0
    spread = sqrt(1.0 / count + judging_share) * deviation
    return student(float(differences.mean()) / spread, count - 1)

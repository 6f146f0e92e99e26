"""How well scores put the rows of a class above the others."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def roc_auc_score(positive: Flags, scores: Floats, weights: Floats) -> float:
    """The chance that a positive row scores above another, a tie counting half; by weight.

    NaN where one of the two does not occur. Mann-Whitney U (Hanley & McNeil 1982).
    """
    positives, negatives = _steps(positive, scores, weights)
    pairs = positives.sum() * negatives.sum()
    if pairs == 0.0:
        return math.nan
    above = np.cumsum(positives) - 0.5 * positives  # the steps fall: these score higher
    return float((above * negatives).sum() / pairs)


def average_precision(positive: Flags, scores: Floats, weights: Floats) -> float:
    """The precision at each score, weighted by the recall it adds; NaN without positive rows."""
    positives, negatives = _steps(positive, scores, weights)
    found = np.cumsum(positives)
    if found[-1] == 0.0:
        return math.nan
    taken = found + np.cumsum(negatives)
    precision = np.divide(found, taken, out=np.ones(len(found)), where=taken > 0)
    return float((precision * positives).sum() / found[-1])


def _steps(positive: Flags, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The weight of positive and of other rows at each distinct score, highest first."""
    _, inverse = np.unique(scores, return_inverse=True)
    positives, negatives = (
        np.asarray(np.bincount(inverse, weights * chosen)[::-1], np.float64)
        for chosen in (positive, ~positive)
    )
    return positives, negatives

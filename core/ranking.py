"""How well scores put the rows of a class above the others."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Steps(NamedTuple):
    """The weight of positive and of other rows at each distinct score, highest first."""

    positives: Floats
    negatives: Floats
    scores: Floats


def steps(positive: Flags, scores: Floats, weights: Floats) -> Steps:
    """Rows (rows,) by their scores, ties together."""
    distinct, inverse = np.unique(scores, return_inverse=True)
    part, rest = (np.bincount(inverse, weights * one)[::-1] for one in (positive, ~positive))
    return Steps(np.asarray(part, np.float64), np.asarray(rest, np.float64), distinct[::-1])


def roc_auc_score(found: Steps) -> float:
    """The chance that a positive row scores above another, a tie counting half; by weight.

    NaN where one of the two does not occur. Mann-Whitney U (Hanley & McNeil 1982).
    """
    positives, negatives, _ = found
    pairs = positives.sum() * negatives.sum()
    if pairs == 0.0:
        return math.nan
    above = np.cumsum(positives) - 0.5 * positives  # the steps fall: these score higher
    return float((above * negatives).sum() / pairs)


def average_precision(found: Steps) -> float:
    """The precision at each score, weighted by the recall it adds; NaN without positive rows."""
    right, taken = np.cumsum(found.positives), np.cumsum(found.positives + found.negatives)
    if right[-1] == 0.0:
        return math.nan
    precision = np.divide(right, taken, out=np.ones(len(right)), where=taken > 0)
    return float((precision * found.positives).sum() / right[-1])


def thresholds(found: Steps, most: int) -> dict[str, list[float]] | None:
    """What each threshold gives, as JSON: of scores from it on, the share of positive rows that
    are found (recall), of other rows that are taken with them, and of what is taken that is right
    (precision). At most so many, evenly over the distinct scores; None without rows of both kinds.
    """
    right, wrong = np.cumsum(found.positives), np.cumsum(found.negatives)
    if right[-1] == 0.0 or wrong[-1] == 0.0:
        return None
    at = np.unique(np.linspace(0, len(right) - 1, most).round().astype(np.int64))
    return {
        "threshold": found.scores[at].tolist(),
        "recall": (right[at] / right[-1]).tolist(),
        "false_positive_rate": (wrong[at] / wrong[-1]).tolist(),
        "precision": (right[at] / (right[at] + wrong[at])).tolist(),
    }

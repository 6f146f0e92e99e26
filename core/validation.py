"""Cross-validation: every row judges once, and what the folds say together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.columns import Indices
from core.seeding import SPLIT_STREAM, bits, key
from core.splits import Split

MOST_FOLDS = 20
# Student's t: the 97.5% quantile for 1 … 19 degrees of freedom (Fisher & Yates 1963, table III).
T_QUANTILES = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010,
    2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930,
)  # fmt: skip


def folds(
    present: Indices, *, classes: NDArray[np.int64] | None, count: int, seed: int
) -> list[Split]:
    """`count` splits in which each of the rows `present` judges once.

    classes: the class of each row of `present`, dealt out evenly over the folds; None for a
    quantity. The sizes of two folds differ by at most 1. count: 2 … 20, at most the rows.
    """
    rows = np.sort(np.asarray(present, dtype=np.int64))
    groups = np.zeros(len(rows), np.int64)
    if classes is not None:
        groups = np.asarray(classes, np.int64)[np.argsort(present, kind="stable")]
    order = np.argsort(bits(key(seed, SPLIT_STREAM), len(rows)), kind="stable")
    by_group = order[np.argsort(groups[order], kind="stable")]  # shuffled inside each group
    fold = np.empty(len(rows), np.int64)
    fold[by_group] = np.arange(len(rows)) % count
    return [Split(rows[fold != one], rows[fold == one]) for one in range(count)]


def summary(results: Sequence[dict[str, float]], sizes: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Of each metric that all folds have: mean, deviation (by n - 1) and a 95% interval.

    sizes: rows that judged in each fold. The interval is Student's t with the variance
    (1/k + judging / training rows) s², since folds share training rows and are not independent
    (Nadeau & Bengio 2003).
    """
    count, total = len(results), sum(sizes)
    judging = total / count
    widened = np.sqrt(1.0 / count + judging / (total - judging)) * T_QUANTILES[count - 2]
    found = {}
    for name in results[0]:
        values = np.array([result.get(name, np.nan) for result in results])
        if np.isfinite(values).all():
            mean, deviation = float(values.mean()), float(values.std(ddof=1))
            reach = float(widened) * deviation
            found[name] = {
                "mean": mean,
                "deviation": deviation,
                "low": mean - reach,
                "high": mean + reach,
            }
    return found

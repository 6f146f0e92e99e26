"""Which rows train and which judge: seeded, and in the same proportions class by class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.columns import Column, Indices, Numeric
from core.errors import TargetInvalid
from core.seeding import SPLIT_STREAM, bits, key


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of the table, sorted. validation is empty when there is none."""

    train: Indices
    validation: Indices


def split(
    present: Indices, *, classes: NDArray[np.int64] | None, fraction: float | None, seed: int
) -> Split:
    """Set aside about `fraction` of the rows `present`.

    classes: the class of each row of `present`, to be as frequent in both parts as whole rows
    allow; None for a regression. At least one row of each class trains; at least one row judges
    when that leaves enough.
    """
    rows = np.sort(np.asarray(present, dtype=np.int64))
    count = len(rows)
    groups = np.zeros(count, np.int64) if classes is None else _codes(present, classes)
    sizes = np.bincount(groups)
    most = count - int(np.count_nonzero(sizes))
    wanted = 0 if fraction is None else min(most, max(1, round(count * fraction)))
    if wanted <= 0:
        return Split(rows, rows[:0])
    quotas = _quotas(sizes, wanted)
    order = np.argsort(bits(key(seed, SPLIT_STREAM), count), kind="stable")
    by_group = order[np.argsort(groups[order], kind="stable")]  # shuffled inside each group
    starts = np.cumsum(sizes) - sizes
    rank = np.arange(count) - np.repeat(starts, sizes)
    judging = np.zeros(count, dtype=bool)
    judging[by_group[rank < np.repeat(quotas, sizes)]] = True
    return Split(rows[~judging], rows[judging])


def marked(present: Indices, column: Column) -> Split:
    """The rows `present` as a column marks them.

    true, 1 and `validation` judge; false, 0 and `train` train; all others are left out. Raises
    TargetInvalid when none trains or none judges.
    """
    if isinstance(column, Numeric):
        judges, trains = column.values == 1, column.values == 0
    else:
        names = np.array([level.lower() for level in column.levels] + [""])
        judging = np.isin(names, ("true", "validation"))
        training = np.isin(names, ("false", "train"))
        judges, trains = judging[column.codes], training[column.codes]  # -1 takes the last
    found = Split(*(np.sort(present[flags[present]]) for flags in (trains, judges)))
    if not len(found.train) or not len(found.validation):
        raise TargetInvalid(
            "The validation column must mark rows to train on (false, 0, train) and rows that "
            "judge (true, 1, validation)."
        )
    return found


def _codes(present: Indices, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    in_order = np.asarray(classes, dtype=np.int64)[np.argsort(present, kind="stable")]
    return np.unique(in_order, return_inverse=True)[1].astype(np.int64)


def _quotas(sizes: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Share `wanted` out by size, whole rows first, then by largest remainder (Hamilton)."""
    exact = sizes * wanted
    quotas: NDArray[np.int64] = exact // sizes.sum()
    remainders = exact % sizes.sum()
    while quotas.sum() < wanted:
        room = quotas < sizes - 1
        chosen = int(np.argmax(np.where(room, remainders, -1)))
        quotas[chosen] += 1
        remainders[chosen] = 0
    return quotas

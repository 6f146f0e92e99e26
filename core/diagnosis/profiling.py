"""What the rules need of the data, measured on a bounded number of rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.columns import Category, Column, Indices, Numeric
from core.diagnosis.case import Profile
from core.network import Floats

MOST_ROWS = 1_000
_BINS = 32
_FEWEST = 20  # rows, below which anything tells the target
_AT_ONCE = 64  # columns
_TOLD = 0.99  # of the target, by one column alone
_AHEAD = 0.15  # of the next best column: all columns good is an easy problem, one is a leak
Values = NDArray[np.float64]


def profile(
    table: Mapping[str, Column],
    features: Sequence[str],
    rows: Indices,
    x: Floats,
    y: Floats,
    classes: int | None,
    baseline: float,
) -> Profile:
    """Look at the training rows. rows: their indices in the table; x, y: as the network gets them.

    classes: how many there are; None for numbers.
    """
    step = max(1, len(rows) // MOST_ROWS)
    some, target = rows[::step], y[::step, 0].astype(np.float64)
    constant, identifying, others = [], [], []
    for name in features:
        values = _values(table[name], some)
        if len(values) and (values == values[0]).all():
            constant.append(name)
        elif _numbers_rows(table[name], rows):
            identifying.append(name)
        else:
            others.append(name)
    told: dict[str, float] = {}
    for first in range(0, len(others), _AT_ONCE):
        names = others[first : first + _AT_ONCE]
        block = np.stack([_values(table[name], some) for name in names])
        levels = np.array([isinstance(table[name], Category) for name in names])
        told |= dict(zip(names, _told(block, levels, target, classes), strict=True))
    sizes = np.sqrt((x[::step].astype(np.float64) ** 2).mean(axis=0))
    counts = np.bincount(y[:, 0].astype(np.int64), minlength=classes) if classes else ()
    return Profile(
        rows=len(x),
        baseline=baseline,
        classes=tuple(int(count) for count in counts),
        leaking=_leaking(told),
        constant=tuple(constant),
        identifying=tuple(identifying),
        largest_input=float(sizes.max(initial=0.0)),
        target_range=(float(y.min()), float(y.max())),
    )


def _values(column: Column, rows: Indices) -> Values:
    if isinstance(column, Numeric):
        values = column.values[rows]
        return np.where(np.isnan(values), np.inf, values)
    return column.codes[rows].astype(np.float64)


def _numbers_rows(column: Column, rows: Indices) -> bool:
    """Whether the column counts the table's rows up or down, or has a level for each."""
    if len(rows) < 20:
        return False
    if isinstance(column, Category):
        codes = column.codes[rows]
        return len(np.unique(codes)) == len(rows)
    steps = np.diff(column.values)
    return bool(steps[0] != 0 and np.isfinite(steps).all() and (steps == steps[0]).all())


def _leaking(told: Mapping[str, float]) -> dict[str, float]:
    """Columns that tell the target alone, where the others do not."""
    if len(told) < 2:
        return {}
    names = [name for name, share in told.items() if share >= _TOLD]
    rest = max((share for name, share in told.items() if name not in names), default=1.0)
    return {name: told[name] for name in names} if rest < 1.0 - _AHEAD else {}


def _told(
    values: Values, levels: NDArray[np.bool_], target: Values, classes: int | None
) -> list[float]:
    """How much of the target each column (columns, rows) tells alone: 0 nothing, 1 all.

    Of classes, (accuracy - that of guessing) / (1 - that of guessing) of the most frequent class
    in each bin; of numbers, the share of the variance that lies between bins, or the squared
    correlation where that is higher.
    """
    if len(target) < _FEWEST:
        return [0.0] * len(values)
    bins = _bins(values, levels)
    if classes:
        return [_classes_told(of, target.astype(np.int64), classes) for of in bins]
    return [_values_told(*column, target) for column in zip(bins, values, levels, strict=True)]


def _classes_told(bins: Indices, target: Indices, classes: int) -> float:
    cells = np.bincount(bins * classes + target, minlength=(int(bins.max()) + 1) * classes)
    table = cells.reshape(-1, classes)
    guess = table.sum(axis=0).max() / len(target)
    right = table.max(axis=1).sum() / len(target)
    return float((right - guess) / (1 - guess)) if guess < 1 else 0.0


def _values_told(bins: Indices, values: Values, levels: np.bool_, target: Values) -> float:
    counts = np.bincount(bins)
    means = np.bincount(bins, target) / np.maximum(counts, 1)
    spread = target.var()
    if spread == 0:
        return 0.0
    between = float((counts * (means - target.mean()) ** 2).sum() / len(target) / spread)
    if levels or not np.isfinite(values).all() or values.std() == 0:
        return between
    return max(between, float(np.corrcoef(values, target)[0, 1] ** 2))


def _bins(values: Values, levels: NDArray[np.bool_]) -> Indices:
    """The bin of each value (columns, rows): few distinct ones are a bin each, of more every 32nd
    part of the rows is one, equal values always in the same.
    """
    rows = values.shape[1]
    order = values.argsort(axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    starts = np.ones(values.shape, bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    distinct = starts.cumsum(axis=1) - 1
    few = np.where(levels, distinct[:, -1] + 1 < rows / 5, False) | (distinct[:, -1] < _BINS)
    first = np.maximum.accumulate(np.where(starts, np.arange(rows), 0), axis=1)
    bins = np.empty(values.shape, np.int64)
    chosen = np.where(few[:, None], distinct, first * _BINS // rows)
    np.put_along_axis(bins, order, chosen, axis=1)
    return bins

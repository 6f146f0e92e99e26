"""What a model makes of its columns as a whole: how much it needs each, and how it answers along
one of them. Both ask the model alone, whatever it is inside.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.columns import Category, Column, Numeric, Table
from core.validation import T_QUANTILES

Floats = NDArray[np.float64]
Losses = Callable[[Table], Floats]  # what each row of a table loses, (rows,)
Answers = Callable[[Table], Floats]  # what the model says of each row, (rows, outputs)


@dataclass(frozen=True)
class Importance:
    """How much more is lost when a column is shuffled: mean over repeats, and 95% interval."""

    column: str
    mean: float
    low: float
    high: float


def importances(table: Table, losses: Losses, repeats: int, seed: int) -> list[Importance]:
    """Permutation importance of each column (Breiman 2001; Fisher, Rudin & Dominici 2019), the
    most important first.

    The interval is Student's t over the shuffles: of the shuffling, for these rows. Columns that
    say the same stand in for each other, so that neither is missed.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    before = float(losses(table).mean())
    found = []
    for name, column in table.items():
        rises = []
        for _ in range(repeats):
            order = generator.permutation(_rows(column))
            rises.append(float(losses({**table, name: _taken(column, order)}).mean()) - before)
        reach = T_QUANTILES[repeats - 2] * float(np.std(rises, ddof=1)) / np.sqrt(repeats)
        mean = float(np.mean(rises))
        found.append(Importance(name, mean, mean - float(reach), mean + float(reach)))
    return sorted(found, key=lambda one: -one.mean)


def dependence(
    table: Table, name: str, answers: Answers, points: int, lines: int
) -> dict[str, Any]:
    """How the answers change along one column, as JSON: `at` its values, `mean` over all rows
    (partial dependence; Friedman 2001), and `lines` of single rows, evenly chosen (individual
    conditional expectation; Goldstein et al. 2015): [line][value][output].

    Of numbers at most so many quantiles of the column, of text its most frequent levels.
    """
    column = table[name]
    rows = _rows(column)
    chosen = np.unique(np.linspace(0, rows - 1, min(lines, rows)).round().astype(np.int64))
    values, columns = _grid(column, points)
    means, single = [], []
    for one in columns:
        said = answers({**table, name: one})
        means.append(said.mean(axis=0).tolist())
        single.append(said[chosen])
    each = np.stack(single, axis=1) if single else np.zeros((0, 0, 0))
    return {"at": values, "mean": means, "lines": each.tolist()}


def _grid(column: Column, points: int) -> tuple[list[Any], list[Column]]:
    rows = _rows(column)
    if isinstance(column, Numeric):
        present = column.values[~np.isnan(column.values)]
        if not len(present):
            return [], []
        values = np.unique(np.quantile(present, np.linspace(0.0, 1.0, points), method="nearest"))
        return values.tolist(), [Numeric(np.full(rows, value)) for value in values]
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    order = np.argsort(-counts, kind="stable")[:points].tolist()
    kept = [one for one in order if counts[one]]
    levels = [column.levels[one] for one in kept]
    return levels, [Category(np.full(rows, one, column.codes.dtype), column.levels) for one in kept]


def _rows(column: Column) -> int:
    return len(column.values if isinstance(column, Numeric) else column.codes)


def _taken(column: Column, order: NDArray[np.int64]) -> Column:
    if isinstance(column, Numeric):
        return Numeric(column.values[order])
    return Category(column.codes[order], column.levels)

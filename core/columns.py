"""A table as the core sees it: named columns of numbers or of levels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
BOOLEAN_LEVELS = ("false", "true")


@dataclass(frozen=True, eq=False)
class Numeric:
    """A column of numbers. values: (rows,) float64, NaN where missing."""

    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Category:
    """A column of levels. codes: (rows,) int32 positions in `levels`, -1 where missing.

    A column of booleans has the levels false and true, in this order.
    """

    codes: NDArray[np.int32]
    levels: tuple[str, ...]

    @property
    def is_boolean(self) -> bool:
        """Whether the levels are those of a boolean column."""
        return self.levels == BOOLEAN_LEVELS


Column = Numeric | Category
Table = Mapping[str, Column]


def row_count(column: Column) -> int:
    """How many rows a column has."""
    return len(column.values) if isinstance(column, Numeric) else len(column.codes)

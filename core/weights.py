"""How much each row counts: as a column says, and as its class does."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.columns import Column, Indices, Numeric
from core.errors import NonFinite, TargetInvalid, WrongType

Floats = NDArray[np.float64]
Weights = Floats | None
ClassWeight = Mapping[str, float] | Literal["balanced"]


def sample_weights(name: str, column: Column, rows: Indices) -> Floats:
    """The weights (rows,) that a column gives. Raises DataError for one that is missing,
    negative or infinite.
    """
    if not isinstance(column, Numeric):
        raise WrongType("Weights must be numbers.", column=name)
    weights = column.values[rows]
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        message = "Expected a weight of 0 or more in every row; correct or remove the row."
        raise NonFinite(message, column=name, row=int(rows[int(wrong.argmax())]))
    return weights


def some_weight(weights: Floats) -> Floats:
    """The weights of rows that train or judge together. Raises TargetInvalid when all are 0."""
    if len(weights) and not weights.any():
        raise TargetInvalid("Expected a weight above 0 among the rows that train, or that judge.")
    return weights


def class_weights(
    names: tuple[str, ...],
    truth: NDArray[np.int64],
    choice: ClassWeight,
    weights: Floats | None = None,
) -> Floats:
    """What a row of each class counts for, (classes,).

    balanced: all classes together count the same, and the rows as much as before: n / (k nₖ), as
    in scikit-learn, by the training rows' classes `truth` and their `weights`. A mapping by the
    classes' names; those it lacks count 1. Raises TargetInvalid for other names.
    """
    if choice == "balanced":
        counts = np.bincount(truth, weights, minlength=len(names)).astype(np.float64)
        occurs = counts > 0
        found = np.ones(len(names))
        found[occurs] = counts.sum() / (np.count_nonzero(occurs) * counts[occurs])
        return found
    if not set(choice) <= set(names):
        raise TargetInvalid("class_weight names a class that the target does not have.")
    return np.array([float(choice.get(name, 1.0)) for name in names])


def combined(weights: Weights, classes: Weights, truth: NDArray[np.int64]) -> Weights:
    """What each row counts for in the loss: its own weight times that of its class."""
    if classes is None:
        return weights
    return classes[truth] if weights is None else weights * classes[truth]

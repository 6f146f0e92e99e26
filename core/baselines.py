"""What a model must beat: the same metrics for an answer that ignores the features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics import Floats, evaluate
from core.quantities import QUANTITIES, weighted_quantiles


def baseline(
    task: str,
    y_train: NDArray[Any],
    y_validation: NDArray[Any],
    classes: int | None = None,
    *,
    train_weights: Floats | None = None,
    weights: Floats | None = None,
    quantiles: Sequence[float] = (),
) -> dict[str, float]:
    """Metrics on `y_validation` of the best constant answer that `y_train` gives.

    For quantities and counts the mean of each, for quantiles those of the rows; for classes and
    labels their frequencies, and so the most frequent. y_train, y_validation, weights: as
    `core.metrics.evaluate` takes them. classes: how many there are. Without the calibration error,
    which is none for whoever says nothing.
    """
    truth = np.asarray(y_train)
    if task == "quantiles":
        best = weighted_quantiles(truth, quantiles, train_weights)
        output = np.broadcast_to(best, (len(y_validation), len(best)))
        return evaluate(task, y_validation, output, weights, quantiles=quantiles)
    if task in QUANTITIES or task == "multilabel":
        middle = np.average(truth, axis=0, weights=train_weights)
        return evaluate(task, y_validation, np.broadcast_to(middle, y_validation.shape), weights)
    counts = np.bincount(truth.astype(np.int64).ravel(), train_weights, minlength=classes or 0)
    shares = np.tile(counts / counts.sum(), (len(y_validation), 1))
    found = evaluate(task, y_validation, shares, weights)
    found.pop("calibration_error", None)
    return found

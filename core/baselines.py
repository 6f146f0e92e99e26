"""What a model must beat: the same metrics for an answer that ignores the features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics import evaluate


def baseline(
    task: str, y_train: NDArray[Any], y_validation: NDArray[Any], classes: int | None = None
) -> dict[str, float]:
    """Metrics on `y_validation` of the best constant answer that `y_train` gives.

    For a quantity the mean; for classes their frequencies, and so the most frequent class.
    y_train, y_validation: as `core.metrics.evaluate` takes them. classes: how many there are.
    """
    rows = len(y_validation)
    if task == "regression":
        return evaluate(task, y_validation, np.full(rows, np.mean(y_train)))
    counts = np.bincount(y_train.astype(np.int64).ravel(), minlength=classes or 0)
    return evaluate(task, y_validation, np.tile(counts / counts.sum(), (rows, 1)))

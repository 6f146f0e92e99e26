"""How good predictions are. Every figure is finite, or left out where it has no meaning."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMALLEST = 1e-15  # a probability of 0 costs this many nats, not infinity


def evaluate(task: str, y_true: NDArray[Any], output: NDArray[Any]) -> dict[str, float]:
    """All metrics of a task.

    y_true: (rows,) class indices, or values in their own units. output: (rows, classes)
    probabilities, or (rows,) values. No rows give no metrics.
    """
    if not len(y_true):
        return {}
    found = _quantities(y_true, output) if task == "regression" else _classes(y_true, output)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def confusion(y_true: Ints, y_predicted: Ints, classes: int) -> Ints:
    """How many rows of each class (first axis) were taken for which (second axis)."""
    cells = np.bincount(y_true * classes + y_predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def accuracy(counts: Ints) -> float:
    """The share of rows that are right."""
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy(counts: Ints) -> float:
    """The share that is right, averaged over the classes that occur (Brodersen et al. 2010)."""
    actual = counts.sum(axis=1)
    occurs = actual > 0
    return float((np.diag(counts)[occurs] / actual[occurs]).mean())


def f1_macro(counts: Ints) -> float:
    """F1 averaged over the classes that occur or were predicted."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    counted = both > 0
    return float((2.0 * np.diag(counts)[counted] / both[counted]).mean())


def log_loss(y_true: Ints, probabilities: Floats) -> float:
    """The mean surprise -ln p of what happened, in nats."""
    chosen = probabilities[np.arange(len(y_true)), y_true].astype(np.float64)
    return float(-np.log(np.clip(chosen, SMALLEST, 1.0)).mean())


def roc_auc(y_true: Ints, scores: Floats) -> float:
    """The chance that a row of class 1 scores above one of class 0, a tie counting half.

    NaN when a class does not occur. Mann-Whitney U by mean ranks (Hanley & McNeil 1982).
    """
    positives = int(np.count_nonzero(y_true == 1))
    negatives = len(y_true) - positives
    if not positives or not negatives:
        return math.nan
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    above = ranks[y_true == 1].sum() - positives * (positives + 1) / 2.0
    return float(above / (positives * negatives))


def rmse(y_true: Floats, y_predicted: Floats) -> float:
    """Root of the mean squared error, in the target's units."""
    return float(np.sqrt(np.mean(np.square(y_true - y_predicted))))


def mae(y_true: Floats, y_predicted: Floats) -> float:
    """Mean absolute error, in the target's units."""
    return float(np.mean(np.abs(y_true - y_predicted)))


def r2(y_true: Floats, y_predicted: Floats) -> float:
    """The share of the variance explained, against the mean of these rows; NaN if they agree."""
    spread = float(np.square(y_true - y_true.mean()).sum())
    if len(y_true) < 2 or spread == 0.0:
        return math.nan
    return 1.0 - float(np.square(y_true - y_predicted).sum()) / spread


def _quantities(y_true: NDArray[Any], output: NDArray[Any]) -> dict[str, float]:
    truth, values = y_true.astype(np.float64).ravel(), output.astype(np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "rmse": rmse(truth, values),
            "mae": mae(truth, values),
            "r2": r2(truth, values),
        }


def _classes(y_true: NDArray[Any], output: NDArray[Any]) -> dict[str, float]:
    truth = y_true.astype(np.int64).ravel()
    classes = output.shape[1]
    counts = confusion(truth, output.argmax(axis=1), classes)
    found = {
        "accuracy": accuracy(counts),
        "balanced_accuracy": balanced_accuracy(counts),
        "log_loss": log_loss(truth, output),
        "f1_macro": f1_macro(counts),
    }
    if classes == 2:
        found["roc_auc"] = roc_auc(truth, output[:, 1])
    return found

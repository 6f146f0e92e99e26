"""How good predictions of numbers are: of quantities, of counts, and of quantiles.

One entry in VALUE_METRICS or COUNT_METRICS is a metric. All of them take sample weights, and mean
the same as scikit-learn's of that name.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_COUNT = 1e-12  # a count predicted as 0 costs much, not infinity


def rmse(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """Root of the mean squared error, in the target's units."""
    return float(np.sqrt(np.average(np.square(y_true - y_predicted), weights=weights)))


def mae(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """Mean absolute error, in the target's units."""
    return float(np.average(np.abs(y_true - y_predicted), weights=weights))


def r2(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """The share of the variance explained, against the mean of these rows; NaN if they agree."""
    centred = y_true - np.average(y_true, weights=weights)
    spread = float(weights @ np.square(centred))
    if len(y_true) < 2 or spread == 0.0:
        return math.nan
    return 1.0 - float(weights @ np.square(y_true - y_predicted)) / spread


def mape(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """Mean absolute error as a share of the truth; NaN where a truth is 0."""
    if not (y_true != 0).all():
        return math.nan
    return float(np.average(np.abs((y_true - y_predicted) / y_true), weights=weights))


def median_absolute_error(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """The error that half of the weight stays within, in the target's units."""
    errors = np.abs(y_true - y_predicted)
    order = np.argsort(errors, kind="stable")
    order = order[weights[order] > 0]
    below = np.cumsum(weights[order])
    half = below[-1] / 2.0
    at = int(np.searchsorted(below, half * (1 - 1e-12)))
    is_between = at + 1 < len(order) and abs(below[at] - half) <= 1e-12 * half
    upper = at + 1 if is_between else at
    return float((errors[order[at]] + errors[order[upper]]) / 2.0)


VALUE_METRICS: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    metric.__name__: metric for metric in (rmse, mae, r2, mape, median_absolute_error)
}


def quantile_loss(
    y_true: Floats, y_predicted: Floats, quantile: float, weights: Floats | None = None
) -> float:
    """The mean pinball loss of a prediction of a quantile (Koenker & Bassett 1978)."""
    error = y_true - y_predicted
    return float(np.average(np.maximum(quantile * error, (quantile - 1) * error), weights=weights))


def weighted_quantiles(
    values: Floats, levels: Sequence[float], weights: Floats | None = None
) -> Floats:
    """Quantiles of values (rows,); of weighted ones by steps, else with straight lines between."""
    if weights is None:
        return np.asarray(np.quantile(values, np.asarray(levels)), np.float64)
    found = np.quantile(values, np.asarray(levels), weights=weights, method="inverted_cdf")
    return np.asarray(found, np.float64)


def quantile_losses(y_true: Floats, output: Floats, quantiles: Sequence[float]) -> Floats:
    """The pinball loss of each row and quantile: (rows, quantiles). output: of that shape."""
    levels, error = np.asarray(quantiles, np.float64), y_true[:, None] - output
    return np.asarray(np.maximum(levels * error, (levels - 1.0) * error))


def quantile_metrics(
    y_true: NDArray[Any], output: NDArray[Any], quantiles: Sequence[float], weights: Floats
) -> dict[str, float]:
    """The mean pinball loss over quantiles; and coverage_error, how far the share of rows at or
    below a quantile is from its level, on average over them.
    """
    truth, values = y_true.astype(np.float64).ravel(), output.astype(np.float64)
    below = np.average(truth[:, None] <= values, axis=0, weights=weights)
    losses = np.average(quantile_losses(truth, values, quantiles), axis=0, weights=weights)
    return {
        "quantile_loss": float(losses.mean()),
        "coverage_error": float(np.abs(below - np.asarray(quantiles)).mean()),
    }


def by_quantile(
    y_true: Floats, output: Floats, quantiles: Sequence[float], weights: Floats | None = None
) -> list[dict[str, float]]:
    """Of each quantile its pinball loss, and the share of rows at or below it."""
    losses = np.average(quantile_losses(y_true, output, quantiles), axis=0, weights=weights)
    below = np.average(y_true[:, None] <= output, axis=0, weights=weights)
    return [
        {"quantile_loss": float(loss), "share_below": float(share)}
        for loss, share in zip(losses, below, strict=True)
    ]


def deviances(y_true: Floats, y_predicted: Floats) -> Floats:
    """The Poisson deviance of each row, (rows,): 2 (y ln(y/ŷ) - y + ŷ)."""
    expected = np.maximum(y_predicted, LEAST_COUNT)
    ratio = np.log(np.where(y_true > 0, y_true, 1.0) / expected)
    return np.asarray(2.0 * (np.where(y_true > 0, y_true * ratio, 0.0) - y_true + expected))


def poisson_deviance(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """The mean Poisson deviance, 0 where every expected count is the count."""
    return float(np.average(deviances(y_true, y_predicted), weights=weights))


def d2(y_true: Floats, y_predicted: Floats, weights: Floats) -> float:
    """The share of the deviance explained, against the mean of these rows; NaN if they agree."""
    middle = np.full(len(y_true), np.average(y_true, weights=weights))
    whole = poisson_deviance(y_true, middle, weights)
    if whole <= 0.0:
        return math.nan
    return 1.0 - poisson_deviance(y_true, y_predicted, weights) / whole


COUNT_METRICS = {metric.__name__: metric for metric in (poisson_deviance, d2)} | VALUE_METRICS
# By a target's `measure`.
QUANTITIES = {"regression": VALUE_METRICS, "counts": COUNT_METRICS}


def value_metrics(
    measure: str, y_true: NDArray[Any], output: NDArray[Any], weights: Floats
) -> dict[str, float]:
    """All metrics of one column of numbers; NaN where one has no meaning."""
    truth, values = y_true.astype(np.float64).ravel(), output.astype(np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            name: metric(truth, values, weights) for name, metric in QUANTITIES[measure].items()
        }

"""How sure a metric is: bootstrap intervals, and paired comparisons of two models on equal rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.metrics import SMALLEST
from core.quantities import QUANTITIES, deviances, quantile_losses

Floats = NDArray[np.float64]
Verdict = Literal["yes", "no", "cannot tell"]
DRAWS, FEWEST_DRAWS = 500, 200
CELLS = 400_000  # draws × rows: of larger data fewer draws give the same digit
LEVEL = 0.95
SIGNIFICANT = 0.05
MOST_FLIPS = 14  # up to so many rows every pattern of signs is tried


@dataclass(frozen=True)
class Comparison:
    """Whether one model's losses are lower than another's on the same rows.

    difference: the mean of theirs minus ours, with its interval; positive where ours is better.
    p_value: how often a difference this large comes by chance between equals, two-sided.
    """

    verdict: Verdict
    difference: float
    low: float
    high: float
    p_value: float


def row_losses(
    task: str, y_true: NDArray[Any], output: NDArray[Any], quantiles: Sequence[float] = ()
) -> Floats:
    """The loss of each row, (rows,): minus the log of what happened, the squared error, or what a
    target's `measure` says: the deviance of counts, the pinball loss of quantiles. Of several
    targets the mean.
    """
    if task == "quantiles":
        return np.asarray(quantile_losses(y_true, output, quantiles).mean(axis=1))
    if task in QUANTITIES:
        truth = y_true.astype(np.float64)
        wrong = deviances(truth, output) if task == "counts" else np.square(truth - output)
        return np.asarray(wrong if wrong.ndim == 1 else wrong.mean(axis=1))
    if task == "multilabel":
        shares = np.where(y_true > 0.5, output, 1.0 - output)
        return np.asarray(-np.log(np.clip(shares, SMALLEST, 1.0)).mean(axis=1))
    chosen = output[np.arange(len(y_true)), y_true.astype(np.int64).ravel()]
    return np.asarray(-np.log(np.clip(chosen.astype(np.float64), SMALLEST, 1.0)))


def bootstrap(
    task: str,
    y_true: NDArray[Any],
    output: NDArray[Any],
    seed: int,
    level: float = LEVEL,
    *,
    quantiles: Sequence[float] = (),
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of the metrics over rows drawn anew (Efron 1979).

    y_true, output: as `core.metrics.evaluate` takes them. The rows drawn follow from the seed.
    """
    rows = len(y_true)
    if rows < 2:
        return {}
    measures = _measures(task, y_true, output, quantiles)
    found: dict[str, list[Floats]] = {name: [] for name in measures}
    for weights in _draws(rows, seed):
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, measure in measures.items():
                found[name].append(measure(weights))
    tail = 100 * (1 - level) / 2
    intervals = {}
    for name, parts in found.items():
        values = np.concatenate(parts)
        if np.isfinite(values).all():
            low, high = np.percentile(values, [tail, 100 - tail])
            intervals[name] = (float(low), float(high))
    return intervals


def compare(ours: Floats, theirs: Floats, seed: int, level: float = LEVEL) -> Comparison:
    """Compare losses row by row (rows,). Fewer than 6 rows cannot tell.

    The p-value is of the sign-flip test (Fisher 1935): exact for up to 14 rows, by normal
    approximation above, where the flips' sum is normal.
    """
    differences = theirs - ours
    rows = len(differences)
    middle = float(differences.mean()) if rows else 0.0
    if rows < 2:
        return Comparison("cannot tell", middle, middle, middle, 1.0)
    means = np.concatenate([weights @ differences / rows for weights in _draws(rows, seed)])
    tail = 100 * (1 - level) / 2
    low, high = (float(value) for value in np.percentile(means, [tail, 100 - tail]))
    p_value = sign_flips(differences)
    verdict: Verdict = "cannot tell"
    if p_value < SIGNIFICANT:
        verdict = "yes" if middle > 0 else "no"
    return Comparison(verdict, middle, low, high, p_value)


def sign_flips(differences: Floats) -> float:
    """How often a sum as far from 0 comes by chance when each difference (rows,) may as well have
    the other sign: exact for up to 14 rows, by normal approximation above (Fisher 1935).
    """
    rows = len(differences)
    scale = float(np.sqrt(np.square(differences).sum()))
    total = abs(float(differences.sum()))
    if scale == 0.0:
        return 1.0
    if rows > MOST_FLIPS:
        return erfc(total / scale / sqrt(2.0))
    signs = 1.0 - 2.0 * (np.arange(2**rows)[:, None] >> np.arange(rows) & 1)
    return float((np.abs(signs @ differences) >= total * (1 - 1e-12)).mean())


def _draws(rows: int, seed: int) -> Any:
    """How often each row is drawn: pieces (draws, rows) of all draws."""
    generator = np.random.Generator(np.random.Philox(seed))
    left = int(np.clip(CELLS // rows, FEWEST_DRAWS, DRAWS))
    at_once = max(1, CELLS // rows)
    while left > 0:
        draws = min(at_once, left)
        chosen = generator.integers(0, rows, size=(draws, rows))
        chosen += rows * np.arange(draws)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=draws * rows)
        yield counts.reshape(draws, rows).astype(np.float64)
        left -= draws


Measure = Callable[[Floats], Floats]


def _mean(values: Floats) -> Measure:
    share = values / len(values)
    return lambda weights: np.asarray(weights @ share)


def _measures(
    task: str, y_true: NDArray[Any], output: NDArray[Any], quantiles: Sequence[float]
) -> dict[str, Measure]:
    if task == "quantiles":
        return {"quantile_loss": _mean(row_losses(task, y_true, output, quantiles))}
    if task == "multilabel":
        wrong = (y_true > 0.5) != (output > 0.5)
        return {
            "accuracy": _mean(1.0 - wrong.any(axis=1)),
            "hamming_loss": _mean(wrong.mean(axis=1)),
            "log_loss": _mean(row_losses(task, y_true, output)),
        }
    if task not in QUANTITIES:
        return _classes(y_true, output)
    if y_true.ndim == 1:
        return _quantities(task, y_true, output)
    pairs = zip(y_true.T, output.T, strict=True)
    each = [_quantities(task, truth, values) for truth, values in pairs]
    return {name: _average([measures[name] for measures in each]) for name in each[0]}


def _average(measures: Sequence[Measure]) -> Measure:
    return lambda weights: np.mean([measure(weights) for measure in measures], axis=0)


def _quantities(task: str, y_true: NDArray[Any], output: NDArray[Any]) -> dict[str, Measure]:
    truth, values = y_true.astype(np.float64).ravel(), output.astype(np.float64).ravel()
    squares, rows = np.square(truth - values), len(truth)
    centred = truth - truth.mean()

    def r2(weights: Floats) -> Floats:
        spread = weights @ np.square(centred) - np.square(weights @ centred) / rows
        return np.asarray(1.0 - weights @ squares / spread)

    counted = {"poisson_deviance": _mean(deviances(truth, values))} if task == "counts" else {}
    return counted | {
        "rmse": lambda weights: np.sqrt(weights @ squares / rows),
        "mae": _mean(np.abs(truth - values)),
        "r2": r2,
    }


def _classes(y_true: NDArray[Any], output: NDArray[Any]) -> dict[str, Measure]:
    truth = y_true.astype(np.int64).ravel()
    predicted, classes = output.argmax(axis=1), output.shape[1]
    actual, taken = np.eye(classes)[truth], np.eye(classes)[predicted]
    right = (truth == predicted).astype(np.float64)
    hits = actual * right[:, None]

    def balanced(weights: Floats) -> Floats:
        return np.asarray(np.nanmean((weights @ hits) / (weights @ actual), axis=1))

    def f1_macro(weights: Floats) -> Floats:
        both = weights @ actual + weights @ taken
        return np.asarray(np.nanmean(2.0 * (weights @ hits) / both, axis=1))

    measures = {
        "accuracy": _mean(right),
        "balanced_accuracy": balanced,
        "log_loss": _mean(row_losses("multiclass", truth, output)),
        "f1_macro": f1_macro,
    }
    if classes == 2:
        measures["roc_auc"] = _roc_auc(truth, output[:, 1])
    return measures


def _roc_auc(truth: NDArray[np.int64], scores: NDArray[Any]) -> Measure:
    """Weighted share of pairs in the right order, ties counting half, for all draws at once."""
    levels, place = np.unique(scores, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(levels)))
    positive = (truth == 1).astype(np.float64)[order]

    def measure(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        positives = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        negatives = np.add.reduceat(sorted_weights * (1.0 - positive), starts, axis=1)
        below = np.cumsum(negatives, axis=1) - 0.5 * negatives
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        return np.asarray((positives * below).sum(axis=1) / pairs)

    return measure

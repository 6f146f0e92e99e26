"""How good predictions are. Every figure is finite, or left out where it has no meaning.

One entry in CLASS_METRICS is a metric; those of numbers are in `core.quantities`. All of them take
sample weights, and mean the same as scikit-learn's of that name.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.quantities import QUANTITIES, quantile_metrics, value_metrics
from core.ranking import Steps, average_precision, roc_auc_score, steps

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMALLEST = 1e-15  # a probability of 0 costs this many nats, not infinity
BINS = 15  # of confidence, as in Guo et al. 2017
LOWER_IS_BETTER = frozenset(
    {"log_loss", "brier", "calibration_error", "hamming_loss", "rmse", "mae", "mse", "mape",
     "median_absolute_error", "quantile_loss", "coverage_error", "poisson_deviance"}
)  # fmt: skip


def evaluate(
    task: str,
    y_true: NDArray[Any],
    output: NDArray[Any],
    weights: Floats | None = None,
    *,
    quantiles: Sequence[float] = (),
) -> dict[str, float]:
    """All metrics of a task, or of what a target's `measure` says: counts and quantiles have
    their own.

    y_true: (rows,) class indices, or values in their own units; (rows, targets) of several
    targets, (rows, labels) of 0 and 1 for multilabel. output: (rows, classes) or (rows, labels)
    probabilities, or values in the shape of y_true; of quantiles (rows, quantiles), whose levels
    `quantiles` has. weights: (rows,), not negative; None for 1
    each. No rows give no metrics; several targets give the mean of each metric over them.
    """
    weights = np.ones(len(y_true)) if weights is None else weights
    if not len(y_true) or not weights.sum() > 0:
        return {}
    if task == "multilabel":
        found = _labels(y_true, output, weights)
    elif task == "quantiles":
        found = quantile_metrics(y_true, output, quantiles, weights)
    elif task in QUANTITIES and output.ndim > 1:
        found = _mean_of(
            value_metrics(task, truth, values, weights)
            for truth, values in _columns(y_true, output)
        )
    elif task in QUANTITIES:
        found = value_metrics(task, y_true, output, weights)
    else:
        rows = ClassRows(y_true.astype(np.int64).ravel(), output.astype(np.float64), weights)
        found = {name: metric(rows) for name, metric in CLASS_METRICS.items()}
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def confusion(y_true: Ints, y_predicted: Ints, classes: int) -> Ints:
    """How many rows of each class (first axis) were taken for which (second axis)."""
    cells = np.bincount(y_true * classes + y_predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def per_class(
    y_true: NDArray[Any], output: NDArray[Any], weights: Floats | None = None
) -> list[dict[str, float]]:
    """Precision, recall, F1 and the rows' weight of each class; 0 where nothing was found."""
    ones = np.ones(len(y_true)) if weights is None else weights
    rows = ClassRows(y_true.astype(np.int64).ravel(), output.astype(np.float64), ones)
    columns = zip(rows.precisions, rows.recalls, rows.f1s, rows.actual, strict=True)
    names = ("precision", "recall", "f1", "support")
    return [dict(zip(names, map(float, column), strict=True)) for column in columns]


@dataclass(frozen=True, eq=False)
class ClassRows:
    """Rows to judge. truth: (rows,) classes; probabilities: (rows, classes); weights: (rows,)."""

    truth: Ints
    probabilities: Floats
    weights: Floats

    @cached_property
    def counts(self) -> Floats:
        """The weight of each class (first axis) taken for which (second axis)."""
        classes = self.probabilities.shape[1]
        cells = self.truth * classes + self.predicted
        counts = np.bincount(cells, self.weights, minlength=classes * classes)
        return np.asarray(counts.reshape(classes, classes), np.float64)

    @cached_property
    def predicted(self) -> Ints:
        """The likeliest class of each row."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def actual(self) -> Floats:
        """The weight of each class."""
        return np.asarray(self.counts.sum(axis=1))

    @cached_property
    def taken(self) -> Floats:
        """The weight of the rows predicted to be of each class."""
        return np.asarray(self.counts.sum(axis=0))

    @property
    def occurs(self) -> NDArray[np.bool_]:
        """The classes that occur or were predicted."""
        return np.asarray(self.actual + self.taken > 0)

    @property
    def precisions(self) -> Floats:
        """Of each class the share of its predictions that is right, 0 without any."""
        return _ratio(np.diag(self.counts), self.taken)

    @property
    def recalls(self) -> Floats:
        """Of each class the share of its rows that is found, 0 without any."""
        return _ratio(np.diag(self.counts), self.actual)

    @property
    def f1s(self) -> Floats:
        """The harmonic mean of both."""
        return _ratio(2.0 * np.diag(self.counts), self.actual + self.taken)

    @cached_property
    def steps(self) -> list[Steps]:
        """The scores of each class that occurs against the rest; of two, of the second alone."""
        classes = self.probabilities.shape[1]
        asked = [1] if classes == 2 else np.flatnonzero(self.actual > 0)
        columns = ((self.truth == one, self.probabilities[:, one]) for one in asked)
        return [steps(is_it, scores, self.weights) for is_it, scores in columns]

    @cached_property
    def chosen(self) -> Floats:
        """The probability of what happened, (rows,)."""
        return np.asarray(self.probabilities[np.arange(len(self.truth)), self.truth])


def accuracy(rows: ClassRows) -> float:
    """The share of rows that are right."""
    return float(np.trace(rows.counts) / rows.counts.sum())


def balanced_accuracy(rows: ClassRows) -> float:
    """The share that is right, averaged over the classes that occur (Brodersen et al. 2010)."""
    return float(rows.recalls[rows.actual > 0].mean())


def precision_macro(rows: ClassRows) -> float:
    """Precision averaged over the classes that occur or were predicted."""
    return float(rows.precisions[rows.occurs].mean())


def recall_macro(rows: ClassRows) -> float:
    """Recall averaged over the classes that occur or were predicted."""
    return float(rows.recalls[rows.occurs].mean())


def f1_macro(rows: ClassRows) -> float:
    """F1 averaged over the classes that occur or were predicted."""
    return float(rows.f1s[rows.occurs].mean())


def log_loss(rows: ClassRows) -> float:
    """The mean surprise -ln p of what happened, in nats."""
    return float(np.average(-np.log(np.clip(rows.chosen, SMALLEST, 1.0)), weights=rows.weights))


def brier(rows: ClassRows) -> float:
    """The mean squared distance of probabilities from what happened (Brier 1950); for two
    classes half of it, as is the custom.
    """
    squares = np.square(rows.probabilities).sum(axis=1) - 2.0 * rows.chosen + 1.0
    half = 0.5 if rows.probabilities.shape[1] == 2 else 1.0
    return half * float(np.average(squares, weights=rows.weights))


def mcc(rows: ClassRows) -> float:
    """The correlation of truth and prediction (Matthews 1975; Gorodkin 2004), 0 if one is
    constant.
    """
    total, right = rows.counts.sum(), np.trace(rows.counts)
    both = total * total
    spread = (both - np.square(rows.taken).sum()) * (both - np.square(rows.actual).sum())
    covariance = right * total - rows.taken @ rows.actual
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def calibration_error(rows: ClassRows) -> float:
    """How far the confidence in the likeliest class is from how often it is right: the mean
    distance over 15 bins of confidence (expected calibration error; Guo et al. 2017).
    """
    confidence = rows.probabilities.max(axis=1)
    right = (rows.predicted == rows.truth) - confidence
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, rows.weights * right, minlength=BINS)
    return float(np.abs(gaps).sum() / rows.weights.sum())


def roc_auc(rows: ClassRows) -> float:
    """Area under the ROC curve; of more than two classes the mean of each against the rest."""
    return _one_against_rest(rows, roc_auc_score)


def pr_auc(rows: ClassRows) -> float:
    """Area under precision over recall, by steps (average precision); of more than two classes
    the mean of each against the rest.
    """
    return _one_against_rest(rows, average_precision)


def top_3_accuracy(rows: ClassRows) -> float:
    """The share of rows whose class is among the three likeliest; NaN for up to three classes."""
    return _top(rows, 3)


def top_5_accuracy(rows: ClassRows) -> float:
    """The share of rows whose class is among the five likeliest; NaN for up to five classes."""
    return _top(rows, 5)


CLASS_METRICS: dict[str, Callable[[ClassRows], float]] = {
    metric.__name__: metric
    for metric in (
        accuracy, balanced_accuracy, log_loss, f1_macro, precision_macro, recall_macro, roc_auc,
        pr_auc, brier, mcc, calibration_error, top_3_accuracy, top_5_accuracy,
    )
}  # fmt: skip


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _one_against_rest(rows: ClassRows, score: Callable[[Steps], float]) -> float:
    scores = [score(found) for found in rows.steps]
    return float(np.mean(scores)) if scores else math.nan


def _top(rows: ClassRows, most: int) -> float:
    if rows.probabilities.shape[1] <= most:
        return math.nan
    likeliest = np.argpartition(-rows.probabilities, most - 1, axis=1)[:, :most]
    return float(np.average((likeliest == rows.truth[:, None]).any(axis=1), weights=rows.weights))


def _columns(y_true: NDArray[Any], output: NDArray[Any]) -> Any:
    truth = y_true.reshape(len(y_true), -1)
    return ((truth[:, at], output[:, at]) for at in range(output.shape[1]))


def _mean_of(parts: Any) -> dict[str, float]:
    listed = list(parts)
    return {name: float(np.mean([part[name] for part in listed])) for name in listed[0]}


# Of each label for itself; the mean over the labels is told.
_LABEL_METRICS = (log_loss, brier, roc_auc, pr_auc)


def _labels(y_true: NDArray[Any], output: NDArray[Any], weights: Floats) -> dict[str, float]:
    truth, said = y_true > 0.5, output > 0.5
    hits, taken, actual = (weights @ part for part in (truth & said, said, truth))
    found = {
        "accuracy": float(np.average((truth == said).all(axis=1), weights=weights)),
        "hamming_loss": float(np.average((truth != said).mean(axis=1), weights=weights)),
        "f1_macro": float(_ratio(2.0 * hits, taken + actual).mean()),
        "f1_micro": float(_ratio(2.0 * hits.sum()[None], (taken + actual).sum()[None])[0]),
        "precision_macro": float(_ratio(hits, taken).mean()),
        "recall_macro": float(_ratio(hits, actual).mean()),
    }
    each = [
        ClassRows(one.astype(np.int64), np.column_stack((1.0 - p, p)), weights)
        for one, p in _columns(truth, output.astype(np.float64))
    ]
    for metric in _LABEL_METRICS:
        values = [value for value in map(metric, each) if math.isfinite(value)]
        found[metric.__name__] = float(np.mean(values)) if values else math.nan
    return found

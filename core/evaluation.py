"""What a trained model is worth on other rows: metrics, curves, and groups of rows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.appraisal import Answered, judged
from core.columns import Category, Column, Numeric
from core.evidence import evidence
from core.intervals import bootstrap
from core.metrics import ClassRows, per_class
from core.ranking import thresholds
from core.several import AnyTarget
from core.targets import Classes

MOST_POINTS = 200  # of a curve
MOST_CURVES = 20  # classes, the most frequent, that have curves of their own
MOST_GROUPS = 20
_BINS = 10
_QUARTERS = (0.25, 0.5, 0.75)


def evaluation(target: AnyTarget, rows: Answered, seed: int = 0) -> dict[str, Any]:
    """As JSON: metrics with intervals, the confusion matrix or residuals, of classes also each
    one's precision and recall, ROC and precision-recall by threshold, and calibration.
    """
    found = bootstrap(target.measure, rows.truth, rows.output, seed, quantiles=target.quantiles)
    told: dict[str, Any] = {
        "rows": len(rows.truth),
        "metrics": judged(target, rows),
        "intervals": {name: {"low": low, "high": high} for name, (low, high) in found.items()},
        "evidence": evidence(target.measure, rows.truth, rows.output, target.names),
        "per_class": None,
        "curves": None,
        "calibration": None,
    }
    if isinstance(target, Classes):
        shares = ClassRows(
            rows.truth.astype(np.int64), rows.output.astype(np.float64), np.ones(len(rows.truth))
        )
        told["per_class"] = dict(zip(target.names, per_class(rows.truth, rows.output), strict=True))
        told["curves"] = _curves(shares, target.names)
        told["calibration"] = _calibration(shares)
    return told


def _curves(rows: ClassRows, names: Sequence[str]) -> dict[str, Any]:
    """By class, against the rest; of two classes the second's alone."""
    classes = len(names)
    asked = [1] if classes == 2 else np.flatnonzero(rows.actual > 0).tolist()
    pairs = zip(asked, rows.steps, strict=True)
    kept = sorted(pairs, key=lambda pair: -rows.actual[pair[0]])[:MOST_CURVES]
    return {names[one]: thresholds(found, MOST_POINTS) for one, found in kept}


def _calibration(rows: ClassRows) -> list[dict[str, float]]:
    """In tenths of the confidence in the likeliest class (of two classes: in the second), how
    confident the model is and how often that happens.
    """
    two = rows.probabilities.shape[1] == 2
    said = rows.probabilities[:, 1] if two else rows.probabilities.max(axis=1)
    happened = rows.truth == (1 if two else rows.predicted)
    bins = np.minimum((said * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    mean, share = (np.bincount(bins, one, minlength=_BINS) for one in (said, happened))
    return [
        {
            "low": one / _BINS,
            "high": (one + 1) / _BINS,
            "rows": int(counts[one]),
            "predicted": float(mean[one] / counts[one]),
            "observed": float(share[one] / counts[one]),
        }
        for one in np.flatnonzero(counts).tolist()
    ]


def grouped(target: AnyTarget, rows: Answered, column: Column) -> list[dict[str, Any]]:
    """The metrics of each group of rows by a column's values: levels, the most frequent first and
    at most 20; numbers by quarters of the rows. Rows where it is missing are a group of their own,
    whose name is None.
    """
    codes, names = _groups(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:MOST_GROUPS].tolist()
    found: list[tuple[str | None, NDArray[np.bool_]]] = [
        (names[one], codes == one) for one in order if counts[one]
    ]
    if (codes < 0).any():
        found.append((None, codes < 0))
    return [
        {
            "group": name,
            "rows": int(chosen.sum()),
            "metrics": judged(target, Answered(rows.truth[chosen], rows.output[chosen])),
        }
        for name, chosen in found
    ]


def _groups(column: Column) -> tuple[NDArray[np.int64], list[str]]:
    if isinstance(column, Category):
        return column.codes.astype(np.int64), list(column.levels)
    assert isinstance(column, Numeric)
    present = column.values[~np.isnan(column.values)]
    if not len(present):
        return np.full(len(column.values), -1), []
    edges = np.unique(np.quantile(present, _QUARTERS))
    ends = [float(present.min()), *edges.tolist(), float(present.max())]
    codes = np.searchsorted(edges, column.values).astype(np.int64)
    codes[np.isnan(column.values)] = -1
    return codes, [f"{low:.6g} to {high:.6g}" for low, high in pairwise(ends)]

"""What stays of the rows that judged a model: enough to see where it is wrong, and small."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics import confusion
from core.quantities import QUANTITIES

MOST_CLASSES = 20  # the rarer ones are one class together
MOST_POINTS = 400


def evidence(
    task: str, y_true: NDArray[Any], output: NDArray[Any], names: Sequence[str] | None
) -> dict[str, Any]:
    """Of classes a confusion matrix, of numbers pairs of truth and prediction, as JSON; of
    several targets or quantiles how many rows there are.

    y_true, output: as `core.metrics.evaluate` takes them. names: of the classes.
    """
    if task in ("multilabel", "quantiles") or y_true.ndim > 1:
        return {"kind": "several", "rows": len(y_true)}
    if task in QUANTITIES:
        return pairs(y_true.astype(np.float64).ravel(), output.astype(np.float64).ravel())
    truth = y_true.astype(np.int64).ravel()
    assert names is not None
    return matrix(confusion(truth, output.argmax(axis=1), len(names)), names)


def matrix(counts: NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    """A confusion matrix: rows are the truth, columns what the model said.

    Of more than 20 classes the 19 most frequent stay, in their order; the others are summed up
    in a last row and column, and counted in `others`.
    """
    others = 0
    if len(names) > MOST_CLASSES:
        order = np.argsort(-counts.sum(axis=1), kind="stable")
        kept = np.sort(order[: MOST_CLASSES - 1])
        group = np.full(len(names), MOST_CLASSES - 1)
        group[kept] = np.arange(MOST_CLASSES - 1)
        summed = np.zeros((MOST_CLASSES, MOST_CLASSES), dtype=np.int64)
        np.add.at(summed, (group[:, None], group[None, :]), counts)
        others = len(names) - len(kept)
        counts, names = summed, [*(names[position] for position in kept), "others"]
    return {
        "kind": "confusion",
        "rows": int(counts.sum()),
        "labels": list(names),
        "counts": counts.tolist(),
        "others": others,
    }


def pairs(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Any]:
    """Truth beside prediction, of at most 400 rows spread evenly over the truth's ranks, the
    first and the last among them; quantiles of the residual prediction - truth of all rows.
    """
    order = np.argsort(truth, kind="stable")
    if len(order) > MOST_POINTS:
        order = order[np.linspace(0, len(order) - 1, MOST_POINTS).round().astype(np.int64)]
    residual = predicted - truth
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    return {
        "kind": "residuals",
        "rows": len(truth),
        "truth": truth[order].tolist(),
        "predicted": predicted[order].tolist(),
        "quantiles": {f"{share:g}": float(np.quantile(residual, share)) for share in shares},
    }

"""What a network is worth on the rows that judge it: beside simpler answers, and how surely."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.baselines import baseline
from core.calibration import two_ways
from core.intervals import bootstrap, compare, row_losses
from core.linear import fit_linear
from core.metrics import evaluate, per_class
from core.network import Link
from core.quantities import by_quantile, weighted_quantiles
from core.several import AnyTarget, Quantiles, Several

Weights = NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Answered:
    """Rows with what is true of them and what was answered, in the target's own terms.

    truth, output: as `core.metrics.evaluate` takes them. weights: (rows,), None for 1 each.
    """

    truth: NDArray[Any]
    output: NDArray[Any]
    weights: Weights = None


def linear_answers(
    target: AnyTarget,
    link: Link,
    x: NDArray[Any],
    y: NDArray[Any],
    judged: NDArray[Any],
    weights: Weights = None,
) -> NDArray[np.float64]:
    """The decoded answers of linear or logistic regression, fitted to x (rows, inputs) and
    y (rows, outputs) with weights (rows,), for the rows `judged` (others, inputs). Of quantiles
    linear regression, shifted by the quantiles of what it leaves.
    """
    if isinstance(target, Quantiles):
        fitted = fit_linear(link, x, y, 1, weights)
        left = y[:, 0] - fitted.forward(x)[:, 0]
        shifts = weighted_quantiles(left, target.levels, weights)
        return target.decode(fitted.forward(judged) + shifts)
    return target.decode(fit_linear(link, x, y, target.outputs, weights).forward(judged))


def appraise(
    target: AnyTarget, train: Answered, judge: Answered, linear: NDArray[Any], seed: int
) -> dict[str, Any]:
    """As JSON: metrics and their 95% intervals, the same metrics of the training rows, of
    guessing and of linear or logistic regression, precision and recall of each class, the
    metrics of each of several targets or quantiles, and whether the network is better than linear.

    linear: the answers of `linear_answers` for the judging rows. Weighted rows have no intervals.
    """
    task, names, levels = target.measure, target.names, target.quantiles
    truth, weights = judge.truth, judge.weights
    ours, theirs = (row_losses_of(target, truth, answers) for answers in (judge.output, linear))
    intervals = {}
    if weights is None:
        intervals = bootstrap(task, truth, judge.output, seed, quantiles=levels)
    found = {
        "metrics": judged(target, judge),
        "train_metrics": judged(target, train),
        "intervals": {name: {"low": low, "high": high} for name, (low, high) in intervals.items()},
        "baseline": baseline(
            task,
            train.truth,
            truth,
            None if names is None else len(names),
            train_weights=train.weights,
            weights=weights,
            quantiles=levels,
        ),
        "linear": judged(target, replace(judge, output=linear)),
        "better_than_linear": asdict(compare(ours, theirs, seed)),
    }
    if names is not None:
        classes = per_class(truth, judge.output, weights)
        found["per_class"] = dict(zip(names, classes, strict=True))
    if isinstance(target, Several):
        found["per_output"] = _by_column(target, train, judge, linear)
    if isinstance(target, Quantiles):
        found["per_output"] = _by_quantile(target, judge, linear)
    return found


def judged(target: AnyTarget, rows: Answered) -> dict[str, float]:
    """The metrics of answered rows: all that the target's kind has."""
    return evaluate(
        target.measure, rows.truth, rows.output, rows.weights, quantiles=target.quantiles
    )


def row_losses_of(
    target: AnyTarget, truth: NDArray[Any], output: NDArray[Any]
) -> NDArray[np.float64]:
    """What each row loses, (rows,); each of several quantities in units of its own scale."""
    if isinstance(target, Several) and target.task == "regression":
        truth, output = truth / target.scales, output / target.scales
    return row_losses(target.measure, truth, output, target.quantiles)


def _by_column(
    target: Several, train: Answered, judge: Answered, linear: NDArray[Any]
) -> dict[str, Any]:
    """The metrics of each column beside those of guessing and of a linear model."""

    def column(rows: Answered, at: int) -> Answered:
        truth, output = rows.truth[:, at], rows.output[:, at]
        if target.task == "multilabel":
            return replace(rows, truth=truth.astype(np.int64), output=two_ways(output))
        return replace(rows, truth=truth, output=output)

    found = {}
    for at, (name, part) in enumerate(zip(target.columns, target.parts, strict=True)):
        learned, ours = column(train, at), column(judge, at)
        found[name] = {
            "metrics": judged(part, ours),
            "baseline": baseline(
                part.measure,
                learned.truth,
                ours.truth,
                2,
                train_weights=learned.weights,
                weights=ours.weights,
            ),
            "linear": judged(part, column(replace(judge, output=linear), at)),
        }
    return found


def _by_quantile(target: Quantiles, judge: Answered, linear: NDArray[Any]) -> dict[str, Any]:
    """The pinball loss of each quantile, beside that of a linear model."""
    ours, theirs = (
        by_quantile(judge.truth, output, target.levels, judge.weights)
        for output in (judge.output, linear)
    )
    return {
        key: {"metrics": mine, "linear": other}
        for key, mine, other in zip(target.keys, ours, theirs, strict=True)
    }

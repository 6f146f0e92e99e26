"""What a network is worth on the rows that judge it: beside simpler answers, and how surely."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.baselines import baseline
from core.intervals import bootstrap, compare, row_losses
from core.linear import fit_linear
from core.metrics import evaluate, per_class
from core.network import Link
from core.targets import Target

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
    target: Target,
    link: Link,
    x: NDArray[Any],
    y: NDArray[Any],
    judged: NDArray[Any],
    weights: Weights = None,
) -> NDArray[np.float64]:
    """The decoded answers of linear or logistic regression, fitted to x (rows, inputs) and
    y (rows, outputs) with weights (rows,), for the rows `judged` (others, inputs).
    """
    return target.decode(fit_linear(link, x, y, target.outputs, weights).forward(judged))


def appraise(
    target: Target, train: Answered, judge: Answered, linear: NDArray[Any], seed: int
) -> dict[str, Any]:
    """As JSON: metrics and their 95% intervals, the same metrics of the training rows, of
    guessing and of linear or logistic regression, precision and recall of each class, and
    whether the network is better than linear.

    linear: the answers of `linear_answers` for the judging rows. Weighted rows have no intervals.
    """
    task, names = target.task, target.names
    truth, weights = judge.truth, judge.weights
    ours, theirs = (row_losses(task, truth, answers) for answers in (judge.output, linear))
    intervals = {} if weights is not None else bootstrap(task, truth, judge.output, seed)
    found = {
        "metrics": evaluate(task, truth, judge.output, weights),
        "train_metrics": evaluate(task, train.truth, train.output, train.weights),
        "intervals": {name: {"low": low, "high": high} for name, (low, high) in intervals.items()},
        "baseline": baseline(
            task,
            train.truth,
            truth,
            None if names is None else len(names),
            train_weights=train.weights,
            weights=weights,
        ),
        "linear": evaluate(task, truth, linear, weights),
        "better_than_linear": asdict(compare(ours, theirs, seed)),
    }
    if names is not None:
        classes = per_class(truth, judge.output, weights)
        found["per_class"] = dict(zip(names, classes, strict=True))
    return found

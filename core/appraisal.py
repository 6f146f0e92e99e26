"""What a network is worth on the rows that judge it: beside simpler answers, and how surely."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.baselines import baseline
from core.intervals import bootstrap, compare, row_losses
from core.linear import fit_linear
from core.metrics import evaluate
from core.network import Link
from core.targets import Target


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows as the network sees them, and what is true of them.

    x: (rows, inputs). y: (rows, outputs), what the network learns. truth: (rows,) class indices,
    or values in their own units.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    truth: NDArray[Any]


def appraise(
    target: Target, link: Link, train: Judged, judge: Judged, output: NDArray[Any], seed: int
) -> dict[str, Any]:
    """As JSON: metrics and their 95% intervals, the same metrics of guessing and of linear or
    logistic regression fitted to the same rows, and whether the network is better than that.

    output: the network's decoded answers for `judge`.
    """
    task = target.task
    classes = None if target.labels is None else len(target.labels)
    linear = target.decode(fit_linear(link, train.x, train.y, target.outputs).forward(judge.x))
    ours, theirs = (row_losses(task, judge.truth, answers) for answers in (output, linear))
    intervals = bootstrap(task, judge.truth, output, seed)
    return {
        "metrics": evaluate(task, judge.truth, output),
        "intervals": {name: {"low": low, "high": high} for name, (low, high) in intervals.items()},
        "baseline": baseline(task, train.truth, judge.truth, classes),
        "linear": evaluate(task, judge.truth, linear),
        "better_than_linear": asdict(compare(ours, theirs, seed)),
    }

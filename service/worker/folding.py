"""Cross-validation of a job: a network a fold, before the one that is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.appraisal import Answered, judged
from core.splits import Split
from core.training import Fit, Recipe
from core.validation import summary
from service.jobs.recipe import recipe
from service.worker.preparing import Data, Prepared, prepare

STRETCH = 256  # steps between two looks at clock and agent


class Interrupted(Exception):
    """The agent asked to stop, or the time is up."""


class Diverged(Exception):
    """A fold's loss is no longer a finite number. epoch: the one in which."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch


@dataclass(frozen=True, eq=False)
class Folded:
    """What the folds say together.

    judged, linear: every row, answered by the fold's network that did not learn from it.
    epochs: the median of the best epochs, for the network that learns from all rows.
    """

    judged: Answered
    linear: NDArray[np.float64]
    epochs: int
    described: dict[str, Any]

    def recipe(self, of: Recipe) -> Recipe:
        """For the network of all rows: as many epochs as the folds found best, none to judge."""
        return replace(of, epochs=self.epochs, patience=None, monitor=None, target=None)


def cross_validate(data: Data, splits: Sequence[Split], go_on: Callable[[], bool]) -> Folded:
    """Train a network a fold. Raises DataError, Diverged, and Interrupted when not to go on."""
    answers, lines, epochs = [], [], []
    results: list[dict[str, float]] = []
    for parts in splits:
        prepared = prepare(data, parts)
        fit = _run(prepared, recipe(data.spec), go_on)
        answered = prepared.judged(fit.theta)
        results.append(judged(prepared.target, answered))
        answers.append(answered)
        lines.append(prepared.linear())
        epochs.append(max(1, fit.best_epoch))
    sizes = [len(parts.validation) for parts in splits]
    order = np.argsort(np.concatenate([parts.validation for parts in splits]), kind="stable")
    return Folded(
        judged=Answered(
            np.concatenate([one.truth for one in answers])[order],
            np.concatenate([one.output for one in answers])[order],
            data.weights_of(np.sort(data.present)),
        ),
        linear=np.concatenate(lines)[order],
        epochs=round(median(epochs)),
        described={
            "count": len(splits),
            "metrics": summary(results, sizes),
            "each": [
                {"rows": rows, "best_epoch": epoch, "metrics": metrics}
                for rows, epoch, metrics in zip(sizes, epochs, results, strict=True)
            ],
        },
    )


def within(seconds: float, started: float, asked_to_stop: Callable[[], bool]) -> Callable[[], bool]:
    """Whether there is time left, and nobody asked to stop. started: on the monotonic clock."""
    return lambda: time.monotonic() - started < seconds and not asked_to_stop()


def _run(prepared: Prepared, how: Recipe, go_on: Callable[[], bool]) -> Fit:
    fit = prepared.fit(how)
    while not fit.done:
        fit.advance(STRETCH)
        if not go_on():
            raise Interrupted
    if fit.stop_reason == "diverged":
        raise Diverged(int(fit.position) + 1)
    return fit

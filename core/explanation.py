"""Why a model answered so: what each column of a row adds to the answer.

Integrated gradients (Sundararajan, Taly & Yan 2017): the gradient of the answer by the inputs,
integrated along the straight way from a baseline to the row. What the columns add sums up to the
difference of the two answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.curves import IDENTITY
from core.model import Model
from core.network import Dense, apply_link
from core.targets import Classes, Counts, Regression
from core.tracing import slopes, trace

Floats = NDArray[np.float64]
TOLERANCE = 1e-6  # of a panel, against the range of the answer; a row has some dozens
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_PANELS = (8, 64, 512, 4096)  # of the way, to begin with: a kink at a panel's edge goes unseen
_DEEPEST = 14  # times a panel may be halved: a kink is then within 1e-5 of the way
_AT_ONCE = 64  # panels
COMPLETE = 1e-5  # of the difference of the answers, or of 1


@dataclass(frozen=True, eq=False)
class Explanation:
    """One row's. baseline, answer: what the model says there and here, a probability or a value.
    parts: what each column adds, in the order of the signature; they sum up to answer - baseline.
    """

    baseline: float
    answer: float
    parts: Floats

    @property
    def residual(self) -> float:
        """What the parts miss of the difference: the error of the integral."""
        return float(self.answer - self.baseline - self.parts.sum())


def is_explainable(model: Model) -> bool:
    """Whether the model has one answer a row: classes, or a quantity without a curve of its own."""
    target = model.target
    plain = isinstance(target, Regression) and target.curve == IDENTITY
    return plain or isinstance(target, Classes)


def explain(
    model: Model, x: NDArray[np.float32], baseline: NDArray[np.float32] | None, which: Sequence[int]
) -> list[Explanation]:
    """Explain rows x (rows, width) as the preprocessor gives them.

    baseline: (width,) such a row; None for all inputs 0, which is the mean of numbers that are
    standardised, and no level at all. which: of each row the class whose probability is explained;
    anything for a quantity.
    """
    if not is_explainable(model):
        raise ValueError("only classes and plain quantities are explained")
    layers = model.network.dense(model.theta)
    start = np.zeros(x.shape[1]) if baseline is None else baseline.astype(np.float64)
    starts = model.preprocessor.starts
    found = []
    for row, one in zip(x.astype(np.float64), which, strict=True):
        answer = _Answer(model, layers, one)
        before, after = answer.values(np.stack([start, row])).tolist()
        for panels in _PANELS:
            inputs = _integral(partial(answer.slopes_on_way, start, row), panels)
            parts = np.add.reduceat(inputs * (row - start), starts)
            explained = Explanation(before, after, parts)
            if abs(explained.residual) <= COMPLETE * max(1.0, abs(after - before)):
                break
        found.append(explained)
    return found


@dataclass(frozen=True, eq=False)
class _Answer:
    """One number of what a model says, and its slope by the inputs."""

    model: Model
    layers: tuple[Dense, ...]
    which: int

    def values(self, x: Floats) -> Floats:
        return self._of(trace(self.layers, x).a[-1])

    def _of(self, logits: NDArray[Any]) -> Floats:
        outputs = apply_link(self.model.network.link, logits)
        target = self.model.target
        if isinstance(target, Classes):
            if target.task == "binary":
                yes = outputs[:, 0]
                return np.asarray(yes if self.which == 1 else 1.0 - yes)
            return np.asarray(outputs[:, self.which])
        assert isinstance(target, Regression)
        return np.asarray(outputs[:, 0] * target.scale + target.mean)

    def slopes(self, x: Floats) -> Floats:
        """(rows, width): the derivative of the answer at each row."""
        seen = trace(self.layers, x)
        delta = self._by_logits(seen.a[-1])
        steep = slopes(self.layers, seen)
        for at in reversed(range(len(self.layers))):
            delta = delta @ self.layers[at].weights.T
            if at > 0:
                delta = delta * steep[at - 1]
        return np.asarray(delta, np.float64)

    def slopes_on_way(self, start: Floats, end: Floats, t: Floats) -> Floats:
        """The derivative (points, width) where a share t (points,) of the way is gone."""
        return self.slopes(start + t[:, None] * (end - start))

    def _by_logits(self, logits: NDArray[Any]) -> Floats:
        target, outputs = self.model.target, apply_link(self.model.network.link, logits)
        if isinstance(target, Classes) and target.task == "binary":
            sign = 1.0 if self.which == 1 else -1.0
            return np.asarray(sign * outputs * (1.0 - outputs))
        if isinstance(target, Classes):
            chosen = outputs[:, [self.which]]
            return np.asarray(chosen * (np.eye(outputs.shape[1])[self.which] - outputs))
        assert isinstance(target, Regression)
        return np.asarray(
            outputs * target.scale
            if isinstance(target, Counts)
            else np.full_like(logits, target.scale)
        )


def _integral(function: Callable[[Floats], Floats], panels: int) -> Floats:
    """∫ function from 0 to 1, by Gauss-Legendre over panels that are halved where that changes
    something, as it does at the kinks of ReLU. function: (points,) to (points, width).
    """
    lefts, size = np.arange(panels) / panels, 1.0 / panels
    whole = _panels(function, lefts, size)
    total = np.zeros(whole.shape[1])
    for _ in range(_DEEPEST):
        size /= 2
        halves = _panels(function, np.concatenate([lefts, lefts + size]), size)
        left, right = halves[: len(lefts)], halves[len(lefts) :]
        refined = left + right
        scale = max(1e-12, float(np.abs(total + refined.sum(axis=0)).max()))
        settled = np.abs(refined - whole).max(axis=1) <= TOLERANCE * scale
        total += refined[settled].sum(axis=0)
        if settled.all():
            return total
        open_ = ~settled
        lefts = np.concatenate([lefts[open_], lefts[open_] + size])
        whole = np.concatenate([left[open_], right[open_]])
    return np.asarray(total + whole.sum(axis=0))


def _panels(function: Callable[[Floats], Floats], lefts: Floats, size: float) -> Floats:
    """The integral over each panel: (panels, width), some at a time for the sake of memory."""
    found = []
    for first in range(0, len(lefts), _AT_ONCE):
        points = lefts[first : first + _AT_ONCE, None] + size * (_NODES + 1.0) / 2.0
        values = function(points.ravel()).reshape(*points.shape, -1)
        found.append(np.einsum("pnw,n->pw", values, _WEIGHTS) * size / 2.0)
    return np.concatenate(found)

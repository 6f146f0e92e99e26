"""Linear, logistic and Poisson regression: what a network with hidden layers has to beat."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.network import MOST_LOG, Link, apply_link

Floats = NDArray[np.float64]
Objective = Callable[[Floats], tuple[float, Floats]]
MEMORY = 10  # pairs that L-BFGS remembers
ITERATIONS = 60
TOLERANCE = 1e-5  # of the gradient's largest part; float32 rows give no more
PROGRESS = 1e-6  # of the value, in a step; less is not worth another pass over the rows
EXACT_WIDTH = 500  # up to here the normal equations are solved
BLOCK = 16_384  # rows at a time that are copied in float64


@dataclass(frozen=True, eq=False)
class Linear:
    """A generalised linear model. weights: (inputs, outputs), biases: (outputs,), float64."""

    weights: Floats
    biases: Floats
    link: Link

    def forward(self, x: NDArray[Any]) -> Floats:
        """The answers for rows x (rows, inputs), as `Network.forward` gives them."""
        return np.asarray(apply_link(self.link, x @ self.weights + self.biases))


def fit_linear(
    link: Link, x: NDArray[Any], y: NDArray[Any], outputs: int, weights: Floats | None = None
) -> Linear:
    """Fit to rows x (rows, inputs) and y, what a network of this link learns.

    y: (rows, outputs) numbers for identity, counts for exp, 0 and 1 for sigmoid, (rows, 1)
    class indices for softmax. weights: (rows,), what each row counts for; None for 1. The
    model's weights, not its biases, are shrunk by ½‖W‖² against the sum of losses,
    as scikit-learn's LogisticRegression (C=1) and Ridge (alpha=1) do, so that separable classes
    and equal columns have an answer.
    """
    rows, inputs = x.shape
    if link == "identity" and inputs <= EXACT_WIDTH:
        return _solve(x, y.astype(np.float64), weights)
    targets = np.eye(outputs)[y[:, 0].astype(np.int64)] if link == "softmax" else y
    shape, each = (inputs + 1, outputs), weights

    def objective(flat: Floats) -> tuple[float, Floats]:
        parameters = flat.reshape(shape)
        weights, biases = parameters[:-1], parameters[-1]
        z = (x @ weights.astype(x.dtype)).astype(np.float64) + biases
        gradient = np.empty(shape)
        delta = apply_link(link, z) - targets
        losses = _losses(link, z, targets)
        if each is not None:
            delta, losses = delta * each[:, None], losses * each
        gradient[:-1] = x.T @ delta.astype(x.dtype)
        gradient[:-1] += weights
        gradient[-1] = delta.sum(axis=0)
        value = float(losses.sum()) + 0.5 * float((weights * weights).sum())
        return value / rows, gradient.ravel() / rows

    best = minimize(objective, np.zeros(shape).ravel()).reshape(shape)
    return Linear(best[:-1], best[-1], link)


def minimize(objective: Objective, start: Floats, iterations: int = ITERATIONS) -> Floats:
    """The minimum of a smooth convex function: L-BFGS (Nocedal 1980) with backtracking.

    objective: from a point (n,) to the value and the gradient (n,).
    """
    point, pairs = start, list[tuple[Floats, Floats]]()
    value, gradient = objective(point)
    for _ in range(iterations):
        if np.abs(gradient).max(initial=0.0) <= TOLERANCE:
            break
        direction = _direction(gradient, pairs)
        slope = float(gradient @ direction)
        length = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        for _ in range(30):  # Armijo's rule
            moved = point + length * direction
            found, slopes = objective(moved)
            if found <= value + 1e-4 * length * slope:
                break
            length *= 0.5
        else:
            break  # no progress is left in float64
        step, change = moved - point, slopes - gradient
        if float(step @ change) > 1e-12 * float(change @ change):
            pairs = [*pairs[1 - MEMORY :], (step, change)]
        stalls = value - found <= PROGRESS * abs(value)
        point, value, gradient = moved, found, slopes
        if stalls:
            break
    return point


def _direction(gradient: Floats, pairs: list[tuple[Floats, Floats]]) -> Floats:
    """Minus the inverse Hessian, as the pairs suggest it, times the gradient (two loops)."""
    q, shares = -gradient, []
    for step, change in reversed(pairs):
        share = float(step @ q) / float(step @ change)
        q = q - share * change
        shares.append(share)
    if pairs:
        step, change = pairs[-1]
        q = q * (float(step @ change) / float(change @ change))
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        q = q + (share - float(change @ q) / float(step @ change)) * step
    return q


def _solve(x: NDArray[Any], y: Floats, each: Floats | None) -> Linear:
    """Ridge regression (Hoerl & Kennard 1970) by its normal equations, on centred columns."""
    middle, level = x.mean(axis=0, dtype=np.float64), y.mean(axis=0)
    if each is not None:
        middle, level = each @ x / each.sum(), each @ y / each.sum()
    square, product = np.eye(x.shape[1]), np.zeros((x.shape[1], y.shape[1]))
    for first in range(0, len(x), BLOCK):
        block = slice(first, first + BLOCK)
        centred = x[block] - middle
        weighted = centred if each is None else centred * each[block, None]
        square += weighted.T @ centred
        product += weighted.T @ (y[block] - level)
    weights = np.asarray(np.linalg.solve(square, product), np.float64)
    return Linear(weights, level - middle @ weights, "identity")


def _losses(link: Link, z: Floats, targets: Floats) -> Floats:
    """The loss of each row, (rows,): half squares, or minus the log-likelihood."""
    if link == "identity":
        return np.asarray(0.5 * np.square(z - targets).sum(axis=1))
    if link == "exp":
        near = np.minimum(z, MOST_LOG)
        return np.asarray((np.exp(near) * (1.0 + z - near) - z * targets).sum(axis=1))
    if link == "sigmoid":
        terms = np.maximum(z, 0) - targets * z + np.log1p(np.exp(-np.abs(z)))
        return np.asarray(terms.sum(axis=1))
    top = z.max(axis=1, keepdims=True)
    sums = top[:, 0] + np.log(np.exp(z - top).sum(axis=1))
    return np.asarray(sums - (z * targets).sum(axis=1))

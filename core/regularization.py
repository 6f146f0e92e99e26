"""What is done to gradients and weights beside the optimiser's step, compiled."""

from typing import Any

import numpy as np

from core.compilation import inner, keep_apart, summing
from core.layout import BIASES, IN, LOOKED_UP, OUT, TRAINED, WEIGHTS
from core.passes import fill, part


@summing
def norm(values: Any) -> Any:
    """Euclidean length, summed in float64."""
    total = 0.0
    for i in range(values.size):
        total += values[i] * values[i]
    return np.sqrt(total)


@inner
def is_finite(values: Any) -> Any:
    """Whether all are: anything else times 0 is NaN."""
    total = 0.0
    for i in range(values.size):
        total += values[i] * 0.0
    return total == 0.0


@inner
def penalize(theta: Any, gradient: Any, table: Any, l1: float, l2: float) -> None:
    """Add the gradient of l1 ‖W‖₁ + l2/2 ‖W‖² of the trained layers' weights."""
    keep_apart()
    kind = theta.dtype.type
    lasso, ridge, none = kind(l1), kind(l2), kind(0.0)
    for layer in range(table.shape[0]):
        if table[layer, TRAINED] == 1:
            for i in range(table[layer, WEIGHTS], table[layer, BIASES]):
                weight = theta[i]
                sign = lasso if weight > none else (-lasso if weight < none else none)
                gradient[i] += sign + ridge * weight


@inner
def penalty(theta: Any, table: Any, l1: float, l2: float) -> Any:
    """What `penalize` is the gradient of."""
    total = 0.0
    for layer in range(table.shape[0]):
        if table[layer, TRAINED] == 1:
            for i in range(table[layer, WEIGHTS], table[layer, BIASES]):
                weight = np.float64(theta[i])
                total += l1 * abs(weight) + l2 / 2.0 * weight * weight
    return total


@inner
def _shorten(gradient: Any, largest: float) -> None:
    length = norm(gradient)
    if length > largest:
        factor = gradient.dtype.type(largest / length)
        for i in range(gradient.size):
            gradient[i] *= factor


@inner
def clip(gradient: Any, offsets: Any, by_value: float, by_layer: float, by_all: float) -> None:
    """Bound each number, then each layer's norm, then the norm of all; 0 is no bound.

    offsets: where each layer's parameters start, and where the last ones end.
    """
    keep_apart()
    if by_value > 0.0:
        most = gradient.dtype.type(by_value)
        for i in range(gradient.size):
            g = gradient[i]
            gradient[i] = most if g > most else (-most if g < -most else g)
    if by_layer > 0.0:
        for layer in range(offsets.size - 1):
            _shorten(gradient[offsets[layer] : offsets[layer + 1]], by_layer)
    if by_all > 0.0:
        _shorten(gradient, by_all)


@inner
def decay(theta: Any, table: Any, share: float) -> None:
    """Shrink the trained layers' weights by a share, apart from any gradient."""
    keep_apart()
    factor = theta.dtype.type(1.0 - share)
    for layer in range(table.shape[0]):
        if table[layer, TRAINED] == 1:
            for i in range(table[layer, WEIGHTS], table[layer, BIASES]):
                theta[i] *= factor


@inner
def shorten_units(theta: Any, work: Any, table: Any, largest: float) -> None:
    """Bound the norm of the weights into each unit, embeddings apart. work: scratch, one number
    a unit.
    """
    keep_apart()
    kind = theta.dtype.type
    for layer in range(table.shape[0]):
        if table[layer, TRAINED] == 0 or table[layer, LOOKED_UP] == 1:
            continue
        n, m = table[layer, IN], table[layer, OUT]
        weights, squares = part(theta, table[layer, WEIGHTS], n, m), work[:m]
        fill(squares, 0)
        for i in range(n):
            for j in range(m):
                squares[j] += weights[i, j] * weights[i, j]
        for j in range(m):
            length = np.sqrt(squares[j])
            squares[j] = kind(largest) / length if length > kind(largest) else kind(1.0)
        for i in range(n):
            for j in range(m):
                weights[i, j] *= squares[j]


@inner
def average(theta: Any, mean: Any, decay: float, t: int) -> None:
    """Move the averaged weights towards the present ones, faster while there are few steps."""
    keep_apart()
    share = theta.dtype.type(1.0 - min(decay, (1.0 + t) / (10.0 + t)))
    for i in range(theta.size):
        mean[i] += share * (theta[i] - mean[i])

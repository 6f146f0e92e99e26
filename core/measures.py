"""What is measured of the gradient's way through the layers, compiled.

`tally` collects over the sampled batches of an epoch (float64): each layer's gradient norm, each
layer's update over its weights, each hidden layer's saturation, and how many batches; then for
every hidden unit whether any row was not flat.
"""

from typing import Any

import numpy as np

from core.compilation import call, inner, keep_apart, summing
from core.layout import (
    ACTIVATED,
    ACTIVATION,
    ALPHA,
    FLAT,
    LIVELY,
    OUT,
    SUMS,
)
from core.passes import fill, part
from core.regularization import is_finite, norm
from core.routines import FLATNESS

TRAIN_LOSS, VALIDATION_LOSS, TRAIN_SCORE, VALIDATION_SCORE, LEARNING_RATE, LAYERS = range(6)


@inner
def is_sampled(step: int, steps: int, samples: int) -> Any:
    """Whether this step is one of the evenly spaced ones; the last always is."""
    return (step + 1) * samples // steps > step * samples // steps


@inner
def measure_gradient(
    tally: Any, gradient: Any, work: Any, rows: int, table: Any, knobs: Any, offsets: Any
) -> None:
    """Add each layer's gradient norm, and each hidden layer's saturation."""
    keep_apart()
    layers = table.shape[0]
    unit = 3 * layers
    for layer in range(layers):
        tally[layer] += norm(gradient[offsets[layer] : offsets[layer + 1]])
    for layer in range(layers - 1):
        m = table[layer, OUT]
        sums = part(work, table[layer, SUMS], rows, m)
        out = part(work, table[layer, ACTIVATED], rows, m)
        lively = work[table[layer, LIVELY] : table[layer, LIVELY] + m]
        fill(lively, 0)
        alpha, bound = knobs[layer, ALPHA], knobs[layer, FLAT]
        address = table[layer, ACTIVATION]
        tally[2 * layers + layer] += call(
            address, (FLATNESS, sums, out, lively, rows, m, alpha, bound)
        )
        for j in range(m):
            if lively[j] > 0:
                tally[unit + j] = 1.0
        unit += m
    tally[3 * layers - 1] += 1.0


@summing
def measure_update(tally: Any, theta: Any, before: Any, offsets: Any) -> None:
    """Add the size of each layer's update over the size of its weights, ‖Δθ‖/‖θ‖."""
    keep_apart()
    layers = offsets.size - 1
    for layer in range(layers):
        moved = 0.0
        for i in range(offsets[layer], offsets[layer + 1]):
            difference = theta[i] - before[i]
            moved += difference * difference
        size = norm(before[offsets[layer] : offsets[layer + 1]])
        tally[layers + layer] += np.sqrt(moved) / size if size > 0.0 else 0.0


@inner
def report(point: Any, tally: Any, table: Any) -> None:
    """Write the means over the sampled batches, and the share of units that were always flat."""
    keep_apart()
    layers = table.shape[0]
    batches = tally[3 * layers - 1]
    for i in range(3 * layers - 1):
        point[LAYERS + i] = tally[i] / batches
    unit = 3 * layers
    for layer in range(layers - 1):
        dead = 0
        for j in range(table[layer, OUT]):
            dead += 1 if tally[unit + j] == 0.0 else 0
        unit += table[layer, OUT]
        point[LAYERS + 3 * layers - 1 + layer] = dead / table[layer, OUT]


@inner
def broken_layer(work: Any, gradient: Any, theta: Any, rows: int, table: Any, offsets: Any) -> Any:
    """The first layer whose sums are not finite; else the last with such gradients or weights."""
    keep_apart()
    layers = table.shape[0]
    for layer in range(layers):
        sums = part(work, table[layer, SUMS], rows, table[layer, OUT])
        if not is_finite(sums.reshape(sums.size)):
            return layer
    for layer in range(layers - 1, -1, -1):
        first, stop = offsets[layer], offsets[layer + 1]
        if not (is_finite(gradient[first:stop]) and is_finite(theta[first:stop])):
            return layer
    return layers - 1

"""Forward and backward through all layers of a batch, compiled.

Products of matrices go to BLAS; bias, activation and their gradients are fused around them into
loops that vectorise. `table` and `knobs` are those of `core.layout`, `work` is its buffer.

A pass may be of some of the batch's rows only: `first` says where in the buffer they lie. Nothing
of a row depends on the others, but where batch norm is learned: there it is all of them at once.
"""

from typing import Any

import numpy as np

from core.compilation import call, expanded, inner, keep_apart
from core.crew import bounds
from core.embeddings import FIRST, PLACE, WIDTH
from core.layout import (
    ACTIVATED,
    ACTIVATION,
    ALPHA,
    BIASED,
    BIASES,
    DELTA,
    DROPOUT,
    GIVEN,
    IN,
    INVERSE,
    LOOKED_UP,
    MASK,
    NORMAL,
    OUT,
    RUNNING,
    SCALE,
    SUMS,
    TRAINED,
    WEIGHTS,
)
from core.network import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from core.products import times, times_transposed, transposed_times
from core.routines import BACKWARD, FORWARD
from core.seeding import DROPOUT_STREAM, GAMMA, S32, mix

_mix = inner(mix)
LOW = np.uint64(0xFFFFFFFF)
ONE = np.uint64(1)


@inner
def stream(seed: Any, number: Any) -> Any:
    """`core.seeding.key`."""
    high = _mix(seed + GAMMA)
    low = _mix(np.uint64(number) + GAMMA)
    return _mix(high ^ (low * GAMMA))


@expanded
def part(buffer: Any, start: int, rows: int, columns: int) -> Any:
    """A matrix that lies in a flat buffer."""
    return buffer[start : start + rows * columns].reshape(rows, columns)


@expanded
def slab(buffer: Any, start: int, first: int, rows: int, columns: int) -> Any:
    """Some rows of such a matrix, from the first on."""
    begin = start + first * columns
    return buffer[begin : begin + rows * columns].reshape(rows, columns)


@inner
def fill(values: Any, value: Any) -> None:
    """Assignment to a slice would compile Numba's broadcasting and its messages, seconds of it."""
    for i in range(values.size):
        values[i] = value


@inner
def copy(values: Any, to: Any) -> None:
    """Copy one vector to another."""
    for i in range(values.size):
        to[i] = values[i]


@inner
def drop(values: Any, mask: Any, given: Any, first: int, start: Any, dropout: float) -> None:
    """Given = values × mask, drawn from number `first` on, which is even: 1/(1 - dropout) where a
    value stays, else 0, the same as `core.seeding.mask`.
    """
    keep_apart()
    least = np.uint64(dropout * 4294967296.0)
    scale, none = mask.dtype.type(1.0 / (1.0 - dropout)), mask.dtype.type(0.0)
    for pair in range((mask.size + 1) // 2):
        word = _mix(start + np.uint64(first // 2 + pair + 1) * GAMMA)
        mask[2 * pair] = scale if (word & LOW) >= least else none
        if 2 * pair + 1 < mask.size:
            mask[2 * pair + 1] = scale if (word >> S32) >= least else none
    for i in range(mask.size):
        given[i] = values[i] * mask[i]


@inner
def dropout_key(seed: Any, epoch: int, step: int, layer: int) -> Any:
    """The stream of one layer's mask in one step; the inputs are layer 0."""
    return stream(stream(stream(seed, DROPOUT_STREAM + layer), epoch), step)


@inner
def _moments(z: Any, centred: Any, mean: Any, squares: Any) -> None:
    """Column by column: the mean, z less the mean, and the sum of the squares of that."""
    rows, units = z.shape
    share = z.dtype.type(1.0 / rows)
    fill(mean, 0)
    fill(squares, 0)
    for i in range(rows):
        for j in range(units):
            mean[j] += z[i, j]
    for j in range(units):
        mean[j] *= share
    for i in range(rows):
        for j in range(units):
            difference = z[i, j] - mean[j]
            centred[i, j] = difference
            squares[j] += difference * difference


@inner
def _normalize(z: Any, normal: Any, mean: Any, inverse: Any, scale: Any, running: Any) -> None:
    """Batch norm by the batch's own mean and variance, which the running ones follow."""
    keep_apart()
    rows, units = z.shape
    kind = z.dtype.type
    _moments(z, normal, mean, inverse)
    for j in range(units):
        variance = inverse[j] * kind(1.0 / rows)
        if rows > 1:
            momentum, unbiased = kind(BATCH_NORM_MOMENTUM), inverse[j] * kind(1.0 / (rows - 1))
            running[j] += momentum * (mean[j] - running[j])
            running[units + j] += momentum * (unbiased - running[units + j])
        inverse[j] = kind(1.0) / np.sqrt(variance + kind(BATCH_NORM_EPSILON))
    for i in range(rows):
        for j in range(units):
            normal[i, j] *= inverse[j]
            z[i, j] = normal[i, j] * scale[j]


@inner
def _normalize_as_learned(z: Any, scale: Any, running: Any) -> None:
    """Batch norm by the running mean and variance."""
    keep_apart()
    rows, units = z.shape
    epsilon = z.dtype.type(BATCH_NORM_EPSILON)
    for i in range(rows):
        for j in range(units):
            factor = scale[j] / np.sqrt(running[units + j] + epsilon)
            z[i, j] = (z[i, j] - running[j]) * factor


@inner
def _look_up(x: Any, tables: Any, wires: Any, out: Any) -> None:
    """Expanded inputs: rows of the tables where an input is one of embeddings, else itself."""
    keep_apart()
    none = x.dtype.type(0.0)
    for i in range(x.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = none
        for k in range(x.shape[1]):
            value = x[i, k]
            if value == none:
                continue
            first, width, place = wires[k, FIRST], wires[k, WIDTH], wires[k, PLACE]
            if width == 0:
                out[i, first] = value
            for j in range(width):
                out[i, first + j] += value * tables[place + j]


@inner
def _gather_tables(x: Any, d: Any, gradient: Any, wires: Any, first: int, stop: int) -> None:
    """The gradient of the tables' rows that belong to the inputs from first to stop."""
    keep_apart()
    none = x.dtype.type(0.0)
    for k in range(first, stop):
        for j in range(wires[k, WIDTH]):
            gradient[wires[k, PLACE] + j] = none
    for i in range(x.shape[0]):
        for k in range(first, stop):
            value = x[i, k]
            if value == none:
                continue
            place, column = wires[k, PLACE], wires[k, FIRST]
            for j in range(wires[k, WIDTH]):
                gradient[place + j] += value * d[i, column + j]


@inner
def forward_pass(
    x: Any,
    theta: Any,
    work: Any,
    table: Any,
    knobs: Any,
    training: Any,
    seed: Any,
    epoch: int,
    step: int,
    first: int,
    wires: Any,
) -> None:
    """Fill the buffer with every layer's sums and activations for the rows x.

    training: normalise by the batch and drop activations, as drawn for this epoch and step.
    """
    keep_apart()
    rows = x.shape[0]
    source = x
    for layer in range(table.shape[0]):
        n, m = table[layer, IN], table[layer, OUT]
        sums = slab(work, table[layer, SUMS], first, rows, m)
        if table[layer, LOOKED_UP] == 1:
            _look_up(x, theta, wires, sums)
        else:
            times(source, part(theta, table[layer, WEIGHTS], n, m), sums)
        biases = theta[table[layer, BIASES] : table[layer, BIASES] + m]
        if table[layer, SCALE] >= 0:
            scale = theta[table[layer, SCALE] : table[layer, SCALE] + m]
            running = theta[table[layer, RUNNING] : table[layer, RUNNING] + 2 * m]
            if training and table[layer, TRAINED] == 1:
                at = table[layer, INVERSE]
                inverse, mean = work[at : at + m], work[at + m : at + 2 * m]
                normal = part(work, table[layer, NORMAL], rows, m)
                _normalize(sums, normal, mean, inverse, scale, running)
            else:
                _normalize_as_learned(sums, scale, running)
        out = slab(work, table[layer, ACTIVATED], first, rows, m)
        alpha = knobs[layer, ALPHA]
        call(table[layer, ACTIVATION], (FORWARD, sums, biases, out, rows, m, alpha, 0.0))
        source = out
        if training and table[layer, MASK] >= 0:
            source = slab(work, table[layer, GIVEN], first, rows, m)
            mask = slab(work, table[layer, MASK], first, rows, m).reshape(rows * m)
            key = dropout_key(seed, epoch, step, layer + 1)
            kept, given = out.reshape(rows * m), source.reshape(rows * m)
            drop(kept, mask, given, first * m, key, knobs[layer, DROPOUT])


@inner
def _through_norm(
    d: Any,
    theta: Any,
    gradient: Any,
    work: Any,
    table: Any,
    layer: int,
) -> None:
    """From the gradient of normalised sums to that of the sums, and of the scale."""
    keep_apart()
    rows, m = d.shape
    kind = d.dtype.type
    scale = theta[table[layer, SCALE] : table[layer, SCALE] + m]
    if table[layer, TRAINED] == 0:
        first = table[layer, RUNNING] + m
        variance = theta[first : first + m]
        for i in range(rows):
            for j in range(m):
                d[i, j] *= scale[j] / np.sqrt(variance[j] + kind(BATCH_NORM_EPSILON))
        return
    normal = part(work, table[layer, NORMAL], rows, m)
    inverse = work[table[layer, INVERSE] : table[layer, INVERSE] + m]
    scale_gradient = gradient[table[layer, SCALE] : table[layer, SCALE] + m]
    total = gradient[table[layer, BIASES] : table[layer, BIASES] + m]  # sums of d, by now
    share = kind(1.0 / rows)
    fill(scale_gradient, 0)
    for i in range(rows):
        for j in range(m):
            scale_gradient[j] += d[i, j] * normal[i, j]
    for i in range(rows):
        for j in range(m):
            centred = d[i, j] - share * (total[j] + normal[i, j] * scale_gradient[j])
            d[i, j] = scale[j] * inverse[j] * centred


@inner
def _sum_rows(d: Any, total: Any) -> None:
    fill(total, 0)
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            total[j] += d[i, j]


@inner
def backward_pass(
    theta: Any,
    gradient: Any,
    work: Any,
    table: Any,
    knobs: Any,
    lowest: int,
    first: int,
    rows: int,
) -> None:
    """From ∂L/∂z of the last layer, in its delta, to that of the layers down to `lowest`.

    Of the gradient it fills what batch norm needs on the way: its biases and scales.
    """
    keep_apart()
    for layer in range(table.shape[0] - 1, lowest - 1, -1):
        n, m = table[layer, IN], table[layer, OUT]
        d = slab(work, table[layer, DELTA], first, rows, m)
        if table[layer, SCALE] >= 0:
            _sum_rows(d, gradient[table[layer, BIASES] : table[layer, BIASES] + m])
            _through_norm(d, theta, gradient, work, table, layer)
        if layer > lowest:
            below = slab(work, table[layer - 1, DELTA], first, rows, n)
            times_transposed(d, part(theta, table[layer, WEIGHTS], n, m), below)
            if table[layer - 1, MASK] >= 0:
                mask = slab(work, table[layer - 1, MASK], first, rows, n).reshape(rows * n)
                flat = below.reshape(rows * n)
                for i in range(mask.size):
                    flat[i] *= mask[i]
            sums = slab(work, table[layer - 1, SUMS], first, rows, n)
            out = slab(work, table[layer - 1, ACTIVATED], first, rows, n)
            alpha = knobs[layer - 1, ALPHA]
            call(table[layer - 1, ACTIVATION], (BACKWARD, sums, out, below, rows, n, alpha, 0.0))


@inner
def gather_gradient(
    x: Any, gradient: Any, work: Any, table: Any, lowest: int, parts: int, which: int, wires: Any
) -> None:
    """From all rows' deltas to one part of each layer's weights' gradient; biases are of part 0."""
    keep_apart()
    rows = x.shape[0]
    for layer in range(lowest, table.shape[0]):
        n, m = table[layer, IN], table[layer, OUT]
        d = part(work, table[layer, DELTA], rows, m)
        biases = gradient[table[layer, BIASES] : table[layer, BIASES] + m]
        if which == 0 and (table[layer, BIASED] == 0 or table[layer, TRAINED] == 0):
            fill(biases, 0)
        elif which == 0 and table[layer, SCALE] < 0:
            _sum_rows(d, biases)
        first, stop = bounds(n, parts, which)
        if table[layer, LOOKED_UP] == 1:
            if table[layer, TRAINED] == 1:
                _gather_tables(x, d, gradient, wires, first, stop)
        elif table[layer, TRAINED] == 1 and first < stop:
            source = part(work, table[layer - 1, GIVEN], rows, n) if layer > 0 else x
            out = part(gradient, table[layer, WEIGHTS], n, m)
            transposed_times(source, d, out, first, stop)


@inner
def judge_rows(
    targets: Any, work: Any, table: Any, loss: int, p: Any, per_row: Any, first: int
) -> None:
    """Loss and score of each row go to per_row, (2, rows or more) float64; ∂L/∂z to the buffer."""
    rows, last = targets.shape[0], table.shape[0] - 1
    m = table[last, OUT]
    logits = slab(work, table[last, ACTIVATED], first, rows, m)
    delta = slab(work, table[last, DELTA], first, rows, m)
    losses, scores = per_row[0, first:], per_row[1, first:]
    call(loss, (logits, targets, delta, losses, scores, p, rows, m, targets.shape[1]))


@inner
def summed(per_row: Any, weights: Any, start: int, rows: int) -> Any:
    """Sums of weight × loss and weight × score; weights: from `start` on, empty where all are 1."""
    loss, score = 0.0, 0.0
    for i in range(rows):
        weight = weights[start + i] if weights.size > 0 else 1.0
        loss += weight * per_row[0, i]
        score += weight * per_row[1, i]
    return loss, score

"""Forward and backward through all layers of a batch, compiled.

Products of matrices go to BLAS; bias, activation and their gradients are fused around them into
loops that vectorise. `table` and `knobs` are those of `core.layout`, `work` is its buffer.
"""

from typing import Any

import numpy as np

from core.compilation import call, inner, keep_apart
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


@inner
def part(buffer: Any, start: int, rows: int, columns: int) -> Any:
    """A matrix that lies in a flat buffer."""
    return buffer[start : start + rows * columns].reshape(rows, columns)


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
def draw_mask(mask: Any, start: Any, dropout: float) -> None:
    """1/(1 - dropout) where a value stays, else 0: the same as `core.seeding.mask`."""
    keep_apart()
    least = np.uint64(dropout * 4294967296.0)
    scale, none = mask.dtype.type(1.0 / (1.0 - dropout)), mask.dtype.type(0.0)
    for pair in range((mask.size + 1) // 2):
        word = _mix(start + np.uint64(pair + 1) * GAMMA)
        mask[2 * pair] = scale if (word & LOW) >= least else none
        if 2 * pair + 1 < mask.size:
            mask[2 * pair + 1] = scale if (word >> S32) >= least else none


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
) -> None:
    """Fill the buffer with every layer's sums and activations for the rows x.

    training: normalise by the batch and drop activations, as drawn for this epoch and step.
    """
    keep_apart()
    rows = x.shape[0]
    source = x
    for layer in range(table.shape[0]):
        n, m = table[layer, IN], table[layer, OUT]
        sums = part(work, table[layer, SUMS], rows, m)
        np.dot(source, part(theta, table[layer, WEIGHTS], n, m), sums)
        biases = theta[table[layer, BIASES] : table[layer, BIASES] + m]
        if table[layer, SCALE] >= 0:
            scale = theta[table[layer, SCALE] : table[layer, SCALE] + m]
            running = theta[table[layer, RUNNING] : table[layer, RUNNING] + 2 * m]
            if training and table[layer, TRAINED] == 1:
                first = table[layer, INVERSE]
                inverse, mean = work[first : first + m], work[first + m : first + 2 * m]
                normal = part(work, table[layer, NORMAL], rows, m)
                _normalize(sums, normal, mean, inverse, scale, running)
            else:
                _normalize_as_learned(sums, scale, running)
        out = part(work, table[layer, ACTIVATED], rows, m)
        alpha = knobs[layer, ALPHA]
        call(table[layer, ACTIVATION], (FORWARD, sums, biases, out, rows, m, alpha, 0.0))
        source = out
        if training and table[layer, MASK] >= 0:
            source = part(work, table[layer, GIVEN], rows, m)
            mask = work[table[layer, MASK] : table[layer, MASK] + rows * m]
            draw_mask(mask, dropout_key(seed, epoch, step, layer + 1), knobs[layer, DROPOUT])
            kept, given = out.reshape(rows * m), source.reshape(rows * m)
            for i in range(mask.size):
                given[i] = kept[i] * mask[i]


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
def backward_pass(
    x: Any, theta: Any, gradient: Any, work: Any, table: Any, knobs: Any, lowest: int
) -> None:
    """From ∂L/∂z of the last layer, in its delta, to the gradient of layers down to `lowest`."""
    keep_apart()
    rows = x.shape[0]
    for layer in range(table.shape[0] - 1, lowest - 1, -1):
        n, m = table[layer, IN], table[layer, OUT]
        d = part(work, table[layer, DELTA], rows, m)
        source = part(work, table[layer - 1, GIVEN], rows, n) if layer > 0 else x
        bias_gradient = gradient[table[layer, BIASES] : table[layer, BIASES] + m]
        fill(bias_gradient, 0)
        for i in range(rows):
            for j in range(m):
                bias_gradient[j] += d[i, j]
        if table[layer, SCALE] >= 0:
            _through_norm(d, theta, gradient, work, table, layer)
        if table[layer, BIASED] == 0:
            fill(bias_gradient, 0)
        if table[layer, TRAINED] == 1:
            np.dot(source.T, d, part(gradient, table[layer, WEIGHTS], n, m))
        else:
            fill(bias_gradient, 0)
        if layer > lowest:
            below = part(work, table[layer - 1, DELTA], rows, n)
            np.dot(d, part(theta, table[layer, WEIGHTS], n, m).T, below)
            if table[layer - 1, MASK] >= 0:
                first = table[layer - 1, MASK]
                mask, flat = work[first : first + rows * n], below.reshape(rows * n)
                for i in range(mask.size):
                    flat[i] *= mask[i]
            sums = part(work, table[layer - 1, SUMS], rows, n)
            out = part(work, table[layer - 1, ACTIVATED], rows, n)
            alpha = knobs[layer - 1, ALPHA]
            call(table[layer - 1, ACTIVATION], (BACKWARD, sums, out, below, rows, n, alpha, 0.0))


@inner
def judge_rows(
    targets: Any, weights: Any, work: Any, table: Any, loss: int, p: Any, per_row: Any
) -> Any:
    """Sums over rows of weight × loss and weight × score; their delta goes to the buffer.

    weights: of each row, or empty where all are 1. per_row: (2, rows or more) float64 scratch.
    """
    rows, last = targets.shape[0], table.shape[0] - 1
    m = table[last, OUT]
    logits = part(work, table[last, ACTIVATED], rows, m)
    delta = part(work, table[last, DELTA], rows, m)
    losses, scores = per_row[0], per_row[1]
    call(loss, (logits, targets, delta, losses, scores, p, rows, m, targets.shape[1]))
    loss_sum, score_sum = 0.0, 0.0
    for i in range(rows):
        weight = weights[i] if weights.size > 0 else 1.0
        loss_sum += weight * losses[i]
        score_sum += weight * scores[i]
    return loss_sum, score_sum


@inner
def evaluate(
    x: Any,
    y: Any,
    w: Any,
    theta: Any,
    work: Any,
    table: Any,
    knobs: Any,
    loss: int,
    p: Any,
    per_row: Any,
) -> Any:
    """Sums of loss and score over all rows, nothing learned."""
    keep_apart()
    loss_sum, score_sum = 0.0, 0.0
    chunk = per_row.shape[1]
    for start in range(0, x.shape[0], chunk):
        stop = min(start + chunk, x.shape[0])
        forward_pass(x[start:stop], theta, work, table, knobs, False, np.uint64(0), 0, 0)
        weights = w[start:stop] if w.size > 0 else w
        loss_part, score_part = judge_rows(y[start:stop], weights, work, table, loss, p, per_row)
        loss_sum += loss_part
        score_sum += score_part
    return loss_sum, score_sum

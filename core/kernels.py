"""The compiled training loop: mini-batch steps, and what is measured at the end of each epoch.

`advance` runs any number of steps and may end in the middle of an epoch: all it needs to go on is
in the arrays it was given. There is no Python between steps. Products of matrices go to BLAS;
bias, activation and their gradients are fused around them into loops that vectorise.

position (int64): EPOCH, STEP, UPDATES, BEST_EPOCH, STALE, STOP. sums (float64): LOSS, SCORE,
BEST_LOSS.
A point (float64): train loss, validation loss, train score, validation score, then per layer the
gradient's norm and the update's size over the weights', then per hidden layer the saturation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from core.activations import ACTIVATIONS, Activation
from core.compilation import dispatch, entry, inner, keep_apart, summing
from core.losses import LOSSES
from core.optimizers import OPTIMIZERS
from core.seeding import GAMMA, S32, mix

EPOCH, STEP, UPDATES, BEST_EPOCH, STALE, STOP = range(6)
LOSS, SCORE, BEST_LOSS = range(3)
RUNNING, EPOCHS_DONE, STOPPED_EARLY, DIVERGED = range(4)
SATURATED = 0.05  # a slope below this share of the steepest passes next to no gradient

_mix = inner(mix)


def _forward_loop(activation: Activation) -> Callable[..., None]:
    value = inner(activation.value)

    def loop(z: Any, biases: Any, a: Any) -> None:
        rows, units = z.shape
        for i in range(rows):
            for j in range(units):
                total = z[i, j] + biases[j]
                z[i, j] = total
                a[i, j] = value(total)

    return loop


def _backward_loop(activation: Activation) -> Callable[..., None]:
    slope = inner(activation.slope)

    def loop(z: Any, a: Any, delta: Any) -> None:
        rows, units = z.shape
        for i in range(rows):
            for j in range(units):
                delta[i, j] *= slope(z[i, j], a[i, j])

    return loop


def _saturation_loop(activation: Activation) -> Callable[..., Any]:
    slope = inner(activation.slope)
    bound = SATURATED * activation.steepest

    def loop(z: Any, a: Any) -> Any:
        rows, units = z.shape
        flat = 0
        for i in range(rows):
            for j in range(units):
                flat += 1 if abs(slope(z[i, j], a[i, j])) < bound else 0
        return flat / (rows * units)

    return loop


_forward = dispatch([_forward_loop(activation) for activation in ACTIVATIONS.values()])
_backward = dispatch([_backward_loop(activation) for activation in ACTIVATIONS.values()])
_saturation = dispatch([_saturation_loop(activation) for activation in ACTIVATIONS.values()])
_loss = dispatch([loss.loop for loss in LOSSES.values()])
_update = dispatch([optimizer.loop for optimizer in OPTIMIZERS.values()])


@inner
def _weights(theta: Any, sizes: Any, offsets: Any, layer: int) -> Any:
    n, m = sizes[layer], sizes[layer + 1]
    return theta[offsets[layer] : offsets[layer] + n * m].reshape(n, m)


@inner
def _biases(theta: Any, sizes: Any, offsets: Any, layer: int) -> Any:
    start = offsets[layer] + sizes[layer] * sizes[layer + 1]
    return theta[start : start + sizes[layer + 1]]


@inner
def _part(buffer: Any, starts: Any, sizes: Any, layer: int, rows: int) -> Any:
    """Rows × units of a layer's place in a buffer that holds all layers."""
    m = sizes[layer + 1]
    return buffer[starts[layer] : starts[layer] + rows * m].reshape(rows, m)


@inner
def _forward_pass(
    x: Any, theta: Any, z: Any, a: Any, sizes: Any, offsets: Any, starts: Any, codes: Any
) -> None:
    keep_apart()
    rows = x.shape[0]
    source = x
    for layer in range(codes.size):
        sums = _part(z, starts, sizes, layer, rows)
        np.dot(source, _weights(theta, sizes, offsets, layer), sums)
        out = _part(a, starts, sizes, layer, rows)
        _forward(codes[layer], sums, _biases(theta, sizes, offsets, layer), out)
        source = out


@inner
def _backward_pass(
    x: Any,
    theta: Any,
    gradient: Any,
    z: Any,
    a: Any,
    delta: Any,
    sizes: Any,
    offsets: Any,
    starts: Any,
    codes: Any,
) -> None:
    """From ∂L/∂z of the last layer, in delta, to the gradient."""
    keep_apart()
    rows = x.shape[0]
    for layer in range(codes.size - 1, -1, -1):
        d = _part(delta, starts, sizes, layer, rows)
        source = _part(a, starts, sizes, layer - 1, rows) if layer > 0 else x
        np.dot(source.T, d, _weights(gradient, sizes, offsets, layer))
        bias_gradient = _biases(gradient, sizes, offsets, layer)
        _fill(bias_gradient, 0)
        for i in range(rows):
            for j in range(d.shape[1]):
                bias_gradient[j] += d[i, j]
        if layer > 0:
            below = _part(delta, starts, sizes, layer - 1, rows)
            np.dot(d, _weights(theta, sizes, offsets, layer).T, below)
            sums = _part(z, starts, sizes, layer - 1, rows)
            _backward(codes[layer - 1], sums, source, below)


@inner
def _shuffle(order: Any, seed: Any, epoch: int) -> None:
    """The same order as `core.seeding.permutation`."""
    for i in range(order.size):
        order[i] = i
    start = _stream(seed, epoch)
    for i in range(order.size - 1, 0, -1):
        word = _mix(start + np.uint64(i + 1) * GAMMA) >> S32
        j = np.int64((word * np.uint64(i + 1)) >> S32)
        order[i], order[j] = order[j], order[i]


@inner
def _stream(seed: Any, epoch: int) -> Any:
    high = _mix(seed + GAMMA)
    low = _mix(np.uint64(epoch) + GAMMA)
    return _mix(high ^ (low * GAMMA))


@inner
def _gather(rows: Any, order: Any, start: int, batch: Any) -> None:
    """Copy the rows at order[start:] into the batch."""
    for i in range(batch.shape[0]):
        row = order[start + i]
        for j in range(batch.shape[1]):
            batch[i, j] = rows[row, j]


@summing
def _norm(values: Any) -> Any:
    total = 0.0
    for i in range(values.size):
        total += values[i] * values[i]
    return np.sqrt(total)


@inner
def _fill(values: Any, value: Any) -> None:
    for i in range(values.size):
        values[i] = value


@inner
def _copy(values: Any, to: Any) -> None:
    """Assignment to a slice would compile Numba's broadcasting and its messages, seconds of it."""
    for i in range(values.size):
        to[i] = values[i]


@inner
def _evaluate(
    x: Any,
    y: Any,
    theta: Any,
    z: Any,
    a: Any,
    delta: Any,
    sizes: Any,
    offsets: Any,
    starts: Any,
    codes: Any,
    loss_code: int,
) -> Any:
    """Sums of loss and score over all rows."""
    keep_apart()
    loss_sum, score_sum = 0.0, 0.0
    last = codes.size - 1
    units = 0
    for layer in range(codes.size):
        units += sizes[layer + 1]
    chunk = z.size // units
    for start in range(0, x.shape[0], chunk):
        rows = min(chunk, x.shape[0] - start)
        _forward_pass(x[start : start + rows], theta, z, a, sizes, offsets, starts, codes)
        logits = _part(a, starts, sizes, last, rows)
        scratch = _part(delta, starts, sizes, last, rows)
        loss, score = _loss(loss_code, logits, y[start : start + rows], scratch)
        loss_sum += loss
        score_sum += score
    return loss_sum, score_sum


@inner
def _measure_gradient(
    point: Any,
    gradient: Any,
    z: Any,
    a: Any,
    rows: int,
    sizes: Any,
    offsets: Any,
    starts: Any,
    codes: Any,
) -> None:
    """Each layer's gradient norm, and each hidden layer's saturation."""
    keep_apart()
    layers = codes.size
    for layer in range(layers):
        stop = offsets[layer] + (sizes[layer] + 1) * sizes[layer + 1]
        point[4 + layer] = _norm(gradient[offsets[layer] : stop])
    for layer in range(layers - 1):
        sums, out = _part(z, starts, sizes, layer, rows), _part(a, starts, sizes, layer, rows)
        point[4 + 2 * layers + layer] = _saturation(codes[layer], sums, out)


@summing
def _measure_update(point: Any, theta: Any, before: Any, sizes: Any, offsets: Any) -> None:
    """Size of each layer's update over the size of its weights, ‖Δθ‖/‖θ‖."""
    keep_apart()
    layers = offsets.size
    for layer in range(layers):
        first = offsets[layer]
        stop = first + (sizes[layer] + 1) * sizes[layer + 1]
        moved = 0.0
        for i in range(first, stop):
            difference = theta[i] - before[i]
            moved += difference * difference
        size = _norm(before[first:stop])
        point[4 + layers + layer] = np.sqrt(moved) / size if size > 0.0 else 0.0


@inner
def _penalize(theta: Any, gradient: Any, sizes: Any, offsets: Any, l2: float) -> None:
    """Add the gradient of l2/2 ‖W‖²."""
    keep_apart()
    decay = theta.dtype.type(l2)
    for layer in range(offsets.size):
        for i in range(offsets[layer], offsets[layer] + sizes[layer] * sizes[layer + 1]):
            gradient[i] += decay * theta[i]


@inner
def _clip(gradient: Any, largest: float) -> None:
    """Shorten the gradient to the largest norm."""
    keep_apart()
    norm = _norm(gradient)
    if norm > largest:
        factor = gradient.dtype.type(largest / norm)
        for i in range(gradient.size):
            gradient[i] *= factor


@inner
def _judge(
    monitored: float,
    position: Any,
    sums: Any,
    theta: Any,
    best: Any,
    min_delta: float,
    patience: int,
    epochs: int,
) -> None:
    """Count a finished epoch, remember the best, and see whether it is the last."""
    keep_apart()
    position[EPOCH] += 1
    position[STEP] = 0
    if position[BEST_EPOCH] == 0 or monitored < sums[BEST_LOSS] - min_delta:
        sums[BEST_LOSS] = monitored
        position[BEST_EPOCH] = position[EPOCH]
        position[STALE] = 0
        _copy(theta, best)
    else:
        position[STALE] += 1
        if patience > 0 and position[STALE] >= patience:
            position[STOP] = STOPPED_EARLY
    if position[EPOCH] >= epochs and position[STOP] == RUNNING:
        position[STOP] = EPOCHS_DONE


@entry
def advance(  # noqa: C901, compiled code pays for calls with arrays in and out
    steps: int,
    position: Any,
    sums: Any,
    theta: Any,
    gradient: Any,
    before: Any,
    slots: Any,
    kept: Any,
    best: Any,
    x: Any,
    y: Any,
    xv: Any,
    yv: Any,
    order: Any,
    xb: Any,
    yb: Any,
    z: Any,
    a: Any,
    delta: Any,
    sizes: Any,
    offsets: Any,
    starts: Any,
    codes: Any,
    loss_code: int,
    optimizer_code: int,
    hyper: Any,
    l2: float,
    clip: float,
    min_delta: float,
    patience: int,
    epochs: int,
    seed: Any,
    scores: Any,
    points: Any,
) -> int:
    """Train for up to `steps` mini-batches or until the points are full; returns epochs finished.

    xb, yb: one batch's rows. order[0] < 0 asks for the present epoch's order. scores: (2, 2), of
    training and validation rows; a score is scores[0] + scores[1] * sum. clip and patience are off
    when 0. Everything that changes is an array that was given.
    """
    layers, batch = codes.size, xb.shape[0]
    finished = 0
    for _ in range(steps):
        if position[STOP] != RUNNING or finished == points.shape[0]:
            break
        if position[STEP] == 0 or order[0] < 0:
            _shuffle(order, seed, position[EPOCH] + 1)
        if position[STEP] == 0:
            sums[LOSS], sums[SCORE] = 0.0, 0.0
        start = position[STEP] * batch
        rows = min(batch, order.size - start)
        inputs, targets = xb[:rows], yb[:rows]
        _gather(x, order, start, inputs)
        _gather(y, order, start, targets)
        _forward_pass(inputs, theta, z, a, sizes, offsets, starts, codes)
        d = _part(delta, starts, sizes, layers - 1, rows)
        loss, score = _loss(loss_code, _part(a, starts, sizes, layers - 1, rows), targets, d)
        sums[LOSS] += loss
        sums[SCORE] += score
        share = theta.dtype.type(1.0 / rows)
        for i in range(rows):
            for j in range(d.shape[1]):
                d[i, j] *= share
        _backward_pass(inputs, theta, gradient, z, a, delta, sizes, offsets, starts, codes)
        point = points[finished]
        ends_epoch = start + rows == order.size
        if ends_epoch:
            _measure_gradient(point, gradient, z, a, rows, sizes, offsets, starts, codes)
            _copy(theta, before)
        if l2 > 0.0:
            _penalize(theta, gradient, sizes, offsets, l2)
        if clip > 0.0:
            _clip(gradient, clip)
        position[UPDATES] += 1
        _update(optimizer_code, theta, gradient, slots, hyper, position[UPDATES])
        position[STEP] += 1
        healthy = np.isfinite(sums[LOSS])
        if ends_epoch:
            _measure_update(point, theta, before, sizes, offsets)
            point[0] = sums[LOSS] / order.size
            point[2] = scores[0, 0] + scores[0, 1] * sums[SCORE]
            monitored = point[0]
            if xv.shape[0] > 0:
                loss, score = _evaluate(
                    xv, yv, theta, z, a, delta, sizes, offsets, starts, codes, loss_code
                )
                point[1] = loss / xv.shape[0]
                point[3] = scores[1, 0] + scores[1, 1] * score
                monitored = point[1]
            healthy = healthy and np.isfinite(monitored) and np.isfinite(_norm(theta))
        if not healthy:
            position[STOP] = DIVERGED
            _copy(kept, theta)
        elif ends_epoch:
            _copy(theta, kept)
            finished += 1
            _judge(monitored, position, sums, theta, best, min_delta, patience, epochs)
    return finished

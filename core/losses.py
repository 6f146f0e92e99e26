"""Losses, computed from logits so that they are stable for any of them.

Each comes twice: in NumPy as the mathematics is written, and as a loop for the compiled kernel.
The loops take logits z (rows, k) and targets t, write ∂(sum of losses)/∂z into delta (rows, k),
and return the sum of losses and the sum that the score is made of. One entry in LOSSES is all that
a new loss takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.elementwise import exp
from core.network import Floats, Link, apply_link


@dataclass(frozen=True)
class Loss:
    """A loss: its NumPy value per row and gradient, its compiled loop, and the link that fits it.

    score: accuracy (the loop counts right answers) or r2 (the loop adds squared errors).
    """

    name: str
    link: Link
    score: Literal["accuracy", "r2"]
    value: Callable[[Floats, Floats], Floats]
    gradient: Callable[[Floats, Floats], Floats]
    loop: Callable[[Any, Any, Any], tuple[float, float]]


def _mse(z: Floats, t: Floats) -> Floats:
    return np.asarray(((z - t) ** 2).mean(axis=1))


def _mse_gradient(z: Floats, t: Floats) -> Floats:
    return np.asarray(2 * (z - t) / z.shape[1])


def _mse_loop(z: Any, t: Any, delta: Any) -> tuple[float, float]:
    rows, outputs = z.shape
    double = delta.dtype.type(2.0 / outputs)
    squares = 0.0
    for i in range(rows):
        for j in range(outputs):
            difference = z[i, j] - t[i, j]
            delta[i, j] = double * difference
            squares += difference * difference
    return squares / outputs, squares / outputs


def _binary(z: Floats, t: Floats) -> Floats:
    # -t log σ(z) - (1-t) log(1-σ(z)) = max(z, 0) - tz + log(1 + e^-|z|)
    terms: Floats = np.maximum(z, 0) - t * z + np.log1p(np.exp(-np.abs(z)))
    return np.asarray(terms.sum(axis=1))


def _binary_gradient(z: Floats, t: Floats) -> Floats:
    return np.asarray(apply_link("sigmoid", z) - t)


def _binary_loop(z: Any, t: Any, delta: Any) -> tuple[float, float]:
    loss, right = 0.0, 0.0
    for i in range(z.shape[0]):
        logit, target = np.float64(z[i, 0]), np.float64(t[i, 0])
        small = np.exp(-abs(logit))
        loss += max(logit, 0.0) - target * logit + np.log1p(small)
        probability = 1.0 / (1.0 + small) if logit >= 0.0 else small / (1.0 + small)
        delta[i, 0] = probability - target
        right += 1.0 if (logit > 0.0) == (target > 0.5) else 0.0
    return loss, right


def _categorical(z: Floats, t: Floats) -> Floats:
    top = z.max(axis=1)
    log_sum: Floats = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
    return np.asarray(log_sum - np.take_along_axis(z, t.astype(np.int64), axis=1)[:, 0])


def _categorical_gradient(z: Floats, t: Floats) -> Floats:
    delta = apply_link("softmax", z)
    delta[np.arange(len(z)), t[:, 0].astype(np.int64)] -= 1
    return delta


def _categorical_loop(z: Any, t: Any, delta: Any) -> tuple[float, float]:
    rows, classes = z.shape
    right = 0.0
    for i in range(rows):
        top, winner = z[i, 0], 0
        for j in range(1, classes):  # conditional moves: which class wins, no branch can foresee
            higher = z[i, j] > top
            top, winner = (z[i, j] if higher else top), (j if higher else winner)
        for j in range(classes):
            delta[i, j] = z[i, j] - top
        right += 1.0 if winner == int(t[i, 0]) else 0.0
    loss = 0.0
    for i in range(rows):
        loss -= delta[i, int(t[i, 0])]
    powers = delta.reshape(delta.size)
    for i in range(powers.size):  # of all rows at once, since a row is too short to vectorise
        powers[i] = exp(powers[i])
    for i in range(rows):
        total = 0.0
        for j in range(classes):
            total += delta[i, j]
        loss += np.log(total)
        scale = delta.dtype.type(1.0 / total)
        for j in range(classes):
            delta[i, j] *= scale
        delta[i, int(t[i, 0])] -= delta.dtype.type(1.0)
    return loss, right


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("mse", "identity", "r2", _mse, _mse_gradient, _mse_loop),
        Loss(
            "binary_cross_entropy", "sigmoid", "accuracy", _binary, _binary_gradient, _binary_loop
        ),
        Loss(
            "categorical_cross_entropy",
            "softmax",
            "accuracy",
            _categorical,
            _categorical_gradient,
            _categorical_loop,
        ),
    )
}
CODES = {name: code for code, name in enumerate(LOSSES)}

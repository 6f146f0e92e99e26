"""Losses, computed from logits so that they are stable for any of them.

Each comes twice: in NumPy as the mathematics is written, and as a loop for the compiled kernel.
p is the loss's own parameters as a float64 vector. The loops take logits z (rows, k) and targets t,
write ∂(loss of the row)/∂z into delta (rows, k), and each row's loss and score into `losses` and
`scores`, float64. One entry in LOSSES is all that a new loss takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from core.elementwise import exp
from core.network import MOST_LOG, Floats, Link, apply_link

Score = Literal["accuracy", "r2", "d2"]


@dataclass(frozen=True)
class Loss:
    """A loss: its NumPy value per row and gradient, its compiled loop, and the link that fits it.

    score: accuracy (the loop counts right answers), r2 (it adds squared errors), or d2 (it adds
    what is lost beyond a perfect answer). options: names of p's entries and their defaults.
    best_constant, least: for d2, the logits of the best constant answer to targets, and the least
    loss of each row that any logits could have.
    """

    name: str
    link: Link
    score: Score
    value: Callable[[Floats, Floats, Floats], Floats]
    gradient: Callable[[Floats, Floats, Floats], Floats]
    loop: Callable[[Any, Any, Any, Any, Any, Any], None]
    options: dict[str, float | tuple[float, ...]] = field(default_factory=dict)
    best_constant: Callable[[Floats, Floats], Floats] | None = None
    least: Callable[[Floats], Floats] | None = None

    def parameters(self, chosen: dict[str, Any]) -> Floats:
        """p: the options as chosen, defaults elsewhere. Raises ValueError for one it has not."""
        unknown = set(chosen) - set(self.options)
        if unknown:
            raise ValueError(f"{self.name} has no option {sorted(unknown)[0]}")
        values = {**self.options, **chosen}.values()
        return np.array([number for value in values for number in np.ravel(value)], np.float64)


def _mse(z: Floats, t: Floats, p: Floats) -> Floats:
    return np.asarray(((z - t) ** 2).mean(axis=1))


def _mse_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    return np.asarray(2 * (z - t) / z.shape[1])


def _mse_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    double = delta.dtype.type(2.0 / outputs)
    for i in range(rows):
        squares = 0.0
        for j in range(outputs):
            difference = z[i, j] - t[i, j]
            delta[i, j] = double * difference
            squares += difference * difference
        losses[i] = squares / outputs
        scores[i] = squares / outputs


def _mae(z: Floats, t: Floats, p: Floats) -> Floats:
    return np.asarray(np.abs(z - t).mean(axis=1))


def _mae_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    return np.asarray(np.sign(z - t) / z.shape[1])


def _mae_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    share = delta.dtype.type(1.0 / outputs)
    for i in range(rows):
        sizes, squares = 0.0, 0.0
        for j in range(outputs):
            difference = z[i, j] - t[i, j]
            delta[i, j] = share if difference > 0 else (-share if difference < 0 else 0.0)
            sizes += abs(difference)
            squares += difference * difference
        losses[i] = sizes / outputs
        scores[i] = squares / outputs


def _huber(z: Floats, t: Floats, p: Floats) -> Floats:
    size = np.abs(z - t)
    terms = np.where(size < p[0], size * size / 2, p[0] * (size - p[0] / 2))
    return np.asarray(terms.mean(axis=1), z.dtype)


def _huber_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    return np.asarray(np.clip(z - t, -p[0], p[0]) / z.shape[1], z.dtype)


def _huber_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    bend = p[0]
    for i in range(rows):
        total, squares = 0.0, 0.0
        for j in range(outputs):
            difference = np.float64(z[i, j] - t[i, j])
            size = abs(difference)
            total += difference * difference / 2 if size < bend else bend * (size - bend / 2)
            delta[i, j] = max(-bend, min(bend, difference)) / outputs
            squares += difference * difference
        losses[i] = total / outputs
        scores[i] = squares / outputs


def _quantile(z: Floats, t: Floats, p: Floats) -> Floats:
    under = t - z
    return np.asarray(np.maximum(p * under, (p - 1) * under).mean(axis=1), z.dtype)


def _quantile_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    under = t - z
    slopes = np.where(under > 0, -p, np.where(under < 0, 1 - p, 0.0))
    return np.asarray(slopes / z.shape[1], z.dtype)


def _quantile_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    for i in range(rows):
        total = 0.0
        for j in range(outputs):
            under = np.float64(t[i, 0] - z[i, j])
            total += max(p[j] * under, (p[j] - 1.0) * under)
            slope = -p[j] if under > 0 else (1.0 - p[j] if under < 0 else 0.0)
            delta[i, j] = slope / outputs
        losses[i] = total / outputs
        scores[i] = total / outputs


def _poisson(z: Floats, t: Floats, p: Floats) -> Floats:
    # Beyond MOST_LOG e^z goes on as a straight line, and never overflows.
    near = np.minimum(z, MOST_LOG)
    return np.asarray((np.exp(near) * (1 + z - near) - t * z).mean(axis=1))


def _poisson_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    return np.asarray((np.exp(np.minimum(z, MOST_LOG)) - t) / z.shape[1])


def _poisson_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    for i in range(rows):
        total = 0.0
        for j in range(outputs):
            logit, target = np.float64(z[i, j]), np.float64(t[i, j])
            near = MOST_LOG if logit > MOST_LOG else logit
            expected = np.exp(near)
            total += expected * (1.0 + logit - near) - target * logit
            delta[i, j] = (expected - target) / outputs
        losses[i] = total / outputs
        scores[i] = total / outputs


def _log_mean(t: Floats, p: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(t.mean(axis=0, keepdims=True), 1e-300)))


def _poisson_least(t: Floats) -> Floats:
    return np.asarray((t - t * np.log(np.where(t > 0, t, 1.0))).mean(axis=1))


def _quantiles_of(t: Floats, p: Floats) -> Floats:
    return np.quantile(t[:, 0], p)[None, :]


def _binary(z: Floats, t: Floats, p: Floats) -> Floats:
    # -t log σ(z) - (1-t) log(1-σ(z)) = max(z, 0) - tz + log(1 + e^-|z|)
    smooth = t * (1 - p[0]) + p[0] / 2
    terms: Floats = np.maximum(z, 0) - smooth * z + np.log1p(np.exp(-np.abs(z)))
    return np.asarray(terms.mean(axis=1), z.dtype)


def _binary_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    smooth = t * (1 - p[0]) + p[0] / 2
    return np.asarray((apply_link("sigmoid", z) - smooth) / z.shape[1], z.dtype)


def _binary_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    keep, rest = 1.0 - p[0], p[0] / 2
    for i in range(rows):
        total, right = 0.0, 0.0
        for j in range(outputs):
            logit, target = np.float64(z[i, j]), np.float64(t[i, j])
            right += 1.0 if (logit > 0.0) == (target > 0.5) else 0.0
            target = target * keep + rest
            small = np.exp(-abs(logit))
            total += max(logit, 0.0) - target * logit + np.log1p(small)
            probability = 1.0 / (1.0 + small) if logit >= 0.0 else small / (1.0 + small)
            delta[i, j] = (probability - target) / outputs
        losses[i] = total / outputs
        scores[i] = right / outputs


def _focused(log_probability: Floats, gamma: float) -> tuple[Floats, Floats]:
    """The focal loss -(1-q)^γ ln q, and what multiplies the gradient of -ln q."""
    q = np.exp(log_probability)
    rest = -np.expm1(log_probability)
    ratio = np.where(rest > 1e-12, -log_probability / np.maximum(rest, 1e-300), 1.0)
    weight = rest**gamma
    return -weight * log_probability, weight * (1 + gamma * q * ratio)


def _signed(z: Floats, t: Floats) -> tuple[Floats, Floats]:
    """±z, the logit of the answer that is right, and the log of its probability."""
    sign = np.where(t > 0.5, 1.0, -1.0)
    right = (sign * z).astype(np.float64)
    return sign, np.minimum(right, 0) - np.log1p(np.exp(-np.abs(right)))


def _binary_focal(z: Floats, t: Floats, p: Floats) -> Floats:
    _, log_probability = _signed(z, t)
    return np.asarray(_focused(log_probability, p[0])[0].mean(axis=1), z.dtype)


def _binary_focal_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    sign, log_probability = _signed(z, t)
    factor = _focused(log_probability, p[0])[1]
    return np.asarray(sign * np.expm1(log_probability) * factor / z.shape[1], z.dtype)


def _binary_focal_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, outputs = z.shape
    for i in range(rows):
        total, right = 0.0, 0.0
        for j in range(outputs):
            sign = 1.0 if t[i, j] > 0.5 else -1.0
            logit = sign * np.float64(z[i, j])
            right += 1.0 if (z[i, j] > 0.0) == (t[i, j] > 0.5) else 0.0
            log_probability = min(logit, 0.0) - np.log1p(np.exp(-abs(logit)))
            rest = -np.expm1(log_probability)
            ratio = -log_probability / rest if rest > 1e-12 else 1.0
            weight = rest ** p[0]
            total -= weight * log_probability
            factor = weight * (1.0 + p[0] * np.exp(log_probability) * ratio)
            delta[i, j] = -sign * rest * factor / outputs
        losses[i] = total / outputs
        scores[i] = right / outputs


def _log_softmax(z: Floats) -> Floats:
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _categorical(z: Floats, t: Floats, p: Floats) -> Floats:
    log_probabilities = _log_softmax(z)
    right = np.take_along_axis(log_probabilities, t.astype(np.int64), axis=1)[:, 0]
    return np.asarray(-(1 - p[0]) * right - p[0] * log_probabilities.mean(axis=1), z.dtype)


def _categorical_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    delta = apply_link("softmax", z) - p[0] / z.shape[1]
    delta[np.arange(len(z)), t[:, 0].astype(np.int64)] -= 1 - p[0]
    return np.asarray(delta, z.dtype)


def _categorical_loop(  # noqa: C901, loops over one thing after another
    z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any
) -> None:
    rows, classes = z.shape
    smoothing = p[0]
    for i in range(rows):
        top, winner = z[i, 0], 0
        for j in range(1, classes):  # conditional moves: which class wins, no branch can foresee
            higher = z[i, j] > top
            top, winner = (z[i, j] if higher else top), (j if higher else winner)
        for j in range(classes):
            delta[i, j] = z[i, j] - top
        scores[i] = 1.0 if winner == int(t[i, 0]) else 0.0
        losses[i] = -delta[i, int(t[i, 0])]
    if smoothing > 0.0:
        for i in range(rows):
            total = 0.0
            for j in range(classes):
                total += delta[i, j]
            losses[i] = (1.0 - smoothing) * losses[i] - smoothing * total / classes
    powers = delta.reshape(delta.size)
    for i in range(powers.size):  # of all rows at once, since a row is too short to vectorise
        powers[i] = exp(powers[i])
    for i in range(rows):
        total = 0.0
        for j in range(classes):
            total += delta[i, j]
        losses[i] += np.log(total)
        scale = delta.dtype.type(1.0 / total)
        for j in range(classes):
            delta[i, j] *= scale
        delta[i, int(t[i, 0])] -= delta.dtype.type(1.0)
    if smoothing > 0.0:
        share = delta.dtype.type(smoothing / classes)
        for i in range(rows):
            for j in range(classes):
                delta[i, j] -= share
            delta[i, int(t[i, 0])] += delta.dtype.type(smoothing)


def _categorical_focal(z: Floats, t: Floats, p: Floats) -> Floats:
    right = np.take_along_axis(_log_softmax(z), t.astype(np.int64), axis=1)[:, 0]
    return np.asarray(_focused(right.astype(np.float64), p[0])[0], z.dtype)


def _categorical_focal_gradient(z: Floats, t: Floats, p: Floats) -> Floats:
    right = np.take_along_axis(_log_softmax(z), t.astype(np.int64), axis=1)
    factor = _focused(right.astype(np.float64), p[0])[1]
    return np.asarray(_categorical_gradient(z, t, np.zeros(1)) * factor, z.dtype)


def _categorical_focal_loop(z: Any, t: Any, delta: Any, losses: Any, scores: Any, p: Any) -> None:
    rows, classes = z.shape
    for i in range(rows):
        label, winner = int(t[i, 0]), 0
        for j in range(1, classes):
            winner = j if z[i, j] > z[i, winner] else winner
        total = 0.0
        for j in range(classes):
            total += np.exp(np.float64(z[i, j]) - np.float64(z[i, winner]))
        log_sum = np.float64(z[i, winner]) + np.log(total)
        log_probability = np.float64(z[i, label]) - log_sum
        rest = -np.expm1(log_probability)
        ratio = -log_probability / rest if rest > 1e-12 else 1.0
        weight = rest ** p[0]
        factor = weight * (1.0 + p[0] * np.exp(log_probability) * ratio)
        for j in range(classes):
            probability = np.exp(np.float64(z[i, j]) - log_sum)
            delta[i, j] = (-rest if j == label else probability) * factor
        losses[i] = -weight * log_probability
        scores[i] = 1.0 if winner == label else 0.0


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("mse", "identity", "r2", _mse, _mse_gradient, _mse_loop),
        Loss("mae", "identity", "r2", _mae, _mae_gradient, _mae_loop),
        Loss("huber", "identity", "r2", _huber, _huber_gradient, _huber_loop, {"delta": 1.0}),
        Loss(
            "quantile",
            "identity",
            "d2",
            _quantile,
            _quantile_gradient,
            _quantile_loop,
            {"quantiles": (0.5,)},
            best_constant=_quantiles_of,
        ),
        Loss(
            "poisson",
            "exp",
            "d2",
            _poisson,
            _poisson_gradient,
            _poisson_loop,
            best_constant=_log_mean,
            least=_poisson_least,
        ),
        Loss(
            "binary_cross_entropy",
            "sigmoid",
            "accuracy",
            _binary,
            _binary_gradient,
            _binary_loop,
            {"label_smoothing": 0.0},
        ),
        Loss(
            "binary_focal",
            "sigmoid",
            "accuracy",
            _binary_focal,
            _binary_focal_gradient,
            _binary_focal_loop,
            {"gamma": 2.0},
        ),
        Loss(
            "categorical_cross_entropy",
            "softmax",
            "accuracy",
            _categorical,
            _categorical_gradient,
            _categorical_loop,
            {"label_smoothing": 0.0},
        ),
        Loss(
            "categorical_focal",
            "softmax",
            "accuracy",
            _categorical_focal,
            _categorical_focal_gradient,
            _categorical_focal_loop,
            {"gamma": 2.0},
        ),
    )
}

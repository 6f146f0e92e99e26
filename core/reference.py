"""Training as one reads it in a book: the NumPy twin of the compiled `core.training.Fit`.

Same initial weights, same shuffles, same arithmetic, no speed. Tests hold the two together, so
this file says what the kernels do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.activations import ACTIVATIONS
from core.initializers import initialize
from core.losses import LOSSES, Loss
from core.network import Floats, Network
from core.optimizers import OPTIMIZERS
from core.seeding import permutation
from core.training import Epoch, Recipe, StopReason

SATURATED = 0.05  # a slope below this share of the steepest passes next to no gradient
Pair = tuple[Floats, Floats]


@dataclass(frozen=True)
class Fitted:
    """A finished run: its epochs, the weights to use, where they are from, and why it ended."""

    epochs: list[Epoch]
    theta: Floats
    best_epoch: int
    stop_reason: StopReason


def fit(
    network: Network,
    recipe: Recipe,
    x: Floats,
    y: Floats,
    *,
    validation: Pair | None = None,
    theta: Floats | None = None,
) -> Fitted:
    """Train as `core.training.fit` does. x: (rows, inputs), y: (rows, outputs or 1)."""
    with np.errstate(over="ignore", invalid="ignore"):  # a diverging run is noticed by its loss
        return _fit(network, recipe, x, y, validation, theta)


def _fit(
    network: Network, recipe: Recipe, x: Floats, y: Floats, held: Pair | None, start: Floats | None
) -> Fitted:
    loss, optimizer = LOSSES[recipe.loss], OPTIMIZERS[recipe.optimizer]
    theta = initialize(network, recipe.seed, recipe.dtype) if start is None else start.copy()
    slots = np.zeros((optimizer.slots, theta.size), theta.dtype)
    hyper = np.array(
        [recipe.learning_rate, recipe.momentum, recipe.beta1, recipe.beta2, recipe.epsilon],
        theta.dtype,
    )
    epochs: list[Epoch] = []
    kept = best = theta.copy()
    best_epoch, best_loss, updates = 0, np.inf, 0

    def ended(reason: StopReason) -> Fitted:
        if recipe.patience is None:
            return Fitted(epochs, kept, len(epochs), reason)
        return Fitted(epochs, best, best_epoch, reason)

    for number in range(1, recipe.epochs + 1):
        loss_sum, score_sum = 0.0, 0.0
        for rows in batches(permutation(recipe.seed, number, len(x)), recipe.batch_size):
            z, a = forward(network, theta, x[rows])
            losses = loss.value(a[-1], y[rows])
            loss_sum += float(losses.sum(dtype=np.float64))
            score_sum += scored(loss, a[-1], y[rows])
            data_gradient = backward(network, theta, z, a, loss.gradient(a[-1], y[rows]))
            before, updates = theta.copy(), updates + 1
            gradient = clipped(data_gradient + decay(network, theta, recipe.l2), recipe.clip)
            optimizer.step(theta, gradient, slots, hyper, updates)
            if not np.isfinite(loss_sum):
                return ended("diverged")

        train_loss = loss_sum / len(x)
        validation_loss, validation_score = None, None
        if held is not None and len(held[0]) > 0:
            validation_loss, validation_score = evaluate(network, loss, theta, *held)
        monitored = train_loss if validation_loss is None else validation_loss
        if not (np.isfinite(monitored) and np.isfinite(theta).all()):
            return ended("diverged")
        kept = theta.copy()
        epochs.append(
            Epoch(
                epoch=number,
                train_loss=train_loss,
                validation_loss=validation_loss,
                train_score=score(loss, y, score_sum),
                validation_score=validation_score,
                learning_rate=recipe.learning_rate,
                gradient_norms=norms(network, data_gradient),
                update_ratio=ratios(norms(network, theta - before), norms(network, before)),
                saturation=saturation(network, z, a),
            )
        )
        if best_epoch == 0 or monitored < best_loss - recipe.min_delta:
            best, best_epoch, best_loss = theta.copy(), number, monitored
        elif recipe.patience is not None and number - best_epoch >= recipe.patience:
            return ended("early_stopping")
    return ended("epochs")


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The rows of each mini-batch; the last may be short, none is left out."""
    for start in range(0, len(order), size):
        yield order[start : start + size]


def forward(network: Network, theta: Floats, x: Floats) -> tuple[list[Floats], list[Floats]]:
    """Each layer's sums z = a W + b, and its activations a = f(z); the inputs are a[0]."""
    z: list[Floats] = []
    a: list[Floats] = [x]
    for (weights, biases), name in zip(network.views(theta), network.activations, strict=True):
        z.append(a[-1] @ weights + biases)
        a.append(ACTIVATIONS[name].value(z[-1]))
    return z, a


def backward(
    network: Network, theta: Floats, z: list[Floats], a: list[Floats], delta: Floats
) -> Floats:
    """The gradient of the mean loss by the chain rule, from delta = ∂(sum of losses)/∂z."""
    gradient = np.zeros_like(theta)
    layers = list(zip(network.views(theta), network.views(gradient), strict=True))
    delta = delta / len(delta)
    for layer in reversed(range(len(layers))):
        (weights, _), (weight_gradient, bias_gradient) = layers[layer]
        weight_gradient[:] = a[layer].T @ delta
        bias_gradient[:] = delta.sum(axis=0)
        if layer > 0:
            slope = ACTIVATIONS[network.activations[layer - 1]].slope
            delta = (delta @ weights.T) * slope(z[layer - 1], a[layer])
    return gradient


def decay(network: Network, theta: Floats, l2: float) -> Floats:
    """The gradient of l2/2 ‖W‖²; biases are left alone."""
    gradient = np.zeros_like(theta)
    for (weights, _), (out, _) in zip(network.views(theta), network.views(gradient), strict=True):
        out[:] = weights * theta.dtype.type(l2)
    return gradient


def clipped(gradient: Floats, largest: float | None) -> Floats:
    """The gradient, shortened to the largest norm where it is longer (Pascanu et al. 2013)."""
    norm = float(np.sqrt((gradient.astype(np.float64) ** 2).sum()))
    if largest is None or norm <= largest:
        return gradient
    return gradient * gradient.dtype.type(largest / norm)


def evaluate(
    network: Network, loss: Loss, theta: Floats, x: Floats, y: Floats
) -> tuple[float, float]:
    """Mean loss and score over rows that nothing is learned from."""
    logits = network.logits(theta, x)
    mean = float(loss.value(logits, y).sum(dtype=np.float64)) / len(x)
    return mean, score(loss, y, scored(loss, logits, y))


def scored(loss: Loss, logits: Floats, y: Floats) -> float:
    """Right answers, or squared errors averaged over outputs, summed over rows."""
    if loss.score == "r2":
        return float(((logits - y) ** 2).mean(axis=1).sum(dtype=np.float64))
    if loss.link == "sigmoid":
        return float(((logits > 0) == (y > 0.5)).sum())
    return float((logits.argmax(axis=1) == y[:, 0]).sum())


def score(loss: Loss, y: Floats, total: float) -> float:
    """Accuracy, or R² = 1 - squared errors over squares about the mean; 0 for constant y."""
    if loss.score == "accuracy":
        return total / len(y)
    spread = float(((y - y.mean(axis=0)) ** 2).mean(axis=1).sum(dtype=np.float64))
    return 1.0 - total / spread if spread > 0 else 0.0


def norms(network: Network, theta: Floats) -> tuple[float, ...]:
    """Length of each layer's weights and biases, as one vector."""
    return tuple(
        float(np.sqrt((weights.astype(float) ** 2).sum() + (biases.astype(float) ** 2).sum()))
        for weights, biases in network.views(theta)
    )


def ratios(moved: tuple[float, ...], sizes: tuple[float, ...]) -> tuple[float, ...]:
    """‖Δθ‖/‖θ‖ of each layer; 0 for a layer of zeros."""
    return tuple(m / size if size > 0 else 0.0 for m, size in zip(moved, sizes, strict=True))


def saturation(network: Network, z: list[Floats], a: list[Floats]) -> tuple[float, ...]:
    """Share of each hidden layer's activations that are too flat to pass a gradient."""
    shares = []
    for layer, hidden in enumerate(network.layers):
        activation = ACTIVATIONS[hidden.activation]
        slopes = np.abs(activation.slope(z[layer], a[layer + 1]))
        shares.append(float((slopes < SATURATED * activation.steepest).mean()))
    return tuple(shares)

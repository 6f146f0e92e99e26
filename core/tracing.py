"""A network looked into: every layer's sums, answers and gradients.

Works on plain dense layers (`Network.dense`), so batch norm is folded in and dropout is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from core.activations import ACTIVATIONS
from core.losses import LOSSES
from core.network import Dense, Floats

SATURATED = 0.05  # a slope below this share of the steepest passes next to no gradient
Gradients = list[tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class Trace:
    """What each layer made of some rows. z: (rows, units) sums; a: activations, a[0] the inputs."""

    z: tuple[Floats, ...]
    a: tuple[Floats, ...]


def trace(layers: Sequence[Dense], x: Floats) -> Trace:
    """Follow rows x (rows, inputs) through the layers."""
    z: list[Floats] = []
    a: list[Floats] = [x]
    for layer in layers:
        z.append(a[-1] @ layer.weights + layer.biases)
        value = ACTIVATIONS[layer.activation].value
        a.append(cast(Floats, value(z[-1], layer.alpha)))
    return Trace(tuple(z), tuple(a))


def slopes(layers: Sequence[Dense], seen: Trace) -> list[Floats]:
    """da/dz of every layer, (rows, units) each."""
    return [
        np.asarray(ACTIVATIONS[layer.activation].slope(z, a, layer.alpha))
        for layer, z, a in zip(layers, seen.z, seen.a[1:], strict=True)
    ]


def gradients(layers: Sequence[Dense], seen: Trace, delta: Floats) -> Gradients:
    """∂(mean loss)/∂(W, b) of every layer by the chain rule, from delta = ∂(loss of a row)/∂z of
    the last.
    """
    found: Gradients = []
    steep = slopes(layers, seen)
    delta = delta / len(delta)
    for at in reversed(range(len(layers))):
        found.append((seen.a[at].T @ delta, delta.sum(axis=0)))
        if at > 0:
            delta = (delta @ layers[at].weights.T) * steep[at - 1]
    return found[::-1]


@dataclass(frozen=True)
class Probe:
    """A network at one moment, on some of its training rows.

    loss: the mean. gradients: per layer, the root mean square of the weights' gradient.
    spread: per layer, the weights' root mean square. saturated: per hidden layer, the share of
    activations whose slope is below 5% of the steepest. dead: the share of its units whose slope
    is 0 on every row.
    """

    loss: float
    gradients: tuple[float, ...]
    spread: tuple[float, ...]
    saturated: tuple[float, ...]
    dead: tuple[float, ...]


def probe(layers: Sequence[Dense], loss: str, p: Floats, x: Floats, y: Floats) -> Probe:
    """Look at the layers on rows x, y as `core.training.Fit` takes them. p: the loss's own
    parameters.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        seen = trace(layers, x)
        logits = seen.a[-1]
        value = float(LOSSES[loss].value(logits, y, p).mean(dtype=np.float64))
        found = gradients(layers, seen, LOSSES[loss].gradient(logits, y, p))
        steep = [np.abs(slope) for slope in slopes(layers, seen)[:-1]]
    bounds = [SATURATED * ACTIVATIONS[layer.activation].steepest for layer in layers]
    return Probe(
        loss=value,
        gradients=tuple(_size(weights) for weights, _ in found),
        spread=tuple(_size(layer.weights) for layer in layers),
        saturated=tuple(float((s < b).mean()) for s, b in zip(steep, bounds, strict=False)),
        dead=tuple(float((s == 0).all(axis=0).mean()) for s in steep),
    )


def _size(values: Floats) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).mean())) if values.size else 0.0

"""Optimisers: how a gradient changes the parameters.

Each comes twice: in NumPy, and as one fused loop over the flat vectors for the compiled kernel.
State lives in `slots` (count, parameters). `hyper` is (learning_rate, momentum, beta1, beta2,
epsilon) in the parameters' precision; `t` counts updates from 1. One entry in OPTIMIZERS is all
that a new optimiser takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.network import Floats

Update = Callable[[Any, Any, Any, Any, int], None]


@dataclass(frozen=True)
class Optimizer:
    """An optimiser: the NumPy step and the compiled loop change `theta` and `slots` in place."""

    name: str
    slots: int
    step: Update
    loop: Update


def _sgd(theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, t: int) -> None:
    velocity = slots[0]
    velocity[:] = hyper[1] * velocity - hyper[0] * gradient
    theta += velocity


def _sgd_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, t: int) -> None:
    rate, momentum = hyper[0], hyper[1]
    velocity = slots[0]
    for i in range(theta.size):
        v = momentum * velocity[i] - rate * gradient[i]
        velocity[i] = v
        theta[i] += v


def _adam(theta: Floats, gradient: Floats, slots: Floats, hyper: Floats, t: int) -> None:
    """Kingma & Ba (2015), algorithm 1, with the bias corrections folded as in section 2."""
    beta1, beta2, epsilon = hyper[2:]
    first, second = slots
    first[:] = beta1 * first + (1 - beta1) * gradient
    second[:] = beta2 * second + (1 - beta2) * gradient * gradient
    step, root = _adam_corrections(hyper, t)
    theta -= step * first / (np.sqrt(second) * root + epsilon)


def _adam_corrections(hyper: Any, t: int) -> tuple[Any, Any]:
    """Learning rate over 1-β₁ᵗ, and 1/√(1-β₂ᵗ), computed in float64."""
    kind = hyper.dtype.type
    step = np.float64(hyper[0]) / (1.0 - np.float64(hyper[2]) ** t)
    root = 1.0 / np.sqrt(1.0 - np.float64(hyper[3]) ** t)
    return kind(step), kind(root)


def _adam_loop(theta: Any, gradient: Any, slots: Any, hyper: Any, t: int) -> None:
    kind = theta.dtype.type
    step = kind(np.float64(hyper[0]) / (1.0 - np.float64(hyper[2]) ** t))
    root = kind(1.0 / np.sqrt(1.0 - np.float64(hyper[3]) ** t))
    beta1, beta2, epsilon = hyper[2], hyper[3], hyper[4]
    rest1, rest2 = kind(1.0) - beta1, kind(1.0) - beta2
    first, second = slots[0], slots[1]
    for i in range(theta.size):
        g = gradient[i]
        m = beta1 * first[i] + rest1 * g
        v = beta2 * second[i] + rest2 * g * g
        first[i] = m
        second[i] = v
        theta[i] -= step * m / (np.sqrt(v) * root + epsilon)


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("sgd", 1, _sgd, _sgd_loop),
        Optimizer("adam", 2, _adam, _adam_loop),
    )
}
CODES = {name: code for code, name in enumerate(OPTIMIZERS)}

"""Initial weights that keep signals and gradients near their size from layer to layer.

One entry in INITIALIZERS is all that a new one takes: the deviation of a weight from the layer's
inputs n and outputs m, and the shape of the distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.activations import ACTIVATIONS
from core.network import Floats, Network
from core.seeding import INIT_STREAM, key, uniform


@dataclass(frozen=True)
class Initializer:
    """variance: of a weight, from n and m. A uniform distribution spans ±√(3 variance)."""

    name: str
    variance: Callable[[int, int], float]
    shape: Literal["uniform", "normal"]


def _glorot(n: int, m: int) -> float:
    return 2.0 / (n + m)  # Glorot & Bengio (2010), equations 12 and 16


def _he(n: int, m: int) -> float:
    return 2.0 / max(1, n)  # He et al. (2015), equation 10


def _lecun(n: int, m: int) -> float:
    return 1.0 / max(1, n)  # LeCun et al., Efficient BackProp (1998), equation 16


def _zero(n: int, m: int) -> float:
    return 0.0


INITIALIZERS = {
    initializer.name: initializer
    for initializer in (
        Initializer("glorot_uniform", _glorot, "uniform"),
        Initializer("glorot_normal", _glorot, "normal"),
        Initializer("he_uniform", _he, "uniform"),
        Initializer("he_normal", _he, "normal"),
        Initializer("lecun_uniform", _lecun, "uniform"),
        Initializer("lecun_normal", _lecun, "normal"),
        Initializer("zeros", _zero, "uniform"),
    )
}
AUTO = {"glorot": "glorot_uniform", "he": "he_uniform", "lecun": "lecun_normal"}


def initialize(network: Network, seed: int, dtype: str, init: str = "auto") -> Floats:
    """A parameter vector: weights as `init` draws them, biases 0, batch norm as if not there.

    init: a name in INITIALIZERS, or auto: what suits the activation behind each layer.
    """
    theta = np.zeros(network.parameter_count, dtype=dtype)
    stream = key(seed, INIT_STREAM)
    draws = uniform(stream, 2 * network.learned_count)
    for layer, block in enumerate(network.blocks(theta)):
        activation = ACTIVATIONS[network.activations[layer]]
        chosen = INITIALIZERS[AUTO[activation.init] if init == "auto" else init]
        count, start = block.weights.size, network.offsets[layer]
        if layer == 0 and network.embeddings:
            block.weights[:] = _tables(network, draws[:count])
            continue
        deviation = np.sqrt(chosen.variance(*block.weights.shape))
        first = draws[start : start + count]
        second = draws[network.learned_count + start : network.learned_count + start + count]
        unit = _normal(first, second) if chosen.shape == "normal" else _uniform(first)
        block.weights[:] = unit.reshape(block.weights.shape) * deviation
        if block.scale is not None and block.variance is not None:
            block.scale[:] = 1.0
            block.variance[:] = 1.0
    return theta


def _tables(network: Network, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of embeddings whose squares sum to 1 on average, as a level's one input has it; the
    row of an input that tells of a missing value is 0, so that it changes nothing unlearned.
    """
    found, start = _uniform(draws), 0
    for one in network.embeddings:
        stop = start + one.levels * one.dimensions
        found[start:stop] /= np.sqrt(one.dimensions)
        if one.flagged:
            found[stop - one.dimensions : stop] = 0.0
        start = stop
    return found


def _uniform(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((2.0 * draws - 1.0) * np.sqrt(3.0))


def _normal(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box & Muller (1958)."""
    return np.asarray(np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second))

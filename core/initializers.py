"""Initial weights that keep signals and gradients near their size from layer to layer."""

import numpy as np

from core.activations import ACTIVATIONS
from core.network import Floats, Network
from core.seeding import INIT_STREAM, key, uniform


def initialize(network: Network, seed: int, dtype: str) -> Floats:
    """A parameter vector: weights uniform in ±limit by the activation that follows, biases 0.

    Glorot: limit = √(6 / (n_in + n_out)) (Glorot & Bengio 2010, eq. 16).
    He: limit = √(6 / n_in) (He et al. 2015, eq. 10, as a uniform distribution).
    """
    theta = np.zeros(network.parameter_count, dtype=dtype)
    draws = uniform(key(seed, INIT_STREAM), network.parameter_count)
    start = 0
    for (weights, _), name in zip(network.views(theta), network.activations, strict=True):
        n, m = weights.shape
        fan = n if ACTIVATIONS[name].init == "he" else n + m
        limit = np.sqrt(6.0 / max(1, fan))
        weights[:] = (2.0 * draws[start : start + n * m].reshape(n, m) - 1.0) * limit
        start += (n + 1) * m
    return theta

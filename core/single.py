"""One row's answer in as few steps as it takes: what serving does most.

A NumPy call on a single row costs its overhead, and far more than in a loop where it comes
between other work and finds the processor's caches cold. So whatever can be done once a model is:
scaling stays with plain floats, the sigmoid becomes the tanh it is made of, biases become weights
of a constant input, and the link is applied to floats. What remains is a matrix product and an
activation a layer.
"""

import struct
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from math import exp
from operator import itemgetter, le, sub, truediv
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.activations import ACTIVATIONS
from core.features import LevelFeature, NumberFeature
from core.network import MOST_LOG, Dense, Floats, Link
from core.preprocessing import Preprocessor

MOST_INPUTS = 256  # beyond them NumPy's loops are faster than lists of floats
_TAME = 1e30  # sums below this overflow nowhere

Step = tuple[Floats, Floats | None, Callable[[Floats], Floats] | None]


class Single:
    """Answers one row, or says that it is no plain one.

    Plain is a row without missing values, out-of-range numbers and unseen levels, for a network
    whose sums cannot overflow.
    """

    def __init__(self, preprocessor: Preprocessor, layers: Sequence[Dense], link: Link) -> None:
        """Raises ValueError for a model that needs the general way."""
        if link not in _LINKS:
            raise ValueError("a link that is not known here")
        numbers, levels, order = _sorted(preprocessor)
        self._pick = _picker([position for position, _ in numbers])
        features = [feature for _, feature in numbers]
        self._offsets = [feature.offset for feature in features]
        self._scales = [feature.scale for feature in features]
        self._lows = [feature.minimum for feature in features]
        self._highs = [feature.maximum for feature in features]
        self._levels = levels
        self._rest = [0.0] * (preprocessor.width - len(numbers)) + [1.0]
        self._pack = struct.Struct(f"{preprocessor.width + 1}f").pack
        self._steps = _steps(layers, order)
        self._link = _LINKS[link]

    def outputs(self, cells: Sequence[Any]) -> list[float] | None:
        """What the network gives for a row in signature order; None for a row that is not plain.

        cells: each of its column's type, None where missing.
        """
        numbers = self._pick(cells)
        try:
            if not (all(map(le, self._lows, numbers)) and all(map(le, numbers, self._highs))):
                return None
        except TypeError:  # a number is missing
            return None
        inputs = [*map(truediv, map(sub, numbers, self._offsets), self._scales), *self._rest]
        for position, places in self._levels:
            place = places.get(cells[position])
            if place is None:
                return None
            inputs[place] = 1.0
        x: Floats = np.frombuffer(self._pack(*inputs), dtype=np.float32)
        for weights, biases, activation in self._steps:
            x = np.dot(x, weights)
            if biases is not None:
                x += biases
            if activation is not None:
                x = activation(x)
        return self._link(x.tolist())


def _sorted(
    preprocessor: Preprocessor,
) -> tuple[list[tuple[int, NumberFeature]], list[tuple[int, dict[Any, int]]], NDArray[np.int64]]:
    """Numbers first, then levels: the columns of each with their positions, and the network's
    inputs in that order. A level maps to its place among the inputs.
    """
    numbers, levels = [], []
    order: list[int] = []
    later: list[int] = []
    count = sum(isinstance(feature, NumberFeature) for feature in preprocessor.features)
    for position, feature in enumerate(preprocessor.features):
        start = preprocessor.starts[position]
        if isinstance(feature, NumberFeature) and feature.is_plain:
            numbers.append((position, feature))
            order.append(start)
        elif isinstance(feature, LevelFeature):
            place = count + len(later)
            levels.append((position, _places(feature, place, preprocessor.width)))
            later.extend(range(start, start + feature.width))
        else:
            raise ValueError("a column of a kind that is not known here")
    if not preprocessor.width <= MOST_INPUTS:
        raise ValueError("too many inputs")
    return numbers, levels, np.array(order + later)


def _places(feature: LevelFeature, place: int, constant: int) -> dict[Any, int]:
    if feature.type == "boolean":
        return {True: place, False: constant}  # the constant input is 1 already
    return {level: place + position for level, position in feature.positions.items()}


def _picker(positions: list[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if len(positions) == 1:
        return lambda cells: (cells[positions[0]],)
    return itemgetter(*positions) if positions else lambda cells: ()


def _steps(layers: Sequence[Dense], order: NDArray[np.int64]) -> list[Step]:
    steps: list[Step] = []
    bound = 1.0  # of what may come out of a layer: no activation gives more than 1 + 2 alpha |z|
    halved = False  # the layer below gives t for ½ + ½ t
    for position, layer in enumerate(layers):
        w, b = layer.weights.astype(np.float64), layer.biases.astype(np.float64)
        if position == 0:
            w = w[order]
        if halved:
            w, b = 0.5 * w, b + 0.5 * w.sum(axis=0)
        halved = layer.activation == "sigmoid"
        if halved:  # σ(z) = ½ + ½ tanh(z/2)
            w, b = 0.5 * w, 0.5 * b
        bound = max(bound, 1.0) * float(np.abs(w).sum()) + float(np.abs(b).sum())
        bound = 1.0 + 2.0 * bound * max(1.0, abs(layer.alpha))
        if position == 0:
            steps.append((_plain(np.vstack((w, b))), None, _function(layer)))
        else:
            steps.append((_plain(w), _plain(b), _function(layer)))
    if not bound < _TAME:
        raise ValueError("sums may overflow")
    return steps


def _function(layer: Dense) -> Callable[[Floats], Floats] | None:
    if layer.activation in _FUNCTIONS:
        return _FUNCTIONS[layer.activation]
    return partial(ACTIVATIONS[layer.activation].value, alpha=layer.alpha)


_FUNCTIONS: dict[str, Callable[[Floats], Floats] | None] = {
    "sigmoid": np.tanh,
    "tanh": np.tanh,
    "identity": None,
}


def _plain(values: NDArray[np.float64]) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float32)


def _sigmoid(logits: list[float]) -> list[float]:
    z = logits[0]
    small = exp(-abs(z))  # never overflows
    positive = (1.0 if z >= 0 else small) / (1.0 + small)
    return [1.0 - positive, positive]


def _softmax(logits: list[float]) -> list[float]:
    powers = list(map(exp, map(sub, logits, repeat(max(logits)))))
    return list(map(truediv, powers, repeat(sum(powers))))


_LINKS: dict[str, Callable[[list[float]], list[float]]] = {
    "identity": lambda logits: logits,
    "exp": lambda logits: [exp(min(logit, MOST_LOG)) for logit in logits],
    "sigmoid": _sigmoid,
    "softmax": _softmax,
}

"""What a network is: layers, one flat parameter vector, and the forward pass in plain NumPy."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from core.activations import ACTIVATIONS

Floats = NDArray[np.floating[Any]]
Link = Literal["identity", "sigmoid", "softmax"]


@dataclass(frozen=True)
class Layer:
    """A hidden layer: how many units, and their activation."""

    units: int
    activation: str


@dataclass(frozen=True)
class Network:
    """A multi-layer perceptron's shape. Its parameters are a flat vector W₀ b₀ W₁ b₁ … .

    link: how the last layer's sums become the answer (the inverse link of a generalised linear
    model): identity for numbers, sigmoid for two classes, softmax for more.
    """

    inputs: int
    layers: tuple[Layer, ...]
    outputs: int
    link: Link

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, the inputs first and the outputs last."""
        return (self.inputs, *(layer.units for layer in self.layers), self.outputs)

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """The activation behind each weight matrix; the last is the identity."""
        return (*(layer.activation for layer in self.layers), "identity")

    @cached_property
    def parameter_count(self) -> int:
        """Length of the parameter vector."""
        return sum((n + 1) * m for n, m in zip(self.sizes, self.sizes[1:], strict=False))

    def views(self, theta: Floats) -> list[tuple[Floats, Floats]]:
        """Weights (n_in, n_out) and biases (n_out,) of each layer, as views into `theta`."""
        found, start = [], 0
        for n, m in zip(self.sizes, self.sizes[1:], strict=False):
            weights = theta[start : start + n * m].reshape(n, m)
            biases = theta[start + n * m : start + (n + 1) * m]
            found.append((weights, biases))
            start += (n + 1) * m
        return found

    def logits(self, theta: Floats, x: Floats) -> Floats:
        """The last layer's sums for rows x (rows, inputs): shape (rows, outputs)."""
        for (weights, biases), name in zip(self.views(theta), self.activations, strict=True):
            x = ACTIVATIONS[name].value(x @ weights + biases)
        return x

    def forward(self, theta: Floats, x: Floats) -> Floats:
        """The answers for rows x (rows, inputs): values or probabilities, (rows, outputs)."""
        return apply_link(self.link, self.logits(theta, x))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Network":
        """From JSON."""
        layers = tuple(Layer(layer["units"], layer["activation"]) for layer in data["layers"])
        return cls(data["inputs"], layers, data["outputs"], data["link"])


def apply_link(link: Link, logits: Floats) -> Floats:
    """Turn sums into answers, without overflow for any of them."""
    if link == "identity":
        return logits
    if link == "sigmoid":
        return cast(Floats, ACTIVATIONS["sigmoid"].value(logits))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return cast(Floats, shifted / shifted.sum(axis=1, keepdims=True))

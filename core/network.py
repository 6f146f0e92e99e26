"""What a network is: layers, one flat parameter vector, and the forward pass in plain NumPy."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from core.activations import ACTIVATIONS
from core.embeddings import Embedding, check, expanded_width, expansion, table_size, wire

Floats = NDArray[np.floating[Any]]
Link = Literal["identity", "exp", "sigmoid", "softmax"]
MOST_LOG = 30.0  # e^30 is the most that a link answers


BATCH_NORM_EPSILON = 1e-5  # added to a variance, as Ioffe & Szegedy (2015) and torch do
BATCH_NORM_MOMENTUM = 0.1  # by which running statistics follow those of a batch, as in torch


@dataclass(frozen=True)
class Layer:
    """A hidden layer: x ↦ dropout(activation(batch_norm(x W) + b)).

    alpha: the activation's parameter, None for its default. dropout: share of the activations
    that a training step leaves out. batch_norm: scale γ (z - mean)/√(variance + ε), where the
    biases are its β. bias: whether there are biases at all.
    """

    units: int
    activation: str
    alpha: float | None = None
    dropout: float = 0.0
    batch_norm: bool = False
    bias: bool = True

    @property
    def slope(self) -> float:
        """The activation's parameter, its default where none was chosen."""
        return ACTIVATIONS[self.activation].alpha if self.alpha is None else self.alpha


@dataclass(frozen=True, eq=False)
class Dense:
    """A layer as prediction needs it: x ↦ activation(x weights + biases).

    weights: (in, out). biases: (out,). alpha: the activation's parameter.
    """

    weights: Floats
    biases: Floats
    activation: str
    alpha: float

    def forward(self, x: Floats) -> Floats:
        """The layer's answers for rows x (rows, in): (rows, out)."""
        value = ACTIVATIONS[self.activation].value
        return cast(Floats, value(x @ self.weights + self.biases, self.alpha))


@dataclass(frozen=True, eq=False)
class Block:
    """A layer's parts of the flat vector, as views into it.

    weights: (in, out), of embeddings flat. biases: (out,). scale, mean, variance: (out,) of the
    batch norm, else None.
    """

    weights: Floats
    biases: Floats
    scale: Floats | None = None
    mean: Floats | None = None
    variance: Floats | None = None

    def named(self) -> dict[str, Floats]:
        """The parts by the names that files use."""
        parts = {"weight": self.weights, "bias": self.biases, "scale": self.scale}
        parts |= {"mean": self.mean, "variance": self.variance}
        return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Network:
    """A multi-layer perceptron's shape.

    Its parameters are one flat vector E W₀ b₀ W₁ b₁ … with the scale γ of a batch norm after the
    layer's biases, and behind all that is learned the running mean and variance of each batch
    norm. The biases of a layer without are there, and 0. E are the tables of the embeddings, as a
    first layer of its own whose sums are the expanded inputs; it has biases, which are 0.
    link: how the last layer's sums become the answer (the inverse link of a generalised linear
    model): identity for numbers, exp for counts, sigmoid for two classes or several labels,
    softmax for more classes.
    input_dropout: share of the inputs that a training step leaves out.
    embeddings: neighbouring inputs that become few numbers, in the order of the inputs.
    """

    inputs: int
    layers: tuple[Layer, ...]
    outputs: int
    link: Link
    input_dropout: float = field(default=0.0, kw_only=True)
    embeddings: tuple[Embedding, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check(self.inputs, self.embeddings)

    @cached_property
    def trained(self) -> tuple[Layer, ...]:
        """The layers before the output as training has them: embeddings are one, the first."""
        if not self.embeddings:
            return self.layers
        width = expanded_width(self.inputs, self.embeddings)
        return (Layer(width, "identity", bias=False), *self.layers)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer, the inputs first and the outputs last."""
        return (self.inputs, *(layer.units for layer in self.trained), self.outputs)

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """The activation behind each weight matrix; the last is the identity."""
        return (*(layer.activation for layer in self.trained), "identity")

    @cached_property
    def alphas(self) -> tuple[float, ...]:
        """The parameter of each of these activations."""
        return (*(layer.slope for layer in self.trained), 0.0)

    @cached_property
    def normalized(self) -> tuple[bool, ...]:
        """Which layers normalise their sums; the last never does."""
        return (*(layer.batch_norm for layer in self.trained), False)

    @cached_property
    def weight_counts(self) -> tuple[int, ...]:
        """How many weights each layer has: n m, or the size of the tables."""
        found = [n * m for n, m in pairwise(self.sizes)]
        return (table_size(self.embeddings), *found[1:]) if self.embeddings else tuple(found)

    @cached_property
    def wires(self) -> NDArray[np.int64]:
        """Where each input goes: `core.embeddings.wire`."""
        return wire(self.inputs, self.embeddings)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each layer's parameters start, and where the last ones end."""
        found = [0]
        sizes = zip(self.weight_counts, self.sizes[1:], self.normalized, strict=True)
        for weights, m, norm in sizes:
            found.append(found[-1] + weights + (1 + norm) * m)
        return tuple(found)

    def held(self, frozen: Iterable[int]) -> frozenset[int]:
        """Layers, counted without the embeddings, as training counts them; the embeddings are
        held with the first.
        """
        if not self.embeddings:
            return frozenset(frozen)
        return frozenset({at + 1 for at in frozen} | {at for at in frozen if at == 0})

    @cached_property
    def learned_count(self) -> int:
        """How many parameters are learned: the first of the vector."""
        return self.offsets[-1]

    @cached_property
    def parameter_count(self) -> int:
        """Length of the parameter vector, running statistics included."""
        return self.learned_count + 2 * sum(
            layer.units for layer in self.layers if layer.batch_norm
        )

    def blocks(self, theta: Floats) -> list[Block]:
        """Each layer's parameters, as views into `theta`."""
        found, statistics = [], self.learned_count
        places = zip(self.offsets, self.weight_counts, strict=False)
        for layer, (start, count) in enumerate(places):
            n, m = self.sizes[layer : layer + 2]
            end = start + count
            is_table = layer == 0 and len(self.embeddings) > 0
            weights = theta[start:end] if is_table else theta[start:end].reshape(n, m)
            biases = theta[end : end + m]
            if not self.normalized[layer]:
                found.append(Block(weights, biases))
                continue
            scale = theta[end + m : end + 2 * m]
            mean = theta[statistics : statistics + m]
            variance = theta[statistics + m : statistics + 2 * m]
            found.append(Block(weights, biases, scale, mean, variance))
            statistics += 2 * m
        return found

    def views(self, theta: Floats) -> list[tuple[Floats, Floats]]:
        """Weights (n_in, n_out) and biases (n_out,) of each layer, as views into `theta`. Those of
        embeddings are their tables, flat.
        """
        return [(block.weights, block.biases) for block in self.blocks(theta)]

    def dense(self, theta: Floats) -> tuple[Dense, ...]:
        """The network as plain dense layers: batch norm and embeddings folded in, dropout gone.

        Weights are views into `theta` where there is nothing to fold.
        """
        blocks = zip(self.blocks(theta), self.activations, self.alphas, strict=True)
        layers = [Dense(*_folded(block), name, alpha) for block, name, alpha in blocks]
        if self.embeddings:
            tables, first, *others = layers
            whole = expansion(self.wires, tables.weights, self.sizes[1])
            layers = [replace(first, weights=whole @ first.weights), *others]
        return tuple(layers)

    def logits(self, theta: Floats, x: Floats) -> Floats:
        """The last layer's sums for rows x (rows, inputs): shape (rows, outputs)."""
        for layer in self.dense(theta):
            x = layer.forward(x)
        return x

    def forward(self, theta: Floats, x: Floats) -> Floats:
        """The answers for rows x (rows, inputs): values or probabilities, (rows, outputs)."""
        return apply_link(self.link, self.logits(theta, x))

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what has its default is left out, as files of older versions leave it out."""
        return _chosen(self) | {"layers": [_chosen(layer) for layer in self.layers]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Network":
        """From JSON."""
        layers = tuple(Layer(**layer) for layer in data["layers"])
        embeddings = tuple(Embedding(**one) for one in data.get("embeddings", ()))
        return cls(**{**data, "layers": layers, "embeddings": embeddings})


def _chosen(part: Network | Layer) -> dict[str, Any]:
    values, plain = asdict(part), {field.name: field.default for field in fields(part)}
    return {name: value for name, value in values.items() if value != plain[name]}


def _folded(block: Block) -> tuple[Floats, Floats]:
    """Weights and biases that give the normalised sums: γ (x W - μ)/√(σ² + ε) + β."""
    if block.scale is None or block.mean is None or block.variance is None:
        return block.weights, block.biases
    factor = block.scale / np.sqrt(block.variance + block.variance.dtype.type(BATCH_NORM_EPSILON))
    return block.weights * factor, block.biases - block.mean * factor


def apply_link(link: Link, logits: Floats) -> Floats:
    """Turn sums into answers, without overflow for any of them."""
    if link == "identity":
        return logits
    if link == "exp":
        return cast(Floats, np.exp(np.minimum(logits, logits.dtype.type(MOST_LOG))))
    if link == "sigmoid":
        return cast(Floats, ACTIVATIONS["sigmoid"].value(logits))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return cast(Floats, shifted / shifted.sum(axis=1, keepdims=True))

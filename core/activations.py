"""The sigmoid and its relatives. One entry in ACTIVATIONS is all that a new one takes.

`value` maps z to a, `slope` gives da/dz from z and a; alpha is the parameter of those that have
one. Both are single expressions that run on arrays as they are and on scalars when compiled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from core.elementwise import like, tanh, where


@dataclass(frozen=True)
class Activation:
    """An activation function: its value, its slope, and what others must know of it.

    steepest: the largest slope, against which saturation is judged.
    init: the initial weights that keep the signal's size (Glorot 2010, He 2015).
    onnx: the operator's name. alpha: the parameter's default, 0 where there is none.
    """

    name: str
    value: Callable[..., Any]
    slope: Callable[..., Any]
    steepest: float
    init: Literal["glorot", "he"]
    onnx: str
    alpha: float = 0.0


def _sigmoid(z: Any, alpha: Any = 0.0) -> Any:
    # σ(z) = ½ + ½ tanh(z/2) overflows for no z, and tanh has a fast compiled form.
    return like(0.5, z) + like(0.5, z) * tanh(like(0.5, z) * z)


def _sigmoid_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return a * (like(1.0, z) - a)  # largest at 0 (¼), vanishing where σ saturates


def _tanh(z: Any, alpha: Any = 0.0) -> Any:
    return tanh(z)


def _tanh_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return like(1.0, z) - a * a


def _relu(z: Any, alpha: Any = 0.0) -> Any:
    return where(z > like(0.0, z), z, like(0.0, z))


def _relu_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return where(z > like(0.0, z), like(1.0, z), like(0.0, z))


def _leaky_relu(z: Any, alpha: Any = 0.01) -> Any:
    return where(z > like(0.0, z), z, like(alpha, z) * z)


def _leaky_relu_slope(z: Any, a: Any, alpha: Any = 0.01) -> Any:
    return where(z > like(0.0, z), like(1.0, z), like(alpha, z))


def _identity(z: Any, alpha: Any = 0.0) -> Any:
    return z


def _identity_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return where(z == z, like(1.0, z), z)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("sigmoid", _sigmoid, _sigmoid_slope, 0.25, "glorot", "Sigmoid"),
        Activation("tanh", _tanh, _tanh_slope, 1.0, "glorot", "Tanh"),
        Activation("relu", _relu, _relu_slope, 1.0, "he", "Relu"),
        Activation("leaky_relu", _leaky_relu, _leaky_relu_slope, 1.0, "he", "LeakyRelu", 0.01),
        Activation("identity", _identity, _identity_slope, 1.0, "glorot", "Identity"),
    )
}
CODES = {name: code for code, name in enumerate(ACTIVATIONS)}

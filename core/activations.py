"""The sigmoid and its relatives. One entry in ACTIVATIONS is all that a new one takes.

`value` maps z to a, `slope` gives da/dz from z and a; alpha is the parameter of those that have
one. Both are single expressions that run on arrays as they are and on scalars when compiled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from core.elementwise import exp, like, log1p, tanh, where

SATURATED = 0.05  # a slope below this share of the steepest passes next to no gradient


@dataclass(frozen=True)
class Activation:
    """An activation function: its value, its slope, and what others must know of it.

    steepest: the largest slope, against which saturation is judged.
    init: the initial weights that keep the signal's size (Glorot 2010, He 2015, LeCun 1998).
    onnx: the operator's name; Gelu is the one that names tanh as its approximation, and Silu is
    z times Sigmoid where an opset has no such operator. alpha: the parameter's default, 0 where
    there is none.
    """

    name: str
    value: Callable[..., Any]
    slope: Callable[..., Any]
    steepest: float
    init: Literal["glorot", "he", "lecun"]
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


def _elu(z: Any, alpha: Any = 1.0) -> Any:
    below = where(z < like(0.0, z), z, like(0.0, z))
    return where(z > like(0.0, z), z, like(alpha, z) * (exp(below) - like(1.0, z)))


def _elu_slope(z: Any, a: Any, alpha: Any = 1.0) -> Any:
    return where(z > like(0.0, z), like(1.0, z), a + like(alpha, z))


# Klambauer et al. (2017), equation 14: the scale and α that keep mean 0 and variance 1.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_SELU_BOTH = SELU_SCALE * SELU_ALPHA


def _selu(z: Any, alpha: Any = 0.0) -> Any:
    below = where(z < like(0.0, z), z, like(0.0, z))
    bent = like(_SELU_BOTH, z) * (exp(below) - like(1.0, z))
    return where(z > like(0.0, z), like(SELU_SCALE, z) * z, bent)


def _selu_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return where(z > like(0.0, z), like(SELU_SCALE, z), a + like(_SELU_BOTH, z))


_GELU_ROOT = 1.5957691216057307117597842397375  # 2 √(2/π)
_GELU_CUBE = 0.044715
_GELU_FAR = 30.0  # beyond it nothing is left of e^-z in any precision, and a cube could overflow


def _share(z: Any) -> Any:
    """σ(z) with a relative error that stays small where σ is: z times it then vanishes too."""
    e = exp(where(z > like(0.0, z), -z, z))
    return where(z > like(0.0, z), like(1.0, z), e) / (like(1.0, z) + e)


def _share_slope(z: Any) -> Any:
    e = exp(where(z > like(0.0, z), -z, z))
    return e / ((like(1.0, z) + e) * (like(1.0, z) + e))


def _near(z: Any) -> Any:
    low = where(z < like(_GELU_FAR, z), z, like(_GELU_FAR, z))
    return where(low > like(-_GELU_FAR, z), low, like(-_GELU_FAR, z))


def _bent(z: Any) -> Any:
    return like(_GELU_ROOT, z) * (z + like(_GELU_CUBE, z) * z * z * z)


def _gelu(z: Any, alpha: Any = 0.0) -> Any:
    # z σ(2 √(2/π) (z + 0.044715 z³)) is ½ z (1 + tanh(…)), Hendrycks & Gimpel (2016).
    return z * _share(_bent(_near(z)))


def _gelu_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    near = _near(z)
    bent = _bent(near)
    bend = like(_GELU_ROOT, z) * (like(1.0, z) + like(3 * _GELU_CUBE, z) * near * near)
    return _share(bent) + near * _share_slope(bent) * bend


def _silu(z: Any, alpha: Any = 0.0) -> Any:
    return z * _share(z)


def _silu_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return _share(z) + z * _share_slope(z)


def _softplus(z: Any, alpha: Any = 0.0) -> Any:
    size = where(z > like(0.0, z), z, -z)
    return where(z > like(0.0, z), z, like(0.0, z)) + log1p(exp(-size))


def _softplus_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return like(0.5, z) + like(0.5, z) * tanh(like(0.5, z) * z)


def _softsign(z: Any, alpha: Any = 0.0) -> Any:
    return z / (like(1.0, z) + where(z > like(0.0, z), z, -z))


def _softsign_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    below = like(1.0, z) + where(z > like(0.0, z), z, -z)
    return like(1.0, z) / (below * below)


def _hard_sigmoid(z: Any, alpha: Any = 0.0) -> Any:
    line = like(1.0 / 6.0, z) * z + like(0.5, z)
    low = where(line > like(0.0, z), line, like(0.0, z))
    return where(low < like(1.0, z), low, like(1.0, z))


def _hard_sigmoid_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    size = where(z > like(0.0, z), z, -z)
    return where(size < like(3.0, z), like(1.0 / 6.0, z), like(0.0, z))


def _identity(z: Any, alpha: Any = 0.0) -> Any:
    return z


def _identity_slope(z: Any, a: Any, alpha: Any = 0.0) -> Any:
    return where(z == z, like(1.0, z), z)


PARTS = (_share, _share_slope, _near, _bent)  # functions that entries call: compiled with them
ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("sigmoid", _sigmoid, _sigmoid_slope, 0.25, "glorot", "Sigmoid"),
        Activation("tanh", _tanh, _tanh_slope, 1.0, "glorot", "Tanh"),
        Activation("relu", _relu, _relu_slope, 1.0, "he", "Relu"),
        Activation("leaky_relu", _leaky_relu, _leaky_relu_slope, 1.0, "he", "LeakyRelu", 0.01),
        Activation("elu", _elu, _elu_slope, 1.0, "he", "Elu", 1.0),
        Activation("selu", _selu, _selu_slope, _SELU_BOTH, "lecun", "Selu"),
        Activation("gelu", _gelu, _gelu_slope, 1.1290, "he", "Gelu"),
        Activation("silu", _silu, _silu_slope, 1.0999, "he", "Silu"),
        Activation("softplus", _softplus, _softplus_slope, 1.0, "glorot", "Softplus"),
        Activation("softsign", _softsign, _softsign_slope, 1.0, "glorot", "Softsign"),
        Activation(
            "hard_sigmoid", _hard_sigmoid, _hard_sigmoid_slope, 1 / 6, "glorot", "HardSigmoid"
        ),
        Activation("identity", _identity, _identity_slope, 1.0, "glorot", "Identity"),
    )
}

"""What `core.elementwise` means in compiled code: exact in float64, polynomials in float32.

A call of the C library's tanh, exp or log keeps a loop from vectorising; these do not.
"""

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from core import activations, elementwise


def _cast(context: Any, constant: Any, z: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], constant, z)

    return z(constant, z), build


_cast_to: Any = numba.extending.intrinsic(_cast)


@overload(elementwise.like, strict=False)
def _like(constant: Any, z: Any) -> Any:
    return lambda constant, z: _cast_to(constant, z)


@overload(elementwise.where, strict=False)
def _where(condition: Any, yes: Any, no: Any) -> Any:
    return lambda condition, yes, no: yes if condition else no


@overload(elementwise.tanh, strict=False)
def _tanh(z: Any) -> Any:
    if z == types.float32:
        return _tanh_float32
    return lambda z: np.tanh(z)


_CLAMP = np.float32(7.90531110763549805)
_A = tuple(np.float32(c) for c in (
    4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08,
    -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16,
))  # fmt: skip
_B = tuple(np.float32(c) for c in (
    4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06,
))  # fmt: skip
_A1, _A3, _A5, _A7, _A9, _A11, _A13 = _A
_B0, _B2, _B4, _B6 = _B


@register_jitable
def _tanh_float32(z: Any) -> Any:
    """Odd polynomial over even polynomial, the minimax coefficients of Eigen and XLA.

    It vectorises, which a call of the C library's tanh does not; |error| < 3e-7.
    """
    x = _CLAMP if z > _CLAMP else z
    x = -_CLAMP if x < -_CLAMP else x
    s = x * x
    top = s * _A13 + _A11
    top = s * top + _A9
    top = s * top + _A7
    top = s * top + _A5
    top = s * top + _A3
    top = s * top + _A1
    bottom = s * _B6 + _B4
    bottom = s * bottom + _B2
    bottom = s * bottom + _B0
    return x * top / bottom


@overload(elementwise.exp, strict=False)
def _exp(z: Any) -> Any:
    if z == types.float32:
        return _exp_float32
    return lambda z: np.exp(z)


def _two_to_the(context: Any, shifted: Any) -> Any:
    """2^n from float32 n + _ROUND, whose lowest bits are n: moved to where an exponent stands."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, number = map(context.get_value_type, (types.uint32, types.float32))
        bits = builder.shl(builder.bitcast(arguments[0], word), word(23))
        return builder.bitcast(builder.add(bits, word(127 << 23)), number)

    return types.float32(shifted), build


_power_of_two: Any = numba.extending.intrinsic(_two_to_the)

# Beyond these 2^n leaves the normal numbers. Adding _ROUND = 1.5 * 2^23 rounds to an integer
# without a conversion, whose answer for NaN would be undefined.
_LEAST, _MOST = np.float32(-87.33), np.float32(88.37)
_ROUND, _LOG2_E = np.float32(12582912.0), np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_C7, _C6, _C5, _C4, _C3, _C2 = (np.float32(c) for c in (
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1,
))  # fmt: skip
_ONE = np.float32(1.0)


@register_jitable
def _exp_float32(z: Any) -> Any:
    """e^z = 2^n e^r with |r| <= ln(2)/2, the minimax coefficients of Cephes and Eigen.

    It vectorises, as `_tanh_float32` does; relative error < 2e-7, NaN stays NaN.
    """
    x = _MOST if z > _MOST else z
    x = _LEAST if x < _LEAST else x
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = x - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    y = r * _C7 + _C6
    y = y * r + _C5
    y = y * r + _C4
    y = y * r + _C3
    y = y * r + _C2
    return (y * (r * r) + r + _ONE) * _power_of_two(shifted)


@overload(elementwise.log1p, strict=False)
def _log1p(u: Any) -> Any:
    if u == types.float32:
        return _log1p_float32
    return lambda u: np.log1p(u)


_L1, _L3, _L5, _L7, _L9, _L11, _L13, _L15 = (np.float32(2.0 / n) for n in range(1, 16, 2))
_TWO = np.float32(2.0)


@register_jitable
def _log1p_float32(u: Any) -> Any:
    """ln(1 + u) = 2 artanh(u / (2 + u)) for 0 <= u <= 1, its series; relative error < 2e-7."""
    r = u / (_TWO + u)
    s = r * r
    y = s * _L15 + _L13
    y = y * s + _L11
    y = y * s + _L9
    y = y * s + _L7
    y = y * s + _L5
    y = y * s + _L3
    y = y * s + _L1
    return y * r


for _part in activations.PARTS:
    register_jitable(_part)

"""Compiling with Numba: flags, the compiled meaning of `core.elementwise`, dispatch, the cache."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from core import elementwise

# Division follows IEEE 754 (`error_model="numpy"`): a check for zero would keep loops from
# vectorising. NaN and infinity keep their meaning, since a diverged run is recognised by them.
# Reordering is allowed to `summing` alone: elsewhere it would turn Adam's βv + (1-β)g² into
# β(v - g²) + g², which cancels.
FLAGS = {"contract", "arcp", "nsz"}


def _cache_folder() -> str | None:
    """Where compiled code is kept, apart for each state of the sources; None where nowhere.

    NUMBA_CACHE_DIR, else beside the sources, else SIGMOID_KERNELS_DIR: the first that can be
    written. Numba notices a change of the outermost function's file only; the digest covers all.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(here.glob("*.py")):
        digest.update(path.read_bytes())
    first = os.environ.get("NUMBA_CACHE_DIR") or here / "__pycache__"
    for base in (first, os.environ.get("SIGMOID_KERNELS_DIR")):
        folder = Path(base or here) / digest.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError:
            continue
        return str(folder)
    return None


_FOLDER = _cache_folder()
if _FOLDER is not None:
    numba.config.CACHE_DIR = _FOLDER  # type: ignore[attr-defined]


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; the result is kept on disk where that is possible."""
    return numba.njit(
        function, cache=_FOLDER is not None, nogil=True, fastmath=FLAGS, error_model="numpy"
    )


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that only compiled code calls."""
    return numba.njit(function, nogil=True, fastmath=FLAGS, error_model="numpy")


def summing(function: Callable[..., Any]) -> Any:
    """As `inner`, for sums whose order does not matter, so that they vectorise."""
    return numba.njit(function, nogil=True, fastmath=FLAGS | {"reassoc"}, error_model="numpy")


def _keep_apart(context: Any) -> Any:
    """Called in a compiled function, keeps LLVM from inlining that function: it compiles sooner."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), build


keep_apart: Any = numba.extending.intrinsic(_keep_apart)


def dispatch(functions: Sequence[Any]) -> Any:
    """A compiled `choose(code, *arguments)` that calls the function at that position.

    A chain of comparisons costs nothing beside the loops behind it, and lets LLVM inline each.
    It is written out flat, since Numba optimises every level of nested calls anew.
    """
    names = {f"function_{i}": inner(function) for i, function in enumerate(functions)}
    *others, last = names
    lines = ["def choose(code, *arguments):"]
    for i, name in enumerate(others):
        lines += [f"    if code == {i}:", f"        return {name}(*arguments)"]
    lines += [f"    return {last}(*arguments)"]
    exec("\n".join(lines), names)  # noqa: S102, the text is ours; Numba has no table of functions
    return inner(names["choose"])


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

"""The few functions that activations are written in: for NumPy arrays here, for compiled scalars
in `core.approximations`. One expression then serves both.
"""

from typing import Any

import numpy as np


def like(constant: float, z: Any) -> Any:
    """The constant in the precision of `z`. NumPy sees to that itself; compiled code is told."""
    return constant


def where(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where the condition holds, else `no`."""
    return np.where(condition, yes, no)


def tanh(z: Any) -> Any:
    """Hyperbolic tangent; compiled in float32 it is a rational approximation good to 1e-7."""
    return np.tanh(z)


def exp(z: Any) -> Any:
    """e^z; compiled in float32 it is a polynomial good to 2e-7 of the value."""
    return np.exp(z)


def log1p(u: Any) -> Any:
    """ln(1 + u) for u of 0 … 1; compiled in float32 it is a series good to 2e-7."""
    return np.log1p(u)

"""How numbers come to a size that networks learn well from. One entry in SCALINGS is a scaling."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.curves import IDENTITY, LOG1P, Curve, Interpolation
from core.normal import normal_quantile

Floats = NDArray[np.float64]
LARGEST = float(np.finfo(np.float32).max)  # networks compute in float32
MOST_KNOTS = 256


@dataclass(frozen=True)
class Scaled:
    """The input (curve(x) - offset) / scale of a number x; scale is positive."""

    curve: Curve
    offset: float
    scale: float


def standardize(x: Floats) -> Scaled:
    """To mean 0 and deviation 1 (LeCun et al., Efficient BackProp, 1998, §4.3)."""
    return Scaled(IDENTITY, _mean(x), float(x.std()))


def minmax(x: Floats) -> Scaled:
    """To 0 … 1."""
    return Scaled(IDENTITY, float(x.min()), float(x.max()) - float(x.min()))


def robust(x: Floats) -> Scaled:
    """To median 0 and a distance of 1 between the quartiles, which outliers do not move.

    Where the quartiles are equal or next to it, as in a column that is mostly zero, the deviation
    stands in for their distance.
    """
    low, middle, high = (float(value) for value in np.quantile(x, (0.25, 0.5, 0.75)))
    furthest = max(middle - float(x.min()), float(x.max()) - middle)
    distance = high - low
    tame = distance > 0 and furthest / distance < LARGEST / 1e6
    return Scaled(IDENTITY, middle, distance if tame else float(x.std()))


def log1p(x: Floats) -> Scaled:
    """The signed logarithm, standardised."""
    logs = LOG1P.apply(x)
    return Scaled(LOG1P, _mean(logs), float(logs.std()))


def quantile_normal(x: Floats) -> Scaled:
    """To a standard normal distribution, whatever the column's: by ranks.

    The points are up to 256 quantiles, and between them are straight lines. The extremes are at
    the quantiles of half a row's probability, so that an outlier is as far out as its rank, no
    further. Equal quantiles are one point at their middle probability, as in scikit-learn's
    QuantileTransformer.
    """
    count = min(len(x), MOST_KNOTS)
    shares = np.linspace(0.0, 1.0, count)
    knots, first, counts = np.unique(np.quantile(x, shares), return_index=True, return_counts=True)
    middles = (shares[first] + shares[first + counts - 1]) / 2.0
    half = 0.5 / len(x)
    heights = normal_quantile(np.clip(middles, half, 1.0 - half))
    return Scaled(Interpolation(tuple(knots.tolist()), tuple(heights.tolist())), 0.0, 1.0)


def none(x: Floats) -> Scaled:
    """As they are."""
    return Scaled(IDENTITY, 0.0, 1.0)


SCALINGS: dict[str, Callable[[Floats], Scaled]] = {
    function.__name__: function
    for function in (standardize, minmax, robust, quantile_normal, log1p, none)
}


def fit_scaling(name: str, x: Floats) -> Scaled:
    """Learn the scaling from values (rows,), finite and at least one.

    A constant column is shifted only. Raises KeyError for an unknown name.
    """
    found = SCALINGS[name](x)
    if x.min() == x.max() or found.scale == 0.0:
        return Scaled(found.curve, found.offset, 1.0)
    return found


def _mean(x: Floats) -> float:
    """The mean, inside the range although rounding may lead outside."""
    return min(max(float(x.mean()), float(x.min())), float(x.max()))

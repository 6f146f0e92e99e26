"""What a number goes through before it is shifted and scaled: an elementwise function.

Each curve is a frozen dataclass with its mathematics in `apply`, simple enough to be
written in any language, and one entry in CURVES.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Curve(Protocol):
    """An elementwise, monotone function."""

    @property
    def name(self) -> str:
        """What files call it."""

    def apply(self, values: Floats) -> Floats:
        """The function of each value; NaN stays NaN."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""


@dataclass(frozen=True)
class Identity:
    """x ↦ x."""

    name = "identity"

    def apply(self, values: Floats) -> Floats:
        """The values themselves."""
        return values

    def invert(self, values: Floats) -> Floats:
        """The values themselves."""
        return values

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name}


@dataclass(frozen=True)
class Log1p:
    """x ↦ sign(x) ln(1 + |x|): the logarithm for x ≥ 0, and odd, so that no number is refused."""

    name = "log1p"

    def apply(self, values: Floats) -> Floats:
        """The signed logarithm of each value."""
        return np.asarray(np.copysign(np.log1p(np.abs(values)), values))

    def invert(self, values: Floats) -> Floats:
        """The x of each value; infinite beyond float64."""
        with np.errstate(over="ignore"):
            return np.asarray(np.copysign(np.expm1(np.abs(values)), values))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name}


@dataclass(frozen=True)
class Interpolation:
    """Straight lines between points, and the ends' values beyond them.

    knots: rising. values: as many, one a knot, rising.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    name = "interpolation"

    def apply(self, values: Floats) -> Floats:
        """The line's height at each value."""
        return np.interp(values, self.knots, self.values)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "knots": list(self.knots), "values": list(self.values)}


IDENTITY = Identity()
LOG1P = Log1p()
CURVES: dict[str, type[Identity] | type[Log1p] | type[Interpolation]] = {
    curve.name: curve for curve in (Identity, Log1p, Interpolation)
}


def curve_from_dict(data: dict[str, Any]) -> Curve:
    """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
    if data["name"] != Interpolation.name:
        return CURVES[data["name"]]()  # type: ignore[call-arg]  # the others have no fields
    knots, values = (tuple(map(float, data[field])) for field in ("knots", "values"))
    if not knots or len(knots) != len(values) or not np.isfinite([*knots, *values]).all():
        raise ValueError("a line goes through finite points")
    if (np.diff(knots) <= 0).any() or (np.diff(values) < 0).any():
        raise ValueError("a line's points rise")
    return Interpolation(knots, values)

"""A column of numbers as a network's input."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.choices import Choice, Missing
from core.columns import Column, Indices, Numeric
from core.curves import IDENTITY, Curve, curve_from_dict
from core.errors import WrongType
from core.remarks import Warning_, missing_value, no_value, non_finite, out_of_range
from core.scaling import LARGEST, fit_scaling

Matrix = NDArray[np.float32]
Rows = Indices | slice


@dataclass(frozen=True)
class NumberFeature:
    """A number x as the input (curve(x) - offset) / scale.

    minimum, maximum: the range of the training rows; beyond it the network extrapolates.
    mean: of the training rows. fill: stands in for a missing value; None for the mean.
    indicator: a second input is 1 where the value is missing. missing: whether one is refused.
    """

    name: str
    offset: float
    scale: float
    mean: float
    minimum: float
    maximum: float
    curve: Curve = field(default=IDENTITY, kw_only=True)
    fill: float | None = field(default=None, kw_only=True)
    indicator: bool = field(default=False, kw_only=True)
    missing: Missing = field(default="impute", kw_only=True)

    type = "number"
    expected = "a number"

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return 1 + self.indicator

    @property
    def input_names(self) -> list[str]:
        """A name for each input."""
        return [self.name, f"{self.name} is missing"][: self.width]

    @property
    def is_plain(self) -> bool:
        """Whether the input is (x - offset) / scale and nothing else, also of what stands in."""
        is_inside = self.minimum <= self.filling <= self.maximum
        return self.curve == IDENTITY and not self.indicator and is_inside

    @property
    def filling(self) -> float:
        """What stands in for a missing value."""
        return self.mean if self.fill is None else self.fill

    def encode(self, column: Column, rows: Rows, out: Matrix) -> int:
        """Write the inputs of `rows` to `out` (rows, width), all 0 before; how many lie beyond
        the training range. Raises DataError naming the row.
        """
        if not isinstance(column, Numeric):
            raise WrongType("This column must hold numbers.", column=self.name)
        values = column.values[rows]
        missing = np.isnan(values)
        outside = (values < self.minimum) | (values > self.maximum)
        if missing.any():
            if self.missing == "error":
                raise missing_value(self.name, int(missing.argmax()))
            values = np.where(missing, self.filling, values)  # not in place: rows may be a view
            if self.indicator:
                out[:, 1] = missing
        infinite = np.isinf(values)  # which a curve may flatten
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (self.curve.apply(values) - self.offset) / self.scale
        fits = (np.abs(scaled) <= LARGEST) & ~infinite
        if not fits.all():
            raise non_finite(self.name, int(fits.argmin()))
        out[:, 0] = scaled
        return int(np.count_nonzero(outside))

    def remark(self, count: int) -> Warning_:
        """What to know about the `count` of rows that `encode` gave."""
        return out_of_range(self.name, count)

    def describe(self) -> dict[str, Any]:
        """As one entry of a model's signature."""
        return {
            "name": self.name,
            "type": self.type,
            "min": self.minimum,
            "max": self.maximum,
            "mean": self.mean,
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what has its default is left out, as files of older versions leave it out."""
        found: dict[str, Any] = {
            "type": self.type,
            "name": self.name,
            "offset": self.offset,
            "scale": self.scale,
            "mean": self.mean,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }
        if self.curve != IDENTITY:
            found["curve"] = self.curve.to_dict()
        if self.fill is not None:
            found["fill"] = self.fill
        if self.indicator:
            found["indicator"] = True
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, missing: Missing) -> "NumberFeature":
        """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
        fields = ("offset", "scale", "mean", "minimum", "maximum")
        numbers = [float(data[field]) for field in fields]
        fill = None if data.get("fill") is None else float(data["fill"])
        if not np.isfinite([*numbers, fill or 0.0]).all() or numbers[1] <= 0:
            raise ValueError("scaling is finite and positive")
        curve = curve_from_dict(data.get("curve", {"name": "identity"}))
        indicator = data.get("indicator", False) is True
        return cls(
            data["name"], *numbers, curve=curve, fill=fill, indicator=indicator, missing=missing
        )


def fit_number(name: str, values: NDArray[np.float64], choice: Choice) -> NumberFeature:
    """Learn scaling, range and what stands in for missing values from the training rows' values
    (NaN = missing, left out). Raises DataError, with the position in `values` as its row.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        raise no_value(name)
    if not np.isfinite(present).all():
        raise non_finite(name, int(np.flatnonzero(np.isinf(values))[0]))
    minimum, maximum = float(present.min()), float(present.max())
    if max(abs(minimum), abs(maximum)) > LARGEST:
        raise non_finite(name, int(np.nanargmax(np.abs(values))))
    mean = min(max(float(present.mean()), minimum), maximum)  # else rounding may lead outside
    scaled = fit_scaling(choice.scaling, present)
    return NumberFeature(
        name,
        scaled.offset,
        scaled.scale,
        mean,
        minimum,
        maximum,
        curve=scaled.curve,
        fill=_fill(name, present, choice),
        indicator=choice.missing == "indicator",
        missing=choice.refusal,
    )


def _fill(name: str, present: NDArray[np.float64], choice: Choice) -> float | None:
    if choice.missing == "median":
        return float(np.median(present))
    if choice.missing != "constant":
        return None
    if isinstance(choice.fill, bool) or not isinstance(choice.fill, int | float):
        raise WrongType("What stands in for a missing number must be a number.", column=name)
    return float(choice.fill)

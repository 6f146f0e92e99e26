"""How one column becomes inputs of a network: a scaled number, a flag, or one input a level."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.columns import BOOLEAN_LEVELS, Category, Column, Indices, Numeric
from core.errors import MissingValue, NonFinite, TooWide, UnseenLevel, WrongType

Scaling = Literal["standardize", "minmax", "none"]
Matrix = NDArray[np.float32]
Warning_ = dict[str, Any]
Rows = Indices | slice

MAX_LEVELS = 500
LARGEST = float(np.finfo(np.float32).max)  # networks compute in float32


@dataclass(frozen=True)
class NumberFeature:
    """A number x as the input (x - offset) / scale; `mean` stands in for a missing one.

    minimum, maximum: the range of the training rows; beyond it the network extrapolates.
    """

    name: str
    offset: float
    scale: float
    mean: float
    minimum: float
    maximum: float

    type = "number"
    width = 1

    def encode(self, column: Column, rows: Rows, out: Matrix, *, impute: bool) -> int:
        """Write the inputs of `rows` to `out` (rows, 1); how many lie beyond the training range.

        Raises DataError naming the row.
        """
        if not isinstance(column, Numeric):
            raise WrongType("This column must hold numbers.", column=self.name)
        values = column.values[rows]
        missing = np.isnan(values)
        if missing.any():
            if not impute:
                raise missing_value(self.name, int(missing.argmax()))
            values = np.where(missing, self.mean, values)  # never in place: rows may be a view
        with np.errstate(over="ignore"):
            scaled = (values - self.offset) / self.scale
        fits = np.abs(scaled) <= LARGEST
        if not fits.all():
            raise non_finite(self.name, int(fits.argmin()))
        out[:, 0] = scaled
        return int(np.count_nonzero((values < self.minimum) | (values > self.maximum)))

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
        """As JSON."""
        return {"type": self.type, **asdict(self)}


@dataclass(frozen=True)
class LevelFeature:
    """A category as one input a level, or a boolean as one input that is 0 or 1.

    levels: those of the training rows, sorted. most_frequent: which of them stands in for a
    missing value. An unseen level is zero everywhere.
    """

    name: str
    type: Literal["category", "boolean"]
    levels: tuple[str, ...]
    most_frequent: int

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return 1 if self.type == "boolean" else len(self.levels)

    @cached_property
    def positions(self) -> dict[str | bool, int]:
        """Where each value, as JSON has it, stands among the levels."""
        if self.type == "boolean":
            return {False: 0, True: 1}
        return {level: position for position, level in enumerate(self.levels)}

    def encode(self, column: Column, rows: Rows, out: Matrix, *, impute: bool, refuse: bool) -> int:
        """Write the inputs of `rows` to `out` (rows, width), all 0 before; how many are unseen.

        Raises DataError naming the row.
        """
        if not isinstance(column, Category):
            raise WrongType(f"This column must hold {self.expected}.", column=self.name)
        if self.type == "boolean" and not set(column.levels) <= set(BOOLEAN_LEVELS):
            raise WrongType("This column must hold booleans.", column=self.name)
        codes = column.codes[rows]
        missing = codes < 0
        if missing.any() and not impute:
            raise missing_value(self.name, int(missing.argmax()))
        at = {level: position for position, level in enumerate(self.levels)}
        known = [at.get(level, -1) for level in column.levels]
        found = np.array([*known, self.most_frequent])[codes]  # -1 takes the last
        unseen = found < 0
        count = int(np.count_nonzero(unseen))
        if count and refuse:
            raise unseen_level(self.name, int(unseen.argmax()))
        if self.type == "boolean":
            out[:, 0] = found
        else:
            seen = np.flatnonzero(~unseen)
            out[seen, found[seen]] = 1.0
        return count

    def remark(self, count: int) -> Warning_:
        """What to know about the `count` of rows that `encode` gave."""
        return unseen_levels(self.name, count)

    @property
    def expected(self) -> str:
        """What the column holds, for people."""
        return "booleans" if self.type == "boolean" else "text"

    def describe(self) -> dict[str, Any]:
        """As one entry of a model's signature."""
        if self.type == "boolean":
            return {"name": self.name, "type": self.type}
        return {"name": self.name, "type": self.type, "levels": list(self.levels)}

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"levels": list(self.levels)}


Feature = NumberFeature | LevelFeature


def fit_number(name: str, values: NDArray[np.float64], scaling: Scaling) -> NumberFeature:
    """Learn mean and range of the training rows' values (NaN = missing, left out).

    standardize: to mean 0 and deviation 1 (LeCun et al., Efficient BackProp, 1998, §4.3);
    minmax: to 0 … 1; none: as it is. A constant column is shifted only.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        raise _empty(name)
    if not np.isfinite(present).all():
        at = int(np.flatnonzero(np.isinf(values))[0])
        raise non_finite(name, at)
    minimum, maximum = float(present.min()), float(present.max())
    if max(abs(minimum), abs(maximum)) > LARGEST:
        raise non_finite(name, int(np.nanargmax(np.abs(values))))
    mean = min(max(float(present.mean()), minimum), maximum)  # else rounding may lead outside
    if scaling == "none":
        offset, scale = 0.0, 1.0
    elif scaling == "minmax":
        offset, scale = minimum, maximum - minimum
    else:
        offset, scale = mean, float(present.std())
    if minimum == maximum or scale == 0.0:
        scale = 1.0
    return NumberFeature(name, offset, scale, mean, minimum, maximum)


def fit_levels(name: str, column: Category, rows: Any) -> LevelFeature:
    """Learn which levels the training rows have, and which is the most frequent."""
    codes = column.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.levels))
    if not counts.any():
        raise _empty(name)
    if column.is_boolean:
        return LevelFeature(name, "boolean", BOOLEAN_LEVELS, int(counts.argmax()))
    seen = {level: int(n) for level, n in zip(column.levels, counts, strict=True) if n}
    levels = tuple(sorted(seen))
    if len(levels) > MAX_LEVELS:
        raise TooWide(
            f"This column has more than {MAX_LEVELS} levels; leave it out or group its levels.",
            column=name,
        )
    frequent = max(range(len(levels)), key=lambda position: seen[levels[position]])
    return LevelFeature(name, "category", levels, frequent)


def feature_from_dict(data: dict[str, Any]) -> Feature:
    """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
    name, kind = data["name"], data["type"]
    if not isinstance(name, str):
        raise TypeError("a name is text")
    if kind == "number":
        fields = ("offset", "scale", "mean", "minimum", "maximum")
        numbers = [float(data[field]) for field in fields]
        if not np.isfinite(numbers).all() or numbers[1] <= 0:
            raise ValueError("scaling is finite and positive")
        return NumberFeature(name, *numbers)
    levels, frequent = tuple(data["levels"]), data["most_frequent"]
    texts = all(isinstance(level, str) for level in levels)
    if kind not in ("category", "boolean") or not texts or not 0 <= frequent < len(levels):
        raise ValueError("a category has levels, one of them the most frequent")
    if kind == "boolean" and levels != BOOLEAN_LEVELS:
        raise ValueError("a boolean is false or true")
    return LevelFeature(name, kind, levels, int(frequent))


def out_of_range(name: str, count: int) -> Warning_:
    """The warning that numbers lie beyond those of the training rows."""
    message = f"Column {name}: {count} beyond the range seen in training; the model extrapolates."
    return {"code": "out_of_range", "column": name, "count": count, "message": message}


def unseen_levels(name: str, count: int) -> Warning_:
    """The warning that levels are none of the training rows'."""
    message = f"Column {name}: {count} with a level not seen in training, treated as none of them."
    return {"code": "unseen_level", "column": name, "count": count, "message": message}


def missing_value(name: str, row: int) -> MissingValue:
    """The error for a missing value where none may be."""
    message = "A value is missing; fill it in, or train with missing values imputed."
    return MissingValue(message, column=name, row=row)


def non_finite(name: str, row: int) -> NonFinite:
    """The error for a number that float32 cannot hold once it is scaled."""
    message = "Expected a finite number of ordinary size; correct or remove it."
    return NonFinite(message, column=name, row=row)


def unseen_level(name: str, row: int) -> UnseenLevel:
    """The error for a level that is none of the training rows'."""
    message = "Expected one of the levels seen in training; the model's signature lists them."
    return UnseenLevel(message, column=name, row=row)


def _empty(name: str) -> MissingValue:
    message = "This column has no value in any training row; leave it out of the features."
    return MissingValue(message, column=name)

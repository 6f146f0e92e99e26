"""A column of dates as a network's inputs: the year as a number, everything that returns as a
point on a circle, so that December is next to January.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.choices import Choice, Missing
from core.columns import Category, Column, Indices
from core.errors import WrongType
from core.numeric import Matrix, Rows
from core.remarks import Warning_, missing_value, no_date, no_value, out_of_range

Floats = NDArray[np.float64]

# What returns, and after how many of its units.
PERIODS = {"month": 12.0, "day": 31.0, "weekday": 7.0, "hour": 24.0, "day_of_year": 365.25}
PARTS = ("year", *PERIODS)
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII
)


def parse_date(text: str) -> datetime | None:
    """A date with or without a time, by ISO 8601, at the clock time that it states: the offset
    from UTC is not applied. None for anything else.
    """
    if not _ISO.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def parts_of(moment: datetime) -> tuple[float, ...]:
    """The PARTS of a date, each from 0 but for the year; the hour with its fraction."""
    hour = moment.hour + moment.minute / 60 + moment.second / 3600
    day_of_year = moment.timetuple().tm_yday
    return (
        float(moment.year),
        moment.month - 1.0,
        moment.day - 1.0,
        float(moment.weekday()),
        hour,
        day_of_year - 1.0,
    )


@dataclass(frozen=True)
class DateFeature:
    """A date as (year - offset) / scale, and sine and cosine of each other part.

    parts: which of PARTS, in their order. minimum, maximum: the range of the training rows, as
    ISO text. A missing date is 0 everywhere: the mean year, and no place on any circle.
    indicator: a last input is 1 where the date is missing. missing: whether one is refused.
    """

    name: str
    parts: tuple[str, ...]
    offset: float
    scale: float
    minimum: str
    maximum: str
    indicator: bool = field(default=False, kw_only=True)
    missing: Missing = field(default="impute", kw_only=True)

    type = "date"
    expected = "text"

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return len(self.input_names)

    @property
    def input_names(self) -> list[str]:
        """A name for each input."""
        names: list[str] = []
        for part in self.parts:
            waves = [f"{self.name} {part} sine", f"{self.name} {part} cosine"]
            names += [f"{self.name} year"] if part == "year" else waves
        return names + ([f"{self.name} is missing"] if self.indicator else [])

    def encode(self, column: Column, rows: Rows, out: Matrix) -> int:
        """Write the inputs of `rows` to `out` (rows, width), all 0 before; how many lie beyond
        the training range. Raises DataError naming the row.
        """
        if not isinstance(column, Category) or column.is_boolean:
            raise WrongType("This column must hold dates as text.", column=self.name)
        codes = column.codes[rows]
        missing = codes < 0
        if missing.any() and self.missing == "error":
            raise missing_value(self.name, int(missing.argmax()))
        distinct, inverse = np.unique(codes, return_inverse=True)
        moments = [parse_date(column.levels[code]) for code in distinct[distinct >= 0]]
        table = np.zeros((len(distinct), out.shape[1]))
        first = len(distinct) - len(moments)  # 1 when -1 is among the codes, and then it is first
        for at, moment in enumerate(moments, first):
            if moment is None:
                raise no_date(self.name, int(np.argmax(inverse == at)))
            self._write(parts_of(moment), table[at])
        if self.indicator:
            table[:first, -1] = 1.0
        out[:] = table[inverse]
        low, high = datetime.fromisoformat(self.minimum), datetime.fromisoformat(self.maximum)
        outside = [moment is not None and not low <= moment <= high for moment in moments]
        return int(np.count_nonzero(np.array([False] * first + outside, dtype=bool)[inverse]))

    def _write(self, values: tuple[float, ...], out: Floats) -> None:
        at = 0
        for part in self.parts:
            value = values[PARTS.index(part)]
            if part == "year":
                out[at] = (value - self.offset) / self.scale
                at += 1
            else:
                angle = 2.0 * np.pi * value / PERIODS[part]
                out[at], out[at + 1] = np.sin(angle), np.cos(angle)
                at += 2

    def remark(self, count: int) -> Warning_:
        """What to know about the `count` of rows that `encode` gave."""
        return out_of_range(self.name, count)

    def describe(self) -> dict[str, Any]:
        """As one entry of a model's signature."""
        return {
            "name": self.name,
            "type": self.type,
            "earliest": self.minimum,
            "latest": self.maximum,
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "type": self.type,
            "parts": list(self.parts),
            "offset": self.offset,
            "scale": self.scale,
            "minimum": self.minimum,
            "maximum": self.maximum,
        } | ({"indicator": True} if self.indicator else {})

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, missing: Missing) -> "DateFeature":
        """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
        parts = tuple(data["parts"])
        offset, scale = float(data["offset"]), float(data["scale"])
        if not parts or parts != tuple(part for part in PARTS if part in parts):
            raise ValueError("a date has parts")
        if not np.isfinite([offset, scale]).all() or scale <= 0:
            raise ValueError("scaling is finite and positive")
        if parse_date(data["minimum"]) is None or parse_date(data["maximum"]) is None:
            raise ValueError("a range has two ends")
        return cls(
            data["name"],
            parts,
            offset,
            scale,
            data["minimum"],
            data["maximum"],
            indicator=data.get("indicator", False) is True,
            missing=missing,
        )


def fit_dates(name: str, column: Category, rows: Indices, choice: Choice) -> DateFeature:
    """Learn the range of the training rows' dates, and whether they have times of day.

    Raises DataError naming the column, with the position in `rows` where one is to blame.
    """
    codes = column.codes[rows]
    used = np.unique(codes[codes >= 0])
    if not len(used):
        raise no_value(name)
    moments = {}
    for code in used:
        moment = parse_date(column.levels[code])
        if moment is None:
            raise no_date(name, int(np.argmax(codes == code)))
        moments[code] = moment
    counts = np.bincount(codes[codes >= 0], minlength=len(column.levels))[used]
    years = np.repeat([float(moment.year) for moment in moments.values()], counts)
    timed = any(moment.time() != datetime.min.time() for moment in moments.values())
    wanted = choice.parts or tuple(part for part in PARTS if part != "hour" or timed)
    return DateFeature(
        name,
        tuple(part for part in PARTS if part in wanted),
        float(years.mean()),
        float(years.std()) or 1.0,
        min(moments.values()).isoformat(),
        max(moments.values()).isoformat(),
        indicator=choice.missing == "indicator",
        missing=choice.refusal,
    )

"""A column of levels as a network's inputs: one a level, a flag, or one number a level."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.choices import Choice, Missing, Unseen
from core.columns import BOOLEAN_LEVELS, Category, Column, Indices
from core.embeddings import dimensions_for
from core.errors import TooWide, UnseenLevel, WrongType
from core.numeric import Matrix, Rows
from core.remarks import Warning_, missing_value, no_value, unseen_level, unseen_levels

MAX_LEVELS = 500  # that have an input each
MAX_LISTED = 10_000  # that have a number each
MAX_EMBEDDED = 5_000  # that have a row of a learned table each


@dataclass(frozen=True)
class LevelFeature:
    """A category as one input a level, or a boolean as one input that is 0 or 1.

    levels: those of the training rows, sorted. most_frequent: which of them stands in for a
    missing value. An unseen level is zero everywhere. indicator: a last input is 1 where the
    value is missing. missing, unseen: whether such values are refused. dimensions: of the learned
    table whose rows stand for the inputs; 0 for none.
    """

    name: str
    type: Literal["category", "boolean"]
    levels: tuple[str, ...]
    most_frequent: int
    indicator: bool = field(default=False, kw_only=True)
    missing: Missing = field(default="impute", kw_only=True)
    unseen: Unseen = field(default="other", kw_only=True)
    dimensions: int = field(default=0, kw_only=True)

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return (1 if self.type == "boolean" else len(self.levels)) + self.indicator

    @property
    def input_names(self) -> list[str]:
        """A name for each input."""
        names = [f"{self.name}={level}" for level in self.levels]
        flag = [f"{self.name} is missing"] if self.indicator else []
        return ([self.name] if self.type == "boolean" else names) + flag

    @cached_property
    def positions(self) -> dict[str | bool, int]:
        """Where each value, as JSON has it, stands among the levels."""
        if self.type == "boolean":
            return {False: 0, True: 1}
        return {level: position for position, level in enumerate(self.levels)}

    def encode(self, column: Column, rows: Rows, out: Matrix) -> int:
        """Write the inputs of `rows` to `out` (rows, width), all 0 before; how many are unseen.

        Raises DataError naming the row.
        """
        found, missing = _found(self, column, rows)
        unseen = found < 0
        if self.type == "boolean":
            out[:, 0] = found
        else:
            seen = np.flatnonzero(~unseen)
            out[seen, found[seen]] = 1.0
        if self.indicator:
            out[:, -1] = missing
        return int(np.count_nonzero(unseen))

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
        """As JSON; what has its default is left out, as files of older versions leave it out."""
        return {
            "name": self.name,
            "type": self.type,
            "levels": list(self.levels),
            "most_frequent": self.most_frequent,
            **({"indicator": True} if self.indicator else {}),
            **({"dimensions": self.dimensions} if self.dimensions else {}),
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], *, missing: Missing, unseen: Unseen = "other"
    ) -> "LevelFeature":
        """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
        kind, (levels, frequent) = data["type"], _levels(data)
        if kind == "boolean" and levels != BOOLEAN_LEVELS:
            raise ValueError("a boolean is false or true")
        dimensions = data.get("dimensions", 0)
        if type(dimensions) is not int or dimensions < 0:
            raise ValueError("dimensions are a whole number")
        return cls(
            data["name"],
            kind,
            levels,
            frequent,
            indicator=data.get("indicator", False) is True,
            missing=missing,
            unseen=unseen,
            dimensions=dimensions,
        )


@dataclass(frozen=True)
class LookupFeature:
    """A category as one input: each level is a number, learned from the training rows.

    encoding: where the numbers come from. values: one a level. other: the number of an unseen
    level. The rest is as in LevelFeature.
    """

    name: str
    encoding: Literal["ordinal", "frequency"]
    levels: tuple[str, ...]
    values: tuple[float, ...]
    other: float
    most_frequent: int
    indicator: bool = field(default=False, kw_only=True)
    missing: Missing = field(default="impute", kw_only=True)
    unseen: Unseen = field(default="other", kw_only=True)

    type = "category"
    expected = "text"

    @property
    def width(self) -> int:
        """How many inputs the column becomes."""
        return 1 + self.indicator

    @property
    def input_names(self) -> list[str]:
        """A name for each input."""
        return [self.name, f"{self.name} is missing"][: self.width]

    def encode(self, column: Column, rows: Rows, out: Matrix) -> int:
        """Write the inputs of `rows` to `out` (rows, width), all 0 before; how many are unseen.

        Raises DataError naming the row.
        """
        found, missing = _found(self, column, rows)
        out[:, 0] = np.array([*self.values, self.other])[found]  # -1 takes the last
        if self.indicator:
            out[:, 1] = missing
        return int(np.count_nonzero(found < 0))

    def remark(self, count: int) -> Warning_:
        """What to know about the `count` of rows that `encode` gave."""
        return unseen_levels(self.name, count)

    def describe(self) -> dict[str, Any]:
        """As one entry of a model's signature."""
        return {"name": self.name, "type": self.type, "levels": list(self.levels)}

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "type": self.encoding,
            "levels": list(self.levels),
            "values": list(self.values),
            "other": self.other,
            "most_frequent": self.most_frequent,
        } | ({"indicator": True} if self.indicator else {})

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], *, missing: Missing, unseen: Unseen = "other"
    ) -> "LookupFeature":
        """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
        levels, frequent = _levels(data)
        values, other = tuple(map(float, data["values"])), float(data["other"])
        if len(values) != len(levels) or not np.isfinite([*values, other]).all():
            raise ValueError("every level has a finite number")
        return cls(
            data["name"],
            data["type"],
            levels,
            values,
            other,
            frequent,
            indicator=data.get("indicator", False) is True,
            missing=missing,
            unseen=unseen,
        )


def _found(
    feature: LevelFeature | LookupFeature, column: Column, rows: Rows
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Each row's position among the levels, -1 where unseen, and which rows are missing.

    Raises DataError naming the row.
    """
    if not isinstance(column, Category):
        raise WrongType(f"This column must hold {feature.expected}.", column=feature.name)
    if feature.type == "boolean" and not set(column.levels) <= set(BOOLEAN_LEVELS):
        raise WrongType("This column must hold booleans.", column=feature.name)
    codes = column.codes[rows]
    missing = codes < 0
    if missing.any() and feature.missing == "error":
        raise missing_value(feature.name, int(missing.argmax()))
    at = {level: position for position, level in enumerate(feature.levels)}
    known = [at.get(level, -1) for level in column.levels]
    found = np.array([*known, feature.most_frequent])[codes]  # -1 takes the last
    unseen = found < 0
    if feature.unseen == "error" and unseen.any():
        raise unseen_level(feature.name, int(unseen.argmax()))
    return found, missing


def _levels(data: dict[str, Any]) -> tuple[tuple[str, ...], int]:
    levels, frequent = tuple(data["levels"]), data["most_frequent"]
    if not all(isinstance(level, str) for level in levels) or not 0 <= frequent < len(levels):
        raise ValueError("a category has levels, one of them the most frequent")
    return levels, int(frequent)


Counts = dict[str, int]
Fitted = LevelFeature | LookupFeature


def fit_levels(name: str, column: Category, rows: Indices, choice: Choice) -> Fitted:
    """Learn which levels the training rows have, and what number each is.

    Raises DataError naming the column.
    """
    counts = _counts(name, column, rows, choice)
    if column.is_boolean:
        frequent = int(counts["true"] > counts["false"])
        if choice.missing == "constant":
            frequent = int(choice.fill is True)
        return LevelFeature(name, "boolean", BOOLEAN_LEVELS, frequent, **_policies(choice))
    return ENCODINGS[choice.encoding](name, counts, choice)


def _counts(name: str, column: Category, rows: Indices, choice: Choice) -> Counts:
    """How many training rows have each level, levels in sorted order."""
    codes = column.codes[rows]
    present = codes[codes >= 0]
    numbers = np.bincount(present, minlength=len(column.levels)).tolist()
    counts = dict(zip(column.levels, numbers, strict=True))
    if not len(present):
        raise no_value(name)
    if column.is_boolean:
        if choice.missing == "constant" and not isinstance(choice.fill, bool):
            raise WrongType("What stands in here must be true or false.", column=name)
        return counts
    counts = {level: count for level, count in counts.items() if count}
    if choice.missing == "constant":
        if not isinstance(choice.fill, str) or not choice.fill:
            raise WrongType("What stands in for a missing level must be text.", column=name)
        counts[choice.fill] = counts.get(choice.fill, 0) + int(np.count_nonzero(codes < 0))
    return dict(sorted(counts.items()))


def _one_hot(name: str, counts: Counts, choice: Choice) -> Fitted:
    levels = _at_most(name, tuple(counts), MAX_LEVELS)
    frequent = _filling(levels, counts, choice)
    return LevelFeature(name, "category", levels, frequent, **_policies(choice))


def _ordinal(name: str, counts: Counts, choice: Choice) -> Fitted:
    """Positions in the stated order (else in that of the text), standardised over the rows;
    an unseen level is in the middle.
    """
    levels = tuple(choice.levels or counts)
    if not counts.keys() <= set(levels):
        message = "Training rows have a level that the stated order lacks; add it to `levels`."
        raise UnseenLevel(message, column=name)
    places = np.arange(len(levels), dtype=np.float64)
    return _listed(name, "ordinal", levels, places, None, counts, choice)


def _frequency(name: str, counts: Counts, choice: Choice) -> Fitted:
    """How many of the training rows have the level, standardised over them; an unseen level
    has none.
    """
    numbers = np.array(list(counts.values()), dtype=np.float64)
    return _listed(name, "frequency", tuple(counts), numbers, 0.0, counts, choice)


def _embedding(name: str, counts: Counts, choice: Choice) -> Fitted:
    """An input a level, for a learned table. Levels of a single training row are no level of
    their own: they are with the unseen ones, which so take part in learning.
    """
    common = {level: count for level, count in counts.items() if count > 1}
    kept = counts if choice.unseen == "error" or not common else common
    if choice.missing == "constant":
        kept = {**kept, str(choice.fill): counts[str(choice.fill)]}
    levels = _at_most(name, tuple(sorted(kept)), MAX_EMBEDDED)
    policies = {**_policies(choice), "indicator": choice.missing not in ("constant", "error")}
    dimensions = choice.dimensions or dimensions_for(len(levels))
    frequent = _filling(levels, counts, choice)
    return LevelFeature(name, "category", levels, frequent, dimensions=dimensions, **policies)


def _listed(
    name: str,
    encoding: Literal["ordinal", "frequency"],
    levels: tuple[str, ...],
    numbers: NDArray[np.float64],
    other: float | None,
    counts: Counts,
    choice: Choice,
) -> LookupFeature:
    levels = _at_most(name, levels, MAX_LISTED)
    weights = np.array([counts.get(level, 0) for level in levels], dtype=np.float64)
    weights /= weights.sum()
    mean = float(weights @ numbers)
    seen = numbers[weights > 0]
    is_constant = bool((seen == seen[0]).all())  # to the bit: rounding would make it vary
    scale = 1.0 if is_constant else float(np.sqrt(weights @ np.square(numbers - mean)))
    values = tuple(((numbers - mean) / scale).tolist())
    return LookupFeature(
        name,
        encoding,
        levels,
        values,
        0.0 if other is None or is_constant else (other - mean) / scale,
        _filling(levels, counts, choice),
        **_policies(choice),
    )


ENCODINGS: dict[str, Callable[[str, Counts, Choice], Fitted]] = {
    "one_hot": _one_hot,
    "ordinal": _ordinal,
    "frequency": _frequency,
    "embedding": _embedding,
}


def _filling(levels: tuple[str, ...], counts: Counts, choice: Choice) -> int:
    """Which level stands in for a missing value: the first of the most frequent, or as stated."""
    if choice.missing == "constant":
        return levels.index(str(choice.fill))
    return max(range(len(levels)), key=lambda position: counts.get(levels[position], 0))


def _at_most(name: str, levels: tuple[str, ...], most: int) -> tuple[str, ...]:
    if len(levels) <= most:
        return levels
    remedy = "leave it out or group its levels"
    if most == MAX_LEVELS:
        remedy += ", or encode them by frequency or an embedding"
    raise TooWide(f"This column has more than {most} levels; {remedy}.", column=name)


def _policies(choice: Choice) -> dict[str, Any]:
    return {
        "indicator": choice.missing == "indicator",
        "missing": choice.refusal,
        "unseen": choice.unseen,
    }

"""Rows as JSON has them, turned into a network's inputs: strictly, and fast for a single row."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.columns import BOOLEAN_LEVELS, Category, Column, Numeric
from core.errors import DataError, MissingColumn, UnknownColumn, WrongType
from core.features import Feature, LevelFeature, Matrix, NumberFeature, Warning_
from core.preprocessing import Preprocessor
from core.remarks import missing_value, non_finite, out_of_range, unseen_level, unseen_levels
from core.scaling import LARGEST

Cells = Sequence[Any]
_NUMBERS = {int, float}


@dataclass(frozen=True)
class RecordReader:
    """Reads records by column name, or arrays in signature order, to the very inputs that
    `Preprocessor.transform` gives for the same rows.
    """

    preprocessor: Preprocessor

    def read(self, rows: Sequence[Any]) -> tuple[Matrix, list[Warning_]]:
        """The inputs (rows, width), and what to know about them. Raises DataError.

        None is a missing value; a boolean is no number, and a number no text.
        """
        cells = [self._in_order(row, at) for at, row in enumerate(rows)]
        return self._inputs(cells, self._checked_numbers(cells))

    def read_typed(self, cells: Sequence[Cells]) -> tuple[Matrix, list[Warning_]]:
        """As `read`, of rows in signature order whose cells are known to be of their column's
        type: float, str or bool, and None where missing. Raises DataError.
        """
        try:
            return self._inputs(cells, self._packed_numbers(cells))
        except struct.error:  # a number is missing
            return self._inputs(cells, self._checked_numbers(cells))

    def _inputs(
        self, cells: Sequence[Cells], numbers: NDArray[np.float64]
    ) -> tuple[Matrix, list[Warning_]]:
        found: dict[int, Warning_] = {}
        block = self._scaled(numbers, found)
        if not self._level_features and not self._others:
            return block, list(found.values())
        matrix = np.zeros((len(cells), self.preprocessor.width), dtype=np.float32)
        if self._numbers:
            matrix[:, self._number_inputs] = block
        for position, start, feature in self._level_features:
            column = [row[position] for row in cells]
            unseen = self._write_levels(feature, column, matrix[:, start:])
            if unseen:
                found[position] = unseen_levels(feature.name, unseen)
        for position, start, other in self._others:
            values = _column_of(other, [row[position] for row in cells])
            count = other.encode(values, slice(None), matrix[:, start : start + other.width])
            if count:
                found[position] = other.remark(count)
        return matrix, [found[position] for position in sorted(found)]

    @cached_property
    def _numbers(self) -> list[tuple[int, NumberFeature]]:
        """The numbers that are scaled all at once."""
        features = enumerate(self.preprocessor.features)
        return [
            (at, feature)
            for at, feature in features
            if isinstance(feature, NumberFeature) and feature.is_plain
        ]

    @cached_property
    def _level_features(self) -> list[tuple[int, int, LevelFeature]]:
        return [
            (at, start, feature)
            for at, start, feature in self._placed
            if isinstance(feature, LevelFeature) and not feature.indicator
        ]

    @cached_property
    def _others(self) -> list[tuple[int, int, Feature]]:
        """The features that encode a column of the rows, as in a table."""
        quick = {at for at, _ in self._numbers} | {at for at, _, _ in self._level_features}
        return [placed for placed in self._placed if placed[0] not in quick]

    @property
    def _placed(self) -> list[tuple[int, int, Feature]]:
        features = zip(self.preprocessor.starts, self.preprocessor.features, strict=True)
        return [(at, start, feature) for at, (start, feature) in enumerate(features)]

    @cached_property
    def _number_inputs(self) -> list[int]:
        return [self.preprocessor.starts[position] for position, _ in self._numbers]

    @cached_property
    def _scaling(self) -> tuple[NDArray[np.float64], ...]:
        """Offsets, scales, minima and maxima of the numbers, each (numbers,)."""
        fields = ("offset", "scale", "minimum", "maximum")
        return tuple(
            np.array([getattr(feature, field) for _, feature in self._numbers]) for field in fields
        )

    @cached_property
    def _by_name(self) -> Any:
        return itemgetter(*self.preprocessor.names)

    def _in_order(self, row: Any, at: int) -> Cells:
        names = self.preprocessor.names
        if isinstance(row, dict):
            try:
                cells: Cells = self._by_name(row)
            except KeyError:
                raise _misfit(row, names, at) from None
            if len(row) != len(names):
                raise _misfit(row, names, at)
            return cells if len(names) > 1 else (cells,)
        if not isinstance(row, list | tuple):
            message = f"Expected a record by column name, or an array; got {_kind(row)}."
            raise WrongType(message, row=at)
        if len(row) != len(names):
            message = (
                f"Expected {len(names)} values, one a column, in the signature's order; "
                f"got {len(row)}."
            )
            raise WrongType(message, row=at)
        return row

    def _of_numbers(self, cells: Sequence[Cells]) -> list[Cells]:
        """The cells of the columns of numbers alone."""
        if not self._level_features and not self._others:
            return list(cells)
        positions = [position for position, _ in self._numbers]
        return [[row[position] for position in positions] for row in cells]

    def _packed_numbers(self, cells: Sequence[Cells]) -> NDArray[np.float64]:
        """The numbers (rows, numbers) of rows without a missing one. Raises struct.error.

        Packing is twice as fast as np.array on nested sequences, and knows no None.
        """
        shape = len(cells), len(self._numbers)
        flat = chain.from_iterable(self._of_numbers(cells))
        packed = struct.pack(f"{shape[0] * shape[1]}d", *flat)
        return np.frombuffer(packed).reshape(shape)

    def _checked_numbers(self, cells: Sequence[Cells]) -> NDArray[np.float64]:
        """The numbers (rows, numbers), the missing ones filled in. Raises DataError."""
        numbers = self._of_numbers(cells)
        for at, row in enumerate(numbers):
            if not _NUMBERS.issuperset(map(type, row)):
                numbers[at] = self._filled(row, at)
        try:
            return np.array(numbers, dtype=np.float64).reshape(len(cells), len(self._numbers))
        except OverflowError:  # a whole number beyond float64
            return np.array([[_float(cell) for cell in row] for row in numbers])

    def _scaled(self, values: NDArray[np.float64], found: dict[int, Warning_]) -> Matrix:
        """The network's inputs for the numbers; what is out of range goes to `found`."""
        offset, scale, minimum, maximum = self._scaling
        inside = (values >= minimum) & (values <= maximum)
        if inside.all():  # where the scaled training rows are, and so finite
            return ((values - offset) / scale).astype(np.float32)
        with np.errstate(over="ignore"):
            scaled = (values - offset) / scale
        fits = np.abs(scaled) <= LARGEST
        if not fits.all():
            at, column = np.argwhere(~fits)[0]
            raise non_finite(self._numbers[column][1].name, int(at))
        outside = np.count_nonzero(~inside, axis=0).tolist()
        for (position, feature), count in zip(self._numbers, outside, strict=True):
            if count:
                found[position] = out_of_range(feature.name, count)
        return scaled.astype(np.float32)

    def _filled(self, row: Cells, at: int) -> list[Any]:
        """The row with the means in place of what is missing. Raises for what is no number."""
        filled = []
        for cell, (_, feature) in zip(row, self._numbers, strict=True):
            if cell is None:
                if feature.missing == "error":
                    raise missing_value(feature.name, at)
                filled.append(feature.filling)
            elif type(cell) in _NUMBERS:
                filled.append(cell)
            else:
                raise _wrong_type("a number", cell, feature.name, at)
        return filled

    def _write_levels(self, feature: LevelFeature, column: list[Any], out: Matrix) -> int:
        """Write one column's inputs to the front of `out`; how many levels were unseen."""
        expected = bool if feature.type == "boolean" else str
        positions, unseen = feature.positions, 0
        for at, cell in enumerate(column):
            if cell is None:
                if feature.missing == "error":
                    raise missing_value(feature.name, at)
                position = feature.most_frequent
            elif type(cell) is not expected:
                raise _wrong_type(feature.expected, cell, feature.name, at)
            else:
                position = positions.get(cell, -1)
            if feature.type == "boolean":
                out[at, 0] = position
            elif position >= 0:
                out[at, position] = 1.0
            elif feature.unseen == "error":
                raise unseen_level(feature.name, at)
            else:
                unseen += 1
        return unseen


def _column_of(feature: Feature, cells: list[Any]) -> Column:
    """The cells of one feature as a column. Raises WrongType naming the row."""
    if isinstance(feature, NumberFeature):
        kinds: set[type] = _NUMBERS
    else:
        kinds = {bool} if feature.type == "boolean" else {str}
    for at, cell in enumerate(cells):
        if cell is not None and type(cell) not in kinds:
            raise _wrong_type(feature.expected, cell, feature.name, at)
    if isinstance(feature, NumberFeature):
        numbers = [np.nan if cell is None else _float(cell) for cell in cells]
        return Numeric(np.array(numbers, dtype=np.float64))
    if feature.type == "boolean":
        codes = [-1 if cell is None else int(cell) for cell in cells]
        return Category(np.array(codes, dtype=np.int32), BOOLEAN_LEVELS)
    levels = sorted({cell for cell in cells if cell is not None})
    at_level = {level: position for position, level in enumerate(levels)}
    codes = [-1 if cell is None else at_level[cell] for cell in cells]
    return Category(np.array(codes, dtype=np.int32), tuple(levels))


_KINDS = {
    bool: "a boolean", int: "a number", float: "a number", str: "text", list: "an array",
    tuple: "an array", dict: "an object",
}  # fmt: skip


def _kind(value: object) -> str:
    """What a value is, never which."""
    return _KINDS.get(type(value), "something else")


def _wrong_type(expected: str, cell: object, column: str, row: int) -> WrongType:
    message = f"Expected {expected}, or null where it is missing; got {_kind(cell)}."
    return WrongType(message, column=column, row=row)


def _float(cell: float) -> float:
    try:
        return float(cell)
    except OverflowError:
        return float("inf")


def _misfit(row: dict[str, Any], names: Sequence[str], at: int) -> DataError:
    for name in names:
        if name not in row:
            message = "This column is missing; give null where its value is not known."
            return MissingColumn(message, column=name, row=at)
    name = next(name for name in row if name not in set(names))
    message = "The model knows no such column; its signature lists those it does."
    return UnknownColumn(message, column=str(name), row=at)

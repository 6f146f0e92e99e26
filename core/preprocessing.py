"""From a table to the inputs of a network: learned from the training rows, applied to all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from core.choices import Choice, Missing, Unseen
from core.columns import Category, Column, Indices, Numeric, Table, row_count
from core.embeddings import Embedding
from core.errors import DataError, MissingColumn, TooWide
from core.features import (
    Feature,
    LevelFeature,
    Matrix,
    Warning_,
    feature_from_dict,
    feature_to_dict,
    fit_feature,
)

__all__ = ["Category", "Choice", "Column", "Numeric", "Preprocessor", "Table"]

MAX_WIDTH = 10_000
BLOCK = 16_384  # rows at a time: what is computed in between stays in the cache


@dataclass(frozen=True)
class Preprocessor:
    """The fitted features, in the order of the signature and of the network's inputs.

    missing, unseen: the policies that files state once; each feature has its own.
    """

    features: tuple[Feature, ...]
    missing: Missing = "impute"
    unseen: Unseen = "other"

    @classmethod
    def fit(
        cls,
        table: Table,
        names: Sequence[str],
        *,
        rows: Indices | None = None,
        columns: Mapping[str, Mapping[str, Any]] | None = None,
        **default: Any,
    ) -> "Preprocessor":
        """Learn the features `names` from the training `rows` (indices; None means all).

        default: fields of `Choice` for every column; columns: others for columns by name.
        Raises DataError naming the column, and the row of the table where one is to blame.
        """
        base, chosen = Choice(**default), columns or {}
        fitted = cls(
            tuple(
                _fit(table, name, rows, Choice(**{**default, **chosen.get(name, {})}))
                for name in names
            ),
            base.refusal,
            base.unseen,
        )
        if fitted.width > MAX_WIDTH:
            widest = max(fitted.features, key=lambda feature: feature.width)
            raise TooWide(
                f"The features need more than {MAX_WIDTH} inputs, this one most of all; "
                "leave it out.",
                column=widest.name,
            )
        return fitted

    @cached_property
    def width(self) -> int:
        """How many inputs the network has."""
        return sum(feature.width for feature in self.features)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first input of each feature."""
        widths = [feature.width for feature in self.features]
        return tuple(sum(widths[:position]) for position in range(len(widths)))

    @cached_property
    def embeddings(self) -> tuple[Embedding, ...]:
        """The inputs that a network looks up in learned tables."""
        placed = zip(self.starts, self.features, strict=True)
        return tuple(
            Embedding(start, one.width, one.dimensions, one.indicator)
            for start, one in placed
            if isinstance(one, LevelFeature) and one.dimensions
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input: the column's, or column=level."""
        return tuple(name for feature in self.features for name in feature.input_names)

    def transform(self, table: Table, rows: Indices | None = None) -> tuple[Matrix, list[Warning_]]:
        """The inputs (rows, width) of `rows` (None means all), and what to know about them.

        A block of rows at a time, so that nothing but the result is as large as the table. Other
        columns of the table are left alone. Raises DataError naming column and row.
        """
        columns = [(feature, _column(table, feature.name)) for feature in self.features]
        count = row_count(columns[0][1]) if rows is None else len(rows)
        matrix = np.zeros((count, self.width), dtype=np.float32)
        counts = [0] * len(columns)
        for first in range(0, max(count, 1), BLOCK):  # once without rows too: types are checked
            block = slice(first, min(first + BLOCK, count))
            chosen = block if rows is None else rows[block]
            for at, (feature, column) in enumerate(columns):
                start = self.starts[at]
                out = matrix[block, start : start + feature.width]
                try:
                    counts[at] += feature.encode(column, chosen, out)
                except DataError as error:
                    if error.row is not None:
                        error.row += first
                        error.row = error.row if rows is None else int(rows[error.row])
                    raise
        noted = zip(self.features, counts, strict=True)
        return matrix, [feature.remark(number) for feature, number in noted if number]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        features = [
            feature_to_dict(feature, self.missing, self.unseen) for feature in self.features
        ]
        return {"features": features, "missing": self.missing, "unseen": self.unseen}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Preprocessor":
        """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
        missing, unseen = data["missing"], data["unseen"]
        if missing not in ("impute", "error") or unseen not in ("other", "error"):
            raise ValueError("unknown policy")
        features = tuple(
            feature_from_dict(feature, missing, unseen) for feature in data["features"]
        )
        if len({feature.name for feature in features}) < max(1, len(features)):
            raise ValueError("names of features are distinct, and there are some")
        return cls(features, missing, unseen)


def _column(table: Table, name: str) -> Column:
    if name not in table:
        raise MissingColumn("The table lacks this column; add it.", column=name)
    return table[name]


def _fit(table: Table, name: str, rows: Indices | None, choice: Choice) -> Feature:
    column = _column(table, name)
    chosen = cast(Indices, np.arange(row_count(column))) if rows is None else rows
    return fit_feature(name, column, chosen, choice)

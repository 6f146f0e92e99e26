"""Rows of a data set that can judge a model: its columns, and its target as it was learned."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.columns import Category, Column, Numeric, Table, row_count
from core.errors import DataError, MissingColumn, WrongType
from core.model import Model
from core.several import Several, truth_of
from service.datasets.reading import read_blocks
from service.kit.problems import FieldError, Problem
from service.predictions.tables import fitted
from service.tables import Dataset

BLOCK = 16_384


class Judges(NamedTuple):
    """Rows that have a target. features: as the model takes them; truth: (rows,) or (rows,
    targets); others: further columns; skipped: how many rows beside them have no target.
    """

    features: Table
    truth: NDArray[Any]
    others: Table
    skipped: int


def stride(dataset: Dataset, most: int) -> int:
    """Every how many rows are taken, so that there are at most so many."""
    return max(1, -(-dataset.rows // most))


def judges(
    model: Model, path: Path, step: int, others: Sequence[str] = ()
) -> Iterator[tuple[Judges, NDArray[np.int64]]]:
    """Every so many rows, a block at a time, with their places in the file.

    Raises DataError naming column, and row where one is to blame.
    """
    features = {feature.name: feature for feature in model.preprocessor.features}
    names = _names(model)
    done = 0
    for block in read_blocks(path, list(dict.fromkeys([*features, *names, *others])), rows=BLOCK):
        count = row_count(next(iter(block.values())))
        targets = [_target(model, block, name) for name in names]
        chosen = np.arange(-done % step, count, step)
        present = chosen[np.all([_present(column)[chosen] for column in targets], axis=0)]
        try:
            table = _taken(fitted(block, features), present)
            truth = truth_of(model.target, targets, present)
        except DataError as error:
            error.row = None if error.row is None else error.row + done
            raise
        further = _taken({name: block[name] for name in others}, present)
        yield Judges(table, truth, further, len(chosen) - len(present)), present + done
        done += count


def together(parts: Sequence[Judges]) -> Judges:
    """Blocks as one. Raises Problem where no row has the target."""
    if not sum(len(part.truth) for part in parts):
        field = FieldError("/dataset", "No row of it has the target.", "no_target")
        raise Problem("rows-invalid", field.detail, [field])
    return Judges(
        _joined([part.features for part in parts]),
        np.concatenate([part.truth for part in parts]),
        _joined([part.others for part in parts]),
        sum(part.skipped for part in parts),
    )


def _names(model: Model) -> list[str]:
    target = model.target
    return list(target.columns) if isinstance(target, Several) else [model.target_name]


def _target(model: Model, block: Table, name: str) -> Column:
    """A target's column, of the type it had in training. Raises DataError."""
    if name not in block:
        raise MissingColumn("The data set lacks the target; add it.", column=name)
    column: Column = block[name]
    part = model.target
    if isinstance(part, Several):
        part = part.parts[part.columns.index(name)]
    is_number = getattr(part, "kind", "number") == "number"
    if is_number != isinstance(column, Numeric):
        expected = "a number" if is_number else "a label as in training"
        raise WrongType(f"Expected {expected} in the target's column.", column=name)
    return column


def _present(column: Column) -> NDArray[np.bool_]:
    return ~np.isnan(column.values) if isinstance(column, Numeric) else column.codes >= 0


def _taken(table: Table, rows: NDArray[np.int64]) -> Table:
    return {name: taken(column, rows) for name, column in table.items()}


def taken(column: Column, rows: NDArray[np.int64]) -> Column:
    """Some rows of a column, in the order given."""
    if isinstance(column, Numeric):
        return Numeric(column.values[rows])
    return Category(column.codes[rows], column.levels)


def _joined(tables: Sequence[Table]) -> Table:
    return {name: _column([table[name] for table in tables]) for name in tables[0]}


def _column(parts: Sequence[Column]) -> Column:
    """Blocks of a column as one; each block of text has levels of its own."""
    if all(isinstance(part, Numeric) for part in parts):
        return Numeric(np.concatenate([part.values for part in parts if isinstance(part, Numeric)]))
    texts = [part for part in parts if isinstance(part, Category)]
    if all(part.is_boolean for part in texts):
        levels: Sequence[str] = texts[0].levels
    else:
        levels = sorted(set().union(*(part.levels for part in texts)))
    at = {level: position for position, level in enumerate(levels)}
    codes = [np.array([*(at[one] for one in part.levels), -1])[part.codes] for part in texts]
    return Category(np.concatenate(codes).astype(np.int32), tuple(levels))

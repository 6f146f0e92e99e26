"""Judging a version by the rows of a data set, a block at a time."""

from pathlib import Path
from typing import Any

import numpy as np

from core.appraisal import Answered
from core.columns import Category, Column, Numeric, Table, row_count
from core.errors import DataError, MissingColumn, WrongType
from core.evaluation import evaluation, grouped
from core.model import Model
from core.several import Several, truth_of
from service.datasets.reading import read_blocks
from service.kit.problems import FieldError, Problem
from service.models.shelf import Shelved
from service.predictions.answering import rows_invalid
from service.predictions.tables import fitted
from service.tables import Dataset

BLOCK = 16_384
MOST_ROWS = 100_000  # of more, every so many


def evaluate(
    shelved: Shelved, dataset: Dataset, path: Path, group_by: str | None
) -> dict[str, Any]:
    """As JSON. Raises Problem rows-invalid naming row and column, or invalid-request for a column
    that is not there.
    """
    if group_by is not None and group_by not in {one["name"] for one in dataset.columns}:
        field = FieldError("/group_by", "The data set has no such column.", "unknown_column")
        raise Problem("invalid-request", field.detail, [field])
    model = shelved.model
    step = max(1, -(-dataset.rows // MOST_ROWS))
    try:
        rows, groups, skipped = _answered(model, path, group_by, step)
    except DataError as error:
        raise rows_invalid(error) from None
    if not len(rows.truth):
        field = FieldError("/dataset", "No row of it has the target.", "no_target")
        raise Problem("rows-invalid", field.detail, [field])
    found = evaluation(model.target, rows)
    by = None if groups is None else grouped(model.target, rows, groups)
    return {**found, "every": step, "skipped": skipped, "group_by": group_by, "groups": by}


def _answered(
    model: Model, path: Path, group_by: str | None, step: int
) -> tuple[Answered, Column | None, int]:
    """Truth and answer of every so many rows, the column to group by, and how many rows among
    them lack the target.
    """
    features = {feature.name: feature for feature in model.preprocessor.features}
    names = _names(model)
    wanted = dict.fromkeys([*features, *names, *([group_by] if group_by else [])])
    truths, outputs, columns, skipped, done = [], [], [], 0, 0
    for block in read_blocks(path, list(wanted), rows=BLOCK):
        count = row_count(next(iter(block.values())))
        targets = [_target(model, block, name) for name in names]
        chosen = np.arange(-done % step, count, step)
        present = chosen[np.all([_present(column)[chosen] for column in targets], axis=0)]
        skipped += len(chosen) - len(present)
        try:
            prediction = model.predict(_taken(fitted(block, features), present))
            truth = truth_of(model.target, targets, present)
        except DataError as error:
            error.row = None if error.row is None else error.row + done
            raise
        shares, values = prediction.probabilities, prediction.values
        outputs += [one for one in (shares, values) if one is not None]
        truths.append(truth)
        if group_by:
            columns.append(_part(block[group_by], present))
        done += count
    rows = Answered(np.concatenate(truths), np.concatenate(outputs))
    return rows, _joined(columns) if group_by else None, skipped


def _names(model: Model) -> list[str]:
    target = model.target
    return list(target.columns) if isinstance(target, Several) else [model.target_name]


def _target(model: Model, block: Table, name: str) -> Column:
    """A target's column, of the type it had in training. Raises DataError."""
    if name not in block:
        raise MissingColumn("The data set lacks the target; add it.", column=name)
    column = block[name]
    part = model.target
    if isinstance(part, Several):
        part = part.parts[part.columns.index(name)]
    is_number = getattr(part, "kind", "number") == "number"
    if is_number != isinstance(column, Numeric):
        expected = "a number" if is_number else "a label as in training"
        raise WrongType(f"Expected {expected} in the target's column.", column=name)
    return column


def _present(column: Column) -> Any:
    return ~np.isnan(column.values) if isinstance(column, Numeric) else column.codes >= 0


def _taken(table: Table, rows: Any) -> Table:
    return {name: _part(column, rows) for name, column in table.items()}


def _part(column: Column, rows: Any) -> Column:
    if isinstance(column, Numeric):
        return Numeric(column.values[rows])
    return Category(column.codes[rows], column.levels)


def _joined(parts: list[Column]) -> Column:
    """Blocks of a column as one; each block of text has levels of its own."""
    if all(isinstance(part, Numeric) for part in parts):
        return Numeric(np.concatenate([part.values for part in parts if isinstance(part, Numeric)]))
    texts = [part for part in parts if isinstance(part, Category)]
    levels = sorted(set().union(*(part.levels for part in texts)))
    at = {level: position for position, level in enumerate(levels)}
    codes = [np.array([*(at[one] for one in part.levels), -1])[part.codes] for part in texts]
    return Category(np.concatenate(codes).astype(np.int32), tuple(levels))

"""Judging a version by the rows of a data set, a block at a time."""

from pathlib import Path
from typing import Any

import numpy as np

from core.appraisal import Answered
from core.errors import DataError
from core.evaluation import evaluation, grouped
from core.model import Model, Prediction
from service.kit.problems import FieldError, Problem
from service.models.judging import Judges, judges, stride, together
from service.models.shelf import Shelved
from service.predictions.answering import rows_invalid
from service.tables import Dataset

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
    target = shelved.model.target
    step = stride(dataset, MOST_ROWS)
    try:
        found, outputs = _answered(shelved.model, path, step, [group_by] if group_by else [])
    except DataError as error:
        raise rows_invalid(error) from None
    rows = Answered(found.truth, outputs)
    groups = None if group_by is None else grouped(target, rows, found.others[group_by])
    told = evaluation(target, rows)
    return {
        **told, "every": step, "skipped": found.skipped, "group_by": group_by, "groups": groups,
    }  # fmt: skip


def _answered(model: Model, path: Path, step: int, others: list[str]) -> tuple[Judges, Any]:
    """The rows without what the model takes of them, and its answers."""
    parts, outputs = [], []
    for block, places in judges(model, path, step, others):
        try:
            prediction = model.predict(block.features)
        except DataError as error:
            error.row = None if error.row is None else int(places[error.row])
            raise
        outputs.append(output_of(prediction))
        parts.append(block._replace(features={}))
    return together(parts), np.concatenate(outputs)


def output_of(prediction: Prediction) -> Any:
    """What metrics judge of an answer: probabilities, else values."""
    return prediction.values if prediction.probabilities is None else prediction.probabilities

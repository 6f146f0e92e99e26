"""Asking a version what it makes of its columns, over the rows of a data set."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.appraisal import row_losses_of
from core.columns import Table
from core.errors import DataError
from core.influence import dependence, importances
from core.model import Model
from service.kit.problems import FieldError, Problem
from service.models.evaluation import output_of
from service.models.judging import Judges, judges, stride, together
from service.models.shelf import Shelved
from service.predictions.answering import rows_invalid
from service.tables import Dataset

MOST_ROWS, FEWEST_ROWS = 5_000, 100
CELLS = 400_000_000  # inputs of all rows that a model is asked in one request, at most


def importance(shelved: Shelved, dataset: Dataset, path: Path, repeats: int, seed: int) -> Any:
    """Permutation importance as JSON. Raises Problem rows-invalid."""
    model = shelved.model
    times = repeats * len(model.preprocessor.features)
    rows, step = _rows(model, dataset, path, times)

    def losses(table: Table) -> Any:
        return row_losses_of(model.target, rows.truth, _answers(model, table))

    found = importances(rows.features, losses, repeats, seed)
    before = float(losses(rows.features).mean())
    columns = [asdict(one) for one in found]
    return {"rows": len(rows.truth), "every": step, "loss": before, "columns": columns}


def along(
    shelved: Shelved, dataset: Dataset, path: Path, column: str, points: int, lines: int
) -> dict[str, Any]:
    """Partial dependence as JSON. Raises Problem rows-invalid; invalid-request for a column that
    the model does not ask for.
    """
    model = shelved.model
    if column not in model.preprocessor.names:
        field = FieldError("/column", "The model asks for no such column.", "unknown_column")
        raise Problem("invalid-request", field.detail, [field])
    rows, step = _rows(model, dataset, path, points)
    found = dependence(rows.features, column, lambda table: _wide(model, table), points, lines)
    return {"rows": len(rows.truth), "every": step, "outputs": _names(model), **found}


def _rows(model: Model, dataset: Dataset, path: Path, times: int) -> tuple[Judges, int]:
    bound = CELLS // max(1, times * model.preprocessor.width)
    step = stride(dataset, min(MOST_ROWS, max(FEWEST_ROWS, bound)))
    try:
        rows = together([block for block, _ in judges(model, path, step)])
        model.predict(rows.features)  # says which row is wrong before columns are mixed
    except DataError as error:
        if error.row is not None and step > 1:
            error.row *= step
        raise rows_invalid(error) from None
    return rows, step


def _answers(model: Model, table: Table) -> Any:
    return output_of(model.predict(table))


def _wide(model: Model, table: Table) -> Any:
    answers = _answers(model, table)
    return answers if answers.ndim > 1 else answers[:, None]


def _names(model: Model) -> list[str]:
    """What each output of a row is."""
    target = model.target
    columns = getattr(target, "columns", None) or getattr(target, "keys", None)
    return list(columns or target.names or [model.target_name])

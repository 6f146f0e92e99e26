"""Rows in the forms that scoring servers take, as the rows of our own predictions."""

from typing import Any

from core.errors import DataError
from core.model import Prediction
from service.kit.problems import Problem, invalid
from service.models.shelf import Shelved
from service.predictions.answering import rows_invalid
from service.settings import Settings
from service.state import State

Rows = list[Any]


def from_columns(columns: dict[str, Any], where: str) -> Rows:
    """A list of cells a column, all of one length, as records. Raises Problem."""
    lengths = {len(cells) if isinstance(cells, list) else -1 for cells in columns.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise invalid(where, "Expected a list of cells for every column, all of one length.")
    cells = ([_bare(cell) for cell in column] for column in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def from_split(names: Any, data: Any, where: str) -> Rows:
    """Column names once and a list of cells a row, as records. Raises Problem."""
    texts = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not texts or len(set(names)) != len(names):
        raise invalid(f"{where}/columns", "Expected a list of distinct column names.")
    wrong = "Expected a list of rows, each a list with one cell a column."
    if not isinstance(data, list):
        raise invalid(f"{where}/data", wrong)
    for at, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(names):
            raise invalid(f"{where}/data/{at}", wrong)
    return [dict(zip(names, row, strict=True)) for row in data]


def from_list(rows: Any, where: str) -> Rows:
    """Records, arrays in signature order, or the bare cells of a model of one column."""
    if not isinstance(rows, list):
        raise invalid(where, "Expected a list of rows.")
    return [
        {name: _bare(cell) for name, cell in row.items()} if isinstance(row, dict)
        else row if isinstance(row, list) else [row]
        for row in rows
    ]  # fmt: skip


def _bare(cell: Any) -> Any:
    """A cell that stands alone in a list, as tensors of shape [n, 1] have it."""
    return cell[0] if isinstance(cell, list) and len(cell) == 1 else cell


def predict_rows(shelved: Shelved, rows: Rows, settings: Settings) -> Prediction:
    """Predict rows of any of these forms. Raises Problem naming row and column."""
    if not rows:
        raise invalid("", "Expected at least one row.")
    if len(rows) > settings.max_predict_rows:
        raise invalid("", f"At most {settings.max_predict_rows} rows at once.")
    try:
        return shelved.model.predict_records(rows)
    except DataError as error:
        raise rows_invalid(error) from None


def said(problem: Problem) -> str:
    """A problem in one text, for protocols that have no more."""
    fields = "; ".join(f"{one.pointer}: {one.detail}" for one in problem.errors)
    return (
        f"{problem.detail} {fields}" if fields and fields not in problem.detail else problem.detail
    )


def shelved_for(state: State, name: str, wanted: int | str | None) -> Shelved:
    """The model, read if need be. Raises Problem not-found."""
    return state.shelf.at_hand(name, wanted) or state.shelf.fetch(name, wanted)

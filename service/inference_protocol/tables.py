"""Tensors as the table a model wants: one tensor a column, or one matrix of all columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.columns import BOOLEAN_LEVELS, Category, Column, Numeric
from core.model import Model
from service.inference_protocol.errors import refused
from service.inference_protocol.questions import Tensor

DATATYPES = {"number": "FP64", "category": "BYTES", "boolean": "BOOL", "date": "BYTES"}


def to_table(model: Model, tensors: Sequence[Tensor]) -> dict[str, Column]:
    """A column for each of the model's features. Raises Problem naming the tensor."""
    types = {feature["name"]: feature["type"] for feature in model.signature()["features"]}
    first = tensors[0]
    if len(tensors) == 1 and len(first.shape) == 2 and first.name not in types:
        return _split(first, types)
    given = {tensor.name: tensor for tensor in tensors}
    if len(given) < len(tensors):
        raise refused("inputs: the same name stands there twice")
    for name in given:
        if name not in types:
            raise refused(
                "inputs: the model knows no such tensor; its metadata lists those it does"
            )
    rows = first.shape[0]
    table = {}
    for name, kind in types.items():
        if name not in given:
            raise refused(f"inputs: the tensor of column {name!r} is missing")
        tensor = given[name]
        if tensor.shape not in ((rows,), (rows, 1)):
            raise refused(f"input {name!r}: expected the shape [n] or [n, 1], n alike everywhere")
        table[name] = _column(tensor, kind)
    return table


def _split(matrix: Tensor, types: dict[str, str]) -> dict[str, Column]:
    if matrix.shape[1] != len(types):
        raise refused(f"the matrix has {matrix.shape[1]} columns, the model wants {len(types)}")
    texts = [name for name, kind in types.items() if DATATYPES[kind] == "BYTES"]
    if texts or matrix.datatype in ("BYTES", "BOOL"):
        raise refused("one matrix is for models of numbers alone; send one tensor a column")
    cells = np.asarray(matrix.cells, np.float64).reshape(matrix.shape).T
    columns = (
        Tensor(name, matrix.datatype, matrix.shape[:1], np.ascontiguousarray(values))
        for name, values in zip(types, cells, strict=True)
    )
    return {tensor.name: _column(tensor, types[tensor.name]) for tensor in columns}


def _column(tensor: Tensor, kind: str) -> Column:
    where, cells = f"input {tensor.name!r}", tensor.cells
    if isinstance(cells, list):
        if DATATYPES[kind] != "BYTES":
            raise refused(f"{where}: expected {DATATYPES[kind]}, this column holds no text")
        return _levels(cells)
    if DATATYPES[kind] == "BYTES":
        raise refused(f"{where}: expected BYTES, this column holds text")
    if kind == "number":
        if tensor.datatype == "BOOL":
            raise refused(f"{where}: expected numbers, not BOOL")
        return Numeric(np.asarray(cells, np.float64))
    return _flags(np.asarray(cells), where)


def _flags(cells: NDArray[Any], where: str) -> Category:
    """Booleans from BOOL, or from numbers that are 0, 1 or missing (NaN)."""
    missing = np.isnan(cells) if cells.dtype.kind == "f" else np.zeros(len(cells), bool)
    if not np.isin(cells[~missing], (0, 1)).all():
        raise refused(f"{where}: expected BOOL, or numbers that are 0 and 1")
    return Category(np.where(missing, -1, cells).astype(np.int32), BOOLEAN_LEVELS)


def _levels(cells: list[str | None]) -> Category:
    at: dict[str | None, int] = {None: -1}
    levels = dict.fromkeys(cell for cell in cells if cell is not None)
    at |= {level: position for position, level in enumerate(levels)}
    codes = np.fromiter((at[cell] for cell in cells), np.int32, len(cells))
    return Category(codes, tuple(str(level) for level in levels))

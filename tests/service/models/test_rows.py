"""The schema of a row beside the model that reads it, for every kind of column and policy."""

from itertools import product
from typing import Any

import jsonschema
import numpy as np
import pytest

from core.columns import Category, Numeric, Table
from core.errors import DataError
from core.model import Model
from core.network import Network
from core.preprocessing import Preprocessor
from core.targets import Regression
from service.models import rows

TABLE: Table = {
    "number": Numeric(np.array([1.0, 2.5, 4.0])),
    "level": Category(np.array([0, 1, 0], np.int32), ("a", "b")),
    "flag": Category(np.array([0, 1, 1], np.int32), ("false", "true")),
    "day": Category(np.array([0, 1, 2], np.int32),
                    ("2020-01-31", "2021-06-01T10:30", "2022-12-24")),
}  # fmt: skip
CELLS: list[Any] = [
    None, True, False, 0, -7.5, 1e30, "a", "b", "new", "2020-02-29", "01.02.2020", "2020-1-1", "",
    "2031-01-01 12:00:01.5+02:00", [], {},
]  # fmt: skip
ENCODINGS: list[dict[str, Any]] = [
    {}, {"encoding": "ordinal", "levels": ("b", "a")}, {"encoding": "frequency"}
]  # fmt: skip


def model(encoding: dict[str, Any], missing: str, unseen: str) -> Model:
    parts = {"parts": ("year", "month", "day", "weekday", "hour", "day_of_year")}
    columns = {"level": encoding, "day": parts}
    preprocessor = Preprocessor.fit(
        TABLE, list(TABLE), missing=missing, unseen=unseen, columns=columns
    )
    network = Network(preprocessor.width, (), 1, "identity")
    theta = np.zeros(network.parameter_count, np.float32)
    return Model("regression", "y", preprocessor, network, theta, Regression(0.0, 1.0))


@pytest.mark.parametrize(
    ("encoding", "missing", "unseen"),
    list(product(ENCODINGS, ["impute", "indicator", "error"], ["other", "error"])),
)
def test_the_schema_accepts_what_the_model_reads(
    encoding: dict[str, Any], missing: str, unseen: str
) -> None:
    trained = model(encoding, missing, unseen)
    signature = trained.signature()
    schema = rows.schema(signature, rows.policies_of(trained), "/schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    example = rows.example(signature)
    assert trained.predict_records([example]).warnings == []

    for name, cell in product(example, CELLS):
        row = {**example, name: cell}
        assert check.is_valid(row) is reads(trained, row), (name, cell)


def reads(trained: Model, row: dict[str, Any]) -> bool:
    try:
        trained.predict_records([row])
    except DataError:
        return False
    return True

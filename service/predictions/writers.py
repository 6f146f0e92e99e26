"""Predictions as files: CSV, NDJSON, Arrow and Parquet, written a block of rows at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pq

from core.model import Model, Prediction
from core.several import Answers, AnyTarget
from core.targets import Classes, Regression

Format = Literal["csv", "ndjson", "arrow", "parquet"]
_ARROW = {"category": pa.string(), "number": pa.int64(), "boolean": pa.bool_()}


class _Tabular(Protocol):
    """What Arrow's own writers have in common."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Add rows."""

    def close(self) -> None:
        """End the file."""


class _Lines:
    """One JSON object a line, as `predictions` of the JSON answer has them."""

    def __init__(self, path: Path, model: Model) -> None:
        self._file = path.open("wb")
        self._model = model

    def write(self, prediction: Prediction) -> None:
        """Add rows."""
        options = orjson.OPT_APPEND_NEWLINE
        self._file.writelines(
            orjson.dumps(one, option=options) for one in self._model.listed(prediction)
        )

    def close(self) -> None:
        """End the file."""
        self._file.close()


class _Columns:
    """`value`; or `label`, and `probability_<class>` for each class. Of several targets a column
    each by its name, and `probability_<name>` of labels; of quantiles `quantile_<level>`.
    """

    def __init__(self, path: Path, model: Model, start: Callable[[Path, pa.Schema], Any]) -> None:
        self._model = model
        self._schema = schema_of(model.target)
        self._writer: _Tabular = start(path, self._schema)

    def write(self, prediction: Prediction) -> None:
        """Add rows."""
        self._writer.write_batch(_batch(prediction, self._model, self._schema))

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def schema_of(target: AnyTarget) -> pa.Schema:
    """The columns of predictions of this target."""
    if isinstance(target, Regression):
        return pa.schema([("value", pa.float64())])
    if not isinstance(target, Classes):
        none = np.zeros((0, target.outputs))
        chosen: Any = none.astype(np.int64) if target.task == "multilabel" else None
        columns = target.tabled(none, chosen)
        return pa.schema([(one.name, _type(one)) for one in columns])
    chances = [(f"probability_{name}", pa.float64()) for name in target.names]
    return pa.schema([("label", _ARROW[target.kind]), *chances])


def _type(column: Answers) -> pa.DataType:
    return pa.float64() if column.kind == "value" else _ARROW[column.kind]


def _batch(prediction: Prediction, model: Model, schema: pa.Schema) -> pa.RecordBatch:
    target = model.target
    if isinstance(target, Regression):
        return pa.record_batch([pa.array(prediction.values)], schema=schema)
    if not isinstance(target, Classes):
        columns = [pa.array(one.cells, _type(one)) for one in model.tabled(prediction)]
        return pa.record_batch(columns, schema=schema)
    assert prediction.probabilities is not None
    labels = pa.array(target.labels, schema.field("label").type).take(pa.array(prediction.labels))
    chances = [pa.array(column) for column in prediction.probabilities.T.copy()]
    return pa.record_batch([labels, *chances], schema=schema)


@dataclass(frozen=True)
class Form:
    """A format of prediction files."""

    media_type: str
    start: Callable[[Path, Model], Any]


def _columns(start: Callable[[Path, pa.Schema], Any]) -> Callable[[Path, Model], _Columns]:
    return lambda path, model: _Columns(path, model, start)


FORMS: dict[Format, Form] = {
    "csv": Form("text/csv", _columns(lambda path, schema: pa_csv.CSVWriter(str(path), schema))),
    "ndjson": Form("application/x-ndjson", _Lines),
    "arrow": Form(
        "application/vnd.apache.arrow.stream",
        _columns(lambda path, schema: pa_ipc.new_stream(str(path), schema)),
    ),
    "parquet": Form(
        "application/vnd.apache.parquet",
        _columns(lambda path, schema: pq.ParquetWriter(str(path), schema, compression="zstd")),
    ),
}


class Writer:
    """Writes the predictions of a model to a file. Equal predictions give equal bytes."""

    def __init__(self, path: Path, model: Model, form: Format) -> None:
        self._sink = FORMS[form].start(path, model)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._sink.close()

    def write(self, prediction: Prediction) -> None:
        """Add rows."""
        self._sink.write(prediction)

"""Predictions as files: CSV, NDJSON, Arrow and Parquet, written a block of rows at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc as pa_ipc
import pyarrow.parquet as pq

from core.model import Model, Prediction
from core.targets import Target

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
    """`value`; or `label`, and `probability_<class>` for each class."""

    def __init__(self, path: Path, model: Model, start: Callable[[Path, pa.Schema], Any]) -> None:
        self._target = model.target
        self._schema = schema_of(model.target)
        self._writer: _Tabular = start(path, self._schema)

    def write(self, prediction: Prediction) -> None:
        """Add rows."""
        self._writer.write_batch(_batch(prediction, self._target, self._schema))

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def schema_of(target: Target) -> pa.Schema:
    """The columns of predictions of this target."""
    if target.labels is None:
        return pa.schema([("value", pa.float64())])
    chances = [(f"probability_{name}", pa.float64()) for name in target.names]
    return pa.schema([("label", _ARROW[target.kind]), *chances])


def _batch(prediction: Prediction, target: Target, schema: pa.Schema) -> pa.RecordBatch:
    if target.labels is None:
        return pa.record_batch([pa.array(prediction.values)], schema=schema)
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

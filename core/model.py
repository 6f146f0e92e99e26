"""A trained model: everything between a row as its owner has it and the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.calibration import Doubt
from core.columns import Indices, Table
from core.curves import IDENTITY
from core.errors import NonFinite
from core.features import Matrix, Warning_
from core.network import Dense, Floats, Network, apply_link
from core.preprocessing import Preprocessor
from core.records import RecordReader
from core.several import Answers, AnyTarget, Quantiles, Several
from core.single import Single
from core.targets import Classes, Counts, Regression

Answer = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Answers for some rows: labels and probabilities for classes, else values.

    labels: (rows,) positions among the target's labels. probabilities: (rows, classes).
    values: (rows,) in the target's units. Of several targets labels, values and the probabilities
    of the second labels are (rows, targets); of quantiles values are (rows, quantiles).
    warnings: {"code", "column", "count", "message"} each.
    """

    labels: Indices | None = None
    probabilities: NDArray[np.float64] | None = None
    values: NDArray[np.float64] | None = None
    warnings: list[Warning_] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Model:
    """A network with what surrounds it.

    theta: (network.parameter_count,) float32 or float64. calibration: what the rows that judged it
    taught about its doubt; None where there were none. metadata: JSON about the training
    (metrics, lineage), carried along and not read here.
    """

    task: str
    target_name: str
    preprocessor: Preprocessor
    network: Network
    theta: Floats
    target: AnyTarget
    metadata: dict[str, Any] = field(default_factory=dict)
    calibration: Doubt | None = None

    def predict(self, table: Table) -> Prediction:
        """Answers for a table that has the features' columns. Raises DataError.

        A row's answer does not depend on the rows beside it but for the last bits: matrix
        products of other heights add in another order (measured: 6e-7 relative, in float32).
        """
        return self._answer(*self.preprocessor.transform(table))

    def predict_records(self, rows: Sequence[Any]) -> Prediction:
        """Answers for rows as JSON has them: records by column name, or arrays in signature
        order. Bit for bit those of `predict`. Raises DataError naming row and column.
        """
        return self._answer(*self._reader.read(rows))

    def inputs(self, rows: Sequence[Any]) -> Matrix:
        """What the network gets of rows as JSON has them: (rows, width). Raises DataError."""
        return self._reader.read(rows)[0]

    def answer(self, rows: Sequence[Sequence[Any]]) -> tuple[list[Answer], list[Warning_]]:
        """What `listed` gives for rows in signature order whose cells are known to be of their
        column's type (float, str or bool; None where missing). Raises DataError.

        A single plain row goes a shorter way, to the same numbers but for the last bits.
        """
        if len(rows) == 1 and self._single is not None:
            outputs = self._single.outputs(rows[0])
            if outputs is not None:
                return [self._one(outputs)], []
        prediction = self._answer(*self._reader.read_typed(rows))
        return self.listed(prediction), prediction.warnings

    def _one(self, outputs: list[float]) -> Answer:
        assert isinstance(self.target, Regression | Classes)
        if isinstance(self.target, Regression):
            return {"value": outputs[0] * self.target.scale + self.target.mean}
        label = self.target.labels[outputs.index(max(outputs))]
        return {
            "label": label,
            "probabilities": dict(zip(self.target.names, outputs, strict=True)),
        }

    @cached_property
    def _single(self) -> Single | None:
        if self.theta.dtype != np.float32 or type(self.target) not in (Regression, Counts, Classes):
            return None
        if isinstance(self.target, Regression) and self.target.curve != IDENTITY:
            return None
        try:
            return Single(self.preprocessor, self._layers, self.network.link)
        except ValueError:
            return None

    @cached_property
    def _layers(self) -> tuple[Dense, ...]:
        return self.network.dense(self.theta)

    @cached_property
    def _reader(self) -> RecordReader:
        return RecordReader(self.preprocessor)

    def _answer(self, matrix: Matrix, warnings: list[Warning_]) -> Prediction:
        with np.errstate(over="ignore", invalid="ignore"):
            x: Floats = matrix
            for layer in self._layers:
                x = layer.forward(x)
            output = self.target.decode(apply_link(self.network.link, x))
        finite = np.isfinite(output)
        if not finite.all():
            message = "The numbers of this row are too large for the model; correct them."
            raise NonFinite(message, row=int(np.argwhere(~finite)[0][0]))
        if self.target.task == "regression":
            return Prediction(values=output, warnings=warnings)
        if isinstance(self.target, Several):
            return Prediction((output > 0.5).astype(np.int64), output, warnings=warnings)
        return Prediction(output.argmax(axis=1), output, warnings=warnings)

    def listed(self, prediction: Prediction) -> list[dict[str, Any]]:
        """A prediction row by row as JSON: label and probabilities, or value; of several targets
        or quantiles as their class has it.
        """
        if isinstance(self.target, Several | Quantiles):
            return self.target.listed(*_several(prediction))
        if prediction.values is not None:
            return [{"value": value} for value in prediction.values.tolist()]
        assert isinstance(self.target, Classes)
        assert prediction.labels is not None
        assert prediction.probabilities is not None
        labels, names = self.target.labels, self.target.names
        return [
            {"label": labels[label], "probabilities": dict(zip(names, row, strict=True))}
            for label, row in zip(
                prediction.labels.tolist(), prediction.probabilities.tolist(), strict=True
            )
        ]

    def tabled(self, prediction: Prediction) -> list[Answers]:
        """A prediction of several targets or quantiles as named columns."""
        assert isinstance(self.target, Several | Quantiles)
        return self.target.tabled(*_several(prediction))

    def signature(self) -> dict[str, Any]:
        """Columns in, target out, as JSON."""
        features = [feature.describe() for feature in self.preprocessor.features]
        return {"features": features, "target": self.target.describe(self.target_name)}


def _several(prediction: Prediction) -> tuple[NDArray[np.float64], Any]:
    """The numbers of a prediction, and of labels which were chosen."""
    if prediction.values is not None:
        return prediction.values, None
    assert prediction.probabilities is not None
    return prediction.probabilities, prediction.labels

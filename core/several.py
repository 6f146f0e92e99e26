"""Targets of more than one number a row: several columns at once, and quantiles of one column."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.columns import Column, Indices
from core.errors import TargetInvalid
from core.targets import Classes, Regression, Target, fit_target, target_from_dict

Answer = dict[str, Any]
Kind = Literal["value", "number", "boolean", "category"]
LONGEST_NAME = 128  # characters


@dataclass(frozen=True, eq=False)
class Answers:
    """One named column of answers, for tables and tensors.

    kind: value for float64, else what the labels are. values: (rows,) of float64 or positions
    among the labels.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    labels: tuple[Any, ...] = ()

    @property
    def cells(self) -> NDArray[Any]:
        """The values; of labels the labels themselves."""
        if self.kind == "value":
            return self.values
        kinds: dict[str, Any] = {"number": np.int64, "boolean": np.bool_, "category": object}
        return np.asarray(np.array(self.labels, kinds[self.kind])[self.values])


@dataclass(frozen=True)
class Several:
    """Columns that are learned together: all of them numbers, or all of two labels each.

    columns: their names. parts: how each goes in and out of its own output.
    """

    columns: tuple[str, ...]
    parts: tuple[Regression | Classes, ...]

    labels = None
    names = None
    kind = "several"
    quantiles = ()

    @property
    def task(self) -> Literal["regression", "multilabel"]:
        """What is to be learned of them."""
        return "multilabel" if isinstance(self.parts[0], Classes) else "regression"

    @property
    def measure(self) -> str:
        """How `core.metrics.evaluate` judges each of the columns, or all labels at once."""
        return "multilabel" if self.task == "multilabel" else self.parts[0].measure

    @property
    def outputs(self) -> int:
        """Outputs of the network: one a column."""
        return len(self.parts)

    @property
    def scales(self) -> NDArray[np.float64]:
        """What one unit of each output is in the column's own units: (columns,)."""
        return np.array([getattr(part, "scale", 1.0) for part in self.parts])

    def truth(self, columns: Sequence[Column], rows: Indices) -> NDArray[np.float64]:
        """The targets in their own units, or 0 and 1 for the labels: (rows, columns)."""
        pairs = zip(self.parts, columns, strict=True)
        return np.column_stack([part.truth(column, rows) for part, column in pairs]).astype(float)

    def encode(self, columns: Sequence[Column], rows: Indices) -> NDArray[np.float32]:
        """What the network learns: (rows, columns)."""
        pairs = zip(self.parts, columns, strict=True)
        return np.hstack([part.encode(column, rows) for part, column in pairs])

    def decode(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """The network's output in each column's units, or each one's probability of its second
        label: (rows, columns).
        """
        if self.task == "multilabel":
            return output.astype(np.float64)
        each = [part.decode(output[:, at : at + 1]) for at, part in enumerate(self.parts)]
        return np.column_stack(each)

    def listed(self, output: NDArray[Any], chosen: NDArray[Any] | None) -> list[Answer]:
        """Row by row as JSON: {"values"}, or {"labels", "probabilities"}, by column.

        chosen: (rows, columns), which of its two labels each column has.
        """
        if chosen is None:
            return [{"values": self._by_column(row)} for row in output.tolist()]
        pairs = [part.labels for part in self.parts if part.labels is not None]
        return [
            {
                "labels": self._by_column([pairs[at][one] for at, one in enumerate(places)]),
                "probabilities": self._by_column(row),
            }
            for places, row in zip(chosen.tolist(), output.tolist(), strict=True)
        ]

    def _by_column(self, cells: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.columns, cells, strict=True))

    def tabled(self, output: NDArray[Any], chosen: NDArray[Any] | None) -> list[Answers]:
        """The columns by name; behind labels their probabilities as `probability_<column>`."""
        by_column = zip(self.columns, output.T, strict=True)
        if chosen is None:
            return [Answers(name, "value", values) for name, values in by_column]
        said: list[Answers] = []
        for name, part, places in zip(self.columns, self.parts, chosen.T, strict=True):
            assert isinstance(part, Classes)
            said.append(Answers(name, part.kind, places, part.labels))
        return said + [
            Answers(f"probability_{name}", "value", shares) for name, shares in by_column
        ]

    def describe(self, name: str) -> dict[str, Any]:
        """As the target of a model's signature."""
        pairs = zip(self.columns, self.parts, strict=True)
        return {
            "name": name,
            "type": self.kind,
            "targets": [part.describe(column) for column, part in pairs],
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        pairs = zip(self.columns, self.parts, strict=True)
        return {
            "task": self.task,
            "columns": [{"name": name, **part.to_dict()} for name, part in pairs],
        }


@dataclass(frozen=True)
class Quantiles:
    """Several quantiles of one quantity, an output each.

    levels: strictly increasing, in (0, 1). of: how the quantity is scaled. Answers are put in
    order row by row, so that no quantile is below a lower one; that never makes the loss larger
    (Chernozhukov, Fernández-Val & Galichon 2010).
    """

    levels: tuple[float, ...]
    of: Regression

    task = "regression"
    measure = "quantiles"
    labels = None
    names = None
    kind = "number"

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The levels, by the name that every target has for them."""
        return self.levels

    @property
    def outputs(self) -> int:
        """Outputs of the network: one a quantile."""
        return len(self.levels)

    @property
    def keys(self) -> tuple[str, ...]:
        """The levels as text: what JSON calls them."""
        return tuple(f"{level:g}" for level in self.levels)

    def truth(self, column: Column, rows: Indices) -> NDArray[np.float64]:
        """The target in its own units: (rows,)."""
        return self.of.truth(column, rows)

    def encode(self, column: Column, rows: Indices) -> NDArray[np.float32]:
        """What the network learns: (rows, 1)."""
        return self.of.encode(column, rows)

    def decode(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """The network's output (rows, quantiles) in the target's own units, increasing by row."""
        ordered = np.sort(output.astype(np.float64), axis=1) * self.of.scale + self.of.mean
        return self.of.curve.invert(ordered)

    def listed(self, output: NDArray[Any], chosen: None = None) -> list[Answer]:
        """Row by row as JSON: {"quantiles"} by level."""
        return [{"quantiles": dict(zip(self.keys, row, strict=True))} for row in output.tolist()]

    def tabled(self, output: NDArray[Any], chosen: None = None) -> list[Answers]:
        """A column a level: `quantile_<level>`."""
        pairs = zip(self.keys, output.T, strict=True)
        return [Answers(f"quantile_{key}", "value", values) for key, values in pairs]

    def describe(self, name: str) -> dict[str, Any]:
        """As the target of a model's signature."""
        return {"name": name, "type": self.kind, "quantiles": list(self.levels)}

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**self.of.to_dict(), "quantiles": list(self.levels)}


AnyTarget = Target | Several | Quantiles


def truth_of(target: AnyTarget, columns: Sequence[Column], rows: Indices) -> NDArray[Any]:
    """What is true of the rows, as `core.metrics.evaluate` takes it. columns: the target's."""
    if isinstance(target, Several):
        return target.truth(columns, rows)
    return target.truth(columns[0], rows)


def encoded(target: AnyTarget, columns: Sequence[Column], rows: Indices) -> NDArray[np.float32]:
    """What the network learns of the rows: (rows, outputs), and (rows, 1) of classes."""
    if isinstance(target, Several):
        return target.encode(columns, rows)
    return target.encode(columns[0], rows)


def title(names: Sequence[str]) -> str:
    """One name for targets, of at most 128 characters."""
    joined = ", ".join(names)
    if len(joined) <= LONGEST_NAME:
        return joined
    return f"{names[0][: LONGEST_NAME - 20]} and {len(names) - 1} more"


def fit_targets(
    columns: Sequence[Column],
    names: Sequence[str],
    task: str,
    *,
    rows: Indices | None = None,
    scaling: str = "standardize",
    counts: bool = False,
    quantiles: Sequence[float] = (),
) -> tuple[AnyTarget, Indices]:
    """Learn a target of one column or of several, and find the rows that have it whole.

    counts: numbers from 0 that a log link answers. quantiles: of one column of numbers. The rest
    is as `core.targets.fit_target` has it. Raises DataError naming the column.
    """
    part = "binary" if task == "multilabel" else task
    if task == "multilabel" and len(columns) < 2:
        raise TargetInvalid("This task needs several targets of two values each.", column=names[0])
    found = [
        fit_target(column, part, rows=rows, name=name, scaling=scaling, counts=counts)
        for column, name in zip(columns, names, strict=True)
    ]
    first, present = found[0]
    for _, others in found[1:]:
        present = np.intersect1d(present, others, assume_unique=True)
    if not len(present):
        raise TargetInvalid("No row has all of the targets.", column=names[0])
    if len(columns) > 1:
        return Several(tuple(names), tuple(one for one, _ in found)), present
    if quantiles and isinstance(first, Regression):
        return Quantiles(tuple(quantiles), first), present
    return first, present


def any_target_from_dict(data: dict[str, Any]) -> AnyTarget:
    """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
    if "quantiles" in data:
        levels = tuple(map(float, data["quantiles"]))
        of = target_from_dict(data)
        increasing = all(low < high for low, high in pairwise(levels))
        if type(of) is not Regression or not levels or not increasing:
            raise ValueError("quantiles are of numbers, and increase")
        if not 0 < levels[0] <= levels[-1] < 1:
            raise ValueError("quantiles are between 0 and 1")
        return Quantiles(levels, of)
    if "columns" not in data:
        return target_from_dict(data)
    names = tuple(part["name"] for part in data["columns"])
    parts = tuple(target_from_dict(part) for part in data["columns"])
    if len(parts) < 2 or len({type(part) for part in parts}) != 1 or len(set(names)) < len(names):
        raise ValueError("several targets are of one kind, and of different names")
    if not all(isinstance(name, str) for name in names):
        raise ValueError("names are text")
    if any(part.task not in ("regression", "binary") for part in parts):
        raise ValueError("labels come in pairs")
    found = Several(names, parts)
    if found.task != data["task"]:
        raise ValueError("the task fits the columns")
    return found

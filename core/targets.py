"""What is to be predicted: which task a column makes, and how it goes in and out of a network."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.columns import Category, Column, Indices, Numeric
from core.curves import IDENTITY, LOG1P, Identity, Log1p
from core.errors import NonFinite, TargetInvalid
from core.scaling import LARGEST, fit_scaling

Task = Literal["regression", "binary", "multiclass", "multilabel"]
Label = str | int | bool
MAX_CLASSES = 500
FEW = 20  # so many whole numbers are classes rather than a quantity


def infer_task(
    *,
    kind: Literal["number", "boolean", "category"] | str,
    is_integer: bool,
    distinct: int,
    rows: int,
) -> Task:
    """The task that a target column suggests.

    Text and booleans are classes. So are whole numbers when there are at most 20 of them, each
    for more than 10 rows on average; every other number is a quantity.
    distinct, rows: of the values that are not missing.
    """
    few = is_integer and distinct <= FEW and distinct < rows / 10
    if kind == "number" and not few:
        return "regression"
    return "binary" if distinct <= 2 else "multiclass"


@dataclass(frozen=True)
class Regression:
    """A quantity y, learned as (curve(y) - mean) / scale.

    mean, scale: of the training rows: mean and deviation, or another offset and its scale.
    """

    mean: float
    scale: float
    curve: Identity | Log1p = field(default=IDENTITY, kw_only=True)

    task = "regression"
    outputs = 1
    labels = None
    names = None
    kind = "number"
    measure = "regression"
    quantiles = ()

    def truth(self, column: Column, rows: Indices) -> NDArray[np.float64]:
        """The target in its own units: (rows,)."""
        return _numbers(column)[rows]

    def encode(self, column: Column, rows: Indices) -> NDArray[np.float32]:
        """What the network learns: (rows, 1)."""
        scaled = (self.curve.apply(self.truth(column, rows)) - self.mean) / self.scale
        return scaled.astype(np.float32)[:, None]

    def decode(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """The network's output (rows, 1) in the target's own units: (rows,)."""
        return self.curve.invert(output[:, 0].astype(np.float64) * self.scale + self.mean)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; the curve where there is one, as files of older versions have none."""
        curve = {} if self.curve == IDENTITY else {"curve": self.curve.name}
        return {"task": self.task, "mean": self.mean, "scale": self.scale, **curve}

    def describe(self, name: str) -> dict[str, Any]:
        """As the target of a model's signature."""
        return {"name": name, "type": self.kind}


@dataclass(frozen=True)
class Counts(Regression):
    """A number from 0 on, that a network with a log link answers: learned in units of its mean,
    `scale`, which only shifts the logarithm and so starts where the mean is. `mean` is 0.
    """

    measure = "counts"

    def truth(self, column: Column, rows: Indices) -> NDArray[np.float64]:
        """The target in its own units: (rows,). Raises TargetInvalid for one below 0."""
        values = super().truth(column, rows)
        if (values < 0).any():
            message = "Expected numbers from 0 on in the target; a Poisson loss knows no others."
            raise TargetInvalid(message, row=int(rows[int((values < 0).argmax())]))
        return values

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**super().to_dict(), "counts": True}


@dataclass(frozen=True)
class Classes:
    """Labels, as JSON has them: text, whole numbers, or false and true, in sorted order."""

    labels: tuple[Label, ...]
    kind: Literal["number", "boolean", "category"]
    task: Literal["binary", "multiclass"]

    quantiles = ()

    @property
    def measure(self) -> str:
        """How `core.metrics.evaluate` judges it."""
        return self.task

    @property
    def outputs(self) -> int:
        """Outputs of the network: one probability for two classes, else one a class."""
        return 1 if self.task == "binary" else len(self.labels)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The labels as text: what JSON calls them as keys."""
        if self.kind == "boolean":
            return tuple("true" if label else "false" for label in self.labels)
        return tuple(str(label) for label in self.labels)

    def truth(self, column: Column, rows: Indices) -> NDArray[np.int64]:
        """Which class each row has: (rows,). Raises TargetInvalid for any other value."""
        if isinstance(column, Numeric):
            known = np.array(self.labels, dtype=np.float64)
            values = column.values[rows]
            found = np.minimum(np.searchsorted(known, values), len(known) - 1)
            wrong = known[found] != values
        else:
            at = {name: position for position, name in enumerate(self.names)}
            found = np.array([*(at.get(level, -1) for level in column.levels), -1])
            found = found[column.codes[rows]]
            wrong = found < 0
        if wrong.any():
            message = "Expected one of the target's classes."
            raise TargetInvalid(message, row=int(rows[int(wrong.argmax())]))
        return found.astype(np.int64)

    def encode(self, column: Column, rows: Indices) -> NDArray[np.float32]:
        """What the network learns: the position of the row's class, (rows, 1)."""
        return self.truth(column, rows).astype(np.float32)[:, None]

    def decode(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """The network's output as the probability of each class: (rows, classes)."""
        if self.task == "multiclass":
            return output.astype(np.float64)
        both = np.empty((len(output), 2))
        both[:, 1] = output[:, 0]
        np.subtract(1.0, both[:, 1], out=both[:, 0])
        return both

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"task": self.task, "kind": self.kind, "labels": list(self.labels)}

    def describe(self, name: str) -> dict[str, Any]:
        """As the target of a model's signature."""
        return {"name": name, "type": self.kind, "labels": list(self.labels)}


Target = Regression | Classes


def fit_target(
    column: Column,
    task: Task | str,
    *,
    rows: Indices | None = None,
    name: str | None = None,
    scaling: str = "standardize",
    counts: bool = False,
) -> tuple[Target, Indices]:
    """Learn a target, and find the rows that have one.

    rows: the training rows, which a regression is scaled by (None: all that have a target).
    scaling: of a regression: standardize, minmax, log1p or none, as in SCALINGS. counts: of a
    regression with a log link, in units of the mean. Classes are those of all rows. Raises
    TargetInvalid when the column does not fit the task; `name` is the column the error names.
    """
    try:
        if task == "regression" and counts:
            return _fit_counts(column, rows)
        if task == "regression":
            return _fit_regression(column, rows, scaling)
        return _fit_classes(column, "binary" if task == "binary" else "multiclass")
    except (TargetInvalid, NonFinite) as error:
        error.column = name
        raise


def target_from_dict(data: dict[str, Any]) -> Target:
    """From JSON. Raises KeyError, TypeError or ValueError for anything else."""
    if data["task"] == "regression":
        mean, scale = float(data["mean"]), float(data["scale"])
        if not np.isfinite([mean, scale]).all() or scale <= 0:
            raise ValueError("scaling is finite and positive")
        curves: dict[str, Identity | Log1p] = {"identity": IDENTITY, "log1p": LOG1P}
        curve = curves[data.get("curve", "identity")]
        if data.get("counts", False) is True:
            if mean != 0 or curve != IDENTITY:
                raise ValueError("counts start at 0")
            return Counts(mean, scale)
        return Regression(mean, scale, curve=curve)
    labels, kind, task = tuple(data["labels"]), data["kind"], data["task"]
    types = {"number": int, "boolean": bool, "category": str}
    if any(type(label) is not types[kind] for label in labels):
        raise ValueError("labels are of one type")
    if len(set(labels)) < max(2, len(labels)) or task not in ("binary", "multiclass"):
        raise ValueError("labels are distinct, and at least two")
    if task == "binary" and len(labels) != 2:
        raise ValueError("binary has two labels")
    return Classes(labels, kind, task)


def _numbers(column: Column) -> NDArray[np.float64]:
    if not isinstance(column, Numeric):
        raise TargetInvalid("Regression needs a target of numbers; choose classes instead.")
    return column.values


def _present_numbers(column: Numeric) -> Indices:
    infinite = np.isinf(column.values)
    if infinite.any():
        message = "Expected finite numbers in the target; correct or remove the row."
        raise NonFinite(message, row=int(infinite.argmax()))
    return np.flatnonzero(~np.isnan(column.values)).astype(np.int64)


def _fit_regression(
    column: Column, rows: Indices | None, scaling: str
) -> tuple[Regression, Indices]:
    if not isinstance(column, Numeric):
        raise TargetInvalid("Regression needs a target of numbers; choose classes instead.")
    present = _present_numbers(column)
    values = column.values[present if rows is None else rows]
    if not len(values):
        raise TargetInvalid("The target has no values in the training rows.")
    sizes = np.abs(values)
    if sizes.max() > LARGEST:
        row = int((present if rows is None else rows)[int(sizes.argmax())])
        raise NonFinite("Expected numbers of ordinary size in the target.", row=row)
    found = fit_scaling(scaling, values)
    curve = LOG1P if found.curve == LOG1P else IDENTITY
    return Regression(found.offset, found.scale, curve=curve), present


def _fit_counts(column: Column, rows: Indices | None) -> tuple[Counts, Indices]:
    if not isinstance(column, Numeric):
        raise TargetInvalid("Counts need a target of numbers.")
    present = _present_numbers(column)
    sizes = Counts(0.0, 1.0).truth(column, present)
    if sizes.max(initial=0.0) > LARGEST:
        row = int(present[int(sizes.argmax())])
        raise NonFinite("Expected counts of ordinary size in the target.", row=row)
    chosen = column.values[present if rows is None else rows]
    if not chosen.any():
        raise TargetInvalid("Every count to learn from is 0: there is nothing to learn.")
    return Counts(0.0, float(chosen.mean())), present


def _fit_classes(column: Column, task: Literal["binary", "multiclass"]) -> tuple[Classes, Indices]:
    labels: tuple[Label, ...]
    kind: Literal["number", "boolean", "category"]
    if isinstance(column, Category):
        present = np.flatnonzero(column.codes >= 0).astype(np.int64)
        levels = sorted(column.levels[code] for code in np.unique(column.codes[present]))
        kind = "boolean" if column.is_boolean else "category"
        labels = tuple(level == "true" for level in levels) if column.is_boolean else tuple(levels)
    else:
        present = _present_numbers(column)
        distinct = np.unique(column.values[present])
        if (distinct != np.rint(distinct)).any():
            raise TargetInvalid("Classes need whole numbers, text or booleans in the target.")
        kind, labels = "number", tuple(int(value) for value in distinct)
    if not 2 <= len(labels) <= (2 if task == "binary" else MAX_CLASSES):
        wanted = "exactly 2" if task == "binary" else f"2 to {MAX_CLASSES}"
        raise TargetInvalid(f"This task needs a target with {wanted} classes.")
    return Classes(labels, kind, task), present

"""From a job's table to what training takes: which rows train and judge, and as what numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.appraisal import Answered, linear_answers
from core.columns import Column, Indices, Numeric, Table, row_count
from core.errors import DataError
from core.network import Floats, Network
from core.preprocessing import Preprocessor
from core.several import AnyTarget, encoded, fit_targets, truth_of
from core.splits import Split, marked, split
from core.targets import Classes
from core.training import Fit, Recipe
from core.validation import folds
from core.weights import Weights, class_weights, combined, sample_weights, some_weight
from service.datasets.reading import read_table
from service.jobs.recipe import network, quantiles_of, target_names

Spec = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Data:
    """A job's table: its features, the columns of its target, and the rows that have it whole.

    classes: of the rows present, to be as frequent in all parts: of several labels the
    combinations of them; None for quantities. weights: of all rows, NaN where there is
    no target; None for 1 each. judges: another table whose rows judge, where there is one.
    """

    spec: Spec
    table: Table
    targets: tuple[Column, ...]
    present: Indices
    classes: NDArray[np.int64] | None
    weights: Weights = None
    judges: "Data | None" = None

    def weights_of(self, rows: Indices) -> Weights:
        """The weights of some rows. Raises DataError when all of them are 0."""
        return None if self.weights is None else some_weight(self.weights[rows])

    def splits(self) -> list[Split]:
        """Which rows train and which judge: once, or once a fold. Raises DataError."""
        validation = self.spec["training"]["validation"] or {}
        seed = self.spec["seed"]
        if self.judges is not None:
            return [Split(np.sort(self.present), self.judges.present)]
        if "column" in validation:
            return [marked(self.present, self.table[validation["column"]])]
        if "folds" in validation:
            count = validation["folds"]
            return folds(self.present, classes=self.classes, count=count, seed=seed)
        fraction = validation.get("fraction")
        return [split(self.present, classes=self.classes, fraction=fraction, seed=seed)]


def load(spec: Spec, path: Path, judging: Path) -> Data:
    """Read the columns that a job is about, of another file too when its rows judge.

    Raises DataError where the target does not fit.
    """
    validation = spec["training"]["validation"] or {}
    table, columns = _read(spec, path, validation.get("column"))
    target, present = _fitted(spec, columns, None)
    classes = _strata(target, truth_of(target, columns, present))
    weights = _weights(spec, table, present, row_count(columns[0]))
    judges = _judges(spec, judging) if "dataset" in validation else None
    return Data(spec, table, columns, present, classes, weights, judges)


def _fitted(
    spec: Spec, columns: tuple[Column, ...], rows: Indices | None
) -> tuple[AnyTarget, Indices]:
    """The target as the job wants it, scaled by some rows, and the rows that have it."""
    training = spec["training"]
    return fit_targets(
        columns,
        target_names(spec),
        spec["task"],
        rows=rows,
        scaling=spec["preprocessing"].get("target_scaling", "standardize"),
        counts=training["loss"] == "poisson",
        quantiles=quantiles_of(training),
    )


def _strata(target: AnyTarget, truth: NDArray[Any]) -> NDArray[np.int64] | None:
    """What is to be as frequent in all parts: the class, or a combination of labels that at least
    two rows have; None for quantities.
    """
    if target.task == "regression":
        return None
    if truth.ndim == 1:
        return truth.astype(np.int64)
    _, codes, counts = np.unique(truth, axis=0, return_inverse=True, return_counts=True)
    codes = codes.reshape(len(truth))
    return np.where(counts[codes] > 1, codes, -1).astype(np.int64)


def _read(
    spec: Spec, path: Path, marker: str | None
) -> tuple[dict[str, Column], tuple[Column, ...]]:
    """The features, with the columns that mark and weigh rows; and those of the target."""
    names = target_names(spec)
    others = [one for one in (marker, spec.get("weights_column")) if one is not None]
    wanted = dict.fromkeys([*spec["features"], *names, *others])
    table = dict(read_table(path, list(wanted)))
    return table, tuple(table.pop(name) for name in names)


def _weights(spec: Spec, table: Table, present: Indices, rows: int) -> Weights:
    name = spec.get("weights_column")
    if name is None:
        return None
    weights = np.full(rows, np.nan)
    weights[present] = sample_weights(name, table[name], present)
    return weights


def _judges(spec: Spec, path: Path) -> Data:
    """All rows of another table that have a target. Raises DataError when it is not here, as
    for a model that was trained elsewhere.
    """
    if not path.exists():
        raise DataError("The data set whose rows are to judge is not here; upload it again.")
    table, columns = _read(spec, path, None)
    has = np.ones(row_count(columns[0]), bool)
    for column in columns:
        has &= ~np.isnan(column.values) if isinstance(column, Numeric) else column.codes >= 0
    present = np.flatnonzero(has).astype(np.int64)
    return Data(spec, table, columns, present, None, _weights(spec, table, present, len(has)))


@dataclass(frozen=True, eq=False)
class Prepared:
    """One split of the data as a network takes it, fitted on its training rows.

    x, xv: (rows, inputs) of the rows that train and judge. y, yv: (rows, outputs). weights,
    weights_v: (rows,), what each counts for in metrics; losses, losses_v: in the loss, where its
    class counts too. None for 1 each.
    """

    target: AnyTarget
    preprocessor: Preprocessor
    network: Network
    x: Floats
    y: Floats
    xv: Floats
    yv: Floats
    truth: NDArray[Any]
    truth_v: NDArray[Any]
    weights: Weights
    weights_v: Weights
    losses: Weights
    losses_v: Weights

    def fit(self, recipe: Recipe, state: bytes | None = None) -> Fit:
        """The training run, from the beginning or from a saved state."""
        judged = len(self.xv) > 0
        return Fit(
            self.network,
            recipe,
            self.x,
            self.y,
            validation=(self.xv, self.yv) if judged else None,
            weights=self.losses,
            validation_weights=self.losses_v if judged else None,
            state=state,
        )

    def trained(self, theta: Floats) -> Answered:
        """The training rows with the network's answers."""
        output = self.target.decode(self.network.forward(theta, self.x))
        return Answered(self.truth, output, self.weights)

    def judged(self, theta: Floats) -> Answered:
        """The judging rows with the network's answers; the training rows where there are none."""
        if not len(self.xv):
            return self.trained(theta)
        output = self.target.decode(self.network.forward(theta, self.xv))
        return Answered(self.truth_v, output, self.weights_v)

    def linear(self) -> NDArray[np.float64]:
        """What linear or logistic regression answers for the rows of `judged`."""
        rows = self.xv if len(self.xv) else self.x
        link = self.network.link
        return linear_answers(self.target, link, self.x, self.y, rows, self.weights)


def prepare(data: Data, parts: Split) -> Prepared:
    """Learn target and preprocessing from the rows that train. Raises DataError."""
    spec, columns, judging = data.spec, data.targets, data.judges or data
    choices = {key: value for key, value in spec["preprocessing"].items()
               if key != "target_scaling"}  # fmt: skip
    target, _ = _fitted(spec, columns, parts.train)
    preprocessor = Preprocessor.fit(data.table, spec["features"], rows=parts.train, **choices)
    x, _ = preprocessor.transform(data.table, parts.train)
    xv, _ = preprocessor.transform(judging.table, parts.validation)
    truth = truth_of(target, columns, parts.train)
    truth_v = truth_of(target, judging.targets, parts.validation)
    weights, weights_v = data.weights_of(parts.train), judging.weights_of(parts.validation)
    classes = None
    if isinstance(target, Classes) and spec.get("class_weight") is not None:
        classes = class_weights(target.names, truth, spec["class_weight"], weights)
    return Prepared(
        target=target,
        preprocessor=preprocessor,
        network=network(spec, preprocessor.width, target.outputs, preprocessor.embeddings),
        x=x,
        y=encoded(target, columns, parts.train),
        xv=xv,
        yv=encoded(target, judging.targets, parts.validation),
        truth=truth,
        truth_v=truth_v,
        weights=weights,
        weights_v=weights_v,
        losses=combined(weights, classes, truth),
        losses_v=combined(weights_v, classes, truth_v),
    )

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
from core.splits import Split, marked, split
from core.targets import Classes, Regression, Target, fit_target
from core.training import Fit, Recipe
from core.validation import folds
from core.weights import Weights, class_weights, combined, sample_weights, some_weight
from service.datasets.reading import read_table
from service.jobs.recipe import network

Spec = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Data:
    """A job's table: its features, its target, and the rows that have one.

    classes: of the rows present; None for a quantity. weights: of all rows, NaN where there is
    no target; None for 1 each. judges: another table whose rows judge, where there is one.
    """

    spec: Spec
    table: Table
    target: Column
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
    table, column = _read(spec, path, validation.get("column"))
    name = spec["target"]
    target, present = fit_target(column, spec["task"], name=name)
    classes = None if isinstance(target, Regression) else target.truth(column, present)
    weights = _weights(spec, table, present, row_count(column))
    judges = _judges(spec, judging) if "dataset" in validation else None
    return Data(spec, table, column, present, classes, weights, judges)


def _read(spec: Spec, path: Path, marker: str | None) -> tuple[dict[str, Column], Column]:
    """The features, with the columns that mark and weigh rows; and the target."""
    others = [one for one in (marker, spec.get("weights_column")) if one is not None]
    wanted = dict.fromkeys([*spec["features"], spec["target"], *others])
    table = dict(read_table(path, list(wanted)))
    return table, table.pop(spec["target"])


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
    table, column = _read(spec, path, None)
    has = ~np.isnan(column.values) if isinstance(column, Numeric) else column.codes >= 0
    present = np.flatnonzero(has).astype(np.int64)
    return Data(spec, table, column, present, None, _weights(spec, table, present, len(has)))


@dataclass(frozen=True, eq=False)
class Prepared:
    """One split of the data as a network takes it, fitted on its training rows.

    x, xv: (rows, inputs) of the rows that train and judge. y, yv: (rows, outputs). weights,
    weights_v: (rows,), what each counts for in metrics; losses, losses_v: in the loss, where its
    class counts too. None for 1 each.
    """

    target: Target
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
    spec, column, judging = data.spec, data.target, data.judges or data
    choices = dict(spec["preprocessing"])
    target, _ = fit_target(
        column,
        spec["task"],
        rows=parts.train,
        name=spec["target"],
        scaling=choices.pop("target_scaling", "standardize"),
    )
    preprocessor = Preprocessor.fit(data.table, spec["features"], rows=parts.train, **choices)
    x, _ = preprocessor.transform(data.table, parts.train)
    xv, _ = preprocessor.transform(judging.table, parts.validation)
    truth: NDArray[Any] = target.truth(column, parts.train)
    truth_v: NDArray[Any] = target.truth(judging.target, parts.validation)
    weights, weights_v = data.weights_of(parts.train), judging.weights_of(parts.validation)
    classes = None
    if isinstance(target, Classes) and spec.get("class_weight") is not None:
        classes = class_weights(target.names, truth, spec["class_weight"], weights)
    return Prepared(
        target=target,
        preprocessor=preprocessor,
        network=network(spec, preprocessor.width, target.outputs),
        x=x,
        y=target.encode(column, parts.train),
        xv=xv,
        yv=target.encode(judging.target, parts.validation),
        truth=truth,
        truth_v=truth_v,
        weights=weights,
        weights_v=weights_v,
        losses=combined(weights, classes, truth),
        losses_v=combined(weights_v, classes, truth_v),
    )

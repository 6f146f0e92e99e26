"""From a job's table to what training takes: which rows train and judge, and as what numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.appraisal import Answered, linear_answers
from core.columns import Column, Indices, Table
from core.network import Floats, Network
from core.preprocessing import Preprocessor
from core.splits import Split, marked, split
from core.targets import Regression, Target, fit_target
from core.training import Fit, Recipe
from core.validation import folds
from service.datasets.reading import read_table
from service.jobs.recipe import network

Spec = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Data:
    """A job's table: its features, its target, and the rows that have one.

    classes: of the rows present; None for a quantity.
    """

    spec: Spec
    table: Table
    target: Column
    present: Indices
    classes: NDArray[np.int64] | None

    def splits(self) -> list[Split]:
        """Which rows train and which judge: once, or once a fold. Raises DataError."""
        validation = self.spec["training"]["validation"] or {}
        seed = self.spec["seed"]
        if "column" in validation:
            return [marked(self.present, self.table[validation["column"]])]
        if "folds" in validation:
            count = validation["folds"]
            return folds(self.present, classes=self.classes, count=count, seed=seed)
        fraction = validation.get("fraction")
        return [split(self.present, classes=self.classes, fraction=fraction, seed=seed)]


def load(spec: Spec, path: Path) -> Data:
    """Read the columns that a job is about. Raises DataError where the target does not fit."""
    name, marker = spec["target"], (spec["training"]["validation"] or {}).get("column")
    wanted = dict.fromkeys([*spec["features"], name, *([marker] if marker else [])])
    table = dict(read_table(path, list(wanted)))
    column = table.pop(name)
    target, present = fit_target(column, spec["task"], name=name)
    classes = None if isinstance(target, Regression) else target.truth(column, present)
    return Data(spec, table, column, present, classes)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One split of the data as a network takes it, fitted on its training rows.

    x, xv: (rows, inputs) of the rows that train and judge. y, yv: (rows, outputs).
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

    def fit(self, recipe: Recipe, state: bytes | None = None) -> Fit:
        """The training run, from the beginning or from a saved state."""
        validation = (self.xv, self.yv) if len(self.xv) else None
        return Fit(self.network, recipe, self.x, self.y, validation=validation, state=state)

    def trained(self, theta: Floats) -> Answered:
        """The training rows with the network's answers."""
        return Answered(self.truth, self.target.decode(self.network.forward(theta, self.x)))

    def judged(self, theta: Floats) -> Answered:
        """The judging rows with the network's answers; the training rows where there are none."""
        if not len(self.xv):
            return self.trained(theta)
        return Answered(self.truth_v, self.target.decode(self.network.forward(theta, self.xv)))

    def linear(self) -> NDArray[np.float64]:
        """What linear or logistic regression answers for the rows of `judged`."""
        rows = self.xv if len(self.xv) else self.x
        return linear_answers(self.target, self.network.link, self.x, self.y, rows)


def prepare(data: Data, parts: Split) -> Prepared:
    """Learn target and preprocessing from the rows that train. Raises DataError."""
    spec, column = data.spec, data.target
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
    xv, _ = preprocessor.transform(data.table, parts.validation)
    return Prepared(
        target=target,
        preprocessor=preprocessor,
        network=network(spec, preprocessor.width, target.outputs),
        x=x,
        y=target.encode(column, parts.train),
        xv=xv,
        yv=target.encode(column, parts.validation),
        truth=target.truth(column, parts.train),
        truth_v=target.truth(column, parts.validation),
    )

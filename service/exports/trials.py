"""The rows an export is tried on: real ones, and ones that nobody would wish on it."""

from pathlib import Path
from typing import Any

import numpy as np

from core.columns import Category, Column
from core.dates import DateFeature
from core.errors import DataError
from core.features import Feature
from core.model import Model
from core.numeric import NumberFeature
from service.datasets.reading import read_table

ROWS = 200  # of each sort, less where the data set is smaller
_DATES = ("2000-02-29", "1999-12-31T23:59:59", "2024-03-01 06:30", "0001-01-01", "9999-12-31")
Rows = list[list[Any]]


def real_rows(model: Model, dataset: Path | None) -> Rows:
    """Rows spread evenly over the data set the model learned from; none when it is gone."""
    if dataset is None or not dataset.exists():
        return []
    names = [feature.name for feature in model.preprocessor.features]
    try:
        table = read_table(dataset, names)
    except (KeyError, OSError, ValueError):
        # An imported model may name a data set that is here and has other columns; or it goes now.
        return []
    columns = [_cells(table[name]) for name in names]
    count = len(columns[0])
    chosen = np.unique(np.linspace(0, count - 1, min(ROWS, count)).astype(int))
    return accepted(model, [[column[at] for column in columns] for at in chosen])


def _cells(column: Column) -> list[Any]:
    if not isinstance(column, Category):
        return [None if np.isnan(cell) else float(cell) for cell in column.values]
    levels = [level == "true" for level in column.levels] if column.is_boolean else column.levels
    return [None if code < 0 else levels[code] for code in column.codes]


def typical_rows(model: Model) -> Rows:
    """Rows from within the ranges and levels that the model remembers of its data set."""
    random = np.random.default_rng(1)
    features = model.preprocessor.features
    return accepted(model, [[_typical(one, random) for one in features] for _ in range(ROWS)])


def _typical(feature: Feature, random: np.random.Generator) -> Any:
    if isinstance(feature, NumberFeature):
        return float(random.uniform(feature.minimum, feature.maximum))
    if isinstance(feature, DateFeature):
        return _DATES[random.integers(len(_DATES))]
    if feature.type == "boolean":
        return bool(random.integers(2))
    return feature.levels[random.integers(len(feature.levels))]


def adversarial_rows(model: Model) -> Rows:
    """Missing values, unseen levels, the ends of every range and numbers far beyond them."""
    random = np.random.default_rng(0)
    rows = [
        [_adverse(feature, random) for feature in model.preprocessor.features] for _ in range(ROWS)
    ]
    return accepted(model, rows)


def _adverse(feature: Feature, random: np.random.Generator) -> Any:
    if random.random() < 0.2:
        return None
    if isinstance(feature, NumberFeature):
        low, high = feature.minimum, feature.maximum
        width = (high - low) or 1.0
        choices = (
            low,
            high,
            feature.mean,
            0.0,
            -1.0,
            low - 10 * width,
            high + 10 * width,
            1e6,
            -1e6,
        )
        return float(choices[random.integers(len(choices))])
    if isinstance(feature, DateFeature):
        return _DATES[random.integers(len(_DATES))]
    if feature.type == "boolean":
        return bool(random.integers(2))
    levels = (*feature.levels, "a level never seen", feature.levels[0].upper() + " ", "'\"\\\n漢")
    return levels[random.integers(len(levels))]


def accepted(model: Model, rows: Rows) -> Rows:
    """Those that the model itself does not refuse."""
    found = []
    for row in rows:
        try:
            model.predict_records([row])
        except DataError:
            continue
        found.append(row)
    return found

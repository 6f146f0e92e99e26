"""Shadows under load: what is too much is skipped, what does not fit is counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.columns import Numeric
from core.model import Model
from core.network import Network
from core.preprocessing import Preprocessor
from core.targets import Classes, Regression
from service.kit.database import Database
from service.models.resolution import Names, Resolved
from service.models.shadows import MOST_WAITING, Shadows, Sums, compare
from service.models.shelf import Shelf, Shelved


def line(slope: float) -> Model:
    """y = slope · x, as a network without hidden layers."""
    table = {"x": Numeric(np.linspace(-1.0, 1.0, 11))}
    return Model(
        "regression", "y", Preprocessor.fit(table, ["x"], scaling="none"),
        Network(1, (), 1, "identity"), np.array([slope, 0.0], np.float32), Regression(0.0, 1.0),
    )  # fmt: skip


def listed(model: Model, rows: list[Any]) -> list[dict[str, Any]]:
    return model.listed(model.predict_records(rows))


def test_differences_of_numbers_are_summed() -> None:
    given, shadow = line(1.0), line(1.2)
    rows = [{"x": 0.1}, {"x": 1.0}, {"x": -1.0}]

    sums = compare(given, shadow, rows, listed(given, rows))

    assert sums.rows == 3
    assert sums.agreed == 1  # 0.02 apart, of a tenth of the deviation
    assert sums.difference == pytest.approx(0.02, abs=1e-6)
    assert sums.absolute_difference == pytest.approx(0.42, abs=1e-6)
    assert sums.largest_difference == pytest.approx(0.2, abs=1e-6)


def test_a_shadow_of_another_task_has_failed() -> None:
    given = line(1.0)
    classes = Model(
        "binary", "y", given.preprocessor, Network(1, (), 1, "sigmoid"), given.theta,
        Classes(("a", "b"), "category", "binary"),
    )  # fmt: skip
    rows = [{"x": 0.5}]

    assert compare(given, classes, rows, listed(given, rows)) == Sums(failed=1)


def test_many_rows_are_compared_as_few_are() -> None:
    given, shadow = line(1.0), line(1.2)
    rows = [[step / 1000] for step in range(1000)]

    sums = compare(given, shadow, rows, listed(given, rows))

    assert sums.rows == 1000
    assert sums.difference == pytest.approx(0.2 * 499.5, rel=1e-4)


def test_more_than_can_wait_is_skipped_and_counted(tmp_path: Path, database: Database) -> None:
    shadows = Shadows(Shelf(Names(database), tmp_path, 1), database)  # not started: nothing drains
    given = line(1.0)
    by = Shelved("m", 1, given, "", (Resolved("m", 2, ""),))
    rows = [[0.0]] * (MOST_WAITING // 2)
    answers = listed(given, [[0.0]]) * len(rows)

    for _ in range(3):
        shadows.note(by, rows, answers)

    assert shadows._sums["m", 1, 2].skipped == MOST_WAITING // 2

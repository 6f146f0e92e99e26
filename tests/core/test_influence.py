"""Importance and dependence against scikit-learn, on models whose answer is known."""

import numpy as np
import pytest
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression

from core.columns import Category, Numeric
from core.influence import dependence, importances

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def linear():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3))
    y = 3.0 * x[:, 0] - x[:, 1]
    return LinearRegression().fit(x, y), x, y


def table_of(x: np.ndarray) -> dict[str, Numeric]:
    return {name: Numeric(x[:, at]) for at, name in enumerate(NAMES)}


def matrix_of(table: dict) -> np.ndarray:
    return np.column_stack([table[name].values for name in NAMES])


def test_importance_is_the_rise_of_the_loss(linear) -> None:
    model, x, y = linear

    def losses(table: dict) -> np.ndarray:
        return np.square(model.predict(matrix_of(table)) - y)

    found = importances(table_of(x), losses, repeats=10, seed=1)

    oracle = permutation_importance(
        model, x, y, scoring="neg_mean_squared_error", n_repeats=40, random_state=0
    )
    assert [one.column for one in found] == ["a", "b", "c"]
    for one, expected in zip(found, oracle.importances_mean, strict=True):
        assert one.mean == pytest.approx(expected, rel=0.08, abs=1e-9)
        assert one.low <= one.mean <= one.high
    assert found == importances(table_of(x), losses, repeats=10, seed=1)
    assert found[2].mean == pytest.approx(0.0, abs=1e-9)


def test_partial_dependence_is_scikit_learns(linear) -> None:
    model, x, _ = linear

    def answers(table: dict) -> np.ndarray:
        return model.predict(matrix_of(table))[:, None]

    found = dependence(table_of(x), "b", answers, points=7, lines=5)

    oracle = partial_dependence(model, x, [1], custom_values={1: np.array(found["at"])})
    assert np.ravel(found["mean"]) == pytest.approx(oracle["average"][0].tolist())
    assert np.shape(found["lines"]) == (5, 7, 1)
    slopes = np.diff(np.array(found["lines"])[:, :, 0], axis=1) / np.diff(found["at"])
    assert slopes == pytest.approx(np.full((5, 6), -1.0))


def test_levels_are_the_most_frequent_ones() -> None:
    codes = np.array([0, 2, 2, 1, 2, 1, -1], np.int32)
    table = {"word": Category(codes, ("x", "y", "z"))}

    def answers(given: dict) -> np.ndarray:
        return given["word"].codes[:, None].astype(float)

    found = dependence(table, "word", answers, points=2, lines=0)
    assert found["at"] == ["z", "y"]
    assert found["mean"] == [[2.0], [1.0]]
    assert found["lines"] == []

"""Against scikit-learn, which minimises the same sums by other means."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge

from core.linear import fit_linear


def standardized(load):
    x, y = load(return_X_y=True)
    return ((x - x.mean(axis=0)) / x.std(axis=0)), y


@pytest.mark.parametrize(
    ("load", "link"), [(load_breast_cancer, "sigmoid"), (load_wine, "softmax")]
)
def test_logistic_regression_gives_scikit_learns_probabilities(load, link):
    x, y = standardized(load)
    outputs = 1 if link == "sigmoid" else int(y.max()) + 1
    ours = fit_linear(link, x.astype(np.float32), y[:, None], outputs).forward(x)
    theirs = LogisticRegression(tol=1e-10, max_iter=5000).fit(x, y).predict_proba(x)
    ours = ours if link == "softmax" else np.hstack([1 - ours, ours])
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize("copies", [1, 60], ids=["solved", "descended"])
def test_ridge_regression_gives_scikit_learns_values(copies):
    x, y = standardized(load_diabetes)
    x = np.hstack(
        [x + 0.01 * i * np.sin(np.arange(x.size)).reshape(x.shape) for i in range(copies)]
    )
    y = (y - y.mean()) / y.std()
    ours = fit_linear("identity", x, y[:, None], 1).forward(x)[:, 0]
    theirs = Ridge(alpha=1.0).fit(x, y).predict(x)
    np.testing.assert_allclose(ours, theirs, atol=1e-9 if copies == 1 else 5e-3)


def test_separable_classes_and_constant_columns_have_an_answer():
    x = np.array([[0.0, 1.0], [1.0, 1.0], [10.0, 1.0], [11.0, 1.0]])
    fitted = fit_linear("sigmoid", x, np.array([[0], [0], [1], [1]]), 1)
    assert np.isfinite(fitted.weights).all()
    assert (fitted.forward(x)[:, 0] > 0.5).tolist() == [False, False, True, True]

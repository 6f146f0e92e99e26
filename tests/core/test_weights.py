import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from core.errors import NonFinite, TargetInvalid, WrongType
from core.linear import fit_linear
from core.weights import class_weights, combined, sample_weights, some_weight
from tests.core.test_preprocessing import category, numeric

RNG = np.random.default_rng(0)
TRUTH = RNG.choice(3, 200, p=[0.7, 0.2, 0.1])
NAMES = ("a", "b", "c")


def test_balanced_classes_are_scikit_learn_s():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=TRUTH)
    found = class_weights(NAMES, TRUTH, "balanced")
    np.testing.assert_allclose(found, expected)
    rows = combined(None, found, TRUTH)
    np.testing.assert_allclose(rows, compute_sample_weight("balanced", TRUTH))


def test_balanced_classes_weigh_the_same_whatever_their_rows_weigh():
    weights = RNG.uniform(0, 5, 200)
    rows = combined(weights, class_weights(NAMES, TRUTH, "balanced", weights), TRUTH)
    sums = np.bincount(TRUTH, rows)
    np.testing.assert_allclose(sums, sums[0])
    assert rows.sum() == pytest.approx(weights.sum())


def test_classes_weigh_what_a_mapping_says():
    assert class_weights(NAMES, TRUTH, {"c": 4.0}).tolist() == [1.0, 1.0, 4.0]
    with pytest.raises(TargetInvalid):
        class_weights(NAMES, TRUTH, {"secret": 4.0})


@pytest.mark.parametrize(
    ("column", "error", "row"),
    [
        (numeric(1.0, -1.0, 1.0), NonFinite, 1),
        (numeric(1.0, 1.0, np.nan), NonFinite, 2),
        (numeric(np.inf, 1.0, 1.0), NonFinite, 0),
        (category("a", "b", "c"), WrongType, None),
    ],
)
def test_what_is_no_weight_is_refused_by_row(column, error, row):
    with pytest.raises(error) as caught:
        sample_weights("w", column, np.arange(3))
    assert (caught.value.column, caught.value.row) == ("w", row)
    assert sample_weights("w", numeric(np.nan, 2.0), np.array([1])).tolist() == [2.0]


def test_rows_without_any_weight_are_refused():
    with pytest.raises(TargetInvalid):
        some_weight(np.zeros(3))
    assert some_weight(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("link", ["identity", "sigmoid", "softmax"])
def test_linear_models_of_weighted_rows_are_scikit_learn_s(link):
    x = RNG.normal(size=(200, 4))
    weights = RNG.uniform(0, 3, 200)
    if link == "identity":
        y = x @ RNG.normal(size=(4, 1)) + RNG.normal(size=(200, 1))
        expected = Ridge().fit(x, y, sample_weight=weights).predict(x)
        outputs = 1
    else:
        y = (TRUTH if link == "softmax" else (TRUTH > 0).astype(int))[:, None].astype(float)
        oracle = LogisticRegression(tol=1e-9).fit(x, y[:, 0], sample_weight=weights)
        expected = oracle.predict_proba(x)
        outputs = 3 if link == "softmax" else 1
        expected = expected if link == "softmax" else expected[:, 1:]
    found = fit_linear(link, x, y, outputs, weights).forward(x)
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=2e-3)

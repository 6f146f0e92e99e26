import math

import numpy as np
import pytest
from sklearn import metrics as oracle

from core.metrics import confusion, evaluate


def classification(classes, rows, seed=0):
    rng = np.random.default_rng(seed)
    logits = np.round(rng.normal(size=(rows, classes)), 1)  # rounded, so that scores tie
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return rng.integers(0, classes, rows), probabilities


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("rows", [60, 500])
def test_classification_metrics_are_scikit_learn_s(classes, rows):
    truth, probabilities = classification(classes, rows)
    predicted = probabilities.argmax(axis=1)
    expected = {
        "accuracy": oracle.accuracy_score(truth, predicted),
        "balanced_accuracy": oracle.balanced_accuracy_score(truth, predicted),
        "log_loss": oracle.log_loss(truth, probabilities, labels=range(classes)),
        "f1_macro": oracle.f1_score(truth, predicted, average="macro"),
    }
    if classes == 2:
        expected["roc_auc"] = oracle.roc_auc_score(truth, probabilities[:, 1])

    assert evaluate("multiclass", truth, probabilities) == pytest.approx(expected, abs=1e-12)


def test_regression_metrics_are_scikit_learn_s():
    rng = np.random.default_rng(0)
    truth = rng.normal(50.0, 9.0, 300)
    values = truth + rng.normal(size=300)
    assert evaluate("regression", truth, values) == pytest.approx(
        {
            "rmse": oracle.root_mean_squared_error(truth, values),
            "mae": oracle.mean_absolute_error(truth, values),
            "r2": oracle.r2_score(truth, values),
        }
    )


def test_confusion_counts_truth_by_row():
    truth, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    expected = oracle.confusion_matrix(truth, predicted, labels=range(4))
    assert np.array_equal(confusion(truth, predicted, 4), expected)


def test_a_certain_mistake_costs_a_finite_loss():
    found = evaluate("binary", np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found["log_loss"] == pytest.approx(-math.log(1e-15) / 2)


def test_what_has_no_meaning_is_left_out():
    one_class = evaluate("binary", np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert set(one_class) == {"accuracy", "balanced_accuracy", "log_loss", "f1_macro"}
    assert set(evaluate("regression", np.array([3.0, 3.0]), np.array([1.0, 2.0]))) == {
        "rmse",
        "mae",
    }
    assert evaluate("regression", np.array([]), np.array([])) == {}
    assert evaluate("regression", np.array([1e300, -1e300]), np.array([0.0, 0.0])) == {"mae": 1e300}


def test_classes_that_do_not_occur_are_not_averaged_in():
    truth, probabilities = np.array([0, 1, 1]), np.eye(5)[[0, 1, 0]]
    found = evaluate("multiclass", truth, probabilities)
    assert found["balanced_accuracy"] == 0.75
    assert found["f1_macro"] == pytest.approx(2 / 3)

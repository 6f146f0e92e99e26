import math

import numpy as np
import pytest
from sklearn import metrics as oracle

from core.metrics import confusion, evaluate, per_class
from core.quantities import quantile_loss


def classification(classes, rows, seed=0):
    rng = np.random.default_rng(seed)
    logits = np.round(rng.normal(size=(rows, classes)), 1)  # rounded, so that scores tie
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return rng.integers(0, classes, rows), probabilities


def weights_of(rows, kind):
    """None, or weights of which some are 0."""
    drawn = np.random.default_rng(9).integers(0, 4, rows).astype(np.float64)
    return drawn if kind == "weighted" else None


@pytest.mark.parametrize("kind", ["plain", "weighted"])
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("rows", [60, 500])
def test_classification_metrics_are_scikit_learn_s(classes, rows, kind):
    truth, probabilities = classification(classes, rows)
    weights = weights_of(rows, kind)
    predicted = probabilities.argmax(axis=1)
    scores = probabilities[:, 1] if classes == 2 else probabilities
    binary = scores if classes == 2 else np.eye(classes)[truth]
    macro = {"average": "macro", "sample_weight": weights, "zero_division": 0}
    by = {"sample_weight": weights}
    expected = {
        "accuracy": oracle.accuracy_score(truth, predicted, **by),
        "balanced_accuracy": oracle.balanced_accuracy_score(truth, predicted, **by),
        "log_loss": oracle.log_loss(truth, probabilities, labels=range(classes), **by),
        "f1_macro": oracle.f1_score(truth, predicted, **macro),
        "precision_macro": oracle.precision_score(truth, predicted, **macro),
        "recall_macro": oracle.recall_score(truth, predicted, **macro),
        "roc_auc": oracle.roc_auc_score(truth, scores, multi_class="ovr", **by),
        "pr_auc": oracle.average_precision_score(
            truth if classes == 2 else binary, scores, average="macro", **by
        ),
        "brier": oracle.brier_score_loss(truth, scores, labels=range(classes), **by),
        "mcc": oracle.matthews_corrcoef(truth, predicted, **by),
        "calibration_error": calibration_error(truth, probabilities, weights),
    }
    for k in (3, 5):
        if classes > k:
            found = oracle.top_k_accuracy_score(truth, probabilities + TINY[:classes], k=k, **by)
            expected[f"top_{k}_accuracy"] = found

    shifted = probabilities + (TINY[:classes] if classes > 3 else 0.0)  # no ties among the top
    found = evaluate("multiclass", truth, probabilities, weights)
    found |= {
        name: value
        for name, value in evaluate("multiclass", truth, shifted, weights).items()
        if name.startswith("top")
    }
    assert found == pytest.approx(expected, abs=1e-12)


TINY = 1e-9 * np.arange(9)


def calibration_error(truth, probabilities, weights):
    """As Guo et al. write it: bin by bin."""
    weights = np.ones(len(truth)) if weights is None else weights
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if weights[inside].sum() > 0:
            gap = np.average(right[inside] - confidence[inside], weights=weights[inside])
            total += weights[inside].sum() * abs(gap)
    return total / weights.sum()


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_precision_recall_and_f1_of_each_class_are_scikit_learn_s(kind):
    truth, probabilities = classification(5, 90)
    weights = weights_of(90, kind)
    found = per_class(truth, probabilities, weights)
    expected = oracle.precision_recall_fscore_support(
        truth, probabilities.argmax(axis=1), sample_weight=weights, zero_division=0
    )
    ours = [[one[name] for one in found] for name in ("precision", "recall", "f1", "support")]
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
@pytest.mark.parametrize("targets", [1, 3])
def test_regression_metrics_are_scikit_learn_s(targets, kind):
    rng = np.random.default_rng(0)
    truth = rng.normal(50.0, 9.0, (301, targets))
    values = truth + rng.normal(size=(301, targets))
    by = {"sample_weight": weights_of(301, kind)}
    if targets == 1:
        truth, values = truth[:, 0], values[:, 0]
    assert evaluate("regression", truth, values, by["sample_weight"]) == pytest.approx(
        {
            "rmse": oracle.root_mean_squared_error(truth, values, **by),
            "mae": oracle.mean_absolute_error(truth, values, **by),
            "r2": oracle.r2_score(truth, values, **by),
            "mape": oracle.mean_absolute_percentage_error(truth, values, **by),
            "median_absolute_error": oracle.median_absolute_error(truth, values, **by),
        }
    )


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.95])
def test_the_quantile_loss_is_scikit_learn_s(quantile):
    rng = np.random.default_rng(0)
    truth, values, weights = rng.normal(size=(3, 50))
    weights = np.abs(weights)
    expected = oracle.mean_pinball_loss(truth, values, sample_weight=weights, alpha=quantile)
    assert quantile_loss(truth, values, quantile, weights) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_metrics_of_several_labels_are_scikit_learn_s(kind):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (200, 4))
    output = np.round(np.clip(0.3 * truth + rng.uniform(0, 0.7, (200, 4)), 0.01, 0.99), 2)
    said = (output > 0.5).astype(int)
    by = {"sample_weight": weights_of(200, kind)}
    macro = {"average": "macro", "zero_division": 0, **by}

    def mean(metric):
        return np.mean([metric(truth[:, at], output[:, at], **by) for at in range(4)])

    expected = {
        "accuracy": oracle.accuracy_score(truth, said, **by),
        "hamming_loss": oracle.hamming_loss(truth, said, **by),
        "f1_macro": oracle.f1_score(truth, said, **macro),
        "f1_micro": oracle.f1_score(truth, said, average="micro", **by),
        "precision_macro": oracle.precision_score(truth, said, **macro),
        "recall_macro": oracle.recall_score(truth, said, **macro),
        "roc_auc": oracle.roc_auc_score(truth, output, average="macro", **by),
        "pr_auc": oracle.average_precision_score(truth, output, average="macro", **by),
        "log_loss": mean(oracle.log_loss),
        "brier": mean(oracle.brier_score_loss),
    }
    assert evaluate("multilabel", truth, output, by["sample_weight"]) == pytest.approx(expected)


def test_confusion_counts_truth_by_row():
    truth, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    expected = oracle.confusion_matrix(truth, predicted, labels=range(4))
    assert np.array_equal(confusion(truth, predicted, 4), expected)


def test_a_certain_mistake_costs_a_finite_loss():
    found = evaluate("binary", np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found["log_loss"] == pytest.approx(-math.log(1e-15) / 2)


def test_what_has_no_meaning_is_left_out():
    one_class = evaluate("binary", np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert "roc_auc" not in one_class
    assert not any(name.startswith("top") for name in one_class)
    constant = evaluate("regression", np.array([3.0, 0.0, 3.0])[::2], np.array([1.0, 2.0]))
    assert "r2" not in constant
    assert "mape" not in evaluate("regression", np.array([3.0, 0.0]), np.array([1.0, 2.0]))
    assert evaluate("regression", np.array([]), np.array([])) == {}
    huge = evaluate("regression", np.array([1e300, -1e300]), np.array([0.0, 0.0]))
    assert huge == {"mae": 1e300, "mape": 1.0, "median_absolute_error": 1e300}


def test_classes_that_do_not_occur_are_not_averaged_in():
    truth, probabilities = np.array([0, 1, 1]), np.eye(5)[[0, 1, 0]]
    found = evaluate("multiclass", truth, probabilities)
    assert found["balanced_accuracy"] == 0.75
    assert found["f1_macro"] == pytest.approx(2 / 3)

"""Intervals hold the truth as often as they say, and comparisons call equals equal."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from core.intervals import bootstrap, compare, row_losses
from core.metrics import evaluate


def test_intervals_hold_the_true_accuracy_nineteen_times_in_twenty():
    random, held = np.random.default_rng(0), 0
    for trial in range(300):
        right = random.random(200) < 0.8
        truth = random.integers(0, 2, 200)
        output = np.eye(2)[np.where(right, truth, 1 - truth)]
        low, high = bootstrap("binary", truth, output, seed=trial)["accuracy"]
        held += low <= 0.8 <= high
    assert 0.90 <= held / 300 <= 0.98


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_intervals_hold_the_metric_itself_and_follow_from_the_seed(task):
    random = np.random.default_rng(1)
    if task == "regression":
        truth = random.normal(size=120)
        output = truth + 0.3 * random.normal(size=120)
    else:
        classes = 2 if task == "binary" else 4
        truth = random.integers(0, classes, 120)
        output = random.dirichlet(np.ones(classes), 120) + 0.7 * np.eye(classes)[truth]
        output /= output.sum(axis=1, keepdims=True)
    found, metrics = bootstrap(task, truth, output, seed=3), evaluate(task, truth, output)
    assert found == bootstrap(task, truth, output, seed=3)
    assert set(found) <= set(metrics)
    assert len(found) >= 3
    for name, (low, high) in found.items():
        assert low < metrics[name] < high


def test_weights_of_one_give_the_metric_itself():
    """The bootstrap's own formulas, held to those of `core.metrics` on rows drawn by hand."""
    random = np.random.default_rng(2)
    truth, scores = random.integers(0, 2, 60), random.random(60).round(1)
    output = np.stack([1 - scores, scores], axis=1)
    from core.intervals import _classes

    draw = random.integers(0, 60, 60)
    weights = np.bincount(draw, minlength=60).astype(float)[None]
    expected = evaluate("binary", truth[draw], output[draw])
    for name, measure in _classes(truth, output).items():
        assert measure(weights)[0] == pytest.approx(expected[name], abs=1e-12)


def test_equal_models_are_called_different_one_time_in_twenty():
    random = np.random.default_rng(3)
    called = sum(
        compare(random.normal(size=n) ** 2, random.normal(size=n) ** 2, seed=n).verdict
        != "cannot tell"
        for n in np.tile([8, 12, 30, 100], 100)
    )
    assert called / 400 < 0.08


def test_the_p_value_of_few_rows_is_exact():
    random = np.random.default_rng(4)
    ours, theirs = random.normal(size=9), random.normal(loc=0.5, size=9)

    def mean(values, axis):
        return values.mean(axis=axis)

    exact = permutation_test(
        (theirs - ours,), mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert compare(ours, theirs, seed=0).p_value == pytest.approx(exact)


def test_a_better_model_is_called_better_and_a_worse_one_worse():
    losses = np.abs(np.random.default_rng(5).normal(size=200))
    better = compare(losses, losses + 0.2, seed=0)
    assert (better.verdict, better.low <= better.difference <= better.high) == ("yes", True)
    assert compare(losses + 0.2, losses, seed=0).verdict == "no"
    assert compare(losses, losses, seed=0).p_value == 1.0


def test_row_losses_average_to_the_metrics():
    random = np.random.default_rng(6)
    truth, output = random.integers(0, 3, 50), random.dirichlet(np.ones(3), 50)
    losses = row_losses("multiclass", truth, output)
    assert losses.mean() == pytest.approx(evaluate("multiclass", truth, output)["log_loss"])

"""Targets of several numbers a row, held against scikit-learn and the definitions."""

import json

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor, QuantileRegressor
from sklearn.metrics import (
    d2_tweedie_score,
    f1_score,
    hamming_loss,
    log_loss,
    mean_pinball_loss,
    mean_poisson_deviance,
    root_mean_squared_error,
)

from core.appraisal import Answered, appraise, linear_answers
from core.calibration import calibrate, doubt_as_json, doubt_from_json
from core.columns import Category, Numeric
from core.errors import DataError, TargetInvalid
from core.intervals import row_losses
from core.linear import fit_linear
from core.metrics import evaluate
from core.several import Quantiles, Several, any_target_from_dict, fit_targets, title, truth_of
from core.targets import Classes, Counts, fit_target

RANDOM = np.random.default_rng(5)
NUMBERS = [Numeric(RANDOM.normal(100, 5, 40)), Numeric(RANDOM.normal(-1, 0.01, 40))]
FLAGS = Category(np.array([0, 1, -1, 1, 0, 1], np.int32), ("false", "true"))
ANSWERS = Category(np.array([1, 0, 0, 1, 1, -1], np.int32), ("yes", "no"))
ALL = np.arange(40)


def test_each_target_is_scaled_by_itself_and_scaled_back():
    target, present = fit_targets(NUMBERS, ["a", "b"], "regression", rows=ALL[:30])
    learned = target.encode(NUMBERS, present)
    assert learned[:30].mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert learned[:30].std(axis=0) == pytest.approx([1, 1], abs=1e-5)
    np.testing.assert_allclose(target.decode(learned), target.truth(NUMBERS, ALL), rtol=1e-6)
    assert target.listed(target.decode(learned), None)[0]["values"].keys() == {"a", "b"}


def test_labels_are_what_the_columns_have_and_rows_lacking_one_are_left_out():
    target, present = fit_targets([FLAGS, ANSWERS], ["seen", "said"], "multilabel")
    assert present.tolist() == [0, 1, 3, 4]
    assert target.truth([FLAGS, ANSWERS], present).tolist() == [[0, 0], [1, 1], [1, 0], [0, 0]]
    shares = np.array([[0.2, 0.9]])
    told = target.listed(shares, (shares > 0.5).astype(int))
    assert json.loads(json.dumps(told)) == [
        {"labels": {"seen": False, "said": "yes"}, "probabilities": {"seen": 0.2, "said": 0.9}}
    ]
    columns = target.tabled(shares, (shares > 0.5).astype(int))
    assert [one.name for one in columns] == ["seen", "said", "probability_seen", "probability_said"]
    assert [one.cells.tolist() for one in columns] == [[False], ["yes"], [0.2], [0.9]]


@pytest.mark.parametrize("counts", [False, True])
def test_targets_come_back_from_json(counts):
    columns = [Numeric(np.abs(column.values)) for column in NUMBERS]
    for target, _ in (
        fit_targets(columns, ["a", "b"], "regression", counts=counts),
        fit_targets(columns[:1], ["a"], "regression", counts=counts),
        fit_targets(columns[:1], ["a"], "regression", quantiles=(0.1, 0.9)),
        fit_targets([FLAGS, ANSWERS], ["a", "b"], "multilabel"),
    ):
        assert any_target_from_dict(json.loads(json.dumps(target.to_dict()))) == target


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"quantiles": [0.5, 0.1]},
        {"quantiles": [0.0, 0.1]},
        {"quantiles": []},
        {"task": "multilabel"},
    ],
)
def test_nonsense_is_refused(change):
    one, _ = fit_targets(NUMBERS[:1], ["a"], "regression")
    two, _ = fit_targets(NUMBERS, ["a", "b"], "regression")
    base = one if "quantiles" in change else two
    with pytest.raises((ValueError, KeyError)):
        any_target_from_dict({**base.to_dict(), **change})


def test_counts_below_zero_are_refused_naming_the_row():
    column = Numeric(np.array([3.0, np.nan, 0.0, -1.0]))
    with pytest.raises(TargetInvalid) as caught:
        fit_target(column, "regression", name="visits", counts=True)
    assert (caught.value.row, caught.value.column) == (3, "visits")
    with pytest.raises(DataError):
        fit_target(Numeric(np.zeros(3)), "regression", counts=True)
    target, _ = fit_target(Numeric(np.array([0.0, 3.0])), "regression", counts=True)
    assert target == Counts(0.0, 1.5)


def test_quantiles_never_cross():
    target, _ = fit_targets(NUMBERS[:1], ["a"], "regression", quantiles=(0.1, 0.5, 0.9))
    crossed = np.array([[0.3, -0.2, 0.1]])
    told = target.decode(crossed)
    assert told[0].tolist() == sorted(told[0])
    assert target.listed(told)[0]["quantiles"].keys() == {"0.1", "0.5", "0.9"}
    truth = np.repeat(0.0, 1000)
    before = row_losses("quantiles", truth, np.repeat(crossed, 1000, 0), target.levels)
    after = row_losses("quantiles", truth, np.repeat(np.sort(crossed), 1000, 0), target.levels)
    assert after.mean() <= before.mean()


def weights_of(rows):
    return RANDOM.integers(1, 4, rows).astype(float)


def test_metrics_of_counts_are_scikit_learn_s():
    truth, said, weights = (
        RANDOM.poisson(3, 50).astype(float),
        RANDOM.gamma(3, 1, 50),
        weights_of(50),
    )
    found = evaluate("counts", truth, said, weights)
    deviance = mean_poisson_deviance(truth, said, sample_weight=weights)
    assert found["poisson_deviance"] == pytest.approx(deviance)
    d2 = d2_tweedie_score(truth, said, sample_weight=weights, power=1)
    assert found["d2"] == pytest.approx(d2)


def test_metrics_of_quantiles_are_scikit_learn_s():
    truth, said, weights = (
        RANDOM.normal(size=50),
        np.sort(RANDOM.normal(size=(50, 2))),
        weights_of(50),
    )
    found = evaluate("quantiles", truth, said, weights, quantiles=(0.2, 0.8))
    losses = [mean_pinball_loss(truth, said[:, at], alpha=level, sample_weight=weights)
              for at, level in enumerate((0.2, 0.8))]  # fmt: skip
    assert found["quantile_loss"] == pytest.approx(np.mean(losses))


def test_metrics_of_several_targets_are_means_and_told_one_by_one():
    target, _ = fit_targets(NUMBERS, ["a", "b"], "regression")
    truth = truth_of(target, NUMBERS, ALL)
    output = truth + RANDOM.normal(0, [1.0, 0.001], truth.shape)
    rows = Answered(truth, output)
    found = appraise(target, rows, rows, output[::-1], 1)
    for at, name in enumerate(("a", "b")):
        rmse = root_mean_squared_error(truth[:, at], output[:, at])
        assert found["per_output"][name]["metrics"]["rmse"] == pytest.approx(rmse)
        spread = truth[:, at].std()
        assert found["per_output"][name]["baseline"]["rmse"] == pytest.approx(spread)
    means = [part["metrics"]["rmse"] for part in found["per_output"].values()]
    assert found["metrics"]["rmse"] == pytest.approx(np.mean(means))
    assert found["intervals"]["rmse"]["low"] < np.mean(means) < found["intervals"]["rmse"]["high"]
    assert found["better_than_linear"]["verdict"] == "yes"


def test_metrics_of_labels_are_scikit_learn_s():
    truth, output = RANDOM.integers(0, 2, (60, 3)).astype(float), RANDOM.random((60, 3))
    target = Several(("a", "b", "c"), (Classes((False, True), "boolean", "binary"),) * 3)
    rows = Answered(truth, output)
    found = appraise(target, rows, rows, 1 - output, 1)
    assert found["metrics"]["hamming_loss"] == pytest.approx(hamming_loss(truth, output > 0.5))
    f1 = f1_score(truth, output > 0.5, average="macro")
    assert found["metrics"]["f1_macro"] == pytest.approx(f1)
    for at, name in enumerate("abc"):
        expected = log_loss(truth[:, at], output[:, at])
        assert found["per_output"][name]["metrics"]["log_loss"] == pytest.approx(expected)
    assert found["intervals"].keys() == {"accuracy", "hamming_loss", "log_loss"}


def test_the_linear_model_of_counts_is_scikit_learn_s():
    x = RANDOM.normal(size=(300, 3))
    y = RANDOM.poisson(np.exp(x @ [0.5, -0.3, 0.1] + 1)).astype(float)
    ours = fit_linear("exp", x, y[:, None], 1).forward(x)[:, 0]
    theirs = PoissonRegressor(alpha=1 / 300, tol=1e-8, max_iter=1000).fit(x, y).predict(x)
    np.testing.assert_allclose(ours, theirs, rtol=5e-3)


def test_the_linear_model_of_quantiles_is_as_good_as_scikit_learn_s():
    x = RANDOM.normal(size=(400, 2))
    y = x @ [1.0, -2.0] + RANDOM.gumbel(size=400)
    target, _ = fit_targets([Numeric(y)], ["y"], "regression", quantiles=(0.1, 0.9), scaling="none")
    ours = linear_answers(target, "identity", x, y[:, None], x)
    for at, level in enumerate(target.levels):
        model = QuantileRegressor(quantile=level, alpha=0.0).fit(x, y)
        theirs = mean_pinball_loss(y, model.predict(x), alpha=level)
        assert mean_pinball_loss(y, ours[:, at], alpha=level) < 1.05 * theirs


@pytest.mark.parametrize("several", [False, True], ids=["quantiles", "several targets"])
def test_intervals_hold_the_truth_as_often_as_asked(several):
    random = np.random.default_rng(2)
    truth = random.normal(0, [1.0, 10.0], (4000, 2))
    if several:
        output, measure = np.zeros((4000, 2)), "regression"
        doubts = calibrate(measure, truth[:2000], output[:2000])
        radii = [doubt.radius(0.9) for doubt in doubts]
        held = (np.abs(truth[2000:]) <= radii).mean(axis=0)
    else:  # quantiles that are far too narrow
        output, measure = np.tile([-0.1, 0.1], (4000, 1)), "quantiles"
        doubts = calibrate(measure, truth[:2000, 0], output[:2000])
        held = np.array([(np.abs(truth[2000:, 0]) <= 0.1 + doubts.radius(0.9)).mean()])
    assert held == pytest.approx(0.9, abs=0.02)
    assert doubt_from_json(json.loads(json.dumps(doubt_as_json(doubts)))) == doubts


def test_weights_count_in_calibration_as_so_many_rows():
    random = np.random.default_rng(3)
    truth, said = random.normal(size=300), np.zeros(300)
    weights = np.where(np.abs(truth) > 1, 0.0, 1.0)
    known = np.abs(truth) <= 1
    assert calibrate("regression", truth, said, weights) == calibrate(
        "regression", truth[known], said[known]
    )
    assert calibrate("regression", truth, said, np.full(300, 7.0)) == calibrate(
        "regression", truth, said
    )
    assert calibrate("regression", truth, said, np.zeros(300)) is None
    classes, shares = (truth > 0).astype(int), np.column_stack((random.random(300),) * 2)
    shares[:, 1] = 1 - shares[:, 0]
    heavy = calibrate("binary", classes, shares, np.where(known, 2.0, 1.0))
    copies = np.repeat(np.arange(300), np.where(known, 2, 1))
    repeated = calibrate("binary", classes[copies], shares[copies])
    assert heavy.temperature == pytest.approx(repeated.temperature)


def test_a_title_is_short_enough_for_its_column():
    assert title(["a", "b"]) == "a, b"
    assert len(title(["x" * 200] * 3)) <= 128


def test_quantiles_are_of_numbers():
    assert isinstance(fit_targets(NUMBERS[:1], ["a"], "regression", quantiles=(0.5,))[0], Quantiles)

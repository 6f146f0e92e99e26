"""Sets and intervals hold the truth as often as asked; a temperature mends overconfidence."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from core.calibration import Calibration, calibrate_classes, calibrate_values, temper


def outcomes(random, rows, sharpness):
    """True probabilities, what happened, and an overconfident model's probabilities."""
    true = random.dirichlet(np.ones(4), rows)
    happened = (random.random((rows, 1)) > true.cumsum(axis=1)).sum(axis=1)
    return happened, temper(true, 1 / sharpness)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_sets_hold_the_class_as_often_as_asked_over_200_splits(coverage):
    random, held, rows = np.random.default_rng(0), 0, 0
    for _ in range(200):
        happened, given = outcomes(random, 250, sharpness=3.0)
        fitted = calibrate_classes(happened[:150], given[:150])
        sets = fitted.sets(temper(given[150:], fitted.temperature), coverage)
        held += int(sets[np.arange(100), happened[150:]].sum())
        rows += 100
    error = 4 * np.sqrt(coverage * (1 - coverage) / (200 * 60))
    assert held / rows >= coverage - error
    if coverage > 0.6:  # below, the most likely class alone holds more
        assert held / rows <= coverage + error + 1 / 151


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_intervals_hold_the_value_as_often_as_asked_over_200_splits(coverage):
    random, held = np.random.default_rng(1), 0
    for _ in range(200):
        truth, noise = random.normal(size=200), random.standard_t(3, size=200)
        fitted = calibrate_values(truth[:100], truth[:100] + noise[:100])
        held += int((np.abs(noise[100:]) <= fitted.radius(coverage)).sum())
    error = 4 * np.sqrt(coverage * (1 - coverage) / (200 * 50))
    assert coverage - error <= held / 20_000 <= coverage + error + 1 / 101


def test_the_temperature_is_the_one_of_least_log_loss():
    happened, given = outcomes(np.random.default_rng(2), 2_000, sharpness=2.5)

    def log_loss(temperature):
        chosen = temper(given, temperature)[np.arange(2_000), happened]
        return -np.log(chosen).mean()

    best = minimize_scalar(log_loss, bounds=(0.05, 20), method="bounded").x
    found = calibrate_classes(happened, given).temperature
    assert found == pytest.approx(best, rel=1e-3)
    assert found == pytest.approx(2.5, rel=0.15)


def test_too_few_rows_promise_nothing():
    few = calibrate_values(np.zeros(9), np.arange(9.0))
    assert few.radius(0.9) == 8.0
    assert few.radius(0.91) == np.inf
    sets = calibrate_classes(np.zeros(3, int), np.full((3, 2), 0.5)).sets(
        np.array([[0.9, 0.1]]), 0.95
    )
    assert sets.tolist() == [[True, True]]


def test_many_rows_are_kept_as_quantiles_on_the_safe_side():
    errors = np.abs(np.random.default_rng(3).normal(size=50_000))
    fitted = calibrate_values(errors, np.zeros(50_000))
    assert len(fitted.scores) == 2_000
    for coverage in (0.5, 0.9, 0.99, 0.999):
        exact = np.sort(errors)[int(np.ceil(50_001 * coverage)) - 1]
        assert exact <= fitted.radius(coverage) <= exact * 1.1
    assert Calibration.from_dict(fitted.to_dict()) == fitted

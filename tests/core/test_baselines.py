import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from core.baselines import baseline
from core.metrics import evaluate


def test_classes_are_answered_by_their_frequencies_in_training():
    rng = np.random.default_rng(0)
    train, validation = rng.choice(3, 200, p=[0.2, 0.5, 0.3]), rng.integers(0, 3, 80)
    dummy = DummyClassifier(strategy="prior").fit(train[:, None], train)
    expected = evaluate("multiclass", validation, dummy.predict_proba(validation[:, None]))
    del expected["calibration_error"]  # which a constant answer has for free
    assert baseline("multiclass", train, validation, 3) == pytest.approx(expected)


def test_a_quantity_is_answered_by_its_mean_in_training():
    rng = np.random.default_rng(0)
    train, validation = rng.normal(5.0, 2.0, 100), rng.normal(6.0, 2.0, 40)
    dummy = DummyRegressor().fit(train[:, None], train)
    expected = evaluate("regression", validation, dummy.predict(validation[:, None]))
    assert baseline("regression", train, validation) == pytest.approx(expected)


def test_a_coin_flip_has_no_skill_in_ranking():
    found = baseline("binary", np.array([0, 1, 1]), np.array([0, 1, 0, 1]), 2)
    assert found["roc_auc"] == 0.5
    assert found["accuracy"] == 0.5

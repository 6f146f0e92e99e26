"""Folds and marked rows, and what folds say together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from core.errors import TargetInvalid
from core.splits import marked
from core.validation import MOST_FOLDS, folds, summary
from tests.core.test_preprocessing import boolean, category, numeric


@given(st.integers(2, 8), st.integers(8, 60), st.integers(0, 2**32), st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_row_judges_once_and_trains_elsewhere(count, rows, seed, stratified):
    present = np.arange(0, 2 * rows, 2)
    classes = np.arange(rows) % 3 if stratified else None
    splits = folds(present, classes=classes, count=count, seed=seed)
    judging = np.concatenate([one.validation for one in splits])
    assert np.array_equal(np.sort(judging), present)
    for one in splits:
        both = np.concatenate((one.train, one.validation))
        assert np.array_equal(np.sort(both), present)
        assert abs(len(one.validation) - rows / count) < 1
    again = folds(present, classes=classes, count=count, seed=seed)
    assert all(np.array_equal(a.train, b.train) for a, b in zip(splits, again, strict=True))


def test_classes_are_as_even_over_the_folds_as_in_scikit_learn():
    classes = np.repeat([0, 1, 2], [100, 37, 11])
    present = np.arange(len(classes))
    ours = [np.bincount(classes[one.validation], minlength=3)
            for one in folds(present, classes=classes, count=5, seed=1)]  # fmt: skip
    theirs = [np.bincount(classes[test], minlength=3)
              for _, test in StratifiedKFold(5).split(present, classes)]  # fmt: skip
    assert np.ptp(ours, axis=0).max() <= max(1, np.ptp(theirs, axis=0).max())


def test_other_seeds_deal_otherwise():
    present = np.arange(50)
    first, second = (folds(present, classes=None, count=5, seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(first.validation, second.validation)


@pytest.mark.parametrize("count", range(2, MOST_FOLDS + 1))
def test_the_interval_over_folds_is_student_s_with_the_corrected_variance(count):
    values = np.random.default_rng(count).normal(0.8, 0.05, count)
    found = summary([{"accuracy": value} for value in values], [10] * count)["accuracy"]
    variance = (1 / count + 10 / (10 * count - 10)) * values.var(ddof=1)
    low, high = stats.t.interval(0.95, count - 1, values.mean(), np.sqrt(variance))
    assert (found["mean"], found["deviation"]) == pytest.approx((values.mean(), values.std(ddof=1)))
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-4)


def test_a_metric_that_a_fold_lacks_is_not_averaged():
    found = summary([{"accuracy": 1.0, "roc_auc": 0.5}, {"accuracy": 0.5}], [3, 3])
    assert set(found) == {"accuracy"}


@pytest.mark.parametrize(
    "column",
    [
        boolean(True, False, None, False, True),
        numeric(1.0, 0.0, np.nan, 0.0, 1.0),
        category("validation", "train", "test", "Train", "VALIDATION"),
    ],
)
def test_marked_rows_train_judge_or_are_left_out(column):
    found = marked(np.array([4, 0, 1, 2]), column)
    assert found.train.tolist() == [1]
    assert found.validation.tolist() == [0, 4]


@pytest.mark.parametrize("column", [boolean(True, True), numeric(0.0, 0.0), category("a", "b")])
def test_marks_without_rows_that_train_and_rows_that_judge_are_refused(column):
    with pytest.raises(TargetInvalid):
        marked(np.arange(2), column)

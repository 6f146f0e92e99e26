import json

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from core.columns import Category, Numeric
from core.errors import NonFinite, TargetInvalid
from core.targets import fit_target, infer_task, target_from_dict

TEXT = Category(np.array([2, 0, -1, 2, 1], np.int32), ("pear", "fig", "apple", "never"))
FLAGS = Category(np.array([1, 0, -1, 1], np.int32), ("false", "true"))
DIGITS = Numeric(np.array([7.0, 3.0, np.nan, 3.0, 5.0]))
PRICES = Numeric(np.array([10.0, np.nan, 30.0, 80.0]))


@pytest.mark.parametrize(
    ("kind", "is_integer", "distinct", "rows", "task"),
    [
        ("boolean", False, 2, 10, "binary"),
        ("category", False, 2, 5, "binary"),
        ("category", False, 3, 5, "multiclass"),
        ("category", False, 400, 500, "multiclass"),
        ("number", True, 2, 21, "binary"),
        ("number", True, 2, 20, "regression"),
        ("number", True, 20, 201, "multiclass"),
        ("number", True, 20, 200, "regression"),
        ("number", True, 21, 10_000, "regression"),
        ("number", False, 3, 10_000, "regression"),
    ],
)
def test_the_task_follows_from_the_column(kind, is_integer, distinct, rows, task):
    found = infer_task(kind=kind, is_integer=is_integer, distinct=distinct, rows=rows)
    assert found == task


def test_text_classes_are_the_levels_that_occur_in_sorted_order():
    target, present = fit_target(TEXT, "multiclass")
    assert target.labels == ("apple", "fig", "pear")
    assert present.tolist() == [0, 1, 3, 4]
    assert target.encode(TEXT, present).tolist() == [[0.0], [2.0], [0.0], [1.0]]
    assert target.outputs == 3


def test_booleans_are_json_s_own():
    target, present = fit_target(FLAGS, "binary")
    assert json.dumps(target.labels) == "[false, true]"
    assert target.names == ("false", "true")
    assert target.truth(FLAGS, present).tolist() == [1, 0, 1]
    assert target.outputs == 1


def test_whole_numbers_are_classes_as_integers():
    target, present = fit_target(DIGITS, "multiclass")
    assert json.dumps(target.labels) == "[3, 5, 7]"
    assert target.truth(DIGITS, present).tolist() == [2, 0, 0, 1]


def test_a_quantity_is_scaled_by_its_training_rows():
    target, present = fit_target(PRICES, "regression", rows=np.array([0, 2]))
    assert present.tolist() == [0, 2, 3]
    assert (target.mean, target.scale) == (20.0, 10.0)
    assert target.encode(PRICES, present).tolist() == [[-1.0], [1.0], [6.0]]
    assert target.encode(PRICES, present).dtype == np.float32


def test_what_a_network_says_comes_back_in_the_target_s_units():
    rng = np.random.default_rng(0)
    column = Numeric(rng.normal(1e6, 3.0, 100))
    target, present = fit_target(column, "regression")
    back = target.decode(target.encode(column, present))
    np.testing.assert_allclose(back, column.values, atol=3e-6)


def test_a_constant_quantity_is_shifted_only():
    column = Numeric(np.full(5, 0.1))
    target, present = fit_target(column, "regression")
    assert target.scale == 1.0
    np.testing.assert_allclose(target.encode(column, present), 0.0, atol=1e-12)


def test_two_classes_have_complementary_probabilities():
    target, _ = fit_target(FLAGS, "binary")
    output = np.array([[0.25], [1.0]], np.float32)
    assert target.decode(output).tolist() == [[0.75, 0.25], [0.0, 1.0]]


def test_two_classes_may_be_learned_as_any_number_of_classes():
    assert fit_target(FLAGS, "multiclass")[0].outputs == 2


@pytest.mark.parametrize(
    ("column", "task"),
    [
        (TEXT, "regression"),
        (TEXT, "binary"),
        (DIGITS, "binary"),
        (Numeric(np.array([0.5, 1.0])), "binary"),
        (Numeric(np.array([1.0, 1.0])), "binary"),
        (Numeric(np.full(3, np.nan)), "regression"),
        (Numeric(np.arange(501.0)), "multiclass"),
    ],
)
def test_a_column_that_does_not_fit_the_task_is_refused_by_name(column, task):
    with pytest.raises(TargetInvalid) as caught:
        fit_target(column, task, name="price")
    assert caught.value.column == "price"


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_a_number_too_large_to_learn_is_refused_by_row(value):
    column = Numeric(np.array([1.0, np.nan, value]))
    with pytest.raises(NonFinite) as caught:
        fit_target(column, "regression", name="price")
    assert (caught.value.column, caught.value.row) == ("price", 2)


@pytest.mark.parametrize("rows", [[2], [0, 2]])
def test_a_row_without_a_class_cannot_be_learned(rows):
    for column in (TEXT, DIGITS):
        target, _ = fit_target(column, "multiclass")
        with pytest.raises(TargetInvalid) as caught:
            target.encode(column, np.array(rows))
        assert caught.value.row == 2


@pytest.mark.parametrize(
    ("column", "task"),
    [(TEXT, "multiclass"), (FLAGS, "binary"), (DIGITS, "multiclass"), (PRICES, "regression")],
)
def test_json_brings_back_an_equal_target(column, task):
    target, _ = fit_target(column, task)
    assert target_from_dict(json.loads(json.dumps(target.to_dict()))) == target


@pytest.mark.parametrize(
    ("scaling", "oracle"),
    [
        ("standardize", TransformedTargetRegressor(transformer=StandardScaler())),
        ("minmax", TransformedTargetRegressor(transformer=MinMaxScaler())),
        ("none", TransformedTargetRegressor()),
        ("log1p", TransformedTargetRegressor(func=np.log1p, inverse_func=np.expm1)),
    ],
)
def test_a_scaled_target_is_learned_and_scaled_back_as_by_scikit_learn(scaling, oracle):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    y = np.exp(x @ [0.5, -0.2] + 3.0 + 0.1 * rng.normal(size=80))
    column, rows = Numeric(y), np.arange(60)
    target, _ = fit_target(column, "regression", rows=rows, scaling=scaling)
    assert target_from_dict(target.to_dict()) == target

    learned = LinearRegression().fit(x[:60], target.encode(column, rows)[:, 0])
    ours = target.decode(learned.predict(x)[:, None])
    np.testing.assert_allclose(ours, oracle.fit(x[:60], y[:60]).predict(x), rtol=1e-4)
    back = target.decode(target.encode(column, np.arange(80)))
    np.testing.assert_allclose(back, y, atol=1e-6 * y.max())


def test_the_scaling_of_a_target_looks_at_training_rows_alone():
    y = np.array([1.0, 2.0, 4.0, 1e6, -1e6])
    for scaling in ("standardize", "minmax", "log1p"):
        fits = [
            fit_target(Numeric(values), "regression", rows=np.arange(3), scaling=scaling)[0]
            for values in (y, np.where(np.arange(5) < 3, y, 0.0))
        ]
        assert fits[0] == fits[1]

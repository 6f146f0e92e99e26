import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from core.errors import MissingColumn, MissingValue, NonFinite, TooWide, UnseenLevel, WrongType
from core.preprocessing import BLOCK, Category, Numeric, Preprocessor


def numeric(*values):
    return Numeric(np.array(values, dtype=np.float64))


def category(*values, levels=None):
    levels = levels or tuple(sorted({value for value in values if value is not None}))
    codes = [-1 if value is None else levels.index(value) for value in values]
    return Category(np.array(codes, dtype=np.int32), levels)


def boolean(*values):
    return category(
        *(None if value is None else str(value).lower() for value in values),
        levels=("false", "true"),
    )


@pytest.mark.parametrize(
    ("scaling", "oracle"), [("standardize", StandardScaler()), ("minmax", MinMaxScaler())]
)
def test_numbers_scale_by_the_training_rows_as_scikit_learn_does(scaling, oracle):
    values = np.random.default_rng(0).lognormal(3.0, 2.0, 200)
    rows = np.arange(0, 200, 3)

    fitted = Preprocessor.fit({"x": Numeric(values)}, ["x"], rows=rows, scaling=scaling)
    matrix, _ = fitted.transform({"x": Numeric(values)})

    expected = oracle.fit(values[rows, None]).transform(values[:, None])
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-6)


def test_numbers_without_scaling_stay_as_they_are():
    table = {"x": numeric(3.0, -7.5, 1e6)}
    matrix, _ = Preprocessor.fit(table, ["x"], scaling="none").transform(table)
    assert matrix[:, 0].tolist() == [3.0, -7.5, 1e6]


@pytest.mark.parametrize("scaling", ["standardize", "minmax"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e9, 1e30])
def test_a_constant_column_is_shifted_only(scaling, value):
    fitted = Preprocessor.fit({"x": numeric(*[value] * 7)}, ["x"], scaling=scaling)
    matrix, _ = fitted.transform({"x": numeric(value, value + 1.0)})
    assert matrix[:, 0].tolist() == [0.0, np.float32(value + 1.0 - value)]


@given(
    st.lists(st.floats(-(2.0**120), 2.0**120, allow_subnormal=True), min_size=1, max_size=20),
    st.sampled_from(["standardize", "minmax", "none"]),
)
@settings(max_examples=200, deadline=None)
def test_training_rows_scale_to_finite_numbers_whatever_they_are(values, scaling):
    table = {"x": numeric(*values)}
    matrix, warnings = Preprocessor.fit(table, ["x"], scaling=scaling).transform(table)
    assert np.isfinite(matrix).all()
    assert warnings == []


def test_a_missing_number_is_the_training_mean():
    table = {"x": numeric(1.0, np.nan, 3.0, 80.0)}
    fitted = Preprocessor.fit(table, ["x"], rows=np.array([0, 1, 2]), scaling="none")
    assert fitted.transform(table)[0][:, 0].tolist() == [1.0, 2.0, 3.0, 80.0]


@pytest.mark.parametrize("low", [0.1, 0.7, 3.3])
def test_rounding_leads_no_mean_beyond_the_training_range(low):
    high = np.nextafter(low, np.inf)
    for count in range(1, 40):
        table = {"x": numeric(*[low] * count, high, np.nan)}
        fitted = Preprocessor.fit(table, ["x"])
        assert low <= fitted.features[0].mean <= high
        assert fitted.transform(table)[1] == []


def test_categories_are_one_hot_over_the_levels_of_the_training_rows():
    values = ["pear", "apple", "fig", "apple", "quince"]
    fitted = Preprocessor.fit({"c": category(*values)}, ["c"], rows=np.arange(4))
    matrix, warnings = fitted.transform({"c": category(*values)})

    cells = np.array(values)[:, None]
    oracle = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(cells[:4])
    assert np.array_equal(matrix, oracle.transform(cells))
    assert fitted.feature_names == ("c=apple", "c=fig", "c=pear")
    assert [(w["code"], w["column"], w["count"]) for w in warnings] == [("unseen_level", "c", 1)]


def test_the_order_of_a_table_s_levels_changes_nothing():
    fitted = Preprocessor.fit({"c": category("a", "b", "b")}, ["c"])
    there = fitted.transform({"c": category("b", None, "a", levels=("z", "b", "a"))})[0]
    assert there.tolist() == [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]


def test_a_missing_level_is_the_most_frequent_one():
    table = {"c": category("a", "b", "b", None, "a", "b")}
    assert Preprocessor.fit(table, ["c"]).transform(table)[0][3].tolist() == [0.0, 1.0]


def test_a_boolean_is_one_input():
    table = {"b": boolean(True, False, None, True)}
    fitted = Preprocessor.fit(table, ["b"])
    assert fitted.width == 1
    assert fitted.transform(table)[0].tolist() == [[1.0], [0.0], [1.0], [1.0]]


def test_columns_stand_side_by_side_in_the_order_asked_for():
    table = {"x": numeric(1.0, 2.0), "c": category("a", "b"), "b": boolean(True, False)}
    fitted = Preprocessor.fit(table, ["b", "c", "x"], scaling="none")
    assert fitted.feature_names == ("b", "c=a", "c=b", "x")
    assert fitted.transform(table)[0].tolist() == [[1, 1, 0, 1], [0, 0, 1, 2]]


def test_chosen_rows_transform_as_in_the_whole():
    rng = np.random.default_rng(1)
    table = {"x": Numeric(rng.normal(size=50)), "c": category(*rng.choice(list("abc"), 50))}
    fitted = Preprocessor.fit(table, ["x", "c"])
    rows = np.array([40, 3, 3, 17])
    assert np.array_equal(fitted.transform(table, rows)[0], fitted.transform(table)[0][rows])


def test_numbers_beyond_the_training_range_are_counted_once_a_column():
    fitted = Preprocessor.fit({"x": numeric(0.0, 1.0), "y": numeric(0.0, 1.0)}, ["x", "y"])
    _, warnings = fitted.transform(
        {"x": numeric(-1.0, 0.5, 2.0, np.nan), "y": numeric(0.0, 1.0, 0.3, 0.2)}
    )
    assert [(w["code"], w["column"], w["count"]) for w in warnings] == [("out_of_range", "x", 2)]


def mixed(rows):
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 4, rows).astype(np.int32)
    values = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))
    return {"c": Category(codes, ("a", "b", "c", "late")), "x": Numeric(values)}


def test_rows_transform_alike_wherever_they_stand_in_a_long_table():
    table = mixed(2 * BLOCK + 5)
    learned = np.flatnonzero(table["c"].codes[:50] != 3)
    fitted = Preprocessor.fit(table, ["c", "x"], rows=learned)
    matrix, warnings = fitted.transform(table)

    late, values = table["c"].codes == 3, table["x"].values
    known = values[learned]
    outside = (values < np.nanmin(known)) | (values > np.nanmax(known))
    assert [w["count"] for w in warnings] == [late.sum(), outside.sum()]
    assert np.array_equal(matrix[:, :3].sum(axis=1), ~late)
    for rows in (np.arange(len(matrix)), np.arange(BLOCK - 3, BLOCK + 3), np.arange(5)[::-1]):
        assert np.array_equal(fitted.transform(table, rows)[0], matrix[rows])


@pytest.mark.parametrize("bad", [0, BLOCK - 1, BLOCK, 2 * BLOCK + 4])
def test_the_row_of_an_error_is_found_in_a_long_table(bad):
    table = mixed(2 * BLOCK + 5)
    fitted = Preprocessor.fit(table, ["c", "x"])
    table["x"].values[bad] = np.inf
    for rows in (None, np.arange(2 * BLOCK + 5)[::-1]):
        with pytest.raises(NonFinite) as caught:
            fitted.transform(table, rows)
        assert caught.value.row == bad


def test_a_transform_needs_a_fixed_space_beside_its_result():
    table = mixed(1_000_000)
    fitted = Preprocessor.fit(table, ["c", "x"])
    tracemalloc.start()
    try:
        matrix, _ = fitted.transform(table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - matrix.nbytes < 4 << 20


def test_a_table_without_rows_has_its_types_checked():
    fitted = Preprocessor.fit({"x": numeric(1.0, 2.0)}, ["x"])
    assert fitted.transform({"x": numeric()})[0].shape == (0, 1)
    with pytest.raises(WrongType):
        fitted.transform({"x": category()})


def test_a_table_is_not_changed():
    values = np.array([1.0, np.nan, 3.0])
    table = {"x": Numeric(values)}
    Preprocessor.fit(table, ["x"]).transform(table)
    assert np.array_equal(values, [1.0, np.nan, 3.0], equal_nan=True)


def test_json_brings_back_an_equal_preprocessor():
    table = {
        "x": numeric(0.1, 0.7, np.nan),
        "c": category("a", None, "ü"),
        "b": boolean(False, True, True),
    }
    fitted = Preprocessor.fit(table, ["b", "x", "c"], missing="impute", unseen="error")
    assert Preprocessor.from_dict(fitted.to_dict()) == fitted


SIMPLE = {"x": numeric(1.0, 2.0), "c": category("a", "b"), "b": boolean(True, False)}
MESSES = [
    ({**SIMPLE, "x": numeric(1.0, np.inf)}, {}, NonFinite, "x", 1),
    ({**SIMPLE, "x": numeric(1.0, 1e300)}, {}, NonFinite, "x", 1),
    ({**SIMPLE, "x": numeric(1.0, np.nan)}, {"missing": "error"}, MissingValue, "x", 1),
    ({**SIMPLE, "c": category("a", None)}, {"missing": "error"}, MissingValue, "c", 1),
    ({**SIMPLE, "c": category("a", "secret")}, {"unseen": "error"}, UnseenLevel, "c", 1),
    ({**SIMPLE, "c": numeric(1.0, 2.0)}, {}, WrongType, "c", None),
    ({**SIMPLE, "x": category("a", "b")}, {}, WrongType, "x", None),
    ({**SIMPLE, "b": category("yes", "no")}, {}, WrongType, "b", None),
    ({"x": SIMPLE["x"], "b": SIMPLE["b"]}, {}, MissingColumn, "c", None),
]


@pytest.mark.parametrize(("table", "policy", "error", "column", "row"), MESSES)
def test_a_table_that_does_not_fit_is_refused_by_column_and_row(table, policy, error, column, row):
    fitted = Preprocessor.fit(SIMPLE, ["x", "c", "b"], **policy)
    with pytest.raises(error) as caught:
        fitted.transform(table)
    assert (caught.value.column, caught.value.row) == (column, row)
    assert "secret" not in str(caught.value)


def test_the_row_of_an_error_counts_in_the_table_not_in_the_rows_chosen():
    table = {"x": numeric(0.0, 1.0, 2.0, np.inf)}
    with pytest.raises(NonFinite) as in_fit:
        Preprocessor.fit(table, ["x"], rows=np.array([1, 3]))
    with pytest.raises(NonFinite) as in_transform:
        Preprocessor.fit(SIMPLE, ["x"]).transform(table, np.array([2, 3]))
    assert (in_fit.value.row, in_transform.value.row) == (3, 3)


@pytest.mark.parametrize("column", [numeric(np.nan, 1.0), category(None, "a")])
def test_a_column_without_any_training_value_is_refused(column):
    with pytest.raises(MissingValue) as caught:
        Preprocessor.fit({"x": column}, ["x"], rows=np.array([0]))
    assert caught.value.column == "x"


def test_missing_training_values_are_refused_where_asked():
    table = {"x": numeric(1.0, 2.0, np.nan)}
    fitted = Preprocessor.fit(table, ["x"], rows=np.array([0, 1]), missing="error")
    assert fitted.transform(table, np.array([0, 1]))[0].shape == (2, 1)
    with pytest.raises(MissingValue):
        fitted.transform(table)


def levels(count):
    return category(*(f"level {number:04}" for number in range(count)))


def test_a_column_may_have_500_levels_and_no_more():
    assert Preprocessor.fit({"c": levels(500)}, ["c"]).width == 500
    with pytest.raises(TooWide) as caught:
        Preprocessor.fit({"c": levels(501)}, ["c"])
    assert caught.value.column == "c"


def test_a_table_may_need_10_000_inputs_and_no_more():
    table = {f"c{number}": levels(500) for number in range(20)} | {"x": numeric(*range(500))}
    assert Preprocessor.fit(table, list(table)[:20]).width == 10_000
    with pytest.raises(TooWide):
        Preprocessor.fit(table, list(table))

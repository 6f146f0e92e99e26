"""Encoders and scalings, judged by scikit-learn and SciPy."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OrdinalEncoder, QuantileTransformer, RobustScaler

from core.curves import LOG1P
from core.errors import MissingValue, TooWide, UnseenLevel, WrongType
from core.levels import ENCODINGS
from core.model import Model
from core.network import Network
from core.normal import normal_quantile
from core.preprocessing import Category, Numeric, Preprocessor
from core.records import RecordReader
from core.scaling import SCALINGS
from core.targets import Regression
from tests.core.test_preprocessing import category, numeric

RNG = np.random.default_rng(5)
SKEWED = RNG.lognormal(3.0, 2.0, 900)


def scaled(values, rows=None, **choice):
    table = {"x": Numeric(np.asarray(values, dtype=np.float64))}
    return Preprocessor.fit(table, ["x"], rows=rows, **choice).transform(table)[0]


def test_the_normal_quantile_is_scipy_s():
    p = np.concatenate(
        (np.logspace(-300, -1, 200), np.linspace(0.01, 0.99, 99), 1 - 0.1 ** RNG.uniform(1, 15, 99))
    )
    np.testing.assert_allclose(normal_quantile(p), stats.norm.ppf(p), rtol=2e-14, atol=1e-15)


def test_robust_scaling_is_scikit_learn_s():
    rows = np.arange(0, 900, 3)
    expected = RobustScaler().fit(SKEWED[rows, None]).transform(SKEWED[:, None])
    np.testing.assert_allclose(scaled(SKEWED, rows, scaling="robust"), expected, rtol=1e-6)


def test_robust_scaling_of_a_column_that_is_mostly_zero_uses_the_deviation():
    values = np.array([0.0] * 90 + [500.0] * 10)
    np.testing.assert_allclose(scaled(values, scaling="robust")[:, 0], values / values.std())


@pytest.mark.parametrize("kind", ["lognormal", "whole", "uniform"])
def test_quantile_normal_is_scikit_learn_s_but_at_the_ends(kind):
    values = {
        "lognormal": SKEWED,
        "whole": np.floor(RNG.gamma(2.0, 9.0, 900)),
        "uniform": RNG.uniform(size=900),
    }[kind]
    oracle = QuantileTransformer(n_quantiles=256, output_distribution="normal", subsample=None)
    expected = oracle.fit_transform(values[:, None])
    ours = scaled(values, scaling="quantile_normal")
    inner = np.abs(expected) < 2.3
    assert inner.mean() > 0.95
    np.testing.assert_allclose(ours[inner], expected[inner], atol=0.02)
    assert np.abs(ours).max() <= stats.norm.ppf(1 - 0.5 / 900) + 1e-6


def test_an_outlier_is_no_further_out_by_rank_than_the_next_row():
    values = np.arange(100.0)
    far = values.copy()
    far[-1] = 1e30
    near, out = (scaled(v, scaling="quantile_normal") for v in (values, far))
    np.testing.assert_allclose(near[:99], out[:99])
    assert out[99] == near[99]


def test_log1p_is_standardised_and_odd():
    logs = np.log1p(SKEWED)
    expected = (logs - logs.mean()) / logs.std()
    np.testing.assert_allclose(scaled(SKEWED, scaling="log1p")[:, 0], expected, rtol=1e-5)
    assert np.array_equal(LOG1P.apply(-SKEWED), -LOG1P.apply(SKEWED))
    np.testing.assert_allclose(LOG1P.invert(LOG1P.apply(-SKEWED)), -SKEWED, rtol=1e-12)


@given(
    st.lists(st.floats(-(2.0**120), 2.0**120), min_size=1, max_size=20),
    st.sampled_from(sorted(SCALINGS)),
)
@settings(max_examples=200, deadline=None)
def test_every_scaling_keeps_the_order_of_whatever_it_learns_from(values, name):
    matrix = scaled(values, scaling=name)[:, 0]
    assert np.isfinite(matrix).all()
    assert (np.diff(matrix[np.argsort(values, kind="stable")]) >= 0).all()


def test_ordinals_are_scikit_learn_s_positions_standardised():
    cells = np.array(["low", "high", "mid", "low", "low", "mid"])
    order = ["low", "mid", "high"]
    table = {"c": category(*cells)}
    columns = {"c": {"encoding": "ordinal", "levels": tuple(order)}}
    places = OrdinalEncoder(categories=[order]).fit_transform(cells[:, None])
    fitted = Preprocessor.fit(table, ["c"], columns=columns)
    expected = (places - places.mean()) / places.std()
    np.testing.assert_allclose(fitted.transform(table)[0], expected, rtol=1e-6)
    matrix, warnings = fitted.transform({"c": category("other")})
    assert matrix.tolist() == [[0.0]]
    assert warnings[0]["code"] == "unseen_level"
    assert fitted.feature_names == ("c",)


def test_a_level_that_the_stated_order_lacks_is_refused():
    columns = {"c": {"encoding": "ordinal", "levels": ("a",)}}
    with pytest.raises(UnseenLevel) as caught:
        Preprocessor.fit({"c": category("a", "b")}, ["c"], columns=columns)
    assert caught.value.column == "c"


def test_frequencies_are_how_often_training_rows_have_the_level():
    cells = ["a", "b", "b", "c", "b", "a"]
    table = {"c": category(*cells)}
    counts = np.array([cells.count(cell) for cell in cells], dtype=np.float64)
    fitted = Preprocessor.fit(table, ["c"], encoding="frequency")
    expected = (counts - counts.mean()) / counts.std()
    np.testing.assert_allclose(fitted.transform(table)[0][:, 0], expected, rtol=1e-6)
    never = (0.0 - counts.mean()) / counts.std()
    assert fitted.transform({"c": category("z")})[0][0, 0] == pytest.approx(never)


def test_where_all_are_equally_frequent_an_unseen_level_is_no_stranger_to_the_network():
    levels = [f"{number:03}" for number in range(557)]
    fitted = Preprocessor.fit({"c": category(*levels)}, ["c"], encoding="frequency")
    near = fitted.transform({"c": category("000", "z")})[0]
    np.testing.assert_allclose(near, 0.0, atol=1e-9)


def test_many_levels_have_a_number_each_though_not_an_input_each():
    table = {"c": category(*(f"level {number:05}" for number in range(600)))}
    assert Preprocessor.fit(table, ["c"], encoding="frequency").width == 1
    assert Preprocessor.fit(table, ["c"], encoding="embedding").width == 601  # of one table
    with pytest.raises(TooWide):
        Preprocessor.fit(table, ["c"])


MISSING = [1.0, np.nan, 4.0, 10.0, np.nan]


@pytest.mark.parametrize(
    ("choice", "oracle"),
    [
        ({"missing": "mean"}, SimpleImputer()),
        ({"missing": "median"}, SimpleImputer(strategy="median")),
        ({"missing": "constant", "fill": -7}, SimpleImputer(strategy="constant", fill_value=-7.0)),
        ({"missing": "indicator"}, SimpleImputer(add_indicator=True)),
    ],
)
def test_missing_numbers_are_filled_in_as_by_scikit_learn(choice, oracle):
    expected = oracle.fit_transform(np.array(MISSING)[:, None])
    assert np.array_equal(scaled(MISSING, scaling="none", **choice), expected)


def test_missing_levels_are_filled_in_or_flagged():
    table = {"c": category("a", None, "b", "b")}
    filled = Preprocessor.fit(table, ["c"], missing="constant", fill="none given")
    assert filled.feature_names == ("c=a", "c=b", "c=none given")
    assert filled.transform(table)[0][1].tolist() == [0.0, 0.0, 1.0]
    flagged = Preprocessor.fit(table, ["c"], missing="indicator")
    assert flagged.transform(table)[0].tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 0], [0, 1, 0]]
    assert flagged.feature_names[-1] == "c is missing"


@pytest.mark.parametrize(("column", "fill"), [(numeric(1.0), "x"), (category("a"), 1.0)])
def test_what_stands_in_has_the_column_s_type(column, fill):
    with pytest.raises(WrongType):
        Preprocessor.fit({"c": column}, ["c"], missing="constant", fill=fill)


def test_a_choice_for_one_column_leaves_the_others_alone():
    table = {"x": numeric(0.0, 4.0), "y": numeric(0.0, np.nan, 4.0)}
    columns = {"y": {"scaling": "none", "missing": "error"}}
    fitted = Preprocessor.fit(
        table,
        ["x", "y"],
        rows=np.array([0, 1]),
        scaling="minmax",
        columns={"y": {"scaling": "none"}},
    )
    assert fitted.transform({"x": numeric(2.0), "y": numeric(2.0)})[0].tolist() == [[0.5, 2.0]]
    strict = Preprocessor.fit(table, ["x", "y"], rows=np.array([0, 1]), columns=columns)
    with pytest.raises(MissingValue) as caught:
        strict.transform({"x": numeric(np.nan), "y": numeric(np.nan)})
    assert caught.value.column == "y"


DATES = ["2024-02-29", "2023-12-31", None, "2024-07-01", "2024-01-01"]


def test_dates_become_a_year_and_points_on_circles():
    table = {"d": category(*DATES)}
    fitted = Preprocessor.fit(table, ["d"], encoding="date")
    names = fitted.feature_names
    matrix = fitted.transform(table)[0]
    assert len(names) == 9  # no hour, for none has a time
    assert matrix[2].tolist() == [0.0] * 9
    leap = dict(zip(names, matrix[0], strict=True))
    assert leap["d month sine"] == pytest.approx(np.sin(2 * np.pi / 12), abs=1e-6)
    assert leap["d weekday cosine"] == pytest.approx(np.cos(2 * np.pi * 3 / 7), abs=1e-6)
    assert leap["d day_of_year sine"] == pytest.approx(np.sin(2 * np.pi * 59 / 365.25), abs=1e-6)
    eve, new_year = (matrix[row, 7:9] for row in (1, 4))
    assert np.linalg.norm(eve - new_year) < 0.03
    assert fitted.transform({"d": category("2031-01-01")})[1][0]["code"] == "out_of_range"


def test_times_of_day_are_read_where_there_are_some():
    table = {"d": category("2024-02-29T18:00:00Z", "2024-02-29 06:00", "2024-02-29")}
    columns = {"d": {"encoding": "date", "parts": ("hour",), "missing": "indicator"}}
    for choice in (columns, {"d": {"encoding": "date"}}):
        fitted = Preprocessor.fit(table, ["d"], columns=choice)
        assert "d hour sine" in fitted.feature_names
    matrix = Preprocessor.fit(table, ["d"], columns=columns).transform(table)[0]
    np.testing.assert_allclose(matrix, [[-1, 0, 0], [1, 0, 0], [0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    "text", ["2023-02-29", "29.02.2024", "2024-13-01", "soon", "２０２４-01-01"]
)
def test_what_is_no_date_is_refused_by_row(text):
    fitted = Preprocessor.fit({"d": category(*DATES)}, ["d"], encoding="date")
    with pytest.raises(WrongType) as caught:
        fitted.transform({"d": category("2024-01-01", text)})
    assert (caught.value.column, caught.value.row) == ("d", 1)
    with pytest.raises(WrongType) as caught:
        Preprocessor.fit({"d": category(*DATES, text)}, ["d"], encoding="date")
    assert caught.value.row == 5
    assert text not in str(caught.value)


CHOICES = st.fixed_dictionaries(
    {
        "scaling": st.sampled_from(sorted(SCALINGS)),
        "encoding": st.sampled_from(sorted(ENCODINGS)),
        "missing": st.sampled_from(["impute", "mean", "median", "indicator"]),
    }
)
CELLS = {
    # Beside numbers of 10^-131 alone a 1 is no number of ordinary size, and refused.
    "x": st.none() | st.floats(-1e9, 1e9).map(lambda value: value if abs(value) > 1e-9 else 0.0),
    "n": st.none() | st.integers(0, 2).map(float),
    "c": st.none() | st.sampled_from(["a", "b", "ü", "a very long level"]),
    "b": st.none() | st.booleans(),
    "d": st.none() | st.dates().map(str),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12)


def as_table(rows):
    cells = {name: [row[name] for row in rows] for name in CELLS}
    flags = [None if cell is None else str(cell).lower() for cell in cells["b"]]
    numbers = {
        name: numeric(*(np.nan if cell is None else cell for cell in cells[name])) for name in "xn"
    }
    flag = category(*flags, levels=("false", "true"))
    return numbers | {"c": category(*cells["c"]), "d": category(*cells["d"]), "b": flag}


@given(ROWS, ROWS, CHOICES, st.permutations(list("xncbd")))
@settings(max_examples=150, deadline=None)
def test_any_table_is_learned_and_read_alike_as_table_and_as_records(train, new, choice, names):
    table = as_table(train)
    names = [name for name in names if any(row[name] is not None for row in train)]
    if not names:
        return
    columns = {"d": {"encoding": "date"}}
    fitted = Preprocessor.fit(table, names, columns=columns, **choice)
    assert fitted == Preprocessor.from_dict(json.loads(json.dumps(fitted.to_dict())))

    matrix, warnings = fitted.transform(as_table(new))
    records = [{name: row[name] for name in names} for row in new]
    read, noted = RecordReader(fitted).read(records)
    assert np.isfinite(matrix).all()
    assert matrix.shape == (len(new), len(fitted.feature_names))
    assert np.array_equal(read, matrix)
    assert noted == warnings
    model = linear(fitted)
    values = model.predict(as_table(new)).values
    assert np.array_equal(model.predict_records(records).values, values)
    cells = [tuple(row[name] for name in names) for row in new]
    answers, _ = model.answer(cells)
    np.testing.assert_allclose([one["value"] for one in answers], values, rtol=1e-5, atol=1e-6)


def linear(preprocessor):
    network = Network(preprocessor.width, (), 1, "identity")
    theta = np.random.default_rng(0).normal(size=network.parameter_count).astype(np.float32)
    theta *= np.float32(1e-3)
    return Model("regression", "y", preprocessor, network, theta, Regression(0.0, 1.0))


def test_rows_that_do_not_train_change_nothing_that_is_learned():
    rng = np.random.default_rng(0)
    train, others = np.arange(0, 60, 2), np.arange(1, 60, 2)
    numbers, codes = rng.normal(size=60), rng.integers(0, 3, 60).astype(np.int32)
    days = category(*(f"2024-01-{1 + day % 28:02}" for day in range(60)))
    for choice in ({"scaling": name} for name in SCALINGS):
        for missing in ("impute", "median", "indicator"):
            fits = []
            for changed in (False, True):
                x, c, d = numbers.copy(), codes.copy(), days.codes.copy()
                if changed:
                    x[others], c[others], d[others] = np.inf, 3, -1
                table = {
                    "x": Numeric(x),
                    "c": Category(c, ("a", "b", "c", "new")),
                    "f": Category(c, ("a", "b", "c", "new")),
                    "d": Category(d, days.levels),
                }
                columns = {"f": {"encoding": "frequency"}, "d": {"encoding": "date"}}
                fits.append(
                    Preprocessor.fit(
                        table, list(table), rows=train, columns=columns, missing=missing, **choice
                    )
                )
            assert fits[0] == fits[1]


def test_policies_are_told_once_and_where_they_differ():
    table = {"x": numeric(1.0, 2.0), "c": category("a", "b")}
    fitted = Preprocessor.fit(
        table,
        ["x", "c"],
        missing="error",
        columns={"c": {"missing": "indicator", "unseen": "error"}},
    )
    data = fitted.to_dict()
    assert data["missing"] == "error"
    assert "missing" not in data["features"][0]
    assert data["features"][1] | {"missing": "impute", "unseen": "error"} == data["features"][1]
    assert Preprocessor.from_dict(data) == fitted
    assert replace(fitted.features[0], missing="impute") != fitted.features[0]

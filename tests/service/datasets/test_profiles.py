"""The profile against NumPy and the standard library on the whole column."""

import collections
import json
import math
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from service.datasets.reading import write


def one(accept, values, name="a"):
    text = "".join(f"{'' if v is None else v},z\n" for v in values)
    return accept(f"{name},other\n" + text).columns[0]


@pytest.mark.parametrize("rows", [1, 2, 7, 1_000, 60_000])
def test_numbers_are_described_as_numpy_describes_them(accept, rows):
    values = np.random.default_rng(rows).normal(3, 20, rows)
    profile = one(accept, [None, *(repr(float(v)) for v in values)])
    assert (profile.type, profile.missing, profile.integer) == ("number", 1, False)
    assert profile.distinct == len(np.unique(values))
    assert (profile.min, profile.max) == (values.min(), values.max())
    assert profile.mean == pytest.approx(values.mean(), rel=1e-12)
    assert profile.std == pytest.approx(values.std(), rel=1e-9, abs=1e-12)
    for share, quantile in profile.quantiles.items():
        assert quantile == pytest.approx(np.quantile(values, float(share)), rel=1e-12)
    if rows > 1:
        counts, edges = np.histogram(values, bins=20)
        assert profile.histogram.counts == counts.tolist()
        assert profile.histogram.edges == pytest.approx(edges.tolist())


def test_the_largest_floats_do_not_overflow_the_profile(accept):
    profile = one(accept, ["1.7e308", "-1.7e308", "1.7e308", "5e-324"])
    flat = json.loads(json.dumps(asdict(profile), allow_nan=False))
    assert math.isfinite(flat["std"])
    assert sum(profile.histogram.counts) == 4


def test_levels_are_counted_and_the_most_frequent_shown(accept):
    values = [f"v{i}" for i in range(30) for _ in range(i + 1)]
    profile = one(accept, [*values, None])
    counts = collections.Counter(values)
    assert (profile.type, profile.distinct, profile.missing) == ("category", 30, 1)
    assert [(level.value, level.count) for level in profile.levels] == counts.most_common(20)


def test_five_hundred_levels_are_a_category_and_more_are_text(accept, stored):
    assert one(accept, [f"v{i}" for i in range(500)]).type == "category"
    profile = one(accept, [f"v{i}" for i in range(501)])
    assert (profile.type, profile.distinct) == ("text", 501)
    profile = one(accept, [f"v{i}" for i in range(20_000)])
    assert (profile.type, profile.distinct, profile.levels) == ("text", None, None)


def test_booleans_have_the_levels_true_and_false(accept):
    profile = one(accept, ["yes", "no", "yes", None])
    assert (profile.type, profile.distinct) == ("boolean", 2)
    assert [(level.value, level.count) for level in profile.levels] == [("true", 2), ("false", 1)]


def test_whole_numbers_are_integers_however_they_are_written(accept):
    assert one(accept, ["1", "2.0", "3e0", None]).integer
    assert not one(accept, ["1", "2.5"]).integer
    assert not one(accept, ["1", "1e300"]).integer


def test_a_column_without_a_value_is_a_number_with_nothing_to_say(accept):
    profile = one(accept, [None, None])
    assert (profile.type, profile.missing, profile.distinct) == ("number", 2, 0)
    assert (profile.min, profile.mean, profile.histogram) == (None, None, None)


def test_a_constant_column_has_one_bin(accept):
    profile = one(accept, ["4"] * 5)
    assert (profile.std, profile.histogram.counts) == (0.0, [5])


def test_beyond_a_million_rows_extremes_stay_exact_and_the_rest_is_sampled(stored):
    values = np.random.default_rng(0).normal(size=1_500_000)
    values[7], values[11] = -99, 99
    profile = write(pa.table({"a": pa.array(values, mask=np.arange(len(values)) == 5)}), stored)
    column = profile.columns[0]
    assert (column.min, column.max, column.missing, column.distinct) == (-99, 99, 1, None)
    assert column.mean == pytest.approx(0, abs=0.01)
    assert column.quantiles["0.75"] == pytest.approx(0.6745, abs=0.01)


def test_many_columns_keep_their_order(accept):
    names = [f"c{i}" for i in range(37)]
    row = ",".join(str(i) for i in range(37))
    ingested = accept(",".join(names) + f"\n{row}\n{row}\n")
    assert [column.name for column in ingested.columns] == names
    assert [column.max for column in ingested.columns] == list(range(37))

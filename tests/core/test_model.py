import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.columns import Category, Numeric
from core.errors import (
    MissingColumn,
    MissingValue,
    NonFinite,
    UnknownColumn,
    UnseenLevel,
    WrongType,
)
from core.initializers import initialize
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.targets import fit_target

LEVELS = ("a", "b", "c", "unseen")
LINKS = {"regression": "identity", "binary": "sigmoid", "multiclass": "softmax"}


def training_table():
    rng = np.random.default_rng(0)
    rows = 60
    return {
        "x": Numeric(rng.normal(5.0, 2.0, rows)),
        "kind": Category(rng.integers(0, 3, rows).astype(np.int32), LEVELS),
        "sold": Category(rng.integers(0, 2, rows).astype(np.int32), ("false", "true")),
        "y": Numeric(rng.normal(1e3, 50.0, rows)),
        "regression": Numeric(rng.normal(1e3, 50.0, rows)),
        "binary": Category(rng.integers(0, 2, rows).astype(np.int32), ("false", "true")),
        "multiclass": Numeric(rng.integers(3, 6, rows).astype(np.float64)),
    }


def trained(task="multiclass", features=("x", "kind", "sold", "y"), *, dtype="float32", **policy):
    table = training_table()
    target, _ = fit_target(table[task], task)
    preprocessor = Preprocessor.fit(table, features, **policy)
    network = Network(preprocessor.width, (Layer(8, "tanh"),), target.outputs, LINKS[task])
    theta = initialize(network, 1, dtype)
    return Model(task, "answer", preprocessor, network, theta, target, {"made": "in a test"})


NUMBER = st.none() | st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)
RECORD = st.fixed_dictionaries(
    {
        "x": NUMBER,
        "kind": st.none() | st.sampled_from(LEVELS),
        "sold": st.none() | st.booleans(),
        "y": NUMBER,
    }
)


def as_table(records):
    def codes(values, levels):
        found = [-1 if value is None else levels.index(value) for value in values]
        return Category(np.array(found, np.int32), levels)

    columns = {name: [record[name] for record in records] for name in records[0]}
    flags = [None if value is None else str(value).lower() for value in columns["sold"]]
    return {
        "x": Numeric(np.array(columns["x"], np.float64)),
        "kind": codes(columns["kind"], LEVELS),
        "sold": codes(flags, ("false", "true")),
        "y": Numeric(np.array(columns["y"], np.float64)),
    }


@pytest.mark.parametrize("task", LINKS)
@given(records=st.lists(RECORD, min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_records_arrays_and_tables_have_the_same_answers_bit_for_bit(task, records):
    model = trained(task)
    table = model.predict(as_table(records))
    by_name = model.predict_records([dict(reversed(record.items())) for record in records])
    in_order = model.predict_records([[record[name] for name in GOOD] for record in records])
    for other in (by_name, in_order):
        assert model.listed(other) == model.listed(table)
        assert other.warnings == table.warnings


@pytest.mark.parametrize("task", LINKS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_an_answer_does_not_depend_on_the_rows_beside_it(task, dtype, tolerance):
    rng = np.random.default_rng(1)
    model = trained(task, dtype=dtype)
    rows = [[rng.normal(5, 2), "abc"[i % 3], i % 2 == 0, rng.normal(1e3, 50)] for i in range(200)]

    def answers(height):
        parts = [model.predict_records(rows[i : i + height]) for i in range(0, 200, height)]
        return np.concatenate([p.probabilities if p.values is None else p.values for p in parts])

    together = answers(200)
    assert np.array_equal(answers(200), together)
    for height in (1, 2, 7, 64):
        np.testing.assert_allclose(answers(height), together, rtol=tolerance, atol=tolerance)


def test_no_rows_have_no_answers():
    for task in LINKS:
        model = trained(task)
        assert model.listed(model.predict_records([])) == []


@pytest.mark.parametrize("task", LINKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_answer_is_the_network_s_on_the_scaled_row(task, dtype):
    model = trained(task, features=("x", "y"), dtype=dtype)
    table = training_table()
    row = [4.0, 990.0]
    moments = [(table[name].values.mean(), table[name].values.std()) for name in ("x", "y")]
    a = np.array([(value - mean) / std for value, (mean, std) in zip(row, moments, strict=True)])
    (hidden, hidden_bias), (last, bias) = model.network.views(model.theta)
    z = np.tanh(a @ hidden + hidden_bias) @ last + bias
    answer = model.listed(model.predict_records([row]))[0]

    if task == "regression":
        column = table["regression"].values
        assert answer["value"] == pytest.approx(z[0] * column.std() + column.mean(), rel=1e-6)
        return
    if task == "binary":
        chances, names = [1 - 1 / (1 + np.exp(-z[0])), 1 / (1 + np.exp(-z[0]))], ["false", "true"]
        labels = [False, True]
    else:
        chances, names = np.exp(z) / np.exp(z).sum(), ["3", "4", "5"]
        labels = [3, 4, 5]
    assert answer["probabilities"] == pytest.approx(
        dict(zip(names, chances, strict=True)), abs=1e-6
    )
    assert answer["label"] is labels[int(np.argmax(chances))]


def test_the_signature_says_what_goes_in_and_what_comes_out():
    signature = json.loads(json.dumps(trained("binary").signature()))
    values = training_table()["x"].values
    assert signature["features"] == [
        {
            "name": "x",
            "type": "number",
            "min": values.min(),
            "max": values.max(),
            "mean": pytest.approx(values.mean()),
        },
        {"name": "kind", "type": "category", "levels": ["a", "b", "c"]},
        {"name": "sold", "type": "boolean"},
        {"name": "y", "type": "number"}
        | {key: signature["features"][3][key] for key in ("min", "max", "mean")},
    ]
    assert signature["target"] == {"name": "answer", "type": "boolean", "labels": [False, True]}


GOOD = {"x": 5.0, "kind": "a", "sold": True, "y": 1000}
BAD = [
    ({**GOOD, "x": True}, {}, WrongType, "x"),
    ({**GOOD, "x": "5"}, {}, WrongType, "x"),
    ({**GOOD, "x": [5]}, {}, WrongType, "x"),
    ({**GOOD, "x": float("nan")}, {}, NonFinite, "x"),
    ({**GOOD, "y": float("-inf")}, {}, NonFinite, "y"),
    ({**GOOD, "y": 1e200}, {}, NonFinite, "y"),
    ({**GOOD, "y": 10**400}, {}, NonFinite, "y"),
    ({**GOOD, "kind": 1}, {}, WrongType, "kind"),
    ({**GOOD, "kind": True}, {}, WrongType, "kind"),
    ({**GOOD, "kind": {}}, {}, WrongType, "kind"),
    ({**GOOD, "sold": 1}, {}, WrongType, "sold"),
    ({**GOOD, "sold": "true"}, {}, WrongType, "sold"),
    ({**GOOD, "kind": "unseen"}, {"unseen": "error"}, UnseenLevel, "kind"),
    ({**GOOD, "x": None}, {"missing": "error"}, MissingValue, "x"),
    ({**GOOD, "sold": None}, {"missing": "error"}, MissingValue, "sold"),
    ({**GOOD, "other": 1}, {}, UnknownColumn, "other"),
    ({"x": 5.0, "sold": True, "y": 1, "other": 2}, {}, MissingColumn, "kind"),
    ({}, {}, MissingColumn, "x"),
    ([5.0, "a", True], {}, WrongType, None),
    ([5.0, "a", True, 1000, 1], {}, WrongType, None),
    ("5.0", {}, WrongType, None),
    (None, {}, WrongType, None),
]


@pytest.mark.parametrize(("row", "policy", "error", "column"), BAD)
def test_a_row_that_does_not_fit_is_refused_by_row_and_column(row, policy, error, column):
    model = trained(**policy)
    with pytest.raises(error) as caught:
        model.predict_records([GOOD, GOOD, row])
    assert (caught.value.row, caught.value.column) == (2, column)
    assert caught.value.code == error.code


def test_a_model_of_one_feature_reads_records_and_arrays():
    model = trained("regression", features=("kind",))
    by_name, in_order = (model.predict_records([row]) for row in ({"kind": "b"}, ["b"]))
    assert model.listed(by_name) == model.listed(in_order)


def test_warnings_count_rows_by_column_in_signature_order():
    rows = [{**GOOD, "kind": "unseen", "y": 1e5}, {**GOOD, "y": -1e5}, GOOD]
    found = trained().predict_records(rows).warnings
    assert [(w["code"], w["column"], w["count"]) for w in found] == [
        ("unseen_level", "kind", 1),
        ("out_of_range", "y", 2),
    ]


def test_an_answer_is_never_infinite():
    model = trained("regression", features=("x",), scaling="none")
    model.theta[:] = 2.0
    model = Model(
        model.task,
        "answer",
        model.preprocessor,
        Network(1, (Layer(8, "identity"),), 1, "identity"),
        model.theta,
        model.target,
    )
    with pytest.raises(NonFinite) as caught:
        model.predict_records([[1.0], [3e38]])
    assert caught.value.row == 1

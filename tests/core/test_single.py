"""A single row has the answer that the general way gives it, for every network there can be."""

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.columns import Category, Numeric
from core.initializers import initialize
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.single import MOST_INPUTS, Single
from core.targets import fit_target

LINKS = {"regression": "identity", "binary": "sigmoid", "multiclass": "softmax"}
LEVELS = ("a", "b", "c")


def table(rows=300):
    random = np.random.default_rng(4)
    return {
        "far": Numeric(random.normal(1e6, 3.0, rows)),
        "kind": Category(random.integers(0, 3, rows).astype(np.int32), LEVELS),
        "sold": Category(random.integers(0, 2, rows).astype(np.int32), ("false", "true")),
        "near": Numeric(random.normal(0.0, 1e-3, rows)),
        "regression": Numeric(random.normal(1e3, 50.0, rows)),
        "binary": Category(random.integers(0, 2, rows).astype(np.int32), ("no", "yes")),
        "multiclass": Numeric(random.integers(3, 8, rows).astype(np.float64)),
    }


def made(task, layers, *, size=1.0):
    target, _ = fit_target(table()[task], task)
    preprocessor = Preprocessor.fit(table(), ("far", "kind", "sold", "near"))
    network = Network(preprocessor.width, layers, target.outputs, LINKS[task])
    random = np.random.default_rng(6)
    theta = initialize(network, 1, "float32") * np.float32(size)
    theta += random.normal(0, 0.2, len(theta)).astype(np.float32)
    theta[network.learned_count :] = np.abs(theta[network.learned_count :]) + np.float32(0.1)
    return Model(task, "answer", preprocessor, network, theta, target)


def rows(count=40):
    columns = table()
    return [
        (
            float(columns["far"].values[i]),
            LEVELS[columns["kind"].codes[i]],
            bool(columns["sold"].codes[i]),
            float(columns["near"].values[i]),
        )
        for i in range(count)
    ]


def numbers(answers):
    return [
        [one["value"]] if "value" in one else list(one["probabilities"].values()) for one in answers
    ]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("task", LINKS)
def test_it_gives_what_the_general_way_gives(activation, batch_norm, task):
    layers = (
        Layer(7, activation, batch_norm=batch_norm),
        Layer(5, "sigmoid"),
        Layer(6, activation, batch_norm=batch_norm),
    )
    model = made(task, layers)
    assert all(model._single.outputs(row) is not None for row in rows())

    single = numbers([model.answer([row])[0][0] for row in rows()])

    general = numbers(model.listed(model.predict_records(rows())))
    np.testing.assert_allclose(single, general, rtol=3e-5, atol=3e-5)


def test_a_row_that_is_not_plain_goes_the_general_way():
    model = made("binary", (Layer(4, "sigmoid"),))
    good = rows(1)[0]
    for position, cell in ((0, None), (0, 0.0), (1, None), (1, "unseen"), (2, None), (3, 1.0)):
        row = (*good[:position], cell, *good[position + 1 :])
        assert model._single.outputs(row) is None
        answers, warnings = model.answer([row])
        expected = model.predict_records([row])
        assert answers == model.listed(expected)
        assert warnings == expected.warnings


def test_sums_that_may_overflow_go_the_general_way():
    assert made("regression", (Layer(4, "relu"), Layer(4, "relu")), size=1e20)._single is None


def test_a_wide_row_goes_the_general_way():
    names = [f"x{i}" for i in range(MOST_INPUTS + 1)]
    wide = {name: Numeric(np.arange(5.0)) for name in names}
    preprocessor = Preprocessor.fit(wide, names)
    network = Network(preprocessor.width, (), 1, "identity")
    layers = network.dense(initialize(network, 1, "float32"))
    with pytest.raises(ValueError, match="too many inputs"):
        Single(preprocessor, layers, "identity")


@pytest.mark.parametrize("logit", [-1e30, -800.0, -1.0, 0.0, 1.0, 800.0, 1e30])
def test_links_overflow_for_no_logit(logit):
    model = made("binary", (Layer(4, "sigmoid"),))
    for link in ("sigmoid", "softmax"):
        single = Single(model.preprocessor, model._layers, link)
        chances = single._link([logit, 0.0] if link == "softmax" else [logit])
        assert sum(chances) == pytest.approx(1)
        assert all(0 <= chance <= 1 for chance in chances)

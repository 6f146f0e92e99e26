"""Learned tables: against differences, the readable twin, and one-hot inputs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from core import reference
from core.columns import Category
from core.embeddings import Embedding, dimensions_for
from core.errors import TooWide
from core.initializers import initialize
from core.losses import LOSSES
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.training import Fit, Recipe, fit

# Two numbers around a table of 6 levels, and one of 4 whose last input tells of missing values.
TABLES = (Embedding(1, 6, 3), Embedding(8, 4, 2, True))
NETWORK = Network(12, (Layer(5, "tanh"),), 2, "identity", embeddings=TABLES)


def rows(count=40, seed=1):
    random = np.random.default_rng(seed)
    x = np.zeros((count, 12))
    x[:, 0], x[:, 7] = random.normal(size=(2, count))
    x[np.arange(count), 1 + random.integers(0, 6, count)] = 1
    x[np.arange(count), 8 + random.integers(0, 3, count)] = 1
    x[:, 11] = random.random(count) < 0.2
    return x, random.normal(size=(count, 2))


def test_gradient_is_the_difference_quotient():
    x, y = rows()
    theta, loss, p = initialize(NETWORK, 3, "float64"), LOSSES["mse"], np.zeros(0)
    passed = reference.forward(NETWORK, theta, x)
    delta = loss.gradient(passed[-1].a, y, p) / len(x)
    gradient = reference.backward(NETWORK, theta, passed, delta)
    quotient, step = np.empty(NETWORK.learned_count), 1e-6
    for i in range(quotient.size):
        ends = []
        for sign in (1, -1):
            moved = theta.copy()
            moved[i] += sign * step
            logits = reference.forward(NETWORK, moved, x)[-1].a
            ends.append(float(loss.value(logits, y, p).mean()))
        quotient[i] = (ends[0] - ends[1]) / (2 * step)
    learns = reference.trained(NETWORK, ())
    np.testing.assert_allclose(gradient * learns, quotient * learns, atol=3e-9)
    assert np.abs(quotient[: NETWORK.weight_counts[0]]).min() > 0


RECIPE = Recipe("mse", "adam", learning_rate=0.02, epochs=6, batch_size=7, dtype="float64", seed=2)
CHOICES = {
    "plain": {},
    "penalties": {"l1": 1e-3, "l2": 1e-2, "weight_decay": 0.1, "max_norm": 1.0},
    "clips": {"clip_value": 0.5, "clip_layer": 0.3, "clip": 0.2, "average": 0.9},
    "frozen": {"frozen": (0,)},
    "frozen output": {"frozen": (1,)},
    "search": {"optimizer": "lbfgs", "learning_rate": 1.0},
}


@pytest.mark.parametrize("name", CHOICES)
def test_compiled_and_readable_training_agree(name):
    x, y = rows()
    network = replace(NETWORK, input_dropout=0.1 if name == "plain" else 0.0)
    recipe = replace(RECIPE, **CHOICES[name])
    ours = fit(network, recipe, x, y, validation=(x[:9], y[:9]))
    twin = reference.fit(network, recipe, x, y, validation=(x[:9], y[:9]))
    np.testing.assert_allclose(ours.theta, twin.theta, atol=1e-10)
    again = Fit(network, recipe, x, y, validation=(x[:9], y[:9]))
    points = again.advance(1 << 20)
    for one, other in zip(points, twin.epochs, strict=True):
        assert one.gradient_norms == pytest.approx(other.gradient_norms)
        assert one.saturation == pytest.approx(other.saturation)
        assert one.dead_units == other.dead_units
        assert one.validation_loss == pytest.approx(other.validation_loss)
        assert len(one.gradient_norms) == 2
    if name == "frozen":
        start = initialize(network, recipe.seed, "float64")
        held = network.offsets[2]
        np.testing.assert_array_equal(ours.theta[:held], start[:held])


def test_prediction_needs_no_tables():
    x, _ = rows()
    theta = initialize(NETWORK, 3, "float64")
    layers = NETWORK.dense(theta)
    assert [layer.weights.shape for layer in layers] == [(12, 5), (5, 2)]
    expected = reference.forward(NETWORK, theta, x)[-1].a
    np.testing.assert_allclose(NETWORK.logits(theta, x), expected, atol=1e-12)


def test_equal_bytes_with_one_thread_or_two():
    random = np.random.default_rng(0)
    x = np.zeros((1024, 310))
    x[:, :10] = random.normal(size=(1024, 10))
    x[np.arange(1024), 10 + random.integers(0, 300, 1024)] = 1
    tables = (Embedding(10, 300, 20),)
    network = Network(310, (Layer(128, "relu"),), 1, "identity", embeddings=tables)
    recipe = replace(RECIPE, dtype="float32", epochs=2, batch_size=512)
    found = []
    for threads in (1, 2):
        run = Fit(network, recipe, x, x[:, :1])
        run.threads = threads
        assert run.parts > 1
        run.advance(1 << 20)
        found.append(run.theta.tobytes())
    assert found[0] == found[1]


def test_networks_come_back_from_json():
    again = Network.from_dict(json.loads(json.dumps(NETWORK.to_dict())))
    assert again == NETWORK
    assert "embeddings" not in replace(NETWORK, embeddings=()).to_dict()


@pytest.mark.parametrize(
    "tables",
    [(Embedding(0, 13, 2),), (Embedding(0, 5, 2), Embedding(4, 2, 2)), (Embedding(0, 5, 0),)],
)
def test_tables_have_to_fit_the_inputs(tables):
    with pytest.raises(ValueError, match="embedding"):
        replace(NETWORK, embeddings=tables)


def column(*levels):
    names = tuple(sorted({level for level in levels if level}))
    codes = [names.index(level) if level else -1 for level in levels]
    return Category(np.array(codes, np.int32), names)


def test_rare_levels_teach_what_unseen_ones_are():
    table = {"town": column("b", "a", "b", "a", "c", None)}
    fitted = Preprocessor.fit(table, ["town"], columns={"town": {"encoding": "embedding"}})
    assert fitted.features[0].levels == ("a", "b")
    assert fitted.embeddings == (Embedding(0, 3, dimensions_for(2), True),)
    inputs, warnings = fitted.transform({"town": column("c", "never", None, "b")})
    assert inputs.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert warnings[0]["count"] == 2
    assert Preprocessor.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


def test_dimensions_follow_the_rule_and_the_choice():
    assert [dimensions_for(count) for count in (1, 2, 10, 100, 5000)] == [1, 2, 6, 21, 50]
    table = {"town": column(*"abcabcabc")}
    choice = {"encoding": "embedding", "dimensions": 7, "unseen": "error"}
    fitted = Preprocessor.fit(table, ["town"], columns={"town": choice})
    assert fitted.embeddings[0].dimensions == 7


def test_more_levels_than_rows_of_a_table_are_refused():
    levels = tuple(f"{at:04}" for at in range(5001))
    many = Category(np.arange(10_002, dtype=np.int32) % 5001, levels)
    with pytest.raises(TooWide, match="5000"):
        Preprocessor.fit({"a": many}, ["a"], columns={"a": {"encoding": "embedding"}})

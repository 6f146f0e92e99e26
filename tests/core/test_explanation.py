"""Explanations: complete, right where the answer is known, and against finite differences."""

import numpy as np
import pytest

from core.explanation import Explanation, explain
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Numeric, Preprocessor
from core.targets import Classes, Counts, Regression

ROWS = 12


def a_model(target, link, layers, outputs, seed=0, scaling="standardize") -> Model:
    random = np.random.default_rng(seed)
    table = {name: Numeric(random.normal(3.0, 2.0, 50)) for name in "abc"}
    preprocessor = Preprocessor.fit(table, list("abc"), scaling=scaling)
    network = Network(3, layers, outputs, link)
    theta = random.normal(size=network.parameter_count).astype(np.float32)
    task = getattr(target, "task", "regression")
    return Model(task, "y", preprocessor, network, theta, target)


TARGETS = {
    "value": (Regression(5.0, 2.0), "identity", 1),
    "counts": (Counts(0.0, 3.0), "exp", 1),
    "binary": (Classes(("no", "yes"), "category", "binary"), "sigmoid", 1),
    "classes": (Classes(("r", "s", "t"), "category", "multiclass"), "softmax", 3),
}


def x_of(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ROWS, 3)).astype(np.float32)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "leaky_relu", "selu"])
@pytest.mark.parametrize("kind", TARGETS)
def test_parts_sum_up_to_the_difference(kind: str, activation: str) -> None:
    target, link, outputs = TARGETS[kind]
    model = a_model(target, link, (Layer(6, activation), Layer(5, activation)), outputs)
    which = [row % (outputs if outputs > 1 else 2) for row in range(ROWS)]
    for one in explain(model, x_of(), None, which):
        assert abs(one.residual) <= 1e-4 * max(1.0, abs(one.answer - one.baseline))
        assert one.parts.shape == (3,)


@pytest.mark.parametrize("kind", TARGETS)
def test_answers_are_those_of_the_model(kind: str) -> None:
    target, link, outputs = TARGETS[kind]
    model = a_model(target, link, (Layer(4, "tanh"),), outputs)
    x, which = x_of(), [1] * ROWS
    decoded = model.target.decode(model.network.forward(model.theta, x))
    expected = decoded[:, 1] if decoded.ndim > 1 else decoded
    found = [one.answer for one in explain(model, x, None, which)]
    assert found == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_linear_model_gives_weights_times_distances() -> None:
    model = a_model(Regression(5.0, 2.0), "identity", (), 1)
    baseline = np.array([0.5, -1.0, 2.0], np.float32)
    weights = model.network.dense(model.theta)[0].weights[:, 0]
    x = x_of()
    for row, one in zip(x, explain(model, x, baseline, [0] * ROWS), strict=True):
        assert one.parts == pytest.approx(2.0 * weights * (row - baseline), rel=1e-5, abs=1e-6)


def test_the_integral_is_that_of_finite_differences() -> None:
    target, link, outputs = TARGETS["classes"]
    model = a_model(target, link, (Layer(5, "sigmoid"), Layer(4, "tanh")), outputs)
    row = x_of()[:1].astype(np.float64)

    def answer(x: np.ndarray) -> float:
        layers = model.network.dense(model.theta)
        for layer in layers:
            x = layer.forward(x)
        shifted = np.exp(x - x.max())
        return float((shifted / shifted.sum())[0, 2])

    steps, step = 2_000, 1e-5
    parts = np.zeros(3)
    for t in (np.arange(steps) + 0.5) / steps:
        for at in range(3):
            shift = np.zeros((1, 3))
            shift[0, at] = step
            slope = (answer(t * row + shift) - answer(t * row - shift)) / (2 * step)
            parts[at] += slope * row[0, at] / steps
    (one,) = explain(model, row.astype(np.float32), None, [2])
    assert one.parts == pytest.approx(parts, abs=2e-6)


def test_a_column_that_nothing_hears_adds_nothing() -> None:
    model = a_model(Regression(0.0, 1.0), "identity", (Layer(4, "relu"),), 1)
    weights, _ = model.network.views(model.theta)[0]
    weights[1] = 0.0
    found: list[Explanation] = explain(model, x_of(), None, [0] * ROWS)
    assert all(one.parts[1] == 0.0 for one in found)

"""The reference's gradients against central finite differences of the whole network's loss."""

import numpy as np
import pytest

from core import reference
from core.activations import ACTIVATIONS
from core.initializers import initialize
from core.losses import LOSSES, Loss
from core.network import Layer, Network
from core.training import Recipe

OPTIONS = {
    "quantile": {"quantiles": (0.2, 0.8)},
    "huber": {"delta": 0.7},
    "binary_cross_entropy": {"label_smoothing": 0.1},
    "categorical_cross_entropy": {"label_smoothing": 0.1},
}


def example(
    loss: Loss, activation: str, rows: int = 11, **layer: object
) -> tuple[Network, np.ndarray, np.ndarray]:
    """A small network for a loss, with rows to learn."""
    random = np.random.default_rng(7)
    x = random.normal(size=(rows, 3))
    outputs = {"identity": 2, "exp": 2, "sigmoid": 2, "softmax": 3}[loss.link]
    layers = (Layer(5, activation, **layer), Layer(4, activation))
    network = Network(3, layers, outputs, loss.link)
    if loss.name == "quantile":
        return network, x, random.normal(size=(rows, 1))
    if loss.link == "identity":
        return network, x, random.normal(size=(rows, outputs))
    if loss.link == "softmax":
        return network, x, random.integers(0, outputs, (rows, 1)).astype(float)
    return network, x, random.integers(0, 2, (rows, outputs)).astype(float)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradient_is_the_difference_quotient(loss, activation, batch_norm) -> None:
    network, x, y = example(loss, activation, batch_norm=batch_norm)
    theta = initialize(network, 0, "float64") + 0.05  # biases off zero, where relu has a corner
    p = loss.parameters(OPTIONS.get(loss.name, {}))
    training = (0, 1, 0)  # batch norm by the batch

    def mean_loss(at: np.ndarray) -> float:
        logits = reference.forward(network, at.copy(), x, key=training)[-1].a
        return float(loss.value(logits, y, p).mean())

    step, quotient = 1e-6, np.empty(network.learned_count)
    for i in range(quotient.size):
        up, down = theta.copy(), theta.copy()
        up[i] += step
        down[i] -= step
        quotient[i] = (mean_loss(up) - mean_loss(down)) / (2 * step)
    passed = reference.forward(network, theta.copy(), x, key=training)
    delta = loss.gradient(passed[-1].a, y, p) / len(x)
    gradient = reference.backward(network, theta, passed, delta)
    np.testing.assert_allclose(gradient, quotient, atol=3e-9)


def test_one_step_worked_by_hand() -> None:
    network = Network(1, (Layer(1, "sigmoid"),), 1, "identity")
    recipe = Recipe("mse", "sgd", learning_rate=0.5, momentum=0.0, epochs=1, dtype="float64")
    theta = np.array([0.0, 0.0, 2.0, 0.0])
    found = reference.fit(network, recipe, np.array([[1.0]]), np.array([[0.0]]), theta=theta)
    # a = σ(0) = ½, output 2·½ = 1, loss 1, ∂L/∂output = 2; output: w 2·½ = 1, b 2;
    # hidden: 2·2·¼ = 1 for w (x = 1) and b. Each times 0.5 is taken away.
    assert found.theta.tolist() == [-0.5, -0.5, 1.5, -1.0]
    assert found.epochs[0].train_loss == 1.0
    assert found.epochs[0].gradient_norms == pytest.approx((2**0.5, 5**0.5))


def test_penalties_are_the_gradient_of_sizes_and_squares() -> None:
    network = Network(1, (Layer(1, "sigmoid"),), 1, "identity")
    theta = np.array([2.0, 5.0, -3.0, 7.0])
    gradient = reference.penalties(network, theta, 0.01, 0.1)
    np.testing.assert_allclose(gradient, [0.21, 0.0, -0.31, 0.0])


def test_clipping_shortens_and_keeps_the_direction() -> None:
    gradient = np.array([3.0, 4.0])
    np.testing.assert_allclose(reference.shortened(gradient, 1.0), [0.6, 0.8])
    assert reference.shortened(gradient, 5.0) is gradient


def test_weights_into_a_unit_are_bounded_together() -> None:
    network = Network(2, (), 2, "identity")
    theta = np.array([3.0, 0.3, 4.0, 0.4, 9.0, 9.0])
    reference.shorten_units(network, theta, 1.0)
    np.testing.assert_allclose(theta, [0.6, 0.3, 0.8, 0.4, 9.0, 9.0])


def test_batch_norm_gives_each_unit_mean_0_and_deviation_1_before_its_scale() -> None:
    network, x, _ = example(LOSSES["mse"], "tanh", batch_norm=True)
    theta = initialize(network, 0, "float64")
    before = theta.copy()
    first = reference.forward(network, theta, x, key=(0, 1, 0))[0]
    np.testing.assert_allclose(first.z.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(first.z.std(axis=0), 1, atol=1e-4)
    sums = x @ network.blocks(before)[0].weights
    np.testing.assert_allclose(theta[-10:-5], 0.1 * sums.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(theta[-5:], 0.9 + 0.1 * sums.var(axis=0, ddof=1), rtol=1e-12)

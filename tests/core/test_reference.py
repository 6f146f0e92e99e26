"""The reference's gradients against central finite differences of the whole network's loss."""

import numpy as np
import pytest

from core import reference
from core.activations import ACTIVATIONS
from core.initializers import initialize
from core.losses import LOSSES, Loss
from core.network import Layer, Network
from core.training import Recipe


def example(loss: Loss, activation: str, rows: int = 11) -> tuple[Network, np.ndarray, np.ndarray]:
    """A small network for a loss, with rows to learn."""
    random = np.random.default_rng(7)
    x = random.normal(size=(rows, 3))
    outputs = {"identity": 2, "sigmoid": 1, "softmax": 3}[loss.link]
    network = Network(3, (Layer(5, activation), Layer(4, activation)), outputs, loss.link)
    if loss.link == "identity":
        return network, x, random.normal(size=(rows, outputs))
    return network, x, random.integers(0, max(2, outputs), (rows, 1)).astype(float)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradient_is_the_difference_quotient(loss, activation) -> None:
    network, x, y = example(loss, activation)
    theta = initialize(network, 0, "float64") + 0.05  # biases off zero, where relu has a corner

    def mean_loss(at: np.ndarray) -> float:
        return float(loss.value(network.logits(at, x), y).mean())

    step, quotient = 1e-6, np.empty_like(theta)
    for i in range(theta.size):
        up, down = theta.copy(), theta.copy()
        up[i] += step
        down[i] -= step
        quotient[i] = (mean_loss(up) - mean_loss(down)) / (2 * step)
    z, a = reference.forward(network, theta, x)
    gradient = reference.backward(network, theta, z, a, loss.gradient(a[-1], y))
    np.testing.assert_allclose(gradient, quotient, atol=2e-9)


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


def test_weight_decay_is_the_gradient_of_the_squared_weights() -> None:
    network = Network(1, (Layer(1, "sigmoid"),), 1, "identity")
    gradient = reference.decay(network, np.array([2.0, 5.0, -3.0, 7.0]), 0.1)
    np.testing.assert_allclose(gradient, [0.2, 0.0, -0.3, 0.0])


def test_clipping_shortens_and_keeps_the_direction() -> None:
    gradient = np.array([3.0, 4.0])
    np.testing.assert_allclose(reference.clipped(gradient, 1.0), [0.6, 0.8])
    assert reference.clipped(gradient, 5.0) is gradient

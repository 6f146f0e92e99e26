"""What a network computes, against scikit-learn and by hand."""

import json

import numpy as np
import pytest
from scipy.special import expit, softmax

from core.initializers import initialize
from core.network import Layer, Network, apply_link

NETWORK = Network(3, (Layer(5, "sigmoid"), Layer(4, "relu")), 2, "softmax")


def test_one_sigmoid_worked_by_hand() -> None:
    network = Network(2, (Layer(1, "sigmoid"),), 1, "identity")
    theta = np.array([1.0, -2.0, 0.5, 3.0, -1.0])  # w, w, b of the unit; w, b of the output
    found = network.forward(theta, np.array([[2.0, 1.0]]))
    # 1·2 - 2·1 + 0.5 = 0.5; σ(0.5) = 0.6224593312; 3 σ - 1 = 0.8673779936
    assert found[0, 0] == pytest.approx(0.8673779936, abs=1e-9)


def test_forward_is_matrix_products_and_activations() -> None:
    theta = np.random.default_rng(0).normal(size=NETWORK.parameter_count)
    x = np.random.default_rng(1).normal(size=(6, 3))
    a = expit(x @ theta[:15].reshape(3, 5) + theta[15:20])
    a = np.maximum(a @ theta[20:40].reshape(5, 4) + theta[40:44], 0)
    expected = softmax(a @ theta[44:52].reshape(4, 2) + theta[52:], axis=1)
    np.testing.assert_allclose(NETWORK.forward(theta, x), expected, atol=1e-14)


def test_views_cover_the_parameters_once_in_order() -> None:
    theta = np.arange(NETWORK.parameter_count, dtype=np.float64)
    parts = [part.ravel() for pair in NETWORK.views(theta) for part in pair]
    assert np.concatenate(parts).tolist() == theta.tolist()
    assert all(np.shares_memory(part, theta) for part in parts)


def test_network_survives_json() -> None:
    assert Network.from_dict(json.loads(json.dumps(NETWORK.to_dict()))) == NETWORK


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_links_are_stable_for_extreme_sums(link) -> None:
    z = np.array([[1e4], [-1e4]]) if link == "sigmoid" else np.array([[1e4, -1e4], [-1e4, 1e4]])
    assert apply_link(link, z)[:, 0].tolist() == [1.0, 0.0]


def test_initial_weights_fill_their_bounds_and_biases_are_zero() -> None:
    network = Network(200, (Layer(100, "sigmoid"), Layer(100, "relu")), 50, "identity")
    pairs = network.views(initialize(network, 1, "float64"))
    limits = [np.sqrt(6 / 300), np.sqrt(6 / 100), np.sqrt(6 / 150)]  # Glorot, He, Glorot
    for (weights, biases), limit in zip(pairs, limits, strict=True):
        assert 0.99 * limit < np.abs(weights).max() <= limit
        assert abs(weights.mean()) < 0.02 * limit
        assert not biases.any()
    assert not np.array_equal(initialize(network, 1, "float64"), initialize(network, 2, "float64"))


def batch_normed() -> tuple[Network, np.ndarray]:
    """A network with batch norm, dropout and a slope, and parameters that are all at work."""
    layers = (Layer(5, "leaky_relu", alpha=0.2, batch_norm=True, dropout=0.3), Layer(4, "tanh"))
    network = Network(3, layers, 2, "identity", input_dropout=0.1)
    theta = np.random.default_rng(0).normal(size=network.parameter_count)
    theta[-5:] = np.abs(theta[-5:])
    return network, theta


def test_dense_layers_fold_the_batch_norm_in() -> None:
    network, theta = batch_normed()
    x = np.random.default_rng(1).normal(size=(6, 3))
    weights, beta, gamma = theta[:15].reshape(3, 5), theta[15:20], theta[20:25]
    mean, variance = theta[-10:-5], theta[-5:]
    z = gamma * (x @ weights - mean) / np.sqrt(variance + 1e-5) + beta
    a = np.tanh(np.where(z > 0, z, 0.2 * z) @ theta[25:45].reshape(5, 4) + theta[45:49])
    expected = a @ theta[49:57].reshape(4, 2) + theta[57:59]
    np.testing.assert_allclose(network.forward(theta, x), expected, rtol=1e-12)
    for layer in network.dense(theta):
        x = layer.forward(x)
    np.testing.assert_allclose(x, expected, rtol=1e-12)
    assert network.learned_count == 59
    assert network.parameter_count == theta.size == 69


def test_network_with_everything_survives_json() -> None:
    network, _ = batch_normed()
    assert Network.from_dict(json.loads(json.dumps(network.to_dict()))) == network


def test_json_of_a_plain_network_names_no_more_than_it_did() -> None:
    assert NETWORK.to_dict() == {
        "inputs": 3,
        "layers": [{"units": 5, "activation": "sigmoid"}, {"units": 4, "activation": "relu"}],
        "outputs": 2,
        "link": "softmax",
    }

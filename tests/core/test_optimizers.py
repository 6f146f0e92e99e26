"""Optimisers against the first steps worked by hand, and compiled against NumPy."""

import numpy as np
import pytest

from core.compilation import inner
from core.optimizers import MEMORY, OPTIMIZERS

HYPER = np.array([0.1, 0.9, 0.9, 0.999, 1e-8, 0.99, 0.004])


def steps(update, optimizer, gradients, dtype="float64") -> np.ndarray:
    theta, memory = np.ones(gradients.shape[1], dtype), np.zeros(MEMORY)
    slots = np.zeros((optimizer.slots, theta.size), dtype)
    for t, gradient in enumerate(gradients, start=1):
        update(theta, gradient.astype(dtype), slots, HYPER, memory, t)
    return theta


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_compiled_loop_is_the_numpy_step(optimizer, dtype, tolerance) -> None:
    tolerance *= 100 if optimizer.searches else 1  # its sums are as long as the vectors
    gradients = np.random.default_rng(0).normal(size=(5, 11))
    compiled = steps(inner(optimizer.loop), optimizer, gradients, dtype)
    plain = steps(optimizer.step, optimizer, gradients, dtype)
    np.testing.assert_allclose(compiled, plain, atol=tolerance)


def test_momentum_adds_what_was_left_of_the_last_step() -> None:
    theta = steps(OPTIMIZERS["sgd"].step, OPTIMIZERS["sgd"], np.array([[1.0], [1.0]]))
    assert theta[0] == pytest.approx(1 - 0.1 - (0.9 * 0.1 + 0.1))


def test_first_step_of_adam_is_the_learning_rate_whatever_the_gradient() -> None:
    theta = steps(OPTIMIZERS["adam"].step, OPTIMIZERS["adam"], np.array([[1e-3, -5.0, 700.0]]))
    np.testing.assert_allclose(theta, [0.9, 1.1, 0.9], atol=1e-5)


def test_adam_is_algorithm_1_of_its_paper() -> None:
    gradients = np.random.default_rng(1).normal(size=(6, 4))
    theta, m, v = np.ones(4), np.zeros(4), np.zeros(4)
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    found = steps(OPTIMIZERS["adam"].step, OPTIMIZERS["adam"], gradients)
    np.testing.assert_allclose(found, theta, rtol=1e-12)

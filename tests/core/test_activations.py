"""Activations against their definitions, and their slopes against differences."""

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.compilation import inner
from core.elementwise import exp, tanh

Z = np.concatenate([np.linspace(-30, 30, 601) + 1e-3, [-1000.0, 1000.0]])
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)


def test_sigmoid_is_its_definition() -> None:
    near = Z[np.abs(Z) < 30]
    np.testing.assert_allclose(
        ACTIVATIONS["sigmoid"].value(near), 1 / (1 + np.exp(-near)), rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_is_stable_far_from_zero(dtype: str) -> None:
    far = np.array([-1000.0, 1000.0], dtype)
    value = ACTIVATIONS["sigmoid"].value(far)
    assert value.tolist() == [0.0, 1.0]
    assert value.dtype == dtype
    assert ACTIVATIONS["sigmoid"].slope(far, value).tolist() == [0.0, 0.0]


def test_sigmoid_is_steepest_at_zero_with_a_quarter() -> None:
    sigmoid = ACTIVATIONS["sigmoid"]
    z = np.append(Z, 0.0)
    slopes = sigmoid.slope(z, sigmoid.value(z))
    assert slopes.max() == slopes[-1] == sigmoid.steepest == 0.25


@every_activation
def test_slope_is_the_difference_quotient(activation) -> None:
    z, step = Z[np.abs(Z) < 30], 1e-6
    quotient = (activation.value(z + step) - activation.value(z - step)) / (2 * step)
    np.testing.assert_allclose(activation.slope(z, activation.value(z)), quotient, atol=1e-8)


@every_activation
def test_no_slope_is_above_the_steepest(activation) -> None:
    assert np.abs(activation.slope(Z, activation.value(Z))).max() <= activation.steepest


@every_activation
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-7), ("float64", 1e-15)])
def test_compiled_value_and_slope_are_those_of_numpy(activation, dtype, tolerance) -> None:
    value, slope = inner(activation.value), inner(activation.slope)
    for z in np.array([-1000, -8, -1.5, -1e-3, 0, 1e-3, 0.7, 9, 1000], dtype):
        a = activation.value(z)
        assert abs(float(value(z)) - float(a)) <= tolerance * max(1, abs(z))
        assert abs(float(slope(z, a)) - float(activation.slope(z, a))) <= tolerance


def test_compiled_float32_tanh_is_within_3e_7_of_the_exact() -> None:
    @inner
    def on_array(z, out):
        for i in range(z.size):
            out[i] = tanh(z[i])

    z = np.linspace(-12, 12, 200_001).astype(np.float32)
    out = np.empty_like(z)
    on_array(z, out)
    assert np.abs(out - np.tanh(z.astype(np.float64))).max() < 3e-7
    assert np.abs(out).max() <= 1.0


def compiled_exp(z: np.ndarray) -> np.ndarray:
    @inner
    def on_array(z, out):
        for i in range(z.size):
            out[i] = exp(z[i])

    out = np.empty_like(z)
    on_array(z, out)
    return out


def test_compiled_float32_exp_is_within_2e_7_of_the_exact() -> None:
    z = np.linspace(-87, 88, 400_001).astype(np.float32)
    exact = np.exp(z.astype(np.float64))
    assert (np.abs(compiled_exp(z) - exact) / exact).max() < 2e-7
    assert compiled_exp(np.zeros(1, np.float32))[0] == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_exp_vanishes_far_below_zero_and_keeps_nan(dtype) -> None:
    small, nothing = compiled_exp(np.array([-1e4, np.nan], dtype))
    assert 0.0 <= small < 2e-38
    assert np.isnan(nothing)

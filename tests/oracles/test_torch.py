"""Our training against PyTorch's from equal weights, in float64, after fifty steps.

The fixture holds what PyTorch made of it (`tests/oracles/torch_recorder.py`). An interpreter with
torch that SIGMOID_BENCH_TORCH names, or a torch that can be imported here, records it anew.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.losses import LOSSES
from core.network import Layer, Network
from core.optimizers import OPTIMIZERS
from core.schedules import SCHEDULES
from core.training import Fit, Recipe
from tests.oracles import cases
from tests.oracles.cases import CASES, FIXTURE, STEPS, Case, beginning, table, targets

LOSS_OPTIONS = {
    "huber": {"delta": 0.7},
    "quantile": {"quantiles": (0.2, 0.8)},
    "categorical_cross_entropy": {"label_smoothing": 0.1},
}
SCHEDULE_OPTIONS = {
    "step": {"gamma": 0.5, "every": 2.0},
    "exponential": {"gamma": 0.9},
    "inverse_scaling": {"power": 0.5},
    "reduce_on_plateau": {"factor": 0.5, "patience": 1.0, "min_delta": 0.02},
}


def test_the_cases_name_all_that_can_be_chosen() -> None:
    assert set(cases.OPTIMIZERS) == set(OPTIMIZERS)
    assert set(cases.SCHEDULES) == set(SCHEDULES)
    assert set(cases.LOSSES) == set(LOSSES)
    assert set(cases.ACTIVATIONS) == set(ACTIVATIONS)


def replayed(case: Case) -> np.ndarray:
    begun, _ = beginning(case)
    layers = tuple(
        Layer(units, case.activation, batch_norm=case.batch_norm) for units in cases.HIDDEN
    )
    network = Network(cases.INPUTS, layers, case.outputs, LOSSES[case.loss].link)
    theta = np.zeros(network.parameter_count)
    for block, (weights, biases) in zip(network.blocks(theta), begun, strict=True):
        block.weights[:], block.biases[:] = weights, biases
        if block.scale is not None and block.variance is not None:
            block.scale[:] = block.variance[:] = 1.0
    options = dict(SCHEDULE_OPTIONS.get(case.schedule, {}))
    if case.schedule == "cosine":
        options = {"period": 10 / case.steps_per_epoch, "growth": 2.0}
    recipe = Recipe(
        case.loss,
        case.optimizer,
        learning_rate=case.rate,
        loss_options=LOSS_OPTIONS.get(case.loss, {}),
        schedule=case.schedule,
        schedule_options=options,
        epochs=STEPS // case.steps_per_epoch,
        batch_size=case.batch,
        seed=cases.SEED,
        dtype="float64",
    )
    x, y = table()
    run = Fit(network, recipe, x, targets(case, y), theta=theta)
    run.advance(STEPS)
    return run.theta


def differing(recorded: dict[str, np.ndarray]) -> dict[str, float]:
    """Cases that are not within 1e-9, by how much."""
    found = {case.name: np.abs(replayed(case) - recorded[case.name]).max() for case in CASES}
    return {name: float(size) for name, size in found.items() if not size < 1e-9}


def test_fifty_steps_are_those_of_the_recording() -> None:
    assert FIXTURE.stat().st_size < 300_000
    with np.load(FIXTURE) as recorded:
        assert differing(dict(recorded)) == {}


def interpreter() -> str | None:
    if importlib.util.find_spec("torch") is not None:
        return sys.executable
    return os.environ.get("SIGMOID_BENCH_TORCH")


@pytest.mark.skipif(interpreter() is None, reason="no torch here")
def test_fifty_steps_are_those_of_the_torch_that_is_here(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from tests.oracles.torch_recorder import CASES, record;"
        f"np.savez({str(tmp_path / 'now.npz')!r}, **{{case.name: record(case) for case in CASES}})"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run(
        [str(interpreter()), "-c", program], check=True, cwd=root, env=environment, timeout=100
    )
    with np.load(tmp_path / "now.npz") as recorded:
        assert differing(dict(recorded)) == {}

"""Fifty steps from equal weights over equal batches: what the two programs are told.

Pure NumPy, so that an interpreter with torch and one with Numba both read it. The order of rows
and the initial weights are written out here anew.
"""

from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path

import numpy as np

from core.seeding import permutation

FIXTURE = Path(__file__).parent / "torch.npz"
STEPS, ROWS, BATCH, INPUTS, SEED = 50, 40, 8, 3, 5
HIDDEN = (5, 4)
OPTIMIZERS = (
    "sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam", "lbfgs",
)  # fmt: skip
SCHEDULES = (
    "constant", "step", "exponential", "cosine", "one_cycle", "inverse_scaling",
    "reduce_on_plateau",
)  # fmt: skip
LOSSES = (
    "mse", "mae", "huber", "quantile", "poisson", "binary_cross_entropy", "binary_focal",
    "categorical_cross_entropy", "categorical_focal",
)  # fmt: skip
ACTIVATIONS = (
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus",
    "softsign", "hard_sigmoid", "identity",
)  # fmt: skip
RATES = {"lbfgs": 0.05, "sgd": 0.02, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.05}


@dataclass(frozen=True)
class Case:
    """One combination."""

    optimizer: str
    schedule: str
    loss: str
    activation: str
    batch_norm: bool

    @property
    def name(self) -> str:
        return "-".join(
            (self.optimizer, self.schedule, self.loss, self.activation, "bn"[: 2 * self.batch_norm])
        )

    @property
    def rate(self) -> float:
        return RATES.get(self.optimizer, 0.01)

    @property
    def outputs(self) -> int:
        return 3 if self.loss.startswith("categorical") else 2

    @property
    def rows(self) -> int:
        return ROWS

    @property
    def batch(self) -> int:
        return ROWS if self.optimizer == "lbfgs" else BATCH

    @property
    def steps_per_epoch(self) -> int:
        return -(-ROWS // self.batch)


def _cases() -> list[Case]:
    """Every optimiser with every schedule, and with both every pair of the rest comes up: loss,
    activation and batch norm go around at lengths without a common divisor.
    """
    found = []
    losses, activations, norms = cycle(LOSSES), cycle(ACTIVATIONS), cycle((False, True, True))
    for optimizer in OPTIMIZERS:
        for schedule in SCHEDULES:
            norm = next(norms) and optimizer != "lbfgs"
            loss, activation = next(losses), next(activations)
            if optimizer == "lbfgs":  # ours searches along each step, torch's does not: smooth
                loss, activation = ("mse", "binary_cross_entropy")[norm], "tanh"
            found.append(Case(optimizer, schedule, loss, activation, norm))
    for loss in LOSSES:  # and every loss with every activation, with and without batch norm
        for at, activation in enumerate(ACTIVATIONS):
            optimizer = ("adam", "nesterov", "rmsprop")[at % 3]
            found += [Case(optimizer, "constant", loss, activation, norm) for norm in (False, True)]
    return list(dict.fromkeys(found))


CASES = _cases()
Pair = tuple[np.ndarray, np.ndarray]


def beginning(case: Case) -> tuple[list[Pair], list[Pair]]:
    """Weights and biases of each layer, and the batches of STEPS steps."""
    random = np.random.default_rng(11)
    sizes = (INPUTS, *HIDDEN, case.outputs)
    weights = [
        (random.normal(size=(n, m)) / np.sqrt(n), 0.1 * random.normal(size=m))
        for n, m in pairwise(sizes)
    ]
    x, y = table()

    def batches():  # type: ignore[no-untyped-def]
        for epoch in range(1, STEPS + 1):
            order = permutation(SEED, epoch, ROWS)
            for start in range(0, ROWS, case.batch):
                chosen = order[start : start + case.batch]
                yield x[chosen], y[chosen]

    return weights, list(islice(batches(), STEPS))


def table() -> Pair:
    """Inputs (ROWS, INPUTS), and two numbers a row from which all targets are made."""
    random = np.random.default_rng(12)
    x = random.normal(size=(ROWS, INPUTS))
    return x, np.sin(2 * x[:, :2]) + 0.1 * random.normal(size=(ROWS, 2))


def targets(case: Case, y: np.ndarray) -> np.ndarray:
    """Targets that suit the loss, as the core takes them."""
    if case.loss.startswith("categorical"):
        return (1.0 * (y[:, :1] > 0) + (y[:, 1:] > 0)).astype(np.float64)
    if case.loss.startswith("binary"):
        return (y > 0).astype(np.float64)
    if case.loss == "poisson":
        return np.floor(2 * np.abs(y))
    return y[:, :1] if case.loss == "quantile" else y

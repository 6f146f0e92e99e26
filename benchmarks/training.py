"""Microseconds per mini-batch step, beside scikit-learn and PyTorch.

PyTorch is measured by the interpreter named in SIGMOID_BENCH_TORCH, since it is no dependency of
ours. Best of three, with one thread each and then, where a step is large, with both cores for each;
all of them validate a tenth as many rows after every epoch.

The ceiling is what the ratio would be if our step were its matrix products and nothing else: a
target above it is out of reach of any code that calls this BLAS on this machine.
"""

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
REPEATS = 3
TORCH = "SIGMOID_BENCH_TORCH"
SCORE_SLACK = 0.02  # by which equally good fits may differ, started from different weights
SCORED = 10_000  # training rows, after training, that the score is of


@dataclass(frozen=True)
class Workload:
    """Rows to learn and a network to learn them. epochs: timed for ours and the others."""

    name: str
    rows: int
    inputs: int
    hidden: tuple[int, ...]
    classes: int  # 1 is regression
    batch: int
    epochs: int
    threads: int = 1


@dataclass(frozen=True)
class Timing:
    """Microseconds of a step, and the score on the training rows afterwards."""

    step: float
    score: float


WORKLOADS = (
    Workload("T", 100, 1, (8,), 1, 20, 400),
    Workload("S", 10_000, 30, (64,), 3, 32, 20),  # fewer last 11 ms, within which noise decides
    Workload("M", 60_000, 784, (128, 64), 10, 128, 1),
    Workload("L", 20_000, 784, (512, 512), 10, 512, 1),
)
TARGETS = {"T": 20.0, "S": 20.0, "M": 2.0, "L": 1.3}


def rows_of(load: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and targets that a linear map of them decides (a sine for regression).

    A tenth more than the rows to learn: those at the end validate.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(load.rows + load.rows // 10, load.inputs)).astype(np.float32)
    if load.classes == 1:
        return x, np.sin(2 * x[:, :1])
    return x, (x @ random.normal(size=(load.inputs, load.classes))).argmax(axis=1)[:, None]


def best(load: Workload, run: Callable[[], float]) -> Timing:
    """The quickest of a few runs. run trains anew and returns its score."""
    seconds, score = [], 0.0
    for _ in range(REPEATS):
        start = time.perf_counter()
        score = run()
        seconds.append(time.perf_counter() - start)
    steps = -(-load.rows // load.batch) * load.epochs
    return Timing(min(seconds) / steps * 1e6, score)


def ours(load: Workload) -> Timing:
    """`core.training.Fit`, which also measures gradients and saturation."""
    from core.network import Layer, Link, Network
    from core.training import Fit, Recipe

    x, y = rows_of(load)
    held = x[load.rows :], y[load.rows :].astype(np.float32)
    link: Link = "identity" if load.classes == 1 else "softmax"
    loss = "mse" if load.classes == 1 else "categorical_cross_entropy"
    layers = tuple(Layer(units, "sigmoid") for units in load.hidden)
    network = Network(load.inputs, layers, load.classes, link)
    recipe = Recipe(loss, learning_rate=0.003, epochs=load.epochs, batch_size=load.batch)
    learned, targets = x[: load.rows], y[: load.rows].astype(np.float32)

    def run() -> float:
        fit = Fit(network, recipe, learned, targets, validation=held)
        fit.threads = load.threads
        fit.advance(10**9)
        run.theta = fit.theta  # type: ignore[attr-defined]
        return 0.0

    run_once = Recipe(loss, epochs=1, batch_size=load.batch)
    Fit(network, run_once, x[: load.batch], targets[: load.batch]).advance(1)
    timing = best(load, run)
    out = network.forward(run.theta, x[:SCORED])  # type: ignore[attr-defined]
    return Timing(timing.step, score_of(load, out, y[:SCORED]))


def score_of(load: Workload, out: np.ndarray, y: np.ndarray) -> float:
    """R² or accuracy of outputs, measured alike for everybody."""
    if load.classes == 1:
        return 1 - float(((out - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    return float((out.argmax(axis=1) == y[:, 0]).mean())


def scikit_learn(load: Workload) -> Timing:
    """`MLPClassifier` or `MLPRegressor`, in the precision of the rows (float32)."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from threadpoolctl import threadpool_limits

    x, y = rows_of(load)
    kind = MLPRegressor if load.classes == 1 else MLPClassifier

    def run() -> float:
        model = kind(
            hidden_layer_sizes=load.hidden,
            activation="logistic",
            solver="adam",
            alpha=0.0,
            batch_size=load.batch,
            learning_rate_init=0.003,
            max_iter=load.epochs,
            tol=0.0,
            n_iter_no_change=load.epochs + 1,
            early_stopping=True,  # its way to validate; it holds out rows of those given
            validation_fraction=1 / 11,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it did not converge: nobody asked it to
            model.fit(x, y[:, 0])
        run.score = lambda: float(model.score(x[:SCORED], y[:SCORED, 0]))  # type: ignore[attr-defined]
        return 0.0

    with threadpool_limits(load.threads):
        timing = best(load, run)
    return Timing(timing.step, run.score())  # type: ignore[attr-defined]


def torch_eager(load: Workload) -> Timing:
    """PyTorch as its tutorials write it: eager modules, fused Adam. Batches are plain slices."""
    import torch  # type: ignore[import-not-found]  # of the environment that is named for it

    torch.set_num_threads(load.threads)
    torch.manual_seed(0)
    rows, targets = (torch.from_numpy(part) for part in rows_of(load))
    targets = targets if load.classes == 1 else targets[:, 0].long()
    held, truth = rows[load.rows :], targets[load.rows :]
    measure = torch.nn.MSELoss() if load.classes == 1 else torch.nn.CrossEntropyLoss()

    def run() -> float:
        parts: list[torch.nn.Module] = []
        sizes = (load.inputs, *load.hidden)
        for n, m in pairwise(sizes):
            parts += [torch.nn.Linear(n, m), torch.nn.Sigmoid()]
        model = torch.nn.Sequential(*parts, torch.nn.Linear(sizes[-1], load.classes))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.003, fused=True)
        for _ in range(load.epochs):
            order = torch.randperm(load.rows)
            for start in range(0, load.rows, load.batch):
                chosen = order[start : start + load.batch]
                optimizer.zero_grad()
                measure(model(rows[chosen]), targets[chosen]).backward()
                optimizer.step()
            with torch.no_grad():
                measure(model(held), truth).item()
        run.model = model  # type: ignore[attr-defined]
        return 0.0

    timing = best(load, run)
    with torch.no_grad():
        out = run.model(rows[:SCORED]).numpy()  # type: ignore[attr-defined]
    return Timing(timing.step, score_of(load, out, rows_of(load)[1][:SCORED]))


def gemm_bound(load: Workload) -> float:
    """Microseconds of a step's matrix products alone, called from compiled code as ours are."""
    import numba

    @numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def multiply(times: int, left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
        for _ in range(times):
            np.dot(left, right, out)

    sizes = (load.inputs, *load.hidden, load.classes)
    random = np.random.default_rng(0)
    products = []
    for layer, (n, m) in enumerate(pairwise(sizes)):
        a = random.normal(size=(load.batch, n)).astype(np.float32)
        w = random.normal(size=(n, m)).astype(np.float32)
        d = random.normal(size=(load.batch, m)).astype(np.float32)
        products += [(a, w, np.empty_like(d)), (a.T, d, np.empty_like(w))]
        products += [(d, w.T, np.empty_like(a))] if layer > 0 else []
    seconds = 0.0
    for left, right, out in products:
        multiplications = left.shape[0] * left.shape[1] * right.shape[1]
        times = max(1, 10**7 // multiplications)
        multiply(1, left, right, out)
        tries = []
        for _ in range(20):
            start = time.perf_counter()
            multiply(times, left, right, out)
            tries.append((time.perf_counter() - start) / times)
        seconds += min(tries)
    return seconds * 1e6


def measure() -> list[str]:
    """Two Markdown tables, and below them what was not measured or not reached."""
    notes = []
    if TORCH not in os.environ:
        notes.append(f"**torch was not measured**: name an interpreter that has it in `{TORCH}`.")
    large = [replace(load, threads=2) for load in WORKLOADS if load.batch > 32]
    lines = ["One thread each:", "", *_table(list(WORKLOADS), notes)]
    lines += ["", "Two threads each:", "", *_table(large, notes)]
    return lines + ([""] if notes else []) + [f"- {note}" for note in notes]


def _table(loads: list[Workload], notes: list[str]) -> list[str]:
    """One row a workload; notes get what was not reached."""
    lines = [
        "| workload | ours µs/step | scikit-learn | torch eager | best other / ours | target "
        "| ceiling | GEMM share | score ours / scikit-learn / torch |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for load in loads:
        mine, theirs, torch = ours(load), scikit_learn(load), _by_torch(load)
        bound, target = gemm_bound(load) / load.threads, TARGETS[load.name]
        other = min(theirs.step, torch.step if torch else theirs.step)
        ratio = f"{other / mine.step:.1f}x ({theirs.step / mine.step:.1f}x"
        ratio += f", {torch.step / mine.step:.1f}x)" if torch else ")"
        scores = [mine.score, theirs.score] + ([torch.score] if torch else [])
        lines.append(
            f"| {load.name} | {mine.step:,.1f} | {theirs.step:,.1f} | "
            f"{f'{torch.step:,.1f}' if torch else '–'} | {ratio} | {target}x | "
            f"{other / bound:.1f}x | {bound / mine.step:.0%} | "
            f"{' / '.join(f'{s:.3f}' for s in scores)} |"
        )
        if other / mine.step < target:
            notes.append(
                f"**{load.name} missed its target**, threads {load.threads}: "
                f"{other / mine.step:.2f}x of {target}x, "
                f"where {other / bound:.2f}x is the ceiling."
            )
        if mine.score < min(scores[1:]) - SCORE_SLACK:
            notes.append(f"**{load.name} learned less**: the comparison of speed is not fair.")
    return lines


def _by_torch(load: Workload) -> Timing | None:
    interpreter = os.environ.get(TORCH)
    if interpreter is None:
        return None
    command = [interpreter, "-m", "benchmarks.training", json.dumps(asdict(load))]
    out = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=120, cwd=ROOT
    ).stdout
    return Timing(**json.loads(out))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        told = json.loads(sys.argv[1])
        told["hidden"] = tuple(told["hidden"])
        print(json.dumps(asdict(torch_eager(Workload(**told)))))
    else:
        print("\n".join(measure()))

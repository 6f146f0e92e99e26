"""Whole training jobs over HTTP: from sending the request to holding the result."""

import contextlib
import io
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
from sklearn.datasets import load_breast_cancer

REPEATS = 20
START_SECONDS = 90.0  # a first start compiles the kernels
TARGETS_MS = {"150 rows x 100 epochs": 30, "breast cancer, 200 epochs": 60}


@contextlib.contextmanager
def service(**settings: str) -> Iterator[tuple[httpx2.Client, int]]:
    """A service of our own on a free port with an empty data folder: a client, its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name},
            "SIGMOID_DATA_DIR": str(Path(folder) / "data"),
            "SIGMOID_LOG_LEVEL": "warning",
            **settings,
        }
        command = [sys.executable, "-m", "service", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            with httpx2.Client(base_url=url, timeout=60.0, trust_env=False) as client:
                _wait(client)
                yield client, process.pid
        finally:
            process.terminate()
            process.wait(30)


def _wait(client: httpx2.Client) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.HTTPError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.05)
    raise TimeoutError("the service did not become ready")


def upload(client: httpx2.Client, x: np.ndarray, y: np.ndarray) -> str:
    """Store a table with columns x0 … and `label`: the data set's id."""
    text = io.StringIO()
    text.write(",".join([*(f"x{i}" for i in range(x.shape[1])), "label"]) + "\n")
    for row, label in zip(x, y, strict=True):
        text.write(",".join([*(f"{value:.6g}" for value in row), f"class{label}"]) + "\n")
    answer = client.post(
        "/v1/datasets",
        params={"name": "bench"},
        content=text.getvalue().encode(),
        headers={"Content-Type": "text/csv"},
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def train(client: httpx2.Client, dataset: str, **training: object) -> dict[str, object]:
    """Run one job to its end within one request."""
    units = training.pop("units")
    body = {
        "dataset": dataset,
        "target": "label",
        "model": "bench",
        "network": {"layers": [{"units": units, "activation": "sigmoid"}]},
        "training": {"early_stopping": None, **training},
        "seed": 1,
    }
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=30"})
    answer.raise_for_status()
    job: dict[str, object] = answer.json()
    if job["state"] != "succeeded":
        raise RuntimeError(f"the job is {job['state']}")
    return job


def measure() -> list[str]:
    """A Markdown table."""
    random = np.random.default_rng(0)
    x = random.normal(size=(150, 4))
    cancer = load_breast_cancer()
    lines = [
        f"| whole job over HTTP, {REPEATS} times | median ms | best ms | target ms |",
        "|---|---:|---:|---:|",
    ]
    with service() as (client, _):
        small = upload(client, x, x[:, :3].argmax(axis=1))
        large = upload(client, cancer.data, cancer.target)
        runs = {
            "150 rows x 100 epochs": (small, {"units": 16, "epochs": 100}),
            "breast cancer, 200 epochs": (large, {"units": 32, "epochs": 200, "batch_size": 32}),
        }
        for name, (dataset, options) in runs.items():
            times = []
            for turn in range(REPEATS + 2):
                start = time.perf_counter()
                train(client, dataset, **options)
                if turn >= 2:  # warm
                    times.append((time.perf_counter() - start) * 1e3)
            lines.append(
                f"| {name} | {statistics.median(times):.1f} | {min(times):.1f} "
                f"| {TARGETS_MS[name]} |"
            )
    return lines


if __name__ == "__main__":
    print("\n".join(measure()))

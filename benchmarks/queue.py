"""What a long past costs: requests on a database of 100,000 ended jobs beside those on an empty
one, in one run, and how fast tiny jobs go in and out of the queue.

    python -m benchmarks.queue [jobs] [epochs of each]
"""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2

from service.kit.database import Database
from service.kit.migrations import migrate

JOBS, EPOCHS = 100_000, 100
REPEATS = 100
TINY = 200  # jobs of one epoch
_JOBS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {jobs})
INSERT INTO jobs (id, state, dataset_id, model, spec, warnings, tags, rank, created_at, started_at,
                  finished_at, fence, crashes, losses, share, history, epoch, result, kind)
SELECT printf('job_0%025d', i), 'succeeded', dataset_id, model, spec, warnings, tags, rank,
       created_at - {jobs} + i, started_at - {jobs} + i, finished_at - {jobs} + i, fence, crashes,
       losses, share, history, epoch, result, kind
FROM n, jobs WHERE jobs.id = :job
"""
_EPOCHS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {jobs}),
               m(e) AS (SELECT 1 UNION ALL SELECT e + 1 FROM m WHERE e < {epochs})
INSERT INTO epoch_metrics (job_id, epoch, point)
SELECT printf('job_0%025d', i), e, (SELECT point FROM epoch_metrics WHERE job_id = :job LIMIT 1)
FROM n, m
"""


@contextlib.contextmanager
def service(folder: Path, *options: str) -> Iterator[httpx2.Client]:
    """A service on this folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "service", "serve", "--port", str(port), *options]
    environment = {
        **os.environ,
        "SIGMOID_DATA_DIR": str(folder),
        "SIGMOID_LOG_LEVEL": "warning",
        "SIGMOID_MAX_QUEUED": "100000",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx2.Client(base_url=url, timeout=300.0, trust_env=False) as client:
            end = time.monotonic() + 120
            while time.monotonic() < end:
                with contextlib.suppress(httpx2.HTTPError):
                    if client.get("/readyz").status_code == 200:
                        break
                time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        process.wait(60)


def train(client: httpx2.Client, epochs: int, wait: int = 0) -> dict[str, object]:
    """Submit a job on the penguins."""
    answer = client.post(
        "/v1/jobs",
        json={"dataset": _dataset(client), "target": "species", "training": {"epochs": epochs}},
        headers={"Prefer": f"wait={wait}"} if wait else {},
    )
    answer.raise_for_status()
    return dict(answer.json())


_datasets: dict[str, str] = {}


def _dataset(client: httpx2.Client) -> str:
    url = str(client.base_url)
    if url not in _datasets:
        _datasets[url] = client.post("/v1/datasets/samples/penguins").json()["id"]
    return _datasets[url]


def fill(folder: Path, job: str, jobs: int, epochs: int) -> None:
    """Copy the job and its first epoch until there are so many."""
    database = Database(f"sqlite:///{folder / 'sigmoid.db'}")
    migrate(database)
    connection = database.sqlite.connect(str(folder / "sigmoid.db"))
    connection.execute("PRAGMA synchronous=OFF")
    for statement in (_JOBS, _EPOCHS):
        connection.execute(statement.format(jobs=jobs, epochs=epochs), {"job": job})
        connection.commit()
    connection.close()
    database.close()


def _requests(client: httpx2.Client, job: str) -> dict[str, Callable[[], object]]:
    return {
        "list 20": lambda: client.get("/v1/jobs").raise_for_status(),
        "list 20 that failed": lambda: client.get("/v1/jobs?status=failed").raise_for_status(),
        "get": lambda: client.get(f"/v1/jobs/{job}").raise_for_status(),
        "metrics": lambda: client.get(f"/v1/jobs/{job}/metrics").raise_for_status(),
        "submit": lambda: train(client, 1),
    }


def compare(jobs: int, epochs: int) -> list[str]:
    """A Markdown table of medians; requests to both services take turns."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / kind for kind in ("empty", "full")]
        found = []
        for folder in folders:
            with service(folder) as client:
                found.append(str(train(client, epochs, wait=60)["id"]))
        clock = time.perf_counter()
        fill(folders[1], found[1], jobs, epochs)
        lines = [
            f"| request | empty, ms | {jobs:,} jobs, {jobs * epochs:,} epochs, ms | ratio |",
            "|---|---:|---:|---:|",
        ]
        print(f"filled in {time.perf_counter() - clock:.0f} s", file=sys.stderr)
        with service(folders[0], "--api-only") as empty, service(folders[1], "--api-only") as full:
            pairs = zip(
                _requests(empty, found[0]).items(),
                _requests(full, found[1]).values(),
                strict=True,
            )
            for (what, without), within in pairs:
                times: tuple[list[float], list[float]] = ([], [])
                for _ in range(REPEATS):
                    for call, taken in zip((without, within), times, strict=True):
                        start = time.perf_counter()
                        call()
                        taken.append((time.perf_counter() - start) * 1e3)
                a, b = (statistics.median(taken) for taken in times)
                lines.append(f"| {what} | {a:.2f} | {b:.2f} | {b / a:.2f} |")
    return lines


def drain() -> list[str]:
    """Tiny jobs in and out, one connection, as many workers as this machine has cores."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["SIGMOID_WORKERS"] = str(os.cpu_count() or 1)
        with service(Path(name) / "data") as client:
            train(client, 1, wait=60)
            start = time.perf_counter()
            last = [train(client, 1) for _ in range(TINY)][-1]
            sent = time.perf_counter() - start
            path = f"/v1/jobs/{last['id']}"
            while client.get("/v1/jobs?status=queued&limit=1").json()["data"]:
                time.sleep(0.01)
            while client.get(path).json()["state"] != "succeeded":
                time.sleep(0.005)
            ended = time.perf_counter() - start
            data = client.get("/v1/jobs?limit=100").json()["data"]
            seconds = [job["result"]["training_seconds"] for job in data]
    alone = (os.cpu_count() or 1) / statistics.mean(seconds)
    return [
        f"{TINY} jobs of one epoch: submitted {TINY / sent:.0f}/s, ended {TINY / ended:.0f}/s "
        f"while submitted; their work alone, in as many processes, would be {alone:.0f}/s."
    ]


if __name__ == "__main__":
    numbers = [int(value) for value in sys.argv[1:]]
    jobs, epochs = numbers if numbers else (JOBS, EPOCHS)
    print("\n".join([*compare(jobs, epochs), "", *drain()]))

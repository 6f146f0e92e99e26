"""Predictions a second of one row each, beside the bare HTTP server; and resident memory."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import numpy as np

from benchmarks.jobs import service, train, upload

CONNECTIONS = 16
SECONDS = 3.0
CONSTANT = """
import sys, uvicorn
ANSWER = b'{"predictions":[0.5]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="error")
"""


async def load(port: int, path: str, body: bytes) -> tuple[float, float]:
    """Requests a second and the 99th percentile in milliseconds of a closed loop."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < end:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode("latin-1"))
            length = answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            times.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return len(times) / SECONDS, float(np.percentile(times, 99)) * 1e3


def constant() -> tuple[float, float]:
    """The same load on uvicorn answering a constant."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", CONSTANT, str(port)])
    try:
        for _ in range(200):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        return asyncio.run(load(port, "/", b'{"rows":[[0.5]]}'))
    finally:
        process.terminate()
        process.wait(10)


def resident(pid: int) -> list[str]:
    """Command and resident megabytes of a process and all below it."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    found = [f"{b' '.join(command[1:4]).decode()[:60]}: {kilobytes / 1024:.0f} MB"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return found + [line for child in children for line in resident(int(child))]


def measure() -> list[str]:
    """A Markdown table, and a list of processes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 30))
    lines = ["| one row a request, 16 connections | requests/s | p99 ms |", "|---|---:|---:|"]
    with service() as (client, pid):
        memory = resident(pid)
        dataset = upload(client, x, x[:, :2].argmax(axis=1))
        train(client, dataset, units=64, epochs=5)
        body = b'{"rows":[[%s]]}' % b",".join(b"%.4f" % value for value in x[0])
        port = client.base_url.port
        assert port is not None
        idle = asyncio.run(load(port, "/v1/models/bench/predict", body))
        job = _start_long_job(client, dataset)
        busy = asyncio.run(load(port, "/v1/models/bench/predict", body))
        client.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    bare = constant()
    for name, (rate, p99) in {
        "predictions": idle,
        "predictions while a job trains": busy,
        "uvicorn answering a constant": bare,
    }.items():
        lines.append(f"| {name} | {rate:,.0f} | {p99:.1f} |")
    return [*lines, "", "Resident memory, idle:", "", *(f"- {line}" for line in memory)]


def _start_long_job(client: httpx2.Client, dataset: str) -> str:
    body = {
        "dataset": dataset,
        "target": "label",
        "model": "long",
        "network": {"layers": [{"units": 256}]},
        "training": {"early_stopping": None, "epochs": 100_000},
    }
    answer = client.post("/v1/jobs", json=body)
    answer.raise_for_status()
    job = str(answer.json()["id"])
    end = time.monotonic() + 10
    while client.get(f"/v1/jobs/{job}").json()["state"] != "running":
        if time.monotonic() > end:
            raise TimeoutError("the long job did not start")
        time.sleep(0.05)
    return job


if __name__ == "__main__":
    print("\n".join(measure()))

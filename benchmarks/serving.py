"""Predictions a second beside a constant and other servers, whole tables, and resident memory.

Every server has core 0 to itself and answers the same load from core 1 (`benchmarks.load`).
"""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
import orjson

from benchmarks.jobs import service, train, upload
from benchmarks.load import measure as put_load
from benchmarks.load import request
from benchmarks.peers import PEERS, Peer, Rows

SERVER_CORE = 0
ROUNDS = 3
SHARE = 0.7  # of what a server answers at most, for its percentiles
MANY = 100
PATH = "/v1/models/bench/predict"
TARGETS = {"one": 0.45, "many": 0.09, "peer": 15.0, "p99": 3.0}
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


@contextlib.contextmanager
def constant() -> Iterator[tuple[int, int]]:
    """Uvicorn answering a constant on the servers' core: its port and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", CONSTANT, str(port)]
    process = subprocess.Popen(command)
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def processor_seconds(session: int | None = None, pid: int | None = None) -> float:
    """What a process, or all of a session, has used so far, in user and kernel mode (proc(5))."""
    used = 0
    for path in Path("/proc").glob("[0-9]*/stat" if pid is None else f"{pid}/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if pid is not None or int(fields[3]) == session:
                used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


def api_of(pid: int) -> int:
    """The API process below a supervisor."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(
        int(child) for child in children
        if b"service.server" in Path(f"/proc/{child}/cmdline").read_bytes()
    )  # fmt: skip


def resident(pid: int) -> list[str]:
    """Command and resident megabytes of a process and all below it."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    found = [f"{b' '.join(command[1:4]).decode()[:60]}: {kilobytes / 1024:.0f} MB"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return found + [line for child in children for line in resident(int(child))]


def measure() -> list[str]:
    """Markdown tables, and a list of processes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 30))
    rows: Rows = [[round(value, 4) for value in row] for row in x[:MANY].tolist()]
    with service() as (client, pid), constant() as bare:
        memory = resident(pid)
        dataset = upload(client, x, x[:, :2].argmax(axis=1))
        train(client, dataset, units=64, epochs=5)
        api = api_of(pid)
        subprocess.run(
            ["taskset", "-a", "-c", "-p", str(SERVER_CORE), str(api)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        port = int(client.base_url.port or 0)
        lines, one, many = _beside_constant((port, api), bare, rows)
        busy = _while_training(client, dataset, lambda: _load((port, api), PATH, rows[:1]))
        lines += ["", f"One row while a job trains: {busy.rate:,.0f}/s, p99 {busy.p99:.1f} ms."]
        steady = [_load((port, api), PATH, rows[:1], SHARE * one.rate) for _ in range(ROUNDS)]
        p99 = statistics.median(result.p99 for result in steady)
        load, wanted = f"{SHARE:.0%} of its load, requests leaving on time", TARGETS["p99"]
        lines += ["", f"One row at {load}: p99 {p99:.1f} ms (target {wanted:.0f} ms)."]
        lines += _peers(rows, one, many) + _tables(client, api)
    return [*lines, "", "Resident memory, idle:", "", *(f"- {line}" for line in memory)]


Server = tuple[int, int]  # port, process


@dataclass(frozen=True)
class Loaded:
    """What a server answered, and what it used for one answer, in microseconds."""

    rate: float
    p99: float
    processor: float


def _load(server: Server, path: str, rows: Sequence[object], rate: float | None = None) -> Loaded:
    port, pid = server
    before = processor_seconds(pid=pid)
    found = put_load(port, request(port, path, orjson.dumps({"rows": rows})), rate=rate)
    used = processor_seconds(pid=pid) - before
    return Loaded(found.rate, found.p99, used / found.answers * 1e6)


def _beside_constant(ours: Server, bare: Server, rows: Rows) -> tuple[list[str], Loaded, Loaded]:
    """Ours and the constant in turn: a table, and what one row and many came to."""
    records = [{f"x{i}": value for i, value in enumerate(row)} for row in rows]
    cases: dict[str, tuple[Server, str, Sequence[object]]] = {
        "uvicorn answering a constant": (bare, "/", rows[:1]),
        "one row": (ours, PATH, rows[:1]),
        "one row, as a record": (ours, PATH, records[:1]),
        f"the constant, {MANY} rows sent": (bare, "/", rows),
        f"{MANY} rows": (ours, PATH, rows),
        f"{MANY} rows, as records": (ours, PATH, records),
    }
    found: dict[str, list[Loaded]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            found[name].append(_load(*case))
    middle = {name: sorted(all_, key=lambda one: one.rate)[ROUNDS // 2]
              for name, all_ in found.items()}  # fmt: skip
    limit = middle["uvicorn answering a constant"].rate
    targets = {"one row": TARGETS["one"], f"{MANY} rows": TARGETS["many"]}
    lines = [
        "| 16 connections, closed loop | requests/s | of the constant | target | p99 ms "
        "| processor µs a request |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, result in middle.items():
        target = f"{targets[name]:.0%}" if name in targets else ""
        lines.append(
            f"| {name} | {result.rate:,.0f} | {result.rate / limit:.0%} | {target} | "
            f"{result.p99:.1f} | {result.processor:.0f} |"
        )
    return lines, middle["one row"], middle[f"{MANY} rows"]


def _peers(rows: Rows, one: Loaded, many: Loaded) -> list[str]:
    """The peers that are there: their rates and their processor time beside ours."""
    lines = [
        "",
        "| the same network elsewhere | requests/s | ours | target | processor µs | ours "
        f"| {MANY} rows: requests/s | ours | processor µs | ours |",
        "|---|" + "---:|" * 9,
    ]
    for peer in PEERS:
        version = peer.version()
        if version is None:
            lines.append(f"| {peer.name}: not installed |" + " |" * 9)
            continue
        try:
            single, hundred = _peer_loads(peer, rows)
        except TimeoutError as error:
            lines.append(f"| {error} |" + " |" * 9)
            continue
        lines.append(
            f"| {peer.name} {version} | {single.rate:,.0f} | {one.rate / single.rate:.1f}x | "
            f"{TARGETS['peer']:.0f}x | {single.processor:,.0f} | "
            f"{single.processor / one.processor:.1f}x | {hundred.rate:,.0f} | "
            f"{many.rate / hundred.rate:.1f}x | {hundred.processor:,.0f} | "
            f"{hundred.processor / many.processor:.1f}x |"
        )
    return lines


def _peer_loads(peer: Peer, rows: Rows) -> list[Loaded]:
    """The best of the rounds, for one row and for many."""
    with peer.served(SERVER_CORE) as (port, session):
        best = []
        for part in (rows[:1], rows):
            message, found = request(port, peer.path, peer.ask(part)), []
            for _ in range(ROUNDS):
                before = processor_seconds(session)
                result = put_load(port, message)
                used = processor_seconds(session) - before
                found.append(Loaded(result.rate, result.p99, used / result.answers * 1e6))
            best.append(max(found, key=lambda loaded: loaded.rate))
        return best


def _tables(client: httpx2.Client, api: int) -> list[str]:
    """Many rows of thirty numbers in, as CSV, and out in three forms."""
    lines = ["", "| a table in, as CSV | rows | seconds | peak memory of the API, MB |",
             "|---|---:|---:|---:|"]  # fmt: skip
    random = np.random.default_rng(1)
    block = "\n".join(
        ",".join(f"{value:.2f}" for value in row) for row in random.normal(size=(1_000, 30))
    )
    head = ",".join(f"x{i}" for i in range(30))
    for rows in (1_000, 300_000):
        body = f"{head}\n".encode() + f"{block}\n".encode() * (rows // 1_000)
        for kind in ("text/csv", "application/vnd.apache.parquet", "application/x-ndjson"):
            Path(f"/proc/{api}/clear_refs").write_text("5")  # proc(5): the peak counts from here
            headers = {"Content-Type": "text/csv", "Accept": kind}
            start = time.perf_counter()
            with client.stream("POST", PATH, content=body, headers=headers) as answer:
                answer.raise_for_status()
                for _ in answer.iter_raw():
                    pass
            took = time.perf_counter() - start
            status = Path(f"/proc/{api}/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
            lines.append(f"| out as {kind} | {rows:,} | {took:.2f} | {peak / 1024:.0f} |")
    return lines


def _while_training(client: httpx2.Client, dataset: str, load: Callable[[], Loaded]) -> Loaded:
    job = _start_long_job(client, dataset)
    try:
        return load()
    finally:
        client.post(f"/v1/jobs/{job}/cancel").raise_for_status()


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
    print(f"load {os.getloadavg()[0]:.1f} at the start\n")
    print("\n".join(measure()))

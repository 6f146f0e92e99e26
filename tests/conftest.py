"""The real thing for every test: a running service on loopback, with its own data folder."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from hypothesis import settings

# The same examples in every run, so that a change is red for what it changed; others on request.
settings.register_profile("sigmoid", derandomize="SIGMOID_EXPLORE" not in os.environ)
settings.load_profile("sigmoid")
START_SECONDS = 90.0  # the first start on a machine compiles the kernels


@dataclass
class Service:
    """A service that a test may stop, kill and start again on the same data."""

    data_dir: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Service":
        command = [sys.executable, "-m", "service", "serve", "--port", str(self.port)]
        environment = {
            **os.environ,
            "SIGMOID_DATA_DIR": str(self.data_dir),
            "SIGMOID_LOG_LEVEL": "warning",
            **self.environment,
        }
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        wait_until(self.is_ready, START_SECONDS)
        return self

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return httpx2.get(f"{self.url}/readyz", timeout=1.0).status_code == 200
        return False

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)


def wait_until(condition: object, seconds: float = 30.0) -> None:
    """Return once the condition holds; fail after the seconds."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} did not come true in {seconds} s")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(data_dir: Path, **environment: str) -> Iterator[Service]:
    """A service of one's own, for tests that are rough with it."""
    service = Service(data_dir, free_port(), environment)
    try:
        yield service.start()
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that all tests of a process share."""
    with running(tmp_path_factory.mktemp("data"), SIGMOID_MAX_QUEUED="1000") as service:
        yield service.url


@pytest.fixture(scope="session")
def client(server: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server, timeout=90.0) as client:
        yield client


@pytest.fixture(scope="session")
def penguins(client: httpx2.Client) -> str:
    """The id of the sample data set."""
    answer = client.post("/v1/datasets/samples/penguins")
    assert answer.status_code in (200, 201)
    return str(answer.json()["id"])


@pytest.fixture(scope="session")
def model(client: httpx2.Client, penguins: str) -> dict[str, object]:
    """A finished job that published `penguins`."""
    body = {"dataset": penguins, "target": "species", "model": "penguins", "seed": 7}
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "succeeded", answer.text
    return dict(answer.json())

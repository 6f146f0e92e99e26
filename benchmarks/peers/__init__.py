"""Other model servers, each in an environment of its own, serving the same network."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("SIGMOID_PEERS", HERE.parent.parent / "build" / "peers"))
START_SECONDS = 240.0
Rows = list[list[float]]


@dataclass(frozen=True)
class Peer:
    """A server: what to install, and how it wants to be asked."""

    name: str
    requirements: tuple[str, ...]
    path: str
    body: Callable[[Rows], Any]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return FOLDER / self.name / "bin" / "python"

    def version(self) -> str | None:
        """The installed release; None when there is none."""
        if not self.python.exists():
            return None
        code = f"from importlib.metadata import version; print(version('{self.name}'))"
        done = subprocess.run([str(self.python), "-c", code], capture_output=True, text=True)
        return done.stdout.strip() or None

    def ask(self, rows: Rows) -> bytes:
        """The body that asks for these rows."""
        return json.dumps(self.body(rows), separators=(",", ":")).encode()

    @contextlib.contextmanager
    def served(self, core: int) -> Iterator[tuple[int, int]]:
        """Its server on one core: the port, and the session of its processes. Raises TimeoutError
        when it does not come up.
        """
        port = _free_port()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                       "PYTHONPATH": str(HERE), "BENTOML_DO_NOT_TRACK": "true"}  # fmt: skip
        process = subprocess.Popen(
            ["taskset", "-c", str(core), str(self.python), f"{self.name}_model.py", str(port)],
            cwd=HERE, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._wait(port, process)
            yield port, process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _wait(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        from benchmarks.load import request

        message = request(port, self.path, self.ask([[0.0] * 30]))
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as s:
                s.settimeout(5)
                s.sendall(message)
                if s.recv(64).startswith(b"HTTP/1.1 200"):
                    return
            time.sleep(0.2)
        raise TimeoutError(f"{self.name} did not come up")


def _free_port() -> int:
    """A port with two free ones after it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", port + 1))
            two.bind(("127.0.0.1", port + 2))
            return port


def _tensor(rows: Rows) -> Any:
    data = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), 30], "datatype": "FP64", "data": data}
    return {"inputs": [tensor]}


PEERS = (
    Peer("mlserver", ("mlserver", "numpy"), "/v2/models/net/infer", _tensor),
    Peer("mlflow", ("mlflow", "numpy"), "/invocations", lambda rows: {"inputs": rows}),
    Peer("litserve", ("litserve", "numpy"), "/predict", lambda rows: {"rows": rows}),
    Peer("bentoml", ("bentoml", "numpy"), "/predict", lambda rows: {"rows": rows}),
)

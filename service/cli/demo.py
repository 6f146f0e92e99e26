"""`sigmoid demo`, which `make run` calls: from real data to predictions, through the HTTP API."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from service.cli.client import Client, Json, NobodyThere
from service.cli.configuration import service_url, settings
from service.cli.exits import CommandError, ExitCode
from service.cli.progress import watch
from service.cli.report import print_metrics, print_predictions, print_training, say, settle

MODEL = "penguins"
JOB: Json = {
    "target": "species",
    "model": MODEL,
    "network": {"layers": [{"units": 16, "activation": "sigmoid"}]},
    "training": {"epochs": 400, "optimizer": {"name": "adam", "learning_rate": 0.01}},
    "seed": 7,
}
_START_SECONDS = 120.0  # the first start of all compiles the training kernels
_SHOWN = 6


def demo(*, leave: bool) -> None:
    """Show the service at work; then stay until Ctrl-C, unless it is not ours or told to leave."""
    console = Console()
    for end in (signal.SIGTERM, signal.SIGHUP):  # all stop the service that we started
        signal.signal(end, signal.default_int_handler)
    if settings().port == 0:
        raise CommandError("The demo needs a port it can name: SIGMOID_PORT=8001", ExitCode.USAGE)
    url = service_url()
    with contextlib.ExitStack() as stack:
        process = None
        if _answers(url):
            say(console, f"Sigmoid is running already at {url}; using that one.")
        else:
            say(console, "Starting the service; the first start compiles the training kernels ...")
            process = stack.enter_context(_service(console, url))
        with Client(url) as client:
            _show(client, console)
        if process is None or leave:
            return
        say(console, "\nCtrl-C stops the service; the data stays.")
        with contextlib.suppress(KeyboardInterrupt):
            code = process.wait()
            raise CommandError(f"The service ended by itself with status {code}.")
        say(console, "\nStopping ...")


def _show(client: Client, console: Console) -> None:
    dataset = client.post("/v1/datasets/samples/penguins")
    say(
        console,
        f"Data: {dataset['name']}, {dataset['rows']} rows, "
        f"{len(dataset['columns'])} columns ({dataset['id']})",
    )
    address = f"{client.url}/v1/models/{MODEL}"
    model = client.find(f"/v1/models/{MODEL}")
    if model is None:
        job = client.post("/v1/jobs", {"dataset": dataset["id"], **JOB})
        job = watch(client, job, console).job
        say(console, "")
        print_training(console, job, settle(job), address)
    else:
        version = model["versions"][0]
        say(
            console,
            f"The model {MODEL} is here already, version {version['version']}; not trained again.",
        )
        print_metrics(console, version["lineage"]["spec"], version)
    _predict(client, console, dataset)
    say(console, f"\n  page   {client.url}/\n  docs   {client.url}/docs\n  model  {address}")


def _predict(client: Client, console: Console, dataset: Json) -> None:
    """A few rows from all over the table, with the species that the model is not shown."""
    rows = [
        client.get(f"/v1/datasets/{dataset['id']}/rows", after=after, limit=1)["data"][0]
        for after in range(10, dataset["rows"], dataset["rows"] // _SHOWN)
    ][:_SHOWN]
    truth = [row.pop(JOB["target"]) for row in rows]
    answer = client.post(f"/v1/models/{MODEL}/predict", {"rows": rows})
    say(console, f"\nPredictions for {len(rows)} of the rows, beside the truth:")
    print_predictions(console, answer["predictions"], truth=truth)


def _answers(url: str) -> bool:
    """Whether Sigmoid is at `url`. Raises CommandError when something else is."""
    try:
        with Client(url) as client:
            alive = client.get("/livez").get("status") == "alive"
    except NobodyThere:
        return False
    except CommandError:
        alive = False
    if not alive:
        raise CommandError(
            f"Another program has {url}. Choose another port: SIGMOID_PORT=8001 make run",
            ExitCode.CANNOT_START,
        )
    return True


@contextlib.contextmanager
def _service(console: Console, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`sigmoid serve` as a process of its own, ready to train; stopped at the end of the block."""
    path = _log_file()
    with path.open("wb") as log:
        # A session of its own: Ctrl-C reaches us alone, and we stop it in order.
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await_ready(process, url, path)
        say(console, f"Sigmoid is at {url} (log: {path})")
        yield process
    finally:
        process.terminate()
        process.wait()


def _log_file() -> Path:
    folder = settings().data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "service.log"
        path.touch()
    except OSError as error:
        raise CommandError(
            f"Cannot write to the data folder {folder}: {error.strerror}.", ExitCode.CANNOT_START
        ) from None
    return path


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with Client(url) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines() or [
                    "It left no message."
                ]
                message = lines[-1].removeprefix("sigmoid: ")
                raise CommandError(
                    message,
                    ExitCode(process.returncode) if process.returncode == 4 else ExitCode.FAILED,
                )
            with contextlib.suppress(CommandError):
                client.get("/readyz")
                return
            time.sleep(0.05)
    raise CommandError(
        f"The service was not ready after {_START_SECONDS:.0f} s; see {log}.", ExitCode.UNREACHABLE
    )

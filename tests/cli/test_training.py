"""The commands against a real service, with and without a terminal."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "service"]


def sigmoid(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without a terminal."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=ROOT,
        env={**os.environ, **variables},
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    command = [*COMMAND, "serve", "--port", "0", "--data-dir", str(folder), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups of points, far enough apart that a network that learns gets them right."""
    file = tmp_path_factory.mktemp("tables") / "groups.csv"
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 2, 200)
    points = rng.normal(size=(200, 2)) + 6 * groups[:, None]
    lines = [f"{x:.4f},{y:.4f},{'ab'[g]}" for (x, y), g in zip(points, groups, strict=True)]
    file.write_text("\n".join(["x,y,group", *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def trained(url: str, table: Path) -> subprocess.CompletedProcess[str]:
    return sigmoid(
        "train", table, "--target", "group", "--model", "groups", "--layers", "8:sigmoid,4:tanh",
        "--learning-rate", "0.02", "--epochs", "60", "--patience", "0", "--seed", "7", "--url", url,
    )  # fmt: skip


def test_training_prints_metrics_beside_the_baseline_and_the_models_address(url, trained):
    assert trained.returncode == 0, trained.stderr
    accuracy = re.search(
        r"^validation accuracy (\S+)  baseline (\S+)$", trained.stdout, re.MULTILINE
    )
    assert accuracy is not None
    assert float(accuracy[1]) > 0.95 > 0.7 > float(accuracy[2])
    assert f"{url}/v1/models/groups" in trained.stdout


def test_without_a_terminal_progress_is_plain_lines_on_stderr(trained):
    assert "\x1b" not in trained.stdout + trained.stderr
    assert re.search(r"^epoch 60/60  train loss \S+  validation loss \S+$", trained.stderr, re.M)


def test_the_options_reach_the_job(url, trained):
    job = httpx2.get(f"{url}/v1/jobs").json()["data"][-1]

    assert [layer["activation"] for layer in job["network"]["layers"]] == ["sigmoid", "tanh"]
    assert job["training"]["optimizer"]["learning_rate"] == 0.02
    assert job["training"]["epochs"] == 60
    assert job["seed"] == 7


def test_json_is_the_finished_job_and_nothing_else(url, table):
    done = sigmoid("train", table, "--target", "group", "--epochs", 5, "--json", "--url", url)

    job = json.loads(done.stdout)
    assert job["state"] == "succeeded"
    assert done.stderr == ""


def test_a_refused_job_is_1_and_names_the_field(url, table):
    done = sigmoid("train", table, "--target", "nothing", "--url", url)

    assert done.returncode == 1
    assert "/target" in done.stderr
    assert "Traceback" not in done.stderr


def test_predictions_of_typed_rows_come_tab_separated(url, trained):
    done = sigmoid("predict", "groups", "--row", "x=0,y=0", "--row", "x=6,y=6", "--url", url)

    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["1", "a"], ["2", "b"]]
    assert all(0.5 < float(row[2]) <= 1 for row in rows)


def test_predictions_of_a_file_agree_with_its_labels(url, trained, table):
    done = sigmoid("predict", "groups@1", "--file", table, "--json", "--url", url)

    answer = json.loads(done.stdout)
    predicted = [prediction["label"] for prediction in answer["predictions"]]
    truth = [line.rsplit(",", 1)[1] for line in table.read_text().splitlines()[1:]]
    assert (answer["model"], answer["version"]) == ("groups", 1)
    assert np.mean(np.array(predicted) == np.array(truth)) > 0.95


def test_an_unknown_model_and_a_missing_column_are_1(url, trained):
    unknown = sigmoid("predict", "nobody", "--row", "x=0", "--url", url)
    missing = sigmoid("predict", "groups", "--row", "x=0", "--url", url)

    assert (unknown.returncode, missing.returncode) == (1, 1)
    assert "y" in missing.stderr


def on_a_terminal(arguments: list[object], interrupt_at: str | None = None) -> tuple[int, str]:
    """Run the command on a pseudo-terminal; Ctrl-C once its output matches `interrupt_at`."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**os.environ, **variables},
    )
    os.close(theirs)
    seen = b""
    with open(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while piece := terminal.read(65536):  # Linux ends a closed terminal with EIO
            seen += piece
            if interrupt_at is not None and re.search(interrupt_at.encode(), piece):
                process.send_signal(signal.SIGINT)
                interrupt_at = None
    return process.wait(30), seen.decode(errors="replace")


def test_on_a_terminal_the_loss_is_drawn(url, table):
    code, seen = on_a_terminal(["train", table, "--target", "group", "--epochs", 40, "--url", url])

    assert code == 0
    assert len(set(re.findall(r"[\u2801-\u28ff]", seen))) > 3
    assert "validation" in seen


def test_ctrl_c_cancels_the_job_and_is_130(url, tmp_path):
    rng = np.random.default_rng(1)
    file = tmp_path / "long.csv"
    np.savetxt(file, rng.normal(size=(20_000, 6)), delimiter=",", header="a,b,c,d,e,f", comments="")
    arguments = [
        "train", file, "--target", "f", "--model", "long", "--layers", "64,64",
        "--epochs", 20_000, "--patience", 0, "--url", url,
    ]  # fmt: skip

    code, seen = on_a_terminal(arguments, interrupt_at="epoch [1-9]")

    job = re.search(r"job_\w+", seen)
    assert code == 130
    assert job is not None
    with httpx2.stream("GET", f"{url}/v1/jobs/{job[0]}/stream") as response:
        *_, last = httpx2.EventSource(response)
    assert json.loads(last.data)["state"] == "cancelled"


def test_the_demo_trains_once_and_then_uses_what_is_there(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    variables = {"SIGMOID_PORT": port, "SIGMOID_DATA_DIR": str(tmp_path / "data")}

    first = sigmoid("demo", "--exit", **variables)
    second = sigmoid("demo", "--exit", **variables)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    accuracy = re.search(r"^validation accuracy (\S+)  baseline (\S+)$", first.stdout, re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9 > 0.6 > float(accuracy[2])
    for address in ("/", "/docs", "/v1/models/penguins"):
        assert f"http://127.0.0.1:{port}{address}\n" in first.stdout
    assert "not trained again" in second.stdout
    assert accuracy[0] in second.stdout
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/livez")

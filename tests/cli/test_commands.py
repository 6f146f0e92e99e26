"""The command as a script meets it: a process, its exit code, its two streams."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]


def sigmoid(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, **variables},
    )


def failed_in_one_line(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the command said why it failed as it should: one line, ours, no traceback."""
    return done.stderr.startswith("sigmoid: ") and done.stderr.count("\n") == 1


def test_the_version_needs_nothing_heavy():
    heavy = {"numpy", "numba", "pyarrow", "sqlalchemy", "fastapi", "httpx2", "pydantic"}
    code = (
        "import sys; sys.argv = ['sigmoid', '--version']\n"
        "from service.cli.app import run\n"
        f"assert run() == 0 and not {heavy} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sigmoid ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["serve", "--port", "70000"],
        ["train", "nowhere.csv", "--target", "y"],
        ["train", "README", "--target", "y"],
        ["predict", "penguins"],
    ],
)
def test_wrong_usage_is_2(arguments):
    assert sigmoid(*arguments).returncode == 2


@pytest.mark.parametrize("variable", ["SIGMOID_PORT", "SIGMOID_ALLOWED_HOSTS"])
def test_a_setting_that_does_not_fit_is_named_and_not_repeated(variable):
    done = sigmoid("config", "show", **{variable: "hunter2"})

    assert done.returncode == 2
    assert failed_in_one_line(done)
    assert variable.removeprefix("SIGMOID_").lower() in done.stderr.lower()
    assert "hunter2" not in done.stderr


def test_train_and_predict_say_how_to_start_the_service_when_nobody_answers(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound but not listening: refuses connections
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"

        for command in (["train", table, "--target", "b"], ["predict", "m", "--row", "a=1"]):
            done = sigmoid(*command, "--url", url)

            assert done.returncode == 3
            assert failed_in_one_line(done)
            assert "sigmoid serve" in done.stderr


def test_a_port_in_use_is_4(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = sigmoid("serve", "--port", port, "--data-dir", tmp_path)

    assert done.returncode == 4
    assert failed_in_one_line(done)
    assert str(port) in done.stderr


def test_a_data_folder_that_cannot_be_written_is_4(tmp_path):
    (tmp_path / "file").touch()

    done = sigmoid("serve", "--port", 0, "--data-dir", tmp_path / "file" / "below")

    assert done.returncode == 4
    assert failed_in_one_line(done)
    assert str(tmp_path) in done.stderr


def test_a_database_of_a_newer_version_is_4_and_stays_as_it_is(tmp_path):
    with sqlite3.connect(tmp_path / "sigmoid.db") as database:
        database.execute("CREATE TABLE sigmoid_schema (version_num VARCHAR(32) PRIMARY KEY)")
        database.execute("INSERT INTO sigmoid_schema VALUES ('from_the_future')")
    database.close()

    done = sigmoid("worker", "--data-dir", tmp_path)

    assert done.returncode == 4
    assert failed_in_one_line(done)
    with sqlite3.connect(tmp_path / "sigmoid.db") as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    database.close()
    assert tables == [("sigmoid_schema",)]


def test_the_demo_does_not_mistake_another_program_for_the_service(tmp_path):
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as other:
        assert other.stdout is not None
        port = other.stdout.readline().split(" port ")[1].split()[0]

        done = sigmoid("demo", SIGMOID_PORT=port, SIGMOID_DATA_DIR=str(tmp_path / "data"))

        other.send_signal(signal.SIGTERM)
    assert done.returncode == 4
    assert failed_in_one_line(done)
    assert "SIGMOID_PORT" in done.stderr


def test_config_shows_every_setting_with_its_source_and_no_secret():
    from service.settings import Settings

    secret = "postgresql://sigmoid:hunter2@db/sigmoid"
    done = sigmoid("config", "show", "--json", SIGMOID_DATABASE_URL=secret, SIGMOID_PORT="8123")

    shown = {entry["setting"]: entry for entry in json.loads(done.stdout)}
    assert set(shown) == {f"SIGMOID_{name.upper()}" for name in Settings.model_fields}
    assert all(entry["description"] for entry in shown.values())
    assert "hunter2" not in done.stdout
    port = shown["SIGMOID_PORT"]
    assert (port["value"], port["source"]) == (8123, "environment")
    assert "hunter2" not in sigmoid("config", "show", SIGMOID_DATABASE_URL=secret).stdout


def test_the_documentation_names_every_command_and_option():
    from service.cli.app import app

    text = (ROOT / "docs" / "cli.md").read_text()
    root = typer.main.get_command(app)
    for name, command in root.commands.items():
        assert f"sigmoid {name}" in text
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert not option.startswith("--") or option == "--help" or option in text, option

"""What cannot start says so in one line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from service.settings import Settings
from service.supervisor import StartError, address, listen
from tests.conftest import free_port, running


def serve(data_dir: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", "serve", "--port", str(free_port())]
    settings = {"SIGMOID_DATA_DIR": str(data_dir), **environment}
    return subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60
    )


def test_a_newer_schema_is_one_clear_line(tmp_path: Path) -> None:
    from sqlalchemy import text

    from service.kit import migrations
    from service.kit.database import Database

    database = Database(f"sqlite:///{tmp_path}/sigmoid.db")
    migrations.migrate(database)
    with database.write() as session:
        session.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))
    database.close()

    ended = serve(tmp_path)

    assert ended.returncode == 4
    assert "9999" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_process_that_never_starts_ends_the_service(tmp_path: Path) -> None:
    (tmp_path / "httptools.py").write_text("raise ImportError('broken on purpose')")

    ended = serve(tmp_path / "data", PYTHONPATH=str(tmp_path))

    assert ended.returncode == 4
    assert "as soon as it starts" in ended.stderr


def test_port_zero_takes_a_free_one() -> None:
    for processes in (1, 3):
        settings = Settings(port=0, api_processes=processes)
        listeners = listen(settings)

        assert len(listeners) == processes
        assert len({listener.getsockname()[1] for listener in listeners} - {0}) == 1
        assert address(settings, listeners).startswith("http://127.0.0.1:")
        for listener in listeners:
            listener.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_port_that_is_taken_is_noticed(processes: int) -> None:
    first = listen(Settings(port=0, api_processes=2))
    settings = Settings(port=first[0].getsockname()[1], api_processes=processes)

    with pytest.raises(StartError, match="Cannot listen"):
        listen(settings)

    for listener in first:
        listener.close()


def test_an_idle_connection_does_not_keep_others_out(server: str) -> None:
    host, port = server.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(20)]

    assert httpx2.get(f"{server}/livez", timeout=10).status_code == 200

    for connection in idle:
        connection.close()


def test_two_services_on_one_data_folder_serve_each_others_models(tmp_path: Path) -> None:
    with running(tmp_path / "data") as first, running(tmp_path / "data") as second:
        dataset = httpx2.post(f"{first.url}/v1/datasets/samples/penguins", timeout=30).json()["id"]
        body = {
            "dataset": dataset,
            "target": "species",
            "model": "shared",
            "training": {"epochs": 5},
        }
        job = httpx2.post(
            f"{first.url}/v1/jobs", json=body, headers={"Prefer": "wait=60"}, timeout=90
        ).json()
        assert job["state"] == "succeeded"
        row = httpx2.get(f"{second.url}/v1/datasets/{dataset}/rows?limit=1", timeout=30).json()[
            "data"
        ][0]
        row.pop("species")

        answer = httpx2.post(
            f"{second.url}/v1/models/shared/predict", json={"rows": [row]}, timeout=30
        )

        assert answer.status_code == 200
        assert answer.json()["version"] == 1


def test_an_idle_api_has_loaded_neither_pyarrow_nor_numba() -> None:
    program = "import service.server, sys; sys.exit(bool({'pyarrow', 'numba'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0

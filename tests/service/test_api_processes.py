"""Several API processes are one service: what one is told, all know."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Service, running, wait_until
from tests.service.predictions.test_predictions_over_http import ROW

ASKED = 24  # connections; that all of them end at one of two processes is a matter of 2^-23


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("pair"), SIGMOID_API_PROCESSES="2") as service:
        yield service


def processes(service: Service) -> list[int]:
    """The API processes below the supervisor."""
    assert service.process is not None
    parent = service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(child) for child in children
        if b"service.server" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]  # fmt: skip


def train(client: httpx2.Client) -> None:
    dataset = client.post("/v1/datasets/samples/penguins").json()["id"]
    body = {"dataset": dataset, "target": "species", "model": "m", "training": {"epochs": 2}}
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
    assert answer.json()["state"] == "succeeded", answer.text


def versions(service: Service, path: str) -> set[int | None]:
    """What answers on fresh connections say which version they are of."""
    found = set()
    for _ in range(ASKED):
        answer = httpx2.post(f"{service.url}{path}", json={"rows": [ROW]}, timeout=30)
        found.add(answer.json().get("version"))
    return found


def test_both_take_connections(pair: Service) -> None:
    api = processes(pair)
    assert len(api) == 2

    def sockets() -> list[int]:
        return [
            sum(
                os.readlink(link).startswith("socket:")
                for link in Path(f"/proc/{pid}/fd").iterdir()
            )
            for pid in api
        ]

    before = sockets()
    clients = [httpx2.Client(base_url=pair.url) for _ in range(ASKED)]
    for client in clients:
        assert client.get("/livez").status_code == 200
    gained = [now - then for now, then in zip(sockets(), before, strict=True)]
    for client in clients:
        client.close()

    assert min(gained) > 0


def test_what_is_published_and_what_an_alias_means_is_known_to_both(pair: Service) -> None:
    with httpx2.Client(base_url=pair.url, timeout=90) as client:
        train(client)
        assert versions(pair, "/v1/models/m/predict") == {1}
        train(client)
        assert versions(pair, "/v1/models/m/predict") == {2}

        for version in (1, 2, 1):
            path = "/v1/models/m/aliases/champion"
            assert client.put(path, json={"version": version}).status_code in (200, 201)
            swapped = time.monotonic()
            path = "/v1/models/m/versions/champion/predict"
            wait_until(lambda then=swapped: time.monotonic() > then + 1)
            assert versions(pair, path) == {version}


def test_one_that_dies_is_started_again(pair: Service) -> None:
    before = processes(pair)
    os.kill(before[0], signal.SIGKILL)

    wait_until(lambda: len(set(processes(pair)) - {before[0]}) == 2, 30)

    for _ in range(ASKED):
        assert httpx2.get(f"{pair.url}/livez", timeout=30).status_code == 200

"""Several API processes mean the same by a name, within a second of every change."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from service.models.resolution import bucket
from tests.conftest import Service, running
from tests.service.predictions.test_predictions_over_http import ROW

PROCESSES = 3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Three API processes, and a model of two versions that all of them have answered for."""
    folder: Path = tmp_path_factory.mktemp("several")
    with running(folder, SIGMOID_API_PROCESSES=str(PROCESSES)) as service:
        with httpx2.Client(base_url=service.url, timeout=90) as client:
            dataset = client.post("/v1/datasets/samples/penguins").json()["id"]
            for seed in (1, 2):
                body = {"dataset": dataset, "target": "species", "model": "m", "seed": seed,
                        "training": {"epochs": 1}}  # fmt: skip
                job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
                assert job["state"] == "succeeded"
            client.put("/v1/models/m/aliases/champion", json={"version": 1})
        asked(service, "versions/champion/predict", 30)
        yield service


def asked(service: Service, path: str, times: int, key: str | None = None) -> set[int]:
    """The versions that answer calls on connections of their own, so of any process."""
    headers = {} if key is None else {"X-Routing-Key": key}
    found, fresh = set(), httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=service.url, limits=fresh, headers=headers) as client:
        for _ in range(times):
            answer = client.post(f"/v1/models/m/{path}", json={"rows": [ROW]})
            assert answer.status_code == 200, answer.text
            found.add(int(answer.json()["version"]))
    return found


def test_a_swap_is_live_in_every_process_within_a_second(service: Service) -> None:
    for version in (2, 1, 2):
        path = f"{service.url}/v1/models/m/aliases/champion"
        assert httpx2.put(path, json={"version": version}).status_code == 200
        end = time.monotonic() + 1.0
        while asked(service, "versions/champion/predict", 12) != {version}:
            assert time.monotonic() < end


def test_a_key_means_the_same_version_in_every_process(service: Service) -> None:
    split = {"split": [{"version": 1, "percent": 50}, {"version": 2, "percent": 50}]}
    assert httpx2.put(f"{service.url}/v1/models/m/traffic", json=split).status_code == 200
    end = time.monotonic() + 1.0
    keys = {at: next(f"k{n}" for n in range(99) if (bucket("m", f"k{n}") < 50) is at)
            for at in (True, False)}  # fmt: skip
    while asked(service, "predict", 12, keys[True]) != {1}:
        assert time.monotonic() < end

    assert asked(service, "predict", 12, keys[False]) == {2}
    assert asked(service, "predict", 40) == {1, 2}

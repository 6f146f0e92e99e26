"""Aliases as callers move them."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.service.predictions.test_predictions_over_http import ROW

BODY = {"target": "species", "model": "aliased", "training": {"epochs": 1}}
PREDICT = "/v1/models/aliased/versions/champion/predict"
ALIAS = "/v1/models/aliased/aliases/champion"


@pytest.fixture(scope="module")
def aliased(client: httpx2.Client, penguins: str) -> str:
    """A model with two versions."""
    for seed in (1, 2):
        job = {**BODY, "dataset": penguins, "seed": seed}
        answer = client.post("/v1/jobs", json=job, headers={"Prefer": "wait=60"})
        assert answer.json()["state"] == "succeeded", answer.text
    return "aliased"


def version_of(client: httpx2.Client, path: str) -> int:
    answer = client.post(path, json={"rows": [ROW]})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["version"])


def test_an_alias_works_wherever_a_version_does(client: httpx2.Client, aliased: str) -> None:
    made = client.put(ALIAS, json={"version": 1})
    assert made.status_code in (200, 201)
    assert version_of(client, PREDICT) == 1
    assert client.get("/v1/models/aliased/versions/champion").json()["version"] == 1
    assert client.get("/v1/models/aliased").json()["aliases"]["champion"] == 1

    moved = client.put(ALIAS, json={"version": 2})

    assert moved.status_code == 200
    assert version_of(client, PREDICT) == 2
    assert version_of(client, "/v1/models/aliased/versions/latest/predict") == 2


def test_a_deleted_alias_is_not_found(client: httpx2.Client, aliased: str) -> None:
    client.put("/v1/models/aliased/aliases/gone", json={"version": 1})
    path = "/v1/models/aliased/versions/gone/predict"
    assert version_of(client, path) == 1

    assert client.delete("/v1/models/aliased/aliases/gone").status_code == 204

    assert client.post(path, json={"rows": [ROW]}).status_code == 404
    assert client.delete("/v1/models/aliased/aliases/gone").status_code == 404


def test_a_stale_writer_is_refused(client: httpx2.Client, aliased: str) -> None:
    client.put(ALIAS, json={"version": 1})
    held = client.get(ALIAS).headers["ETag"]
    assert client.get(ALIAS, headers={"If-None-Match": held}).status_code == 304
    client.put(ALIAS, json={"version": 2})

    late = client.put(ALIAS, json={"version": 1}, headers={"If-Match": held})

    assert late.status_code == 412
    assert late.json()["type"] == "/problems/precondition-failed"
    assert client.get(ALIAS).json()["version"] == 2
    create = client.put(ALIAS, json={"version": 1}, headers={"If-None-Match": "*"})
    assert create.status_code == 412
    assert client.delete(ALIAS, headers={"If-Match": held}).status_code == 412


@pytest.mark.parametrize(
    ("path", "body", "status", "pointer"),
    [
        (ALIAS, {"version": 99}, 422, "/version"),
        (ALIAS, {"version": "1"}, 422, "/version"),
        (ALIAS, {"version": True}, 422, "/version"),
        (ALIAS, {"version": 1, "to": 2}, 422, "/to"),
        ("/v1/models/aliased/aliases/latest", {"version": 1}, 409, None),
        ("/v1/models/aliased/aliases/7", {"version": 1}, 422, "/path/alias"),
        ("/v1/models/nobody/aliases/champion", {"version": 1}, 404, None),
    ],
)
def test_a_bad_alias_is_refused(
    client: httpx2.Client,
    aliased: str,
    path: str,
    body: dict[str, object],
    status: int,
    pointer: str | None,
) -> None:
    answer = client.put(path, json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_swap_under_load_never_fails_a_call(client: httpx2.Client, aliased: str) -> None:
    client.put(ALIAS, json={"version": 1})
    end = time.monotonic() + 0.5

    def call(_: int) -> set[int]:
        seen = set()
        with httpx2.Client(base_url=client.base_url) as own:
            while time.monotonic() < end:
                seen.add(version_of(own, PREDICT))
        return seen

    with ThreadPoolExecutor(2) as pool:
        calls = pool.map(call, range(2))
        for version in (2, 1) * 5:
            assert client.put(ALIAS, json={"version": version}).status_code == 200
            assert version_of(client, PREDICT) == version
        assert set().union(*calls) <= {1, 2}

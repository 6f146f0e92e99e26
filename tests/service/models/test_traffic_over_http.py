"""Traffic as callers split it, and what shadows record beside it."""

from collections import Counter
from collections.abc import Iterator

import httpx2
import numpy as np
import pytest

from service.models.resolution import bucket
from tests.conftest import wait_until
from tests.service.predictions.test_predictions_over_http import ROW

PATH = "/v1/models/shared/predict"
TRAFFIC = "/v1/models/shared/traffic"


@pytest.fixture(scope="module")
def trained(client: httpx2.Client, penguins: str) -> None:
    for seed, epochs in ((1, 30), (2, 1), (3, 30)):
        body = {"dataset": penguins, "target": "species", "model": "shared", "seed": seed,
                "training": {"epochs": epochs}}  # fmt: skip
        answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
        assert answer.json()["state"] == "succeeded", answer.text


@pytest.fixture
def shared(client: httpx2.Client, trained: None) -> Iterator[str]:
    """A model of three versions, all traffic on the latest."""
    yield "shared"
    client.delete(TRAFFIC)


def share(version: int, percent: int) -> dict[str, int]:
    return {"version": version, "percent": percent}


def ask(client: httpx2.Client, key: str | None = None) -> int:
    headers = {} if key is None else {"X-Routing-Key": key}
    return int(client.post(PATH, json={"rows": [ROW]}, headers=headers).json()["version"])


def test_a_key_gets_the_version_that_the_documented_hash_says(
    client: httpx2.Client, shared: str
) -> None:
    assert ask(client) == 3

    answer = client.put(TRAFFIC, json={"split": [share(3, 25), share(1, 75)]})

    assert answer.status_code == 200, answer.text
    assert client.get(TRAFFIC).json()["split"] == [share(1, 75), share(3, 25)]
    for number in range(40):
        key = f"customer {number}"
        assert ask(client, key) == (1 if bucket("shared", key) < 75 else 3)
    seen = Counter(ask(client) for _ in range(200))
    assert set(seen) == {1, 3}
    assert seen[1] > seen[3]


def test_a_key_sticks_in_the_open_inference_protocol_too(
    client: httpx2.Client, shared: str
) -> None:
    client.put(TRAFFIC, json={"split": [share(1, 50), share(3, 50)]})
    inputs = [
        {"name": name, "shape": [1], "data": [cell],
         "datatype": "BYTES" if isinstance(cell, str) else "FP64"}
        for name, cell in ROW.items()
    ]  # fmt: skip

    for number in range(20):
        headers = {"X-Routing-Key": f"customer {number}"}
        answer = client.post("/v2/models/shared/infer", json={"inputs": inputs}, headers=headers)
        expected = 1 if bucket("shared", headers["X-Routing-Key"]) < 50 else 3
        assert answer.json()["model_version"] == str(expected)


def test_the_latest_answers_again_when_the_split_ends(client: httpx2.Client, shared: str) -> None:
    client.put(TRAFFIC, json={"split": [share(1, 100)]})
    assert ask(client) == 1

    assert client.delete(TRAFFIC).status_code == 204

    assert ask(client) == 3


@pytest.mark.parametrize(
    ("plan", "pointer"),
    [
        ({"split": [share(1, 50), share(2, 49)]}, "/split"),
        ({"split": [share(1, 50), share(9, 50)]}, "/split/1/version"),
        ({"split": [share(1, 50), share(1, 50)]}, "/split/1/version"),
        ({"split": [share(1, 100)], "shadows": [1]}, "/shadows/0"),
        ({"split": [share(1, 0), share(2, 100)]}, "/split/0/percent"),
        ({"split": [{"version": 1, "percent": 100.0}]}, "/split/0/percent"),
        ({"shadow": [1]}, "/shadow"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    client: httpx2.Client, shared: str, plan: dict[str, object], pointer: str
) -> None:
    answer = client.put(TRAFFIC, json=plan)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert client.get(TRAFFIC).json()["split"] == []


def test_a_stale_plan_is_refused(client: httpx2.Client, shared: str) -> None:
    held = client.get(TRAFFIC).headers["ETag"]
    client.put(TRAFFIC, json={"split": [share(1, 100)]})

    late = client.put(TRAFFIC, json={"split": [share(2, 100)]}, headers={"If-Match": held})

    assert late.status_code == 412
    assert ask(client) == 1


def test_a_shadow_is_recorded_and_never_returned(client: httpx2.Client, shared: str) -> None:
    rows = [{**ROW, "bill_length_mm": 34.0 + step, "body_mass_g": 3000 + 90 * step}
            for step in range(25)]  # fmt: skip
    client.put(TRAFFIC, json={"split": [share(1, 100)], "shadows": [2, 3]})

    for row in rows:
        assert client.post(PATH, json={"rows": [row]}).json()["version"] == 1
    client.post(PATH, json={"rows": rows})

    def compared() -> dict[int, dict[str, float]]:
        data = client.get(f"{TRAFFIC}/shadows").json()["data"]
        return {entry["shadow"]: entry for entry in data if entry["version"] == 1}

    wait_until(lambda: set(compared()) == {2, 3} and compared()[2]["rows"] == 50)

    def answers(version: int) -> list[dict[str, object]]:
        path = f"/v1/models/shared/versions/{version}/predict"
        return list(client.post(path, json={"rows": rows}).json()["predictions"])

    for version in (2, 3):
        given, shadow = answers(1), answers(version)
        same = [a["label"] == b["label"] for a, b in zip(given, shadow, strict=True)]
        differences = [
            b["probabilities"][a["label"]] - a["probabilities"][a["label"]]  # type: ignore[index]
            for a, b in zip(given, shadow, strict=True)
        ]
        found = compared()[version]
        assert found["agreement"] == pytest.approx(np.mean(same))
        assert found["mean_difference"] == pytest.approx(np.mean(differences), abs=1e-6)
        assert found["mean_absolute_difference"] == pytest.approx(
            np.mean(np.abs(differences)), abs=1e-6
        )
        assert found["failed"] == found["skipped"] == 0
    assert compared()[2]["agreement"] < compared()[3]["agreement"]


def test_rows_of_a_whole_table_are_counted_as_skipped(client: httpx2.Client, shared: str) -> None:
    client.put(TRAFFIC, json={"split": [share(3, 100)], "shadows": [2]})
    header, cells = ",".join(ROW), ",".join(map(str, ROW.values()))
    table = "\n".join([header, *[cells] * 7])

    answer = client.post(PATH, content=table.encode(), headers={"Content-Type": "text/csv"})

    assert answer.status_code == 200, answer.text

    def skipped() -> int:
        data = client.get(f"{TRAFFIC}/shadows").json()["data"]
        return sum(one["skipped"] for one in data if (one["version"], one["shadow"]) == (3, 2))

    wait_until(lambda: skipped() == 7)

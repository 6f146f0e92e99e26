"""Sweeps as their users meet them."""

import json
import os
import signal
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.chaos.tree import runs
from tests.conftest import running, wait_until

WAIT = {"Prefer": "wait=60"}
JOB = {"target": "species", "model": "swept", "training": {"epochs": 12}, "seed": 7}
RATES = {"/training/optimizer/learning_rate": {"choice": [0.0001, 0.003, 0.03]}}


def swept(client: httpx2.Client, dataset: str, **body: object) -> dict:
    job = {"dataset": dataset, **JOB}
    answer = client.post("/v1/sweeps", json={"job": job, **body}, headers=WAIT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def grid(client: httpx2.Client, penguins: str) -> dict:
    return swept(client, penguins, space=RATES, method="grid", repeats=2)


def test_a_grid_ranks_every_point_and_publishes_the_best(client: httpx2.Client, grid: dict) -> None:
    rows = grid["leaderboard"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert [row["loss"] for row in rows] == sorted(row["loss"] for row in rows)
    assert rows[0]["place"] == "best"
    assert all(row["repeats"] == 2 and row["low"] <= row["loss"] <= row["high"] for row in rows)
    assert grid["progress"] == {"trained": 6, "planned": 6}
    assert rows[0]["name"] in grid["answer"]
    best = rows[0]["point"]["/training/optimizer/learning_rate"]
    version = f"/v1/models/swept/versions/{grid['result']['version']}"
    lineage = client.get(version).json()["lineage"]
    assert lineage["spec"]["training"]["optimizer"]["learning_rate"] == best
    assert "sweep" not in lineage["spec"]
    verified = client.post(f"{version}/verify", headers=WAIT).json()
    assert verified["result"]["verified"]["identical"]


def test_a_trial_is_what_a_job_of_that_point_comes_to(
    client: httpx2.Client, penguins: str, grid: dict
) -> None:
    """The first repeat has the job's own seed: an ordinary job is its oracle."""
    losses = []
    for seed in (7, 8):
        training = {**JOB["training"], "optimizer": {"name": "adam", "learning_rate": 0.003}}
        body = {"dataset": penguins, **JOB, "model": "single", "training": training, "seed": seed}
        job = client.post("/v1/jobs", json=body, headers=WAIT).json()
        losses.append(job["result"]["metrics"]["log_loss"])
    (row,) = [one for one in grid["leaderboard"] if "0.003" in one["name"]]
    assert row["loss"] == pytest.approx(np.mean(losses), rel=1e-6)
    assert row["metrics"]["log_loss"] == pytest.approx(np.mean(losses), rel=1e-6)


def test_curves_have_bands_over_repeats(client: httpx2.Client, grid: dict) -> None:
    curves = client.get(f"/v1/sweeps/{grid['id']}/curves").json()["data"]
    assert [one["name"] for one in curves] == [row["name"] for row in grid["leaderboard"]]
    band = curves[0]["validation_loss"]
    assert band["epochs"] == list(range(1, 13))
    assert all(
        low <= mean <= high
        for low, mean, high in zip(band["low"], band["mean"], band["high"], strict=True)
    )
    assert band["low"] != band["high"]
    assert len(curves[0]["gradient_norms"]) == len(curves[0]["saturation"]) + 1


@pytest.mark.parametrize("method", ["random", "tpe", "halving"])
def test_the_same_sweep_finds_the_same(client: httpx2.Client, penguins: str, method: str) -> None:
    space = {
        "/training/optimizer/learning_rate": {"log_range": [0.0005, 0.05]},
        "/network/layers/*/units": {"range": [2, 12]},
    }
    first, second = (
        swept(client, penguins, space=space, method=method, trials=9) for _ in range(2)
    )
    for sweep in (first, second):
        for row in sweep["leaderboard"]:
            del row["seconds"]
    assert first["leaderboard"] == second["leaderboard"]
    assert first["result"]["metrics"] == second["result"]["metrics"]
    units = [row["point"]["/network/layers/*/units"] for row in first["leaderboard"]]
    assert all(isinstance(value, int) and 2 <= value <= 12 for value in units)


def test_which_activation_is_answered_in_words_and_numbers(
    client: httpx2.Client, penguins: str
) -> None:
    body = {"dataset": penguins, "target": "species", "depths": [1, 3], "epochs": 20, "seed": 7}
    answer = client.post("/v1/sweeps/activations", json=body, headers=WAIT)
    assert answer.status_code == 200, answer.text
    sweep = answer.json()
    names = {row["name"] for row in sweep["leaderboard"]}
    kinds = ("sigmoid", "tanh", "relu", "leaky_relu")
    assert names == {f"{kind} × {depth}" for kind in kinds for depth in (1, 3)}
    assert sweep["answer"].startswith(f"For this data {sweep['leaderboard'][0]['name']} is best")
    assert any("learning rate" in caveat for caveat in sweep["caveats"])
    curves = client.get(f"/v1/sweeps/{sweep['id']}/curves").json()["data"]
    (deep,) = [one for one in curves if one["name"] == "sigmoid × 3"]
    assert len(deep["gradient_norms"]) == 4
    assert deep["gradient_norms"][0] < deep["gradient_norms"][-1]  # it vanishes on its way back


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"space": {"/network/nothing/units": {"choice": [1]}}}, "/space/~1network~1nothing"),
        ({"space": {"/network/layers/*/units": {"choice": [4, 0]}}}, "/choice/1"),
        ({"space": {"/network/layers/*/units": {"range": [4, 9]}}}, "/range"),
        ({"space": {"/training/validation/fraction": {"choice": [0.1]}}}, "/choice"),
        ({"repeats": 20, "space": {"/network/layers/*/units": {"choice": list(range(1, 51))},
          "/training/optimizer/learning_rate": {"choice": [0.1, 0.2]}}}, "/trials"),
        ({"space": {"/training/optimizer/learning_rate": {"log_range": [0.1, 0.01]}}}, "/space"),
        ({"space": {"/seed": {"choice": [1]}}}, "/space"),
    ],
)  # fmt: skip
def test_what_no_job_may_have_is_refused_by_its_place(
    client: httpx2.Client, penguins: str, change: dict, pointer: str
) -> None:
    body = {"job": {"dataset": penguins, **JOB}, "space": RATES, "method": "grid", **change}
    answer = client.post("/v1/sweeps", json=body)
    assert answer.status_code == 422, answer.text
    assert any(pointer in error["pointer"] for error in answer.json()["errors"]), answer.text


def test_a_network_that_diverges_takes_nothing_with_it(
    client: httpx2.Client, penguins: str
) -> None:
    rates = {"/training/optimizer": {"choice": [
        {"name": "sgd", "learning_rate": 0.1}, {"name": "sgd", "learning_rate": 10.0},
    ]}}  # fmt: skip
    job = {"dataset": penguins, **JOB, "target": "body_mass_g"}
    job["network"] = {"layers": [{"units": 8, "activation": "relu"}]}
    body = {"job": job, "space": rates, "method": "grid"}
    sweep = client.post("/v1/sweeps", json=body, headers=WAIT).json()
    assert sweep["state"] == "succeeded"
    good, bad = sweep["leaderboard"]
    assert (good["rank"], bad["rank"], bad["diverged"]) == (1, None, 1)


def test_a_sweep_is_cancelled_and_keeps_what_it_found(client: httpx2.Client, penguins: str) -> None:
    job = {**JOB, "training": {"epochs": 3000, "early_stopping": None, "batch_size": 4}}
    body = {
        "job": {"dataset": penguins, **job},
        "space": {"/training/optimizer/learning_rate": {"log_range": [0.0001, 0.001]}},
        "trials": 200,
    }
    sweep = client.post("/v1/sweeps", json=body).json()
    path = f"/v1/sweeps/{sweep['id']}"
    wait_until(lambda: client.get(path).json()["progress"]["trained"] >= 1, 60)
    assert client.post(f"{path}/cancel").status_code == 202
    wait_until(lambda: client.get(path).json()["state"] == "cancelled", 30)
    ended = client.get(path).json()
    assert ended["result"] is None
    assert 1 <= ended["progress"]["trained"] < 200
    assert sweep["id"] in [one["id"] for one in client.get("/v1/sweeps").json()["data"]]
    assert client.get("/v1/sweeps/job_nobody").status_code == 404


def done(client: httpx2.Client, path: str) -> int:
    return int(client.get(path).json()["progress"]["trained"])


def test_a_killed_sweep_goes_on_to_the_same_leaderboard(tmp_path: Path) -> None:
    def leaderboard(sweep: dict) -> str:
        rows = [{**row, "seconds": 0} for row in sweep["leaderboard"]]
        return json.dumps([rows, sweep["result"]["metrics"]], sort_keys=True)

    with running(tmp_path / "data") as service, httpx2.Client(base_url=service.url) as client:
        client.post("/v1/datasets/samples/penguins")
        job = {**JOB, "training": {"epochs": 300, "early_stopping": None, "batch_size": 4}}
        body = {
            "job": {"dataset": "ds_sample_penguins", **job},
            "space": {"/training/optimizer/learning_rate": {"log_range": [0.0005, 0.02]}},
            "method": "tpe",
            "trials": 48,
        }
        ids = []
        for kill in (False, True):
            sweep = client.post("/v1/sweeps", json=body).json()
            path = f"/v1/sweeps/{sweep['id']}"
            for trained in (4, 12, 20) if kill else ():  # a third death without progress is poison
                wait_until(lambda path=path, n=trained: done(client, path) >= n, 60)
                for pid in runs(service):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda path=path: client.get(path).json()["state"] == "succeeded", 90)
            ids.append(client.get(path).json())
        undisturbed, killed = ids
        assert leaderboard(undisturbed) == leaderboard(killed)
        history = client.get(f"/v1/jobs/{killed['id']}").json()["history"]
        assert [one["state"] for one in history].count("interrupted") == 3

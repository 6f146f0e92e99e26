"""Figures stand beside simpler models' and say how sure they are, in the job and in the version."""

import numpy as np
import pytest


def trained(client, rows, header, target, name):
    table = "\n".join([header, *(",".join(f"{cell:.6g}" for cell in row) for row in rows)])
    dataset = client.post("/v1/datasets", content=table, headers={"Content-Type": "text/csv"})
    body = {
        "dataset": dataset.json()["id"], "target": target, "model": name, "seed": 1,
        "network": {"layers": [{"units": 16, "activation": "tanh"}]},
    }  # fmt: skip
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def test_a_curve_needs_the_network_and_a_line_does_not(client):
    x = np.random.default_rng(0).uniform(-3, 3, size=(300, 1))
    noise = np.random.default_rng(1).normal(scale=0.1, size=(300, 1))
    curve = trained(client, np.hstack([x, np.sin(2 * x) + noise]), "x,y", "y", "curve")
    assert curve["better_than_linear"]["verdict"] == "yes"
    assert curve["linear"]["r2"] < 0.3 < 0.8 < curve["metrics"]["r2"]
    line = trained(client, np.hstack([x, 2 * x + 1 + noise]), "x,y", "y", "line")
    assert line["better_than_linear"]["verdict"] != "yes"
    assert line["linear"]["rmse"] == pytest.approx(0.1, rel=0.3)


def test_every_interval_holds_its_metric_and_the_version_repeats_the_job(client, model):
    result = model["result"]
    assert set(result["intervals"]) <= set(result["metrics"])
    for name, interval in result["intervals"].items():
        assert interval["low"] <= result["metrics"][name] <= interval["high"]
    version = client.get(f"/v1/models/penguins/versions/{result['version']}").json()
    for field in ("intervals", "linear", "better_than_linear"):
        assert version[field] == result[field]

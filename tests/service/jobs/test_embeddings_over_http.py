"""A column of many levels as a learned table: from the job to every way of asking the model."""

import io

import httpx2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS, TOWNS = 3000, 600  # more levels than have an input each


def table() -> dict[str, np.ndarray]:
    random = np.random.default_rng(4)
    worth = random.normal(size=TOWNS)
    town, x = random.integers(0, TOWNS, ROWS), random.normal(size=ROWS)
    price = 3 * worth[town] + x + 0.1 * random.normal(size=ROWS)
    return {"town": np.array([f"town {at:03}" for at in town]), "x": x, "price": price}


@pytest.fixture(scope="module")
def job(client: httpx2.Client) -> dict:
    file = io.BytesIO()
    pq.write_table(pa.table(table()), file)
    kind = {"Content-Type": "application/vnd.apache.parquet"}
    dataset = client.post("/v1/datasets", content=file.getvalue(), headers=kind).json()["id"]
    body = {
        "dataset": dataset,
        "target": "price",
        "model": "towns",
        "preprocessing": {"columns": {"town": {"encoding": "embedding", "dimensions": 4}}},
        "network": {"layers": [{"units": 16, "activation": "tanh"}]},
        "training": {"epochs": 60, "optimizer": {"name": "adam", "learning_rate": 0.02}},
        "seed": 1,
    }
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
    assert answer.get("state") == "succeeded", answer.get("error", answer)
    return dict(answer)


def test_the_table_learns_what_each_level_is_worth(client, job) -> None:
    assert job["result"]["metrics"]["r2"] > 0.85
    points = client.get(f"/v1/jobs/{job['id']}/metrics").json()["data"]
    assert len(points[-1]["gradient_norms"]) == 2  # the table is told of with no layer


def test_unseen_and_missing_levels_have_answers(client, job) -> None:
    rows = [{"town": town, "x": 0.0} for town in ("town 001", "nowhere", "elsewhere", None)]
    answer = client.post("/v1/models/towns/predict", json={"rows": rows}).json()
    values = [one["value"] for one in answer["predictions"]]
    assert values[1] == values[2] != values[0]
    assert [one["count"] for one in answer["warnings"] if one["code"] == "unseen_level"] == [2]


@pytest.mark.parametrize("name", ["onnx", "python", "c"])
def test_exports_have_the_table_folded_in(client, job, name) -> None:
    address = "/v1/models/towns/versions/1/export/certificate"
    certificate = client.get(address, params={"format": name}).json()
    assert certificate["executed"], certificate
    assert certificate["largest_relative_difference"] < 1e-3


def test_training_again_gives_the_same_weights(client, job) -> None:
    answer = client.post("/v1/models/towns/versions/1/verify", headers={"Prefer": "wait=60"})
    assert answer.json()["result"]["verified"]["same_file"], answer.text


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"x": {"encoding": "embedding"}}, "encoding"),
        ({"town": {"encoding": "frequency", "dimensions": 3}}, "dimensions"),
    ],
)
def test_choices_that_do_not_fit_are_refused(client, job, columns, field) -> None:
    body = {"dataset": job["dataset"], "target": "price", "preprocessing": {"columns": columns}}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].endswith(f"/{field}")

"""Rows that count more than others."""

import csv
import io

import httpx2
import numpy as np
import pytest


def submit(client: httpx2.Client, **body: object) -> httpx2.Response:
    return client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})


@pytest.fixture(scope="module")
def contrary(client: httpx2.Client) -> str:
    """Two lines through the same x: the rows of weight 0 say y = -x, the others y = 2x. And a
    rare class that x tells from the common one but badly.
    """
    rng = np.random.default_rng(0)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["x", "w", "negative", "y", "kind"])
    for row in range(400):
        x, liar = rng.normal(), row % 2
        kind = "rare" if x + rng.normal() > 2.2 else "common"
        writer.writerow([x, 0 if liar else 3, -1, -x if liar else 2 * x, kind])
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v1/datasets?name=contrary", content=file.getvalue(), headers=headers)
    return str(answer.json()["id"])


@pytest.mark.parametrize("validation", [{"fraction": 0.2}, {"folds": 3}])
def test_rows_without_weight_teach_nothing_and_judge_nothing(
    client: httpx2.Client, contrary: str, validation: dict[str, object]
) -> None:
    body = {"dataset": contrary, "target": "y", "features": ["x"], "weights_column": "w"}
    training = {"validation": validation, "epochs": 300}
    job = submit(client, **body, network={"layers": []}, training=training, seed=1).json()
    assert job["state"] == "succeeded", job
    result = job["result"]
    assert result["metrics"]["r2"] > 0.99
    assert result["linear"]["r2"] > 0.99
    assert job["weights_column"] == "w"
    without = submit(client, **{**body, "weights_column": None}, training=training).json()
    assert without["result"]["metrics"]["r2"] < 0.6


@pytest.mark.parametrize("class_weight", ["balanced", {"rare": 12.0}])
def test_class_weights_find_more_of_the_rare_class(
    client: httpx2.Client, contrary: str, class_weight: object
) -> None:
    body = {"dataset": contrary, "target": "kind", "features": ["x"], "seed": 1}
    recalls = []
    for weight in (None, class_weight):
        job = submit(client, **body, class_weight=weight).json()
        assert job["class_weight"] == weight
        recalls.append(job["result"]["per_class"]["rare"]["recall"])
    assert recalls[1] > recalls[0]


@pytest.mark.parametrize(
    ("choice", "pointer"),
    [
        ({"weights_column": "nowhere"}, "/weights_column"),
        ({"weights_column": "kind"}, "/weights_column"),
        ({"weights_column": "negative"}, "/weights_column"),
        ({"weights_column": "y"}, "/weights_column"),
        ({"weights_column": "x", "features": ["x"]}, "/weights_column"),
        ({"class_weight": "balanced"}, "/class_weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    client: httpx2.Client, contrary: str, choice: dict[str, object], pointer: str
) -> None:
    answer = client.post("/v1/jobs", json={"dataset": contrary, "target": "y", **choice})
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_weight_for_a_class_that_is_not_there_fails_the_job(
    client: httpx2.Client, contrary: str
) -> None:
    body = {"dataset": contrary, "target": "kind", "class_weight": {"secret": 2}}
    job = submit(client, **body).json()
    assert (job["state"], job["error"]["code"]) == ("failed", "dataset_invalid")
    assert "secret" not in job["error"]["message"]

"""Which rows judge a job, and what it then says of itself."""

import csv
import io

import httpx2
import numpy as np
import pytest


def submit(client: httpx2.Client, **body: object) -> httpx2.Response:
    return client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})


@pytest.fixture(scope="module")
def folded(client: httpx2.Client, penguins: str) -> dict[str, object]:
    training = {"validation": {"folds": 4}, "epochs": 60}
    body = {"dataset": penguins, "target": "species", "model": "folded", "seed": 7}
    job = submit(client, **body, training=training).json()
    assert job["state"] == "succeeded", job
    return dict(job)


def test_folds_give_metrics_with_their_spread_and_a_network_of_all_rows(
    client: httpx2.Client, folded
) -> None:
    result = folded["result"]
    folds = result["folds"]
    assert [one["rows"] for one in folds["each"]] == [86] * 4
    accuracies = [one["metrics"]["accuracy"] for one in folds["each"]]
    assert folds["metrics"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert result["metrics"]["accuracy"] == pytest.approx(np.mean(accuracies))  # equal folds
    assert result["metrics"]["accuracy"] > 0.95 > result["baseline"]["accuracy"]
    assert result["best_epoch"] == round(np.median([one["best_epoch"] for one in folds["each"]]))
    card = client.get("/v1/models/folded/versions/1/card").json()
    assert (card["judged_by"], card["judging_rows"]) == ("folds", 344)
    assert card["data"]["training_rows"] == 344
    row = {"rows": [client.get("/v1/models/folded/versions/1/schema").json()["examples"][0]]}
    assert client.post("/v1/models/folded/predict", json=row).status_code == 200


def test_the_same_folds_give_the_same_model(client: httpx2.Client, penguins: str, folded) -> None:
    training = {"validation": {"folds": 4}, "epochs": 60}
    body = {"dataset": penguins, "target": "species", "model": "folded-again", "seed": 7}
    job = submit(client, **body, training=training).json()
    assert job["result"]["metrics"] == folded["result"]["metrics"]
    sums = [client.get(f"/v1/models/{name}/versions/1").json()["sha256"]
            for name in ("folded", "folded-again")]  # fmt: skip
    assert sums[0] == sums[1]


def test_a_job_says_how_good_it_is_on_training_rows_and_for_each_class(model) -> None:
    result = model["result"]
    assert result["train_metrics"].keys() == result["metrics"].keys()
    classes = result["per_class"]
    assert set(classes) == {"Adelie", "Chinstrap", "Gentoo"}
    assert np.mean([one["recall"] for one in classes.values()]) == pytest.approx(
        result["metrics"]["recall_macro"]
    )
    assert "folds" not in result or result["folds"] is None


@pytest.fixture(scope="module")
def marked(client: httpx2.Client) -> str:
    """y = 2x where rows train; the rows that judge hold another line, the rest a third."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["x", "part", "judges", "y"])
    for row in range(300):
        x, part = row / 300, ("train", "validation", "test")[row % 3]
        slope = {"train": 2.0, "validation": -2.0, "test": 900.0}[part]
        writer.writerow(
            [x, part, {"train": "no", "validation": "yes", "test": ""}[part], slope * x]
        )
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v1/datasets?name=marked", content=file.getvalue(), headers=headers)
    return str(answer.json()["id"])


@pytest.mark.parametrize("column", ["part", "judges"])
def test_a_column_says_which_rows_judge(client: httpx2.Client, marked: str, column: str) -> None:
    training = {"validation": {"column": column}, "early_stopping": None, "epochs": 400}
    body = {"dataset": marked, "target": "y", "features": ["x"], "model": f"marked-{column}"}
    job = submit(client, **body, training=training, network={"layers": []}, seed=1).json()
    assert job["state"] == "succeeded", job
    assert job["result"]["train_metrics"]["r2"] > 0.99
    assert job["result"]["metrics"]["r2"] < 0
    answer = client.post(f"/v1/models/marked-{column}/predict", json={"rows": [{"x": 0.5}]})
    assert answer.json()["predictions"][0]["value"] == pytest.approx(1.0, abs=0.05)


def test_a_column_that_marks_rows_is_no_feature_by_itself(
    client: httpx2.Client, marked: str
) -> None:
    training = {"validation": {"column": "part"}, "epochs": 1}
    job = submit(client, dataset=marked, target="y", training=training).json()
    assert job["features"] == ["x", "judges"]


@pytest.mark.parametrize(
    ("validation", "pointer"),
    [
        ({"column": "nowhere"}, "/training/validation/column"),
        ({"column": "y"}, "/training/validation/column"),
        ({"column": "x"}, "/training/validation/column"),
        ({"folds": 301}, "/training/validation/folds"),
        ({"folds": 1}, "/training/validation/folds"),
        ({"fraction": 1.5}, "/training/validation/fraction"),
        ({"folds": 5, "fraction": 0.2}, "/training/validation"),
        ({"share": 5}, "/training/validation/share"),
        (5, "/training/validation"),
    ],
)
def test_a_validation_that_does_not_fit_is_refused(
    client: httpx2.Client, marked: str, validation: object, pointer: str
) -> None:
    body = {"dataset": marked, "target": "y", "features": ["x"]}
    answer = client.post("/v1/jobs", json={**body, "training": {"validation": validation}})
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_marker_that_marks_nothing_fails_the_job(client: httpx2.Client, penguins: str) -> None:
    training = {"validation": {"column": "island"}}
    body = {"dataset": penguins, "target": "species", "model": "unmarked"}
    job = submit(client, **body, training=training).json()
    assert (job["state"], job["error"]["code"]) == ("failed", "dataset_invalid")
    assert "validation column" in job["error"]["message"]


@pytest.fixture(scope="module")
def others(client: httpx2.Client) -> str:
    """Rows of another table with the columns of `marked`, in another order, and one more."""
    rows = "".join(f"-1,{2 * x / 50},{x / 50},yes,train\n" for x in range(50))
    text = f"more,y,x,judges,part\n{rows},,0.5,,\n"
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v1/datasets?name=others", content=text, headers=headers)
    return str(answer.json()["id"])


def test_another_data_set_judges(client: httpx2.Client, linear_rows: str, others: str) -> None:
    training = {"validation": {"dataset": others}, "epochs": 400}
    body = {"dataset": linear_rows, "target": "y", "features": ["x"], "model": "judged"}
    job = submit(client, **body, training=training, network={"layers": []}, seed=1).json()
    assert job["state"] == "succeeded", job
    assert job["training"]["validation"] == {"dataset": others}
    version = client.get("/v1/models/judged/versions/1").json()
    assert version["metrics"]["r2"] > 0.99
    sha256 = client.get(f"/v1/datasets/{others}").json()["sha256"]
    assert version["lineage"]["validation_sha256"] == sha256
    card = client.get("/v1/models/judged/versions/1/card").json()
    assert (card["judging_rows"], card["data"]["training_rows"]) == (50, 120)
    refused = client.delete(f"/v1/datasets/{others}")
    assert refused.status_code == 409
    assert job["id"] in refused.json()["detail"]


@pytest.fixture(scope="module")
def linear_rows(client: httpx2.Client) -> str:
    text = "x,y\n" + "".join(f"{x / 120},{2 * x / 120}\n" for x in range(120))
    headers = {"Content-Type": "text/csv"}
    answer = client.post("/v1/datasets?name=lines", content=text, headers=headers)
    return str(answer.json()["id"])


def test_a_data_set_that_cannot_judge_is_refused(
    client: httpx2.Client, penguins: str, linear_rows: str
) -> None:
    for judge in ("ds_nowhere", penguins):
        training = {"validation": {"dataset": judge}}
        body = {"dataset": linear_rows, "target": "y", "training": training}
        answer = client.post("/v1/jobs", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/training/validation/dataset"


def test_the_documented_example_of_folds_and_choices_succeeds(
    client: httpx2.Client, penguins: str
) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    example = content["application/json"]["examples"]["prepared"]["value"]
    job = submit(client, **{**example, "model": "prepared"}).json()
    assert job["state"] == "succeeded", job
    assert job["result"]["folds"]["count"] == 5

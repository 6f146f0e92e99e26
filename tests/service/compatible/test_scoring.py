"""The forms of MLflow, SageMaker and TensorFlow Serving say what our own route says."""

import json

import pytest

from tests.service.inference_protocol.test_clients import RECORDS

COLUMNS = list(RECORDS[0])
SPLIT = {"columns": COLUMNS, "data": [list(row.values()) for row in RECORDS]}
INPUTS = {name: [row[name] for row in RECORDS] for name in COLUMNS}
JSON = {"Content-Type": "application/json"}
TARGET = {"X-Amzn-SageMaker-Target-Model": "penguins:1"}
TENSORFLOW = "/tensorflow/v1/models/penguins"


@pytest.fixture(scope="module")
def expected(client, model):
    body = {"rows": RECORDS}
    return client.post("/v1/models/penguins/versions/1/predict", json=body).json()["predictions"]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": SPLIT}, {"dataframe_split": {**SPLIT, "index": [0, 1, 2]}},
        {"dataframe_records": RECORDS}, {"instances": RECORDS}, {"instances": SPLIT["data"]},
        {"inputs": INPUTS}, {"inputs": {name: [[one] for one in INPUTS[name]] for name in INPUTS}},
    ],
    ids=["split", "split with index", "records", "instances", "arrays", "inputs", "n by 1"],
)  # fmt: skip
def test_invocations_take_all_four_forms_of_mlflow(client, expected, body):
    answer = client.post("/invocations", json=body, headers=TARGET)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": [row["label"] for row in expected]}
    answer = client.post(
        "/invocations", json={**body, "params": {"probabilities": True}}, headers=TARGET
    )
    assert answer.json()["predictions"] == expected


def test_invocations_take_csv(client, expected):
    lines = [
        ",".join("" if cell is None else str(cell) for cell in row.values()) for row in RECORDS
    ]
    table = "\n".join([",".join(COLUMNS), *lines])
    headers = {**TARGET, "Content-Type": "text/csv"}
    answer = client.post("/invocations", content=table, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": [row["label"] for row in expected]}


@pytest.mark.parametrize(
    ("body", "status", "hint"),
    [
        ({}, 422, "exactly one of"), ({"instances": [], "inputs": {}}, 422, "exactly one of"),
        ({"instances": []}, 422, "at least one row"), ({"inputs": {"a": 1}}, 422, "inputs"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, 422, "all of one length"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, 422, "distinct"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, 422, "one cell a column"),
        ({"dataframe_records": [{"island": 1}]}, 422, "/rows/0"),
        ({"instances": [1], "params": {"x": 1}}, 422, "params"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_mlflows_words(client, model, body, status, hint):
    answer = client.post("/invocations", json=body, headers=TARGET)
    assert (answer.status_code, set(answer.json())) == (status, {"error_code", "message"})
    assert hint in answer.json()["message"]


@pytest.mark.parametrize("target", ["nobody", "penguins:99", "penguins:none", "penguins:1x", ":"])
def test_models_that_are_not_there_are_not_found(client, model, target):
    headers = {"X-Amzn-SageMaker-Target-Model": target}
    answer = client.post("/invocations", json={"instances": RECORDS}, headers=headers)
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("where", ["", "/versions/1", "/labels/latest"])
def test_tensorflow_predicts_by_row_and_by_column(client, expected, where):
    by_row = client.post(f"{TENSORFLOW}{where}:predict", json={"instances": RECORDS})
    assert by_row.status_code == 200, by_row.text
    labels = [row["label"] for row in by_row.json()["predictions"]]
    if where == "/versions/1":
        assert labels == [row["label"] for row in expected]
        shares = [list(row["probabilities"].values()) for row in expected]
        assert [row["probabilities"] for row in by_row.json()["predictions"]] == shares
    body = json.dumps({"signature_name": "serving_default", "inputs": INPUTS})
    by_column = client.post(
        f"{TENSORFLOW}{where}:predict", content=body
    )  # no media type: it sends none
    assert by_column.json()["outputs"]["label"] == labels


def test_tensorflow_shows_status_and_metadata(client, model):
    status = client.get(TENSORFLOW).json()["model_version_status"]
    assert {one["state"] for one in status} == {"AVAILABLE"}
    assert (
        client.get(f"{TENSORFLOW}/versions/1").json()["model_version_status"][0]["version"] == "1"
    )
    found = client.get(f"{TENSORFLOW}/metadata").json()["metadata"]["signature_def"]
    assert list(found["signature_def"]["serving_default"]["inputs"]) == COLUMNS


@pytest.mark.parametrize("body", [{}, {"instances": [], "inputs": []}, {"instances": [{"a": 1}]}])
def test_mistakes_are_told_in_tensorflows_words(client, model, body):
    answer = client.post(f"{TENSORFLOW}:predict", json=body)
    assert (answer.status_code, list(answer.json())) == (422, ["error"])
    assert client.get("/tensorflow/v1/models/nobody").json().keys() == {"error"}
